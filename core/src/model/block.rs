//! Which block is freed, resized or named.

use super::Model;
use crate::event::NO_SITE;
use crate::lanes::Lane;
use crate::shape::Placing;
use crate::tables::{Block, Slices, Tables};
use crate::word::Word;

/// Which block an event refers to, as the model sees it; numbers are as wide as `N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which<N> {
    /// As many allocations from the last freed one as the last time in this context.
    Step,
    /// As many allocations ago as the last time in this context.
    Distance,
    /// The one allocated after the last freed one.
    Next,
    /// So many allocations ago, from 0.
    Ago(N),
    /// Not among those remembered: a distance in granules, in code: see [`Model::far`].
    Far(N),
    /// Not among those remembered: the address itself.
    Absolute(N),
}

impl<N> Which<N> {
    /// Its number in a tag.
    #[inline]
    pub(crate) const fn number(&self) -> u8 {
        match self {
            Self::Step => 0,
            Self::Distance => 1,
            Self::Next => 2,
            Self::Ago(_) => 3,
            Self::Far(_) => 4,
            Self::Absolute(_) => 5,
        }
    }
}

impl<W: Word> Which<W> {
    /// The number that says more, and its lane.
    #[inline(always)]
    pub(crate) fn lane(&self) -> Option<(Lane, u64)> {
        match *self {
            Self::Ago(ago) => Some((Lane::Ago, ago.widen())),
            Self::Far(code) | Self::Absolute(code) => Some((Lane::Address, code.widen())),
            Self::Step | Self::Distance | Self::Next => None,
        }
    }

    /// How many allocations ago, if that is said.
    #[inline(always)]
    pub(crate) fn ago(&self) -> Option<u64> {
        match *self {
            Self::Ago(ago) => Some(ago.widen()),
            _ => None,
        }
    }
}

/// A block that an event refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Referred<W> {
    pub(crate) address: W,
    /// Its allocation, when it is remembered.
    known: Option<Known>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    number: u32,
    site: u32,
    class: u32,
}

/// A block that an event allocated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed<W> {
    pub(crate) address: W,
    pub(crate) size: u64,
    /// Its size's class.
    pub(crate) class: u32,
    pub(crate) site: u32,
}

impl<T: Tables, P: Placing> Model<T, P> {
    /// The live block of this number, if the ring still has it.
    #[inline(always)]
    fn block(&mut self, number: u32) -> Option<Referred<T::Word>> {
        let allocations = self.allocations;
        if T::SIMPLE {
            let recent = self.tables.recent();
            let age = allocations.wrapping_sub(number).wrapping_sub(1) as usize;
            let address = *recent.get(number as usize & recent.len().wrapping_sub(1))?;
            let known = Known { number, site: NO_SITE, class: 0 };
            let is_there = age < recent.len() && address != T::Word::ZERO;
            return is_there.then_some(Referred { address, known: Some(known) });
        }
        let blocks = self.tables.slices().blocks;
        // What the ring holds beyond that is of former chunks.
        let age = allocations.wrapping_sub(1).wrapping_sub(number);
        if age >= allocations || age as usize >= blocks.len() {
            return None;
        }
        let block = blocks.get(number as usize & blocks.len().wrapping_sub(1))?;
        let known = Known { number, site: block.site, class: block.class() };
        block.is_live().then_some(Referred { address: block.address, known: Some(known) })
    }

    /// Finds the live block at `address` among those remembered.
    #[inline]
    pub(crate) fn refer(&mut self, address: T::Word) -> Referred<T::Word> {
        if T::SIMPLE {
            return self.refer_simply(address);
        }
        let Slices { index, blocks, .. } = self.tables.slices();
        let found = if index.is_empty() {
            let newest = self.allocations.wrapping_sub(1);
            let mask = (blocks.len() as u32).wrapping_sub(1);
            (0..blocks.len()).find_map(|at| {
                // Entries in their order in memory: quicker than by age.
                if self.tables.slices().blocks.get(at)?.address != address {
                    return None;
                }
                let age = newest.wrapping_sub(at as u32) & mask;
                self.block(newest.wrapping_sub(age))
            })
        } else {
            let number = index.get(address_slot(address, index.len())).map_or(0, |number| *number);
            self.block(number).filter(|block| block.address == address)
        };
        found.unwrap_or(Referred { address, known: None })
    }

    /// The same where only addresses are remembered.
    #[inline(always)]
    fn refer_simply(&mut self, address: T::Word) -> Referred<T::Word> {
        let newest = self.allocations.wrapping_sub(1);
        let known = self.recent_at(address).map(|at| {
            let number = newest.wrapping_sub(self.age_of_recent(at));
            Known { number, site: NO_SITE, class: 0 }
        });
        Referred { address, known }
    }

    /// How the model would say that an event refers to this block.
    #[inline(always)]
    pub(crate) fn which(&mut self, referred: Referred<T::Word>) -> Which<T::Word> {
        let Some(Known { number, .. }) = referred.known else {
            let address = referred.address;
            return self.far(address).map_or(Which::Absolute(address), Which::Far);
        };
        let step = number.wrapping_sub(self.last_freed);
        let ago = self.allocations.wrapping_sub(number);
        if let Some(context) = self.context() {
            if step == context.step {
                return Which::Step;
            } else if ago == context.distance {
                return Which::Distance;
            } else if step == 1 {
                return Which::Next;
            }
        }
        Which::Ago(ago.wrapping_sub(1).into())
    }

    /// The block at `address` is freed: which it is, as the model learns; and the site that it came from.
    #[inline(always)]
    pub(super) fn meet_freed(&mut self, address: T::Word) -> (Which<T::Word>, u32) {
        let freed = self.refer(address);
        let which = self.which(freed);
        (which, self.learn_freed(freed, true))
    }

    /// The inverse of [`which`](Self::which); `None` when the block is not live and remembered.
    #[inline(always)]
    pub(crate) fn referred(&mut self, which: Which<u64>) -> Option<Referred<T::Word>> {
        let number = match which {
            Which::Step => self.last_freed.wrapping_add(self.context()?.step),
            Which::Distance => self.allocations.wrapping_sub(self.context()?.distance),
            Which::Next => {
                self.context()?;
                self.last_freed.wrapping_add(1)
            }
            Which::Ago(ago) => {
                let ago = u32::try_from(ago).ok()?.checked_add(1)?;
                self.allocations.wrapping_sub(ago)
            }
            Which::Far(_) | Which::Absolute(_) => return self.unknown(which),
        };
        self.block(number)
    }

    #[inline(never)]
    fn unknown(&mut self, which: Which<u64>) -> Option<Referred<T::Word>> {
        let address = match which {
            Which::Far(code) => self.near(code),
            Which::Absolute(address) if address & !self.address_mask() == 0 => {
                T::Word::cut(address)
            }
            _ => return None,
        };
        Some(Referred { address, known: None })
    }

    /// The block is no longer live. Returns the site that it came from.
    #[inline(always)]
    pub(super) fn learn_freed(&mut self, freed: Referred<T::Word>, reusable: bool) -> u32 {
        let Referred { address, known } = freed;
        let mut origin = NO_SITE;
        if T::SIMPLE {
            let recent = self.tables.recent();
            if let Some(known) = known
                && let Some(recent) =
                    recent.get_mut(known.number as usize & recent.len().wrapping_sub(1))
            {
                *recent = T::Word::ZERO;
            }
        } else if let Some(Known { number, site, class }) = known {
            let step = number.wrapping_sub(self.last_freed);
            let distance = self.allocations.wrapping_sub(number);
            if let Some(context) = self.context() {
                (context.step, context.distance) = (step, distance);
            }
            let blocks = self.tables.slices().blocks;
            if let Some(block) = blocks.get_mut(number as usize & blocks.len().wrapping_sub(1)) {
                block.end_life();
            }
            if reusable && let Some(list) = self.list(class) {
                list.push(address);
            }
            self.last_freed = number;
            origin = site;
        }
        if reusable {
            self.add_hole(address);
        }
        self.last_freed_address = address;
        origin
    }

    #[inline(always)]
    pub(super) fn learn_block(&mut self, block: Placed<T::Word>, sized: bool) {
        let Placed { address, size, class, site } = block;
        let number = self.allocations;
        if T::SIMPLE {
            let recent = self.tables.recent();
            if let Some(recent) = recent.get_mut(number as usize & recent.len().wrapping_sub(1)) {
                *recent = address;
            }
            self.allocations = number.wrapping_add(1);
            return;
        }
        let Slices { blocks, index, .. } = self.tables.slices();
        if let Some(entry) = blocks.get_mut(number as usize & blocks.len().wrapping_sub(1)) {
            *entry = Block::new(address, site, class);
        }
        if let Some(entry) = index.get_mut(address_slot(address, index.len())) {
            *entry = number;
        }
        self.allocations = number.wrapping_add(1);
        if !sized {
            self.learn_size(site, size, class);
        }
    }
}

/// The encoder's entry for an address: any function will do, the format does not depend on it.
#[inline]
pub(super) fn address_slot(address: impl Word, len: usize) -> usize {
    let hash = address.widen().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (hash >> 32) as usize & len.wrapping_sub(1)
}
