//! Who acts next, and how large a block they want.

use super::{Model, slot, spread};
use crate::tables::{Act, Context, Tables};

/// What a context predicts: who acts next, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) act: Act,
    pub(crate) site: u32,
}

impl<T: Tables> Model<T> {
    #[inline]
    pub(super) fn context(&mut self) -> Option<&mut Context> {
        let thread = self.thread;
        let tables = self.tables.slices();
        let previous = tables.threads.get(slot(spread(thread), tables.threads.len()))?.previous;
        let at = slot(spread(previous), tables.contexts.len());
        tables.contexts.get_mut(at)
    }

    /// Who acts next in `thread`; `None` when this model does not predict that.
    #[inline]
    pub(crate) fn predicted(&mut self) -> Option<Symbol> {
        self.context().map(|context| Symbol { act: context.act, site: context.site })
    }

    /// A site in code: how far below the highest seen so far, or, with the lowest bit set, above.
    #[inline]
    pub(crate) fn site_code(&self, site: u32) -> u64 {
        match self.highest_site.checked_sub(site) {
            Some(below) => u64::from(below) << 1,
            None => u64::from(site - self.highest_site - 1) << 1 | 1,
        }
    }

    /// The inverse of [`site_code`](Self::site_code).
    #[inline]
    pub(crate) fn site(&self, code: u64) -> Option<u32> {
        let distance = u32::try_from(code >> 1).ok()?;
        match code & 1 {
            0 => self.highest_site.checked_sub(distance),
            _ => self.highest_site.checked_add(distance)?.checked_add(1),
        }
    }

    /// The context learns who acted; a confident prediction survives some surprises.
    #[inline]
    pub(super) fn learn_symbol(&mut self, symbol: Symbol) {
        if let Some(context) = self.context() {
            if context.act == symbol.act && context.site == symbol.site {
                context.confidence = (context.confidence + 1).min(3);
            } else if context.confidence == 0 {
                context.act = symbol.act;
                context.site = symbol.site;
            } else {
                context.confidence -= 1;
            }
        }
    }

    /// The thread's previous event is now this one. For a free, `site` is the freed block's: where
    /// it came from tells more of what follows than who frees it.
    #[inline]
    pub(super) fn remember(&mut self, act: Act, site: u32) {
        let thread = self.thread;
        let tables = self.tables.slices();
        let at = slot(spread(thread), tables.threads.len());
        if let Some(state) = tables.threads.get_mut(at) {
            state.previous = site.wrapping_mul(4).wrapping_add(act as u32);
        }
    }

    /// The size that `site` asked for last, 0 if it never did.
    #[inline]
    pub(crate) fn last_size(&mut self, site: u32) -> Option<u64> {
        let sizes = self.tables.slices().sizes;
        sizes.get(site as usize & sizes.len().wrapping_sub(1)).copied()
    }

    #[inline]
    pub(super) fn learn_size(&mut self, site: u32, size: u64) {
        let sizes = self.tables.slices().sizes;
        let mask = sizes.len().wrapping_sub(1);
        if let Some(last) = sizes.get_mut(site as usize & mask) {
            *last = size;
        }
    }
}
