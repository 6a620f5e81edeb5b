//! Who acts next, and how large a block they want.

use super::{Model, slot};
use crate::shape::Placing;
use crate::tables::{Act, Context, LastSize, Tables};

impl<T: Tables, P: Placing> Model<T, P> {
    /// The context of the next event; `None` when this model has none.
    #[inline(always)]
    pub(super) fn context(&mut self) -> Option<&mut Context> {
        let contexts = self.tables.slices().contexts;
        contexts.get_mut(self.context_at & contexts.len().wrapping_sub(1))
    }

    /// The context of the next event is the one after `previous`.
    #[inline(always)]
    pub(super) fn enter_context(&mut self, previous: u32) {
        let tables = self.tables.slices();
        self.context_at = slot(previous, tables.contexts.len());
        if let Some(context) = tables.contexts.get_mut(self.context_at)
            && context.generation != *tables.generation
        {
            *context = Context { generation: *tables.generation, ..Context::default() };
        }
    }

    /// The site that acts next, if the context foretells this act.
    #[inline(always)]
    pub(crate) fn foretold(&mut self, act: Act) -> Option<u32> {
        self.context().filter(|context| context.act == act).map(|context| context.site)
    }

    /// A site in code: how far below the last one, or, with the lowest bit set, above; in a model
    /// without contexts the site itself.
    #[inline]
    pub(crate) fn site_code(&mut self, site: u32) -> u64 {
        if self.context().is_none() {
            return site.into();
        }
        match self.last_site.checked_sub(site) {
            Some(below) => u64::from(below) << 1,
            None => u64::from(site - self.last_site - 1) << 1 | 1,
        }
    }

    /// The inverse of [`site_code`](Self::site_code).
    #[inline]
    pub(crate) fn site(&mut self, code: u64) -> Option<u32> {
        if self.context().is_none() {
            return code.try_into().ok();
        }
        let distance = u32::try_from(code >> 1).ok()?;
        match code & 1 {
            0 => self.last_site.checked_sub(distance),
            _ => self.last_site.checked_add(distance)?.checked_add(1),
        }
    }

    #[inline(always)]
    pub(super) fn learn_site(&mut self, site: u32) {
        if !T::SIMPLE {
            self.last_site = site;
        }
    }

    /// Somebody acts: whether the context foretold it, which learns it.
    #[inline(always)]
    pub(super) fn meet(&mut self, act: Act, site: u32) -> bool {
        let hit = self.foretold(act) == Some(site);
        self.learn_act(hit, act, site);
        hit
    }

    /// The context learns who acted; a confident prediction survives some surprises.
    #[inline(always)]
    pub(super) fn learn_act(&mut self, hit: bool, act: Act, site: u32) {
        if let Some(context) = self.context() {
            if hit {
                context.confidence =
                    context.confidence.wrapping_add((context.confidence < 3).into());
            } else if let Some(confidence) = context.confidence.checked_sub(1) {
                context.confidence = confidence;
            } else {
                (context.act, context.site) = (act, site);
            }
        }
    }

    /// The thread's previous event is now this one. For a free, `site` is the freed block's: where
    /// it came from tells more of what follows than who frees it.
    #[inline(always)]
    pub(super) fn remember(&mut self, act: Act, site: u32) {
        if T::SIMPLE {
            return;
        }
        let previous = site.wrapping_mul(4).wrapping_add(act as u32);
        self.own.previous = previous;
        self.enter_context(previous);
    }

    /// The size that `site` asked for last and its class, 0 if it never did; `None` when the model
    /// remembers no sizes.
    #[inline(always)]
    pub(crate) fn last_size(&mut self, site: u32) -> Option<LastSize> {
        let sizes = self.tables.slices().sizes;
        sizes.get(site as usize & sizes.len().wrapping_sub(1)).copied()
    }

    /// A site asks for so much: whether that is what it asked for last, which the table learns, and the class.
    #[inline(always)]
    pub(super) fn meet_size(&mut self, site: u32, size: u64) -> (bool, u32) {
        match self.last_size(site) {
            Some(last) if u64::from(last.size) == size && last.class != 0 => (true, last.class),
            _ => {
                let class = self.class(size);
                self.learn_size(site, size, class);
                (false, class)
            }
        }
    }

    #[inline(always)]
    pub(super) fn learn_size(&mut self, site: u32, size: u64, class: u32) {
        let sizes = self.tables.slices().sizes;
        let mask = sizes.len().wrapping_sub(1);
        if let Some(last) = sizes.get_mut(site as usize & mask)
            && let Ok(size) = u32::try_from(size)
        {
            *last = LastSize { size, class };
        }
    }
}
