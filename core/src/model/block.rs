//! Which block is freed, resized or named.

use super::Model;
use crate::event::NO_SITE;
use crate::tables::{Block, Slices, Tables};

/// Which block an event refers to, as the model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// As many allocations from the last freed one as the last time in this context.
    Step,
    /// As many allocations ago as the last time in this context.
    Distance,
    /// The one allocated after the last freed one.
    Next,
    /// So many allocations ago, from 0.
    Ago(u64),
    /// Not among those remembered: a distance in granules, in code: see [`Model::far`].
    Far(u64),
    /// Not among those remembered: the address itself.
    Absolute(u64),
}

/// A block that an event refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Referred {
    pub(crate) address: u64,
    /// Its allocation's number, when it is remembered.
    number: Option<u32>,
}

impl<T: Tables> Model<T> {
    #[inline]
    pub(super) fn block(&mut self, number: u32) -> Option<&mut Block> {
        let age = self.allocations.wrapping_sub(number);
        let blocks = self.tables.slices().blocks;
        if age == 0 || age as usize > blocks.len() {
            return None;
        }
        let at = number as usize & blocks.len().wrapping_sub(1);
        blocks.get_mut(at).filter(|block| block.live)
    }

    /// Finds the live block at `address` among those remembered.
    #[inline]
    pub(crate) fn refer(&mut self, address: u64) -> Referred {
        let tables = self.tables.slices();
        let number = if tables.index.is_empty() {
            let remembered = tables.blocks.len() as u32;
            let newest = self.allocations.wrapping_sub(1);
            (0..remembered)
                .map(|age| newest.wrapping_sub(age))
                .find(|&number| self.block(number).is_some_and(|block| block.address == address))
        } else {
            let at = address_slot(address, tables.index.len());
            let number = tables.index.get(at).map_or(0, |number| *number);
            self.block(number).is_some_and(|block| block.address == address).then_some(number)
        };
        Referred { address, number }
    }

    /// How the model would say that an event refers to this block.
    #[inline]
    pub(crate) fn which(&mut self, referred: Referred) -> Which {
        let Some(number) = referred.number else {
            let address = referred.address;
            return self.far(address).map_or(Which::Absolute(address), Which::Far);
        };
        let (allocations, last_freed) = (self.allocations, self.last_freed);
        let ago = allocations.wrapping_sub(number);
        if let Some(context) = self.context() {
            if last_freed.wrapping_add_signed(context.step) == number {
                return Which::Step;
            } else if ago == context.distance {
                return Which::Distance;
            } else if last_freed.wrapping_add(1) == number {
                return Which::Next;
            }
        }
        Which::Ago(u64::from(ago.wrapping_sub(1)))
    }

    /// The inverse of [`which`](Self::which); `None` when the block is not live and remembered.
    #[inline]
    pub(crate) fn referred(&mut self, which: Which) -> Option<Referred> {
        let number = match which {
            Which::Step => {
                let step = self.context()?.step;
                self.last_freed.wrapping_add_signed(step)
            }
            Which::Distance => {
                let distance = self.context()?.distance;
                self.allocations.wrapping_sub(distance)
            }
            Which::Next => self.last_freed.wrapping_add(1),
            Which::Ago(ago) => {
                let ago = u32::try_from(ago).ok()?.checked_add(1)?;
                self.allocations.wrapping_sub(ago)
            }
            Which::Far(code) => return Some(Referred { address: self.near(code), number: None }),
            Which::Absolute(address) => return Some(Referred { address, number: None }),
        };
        let address = self.block(number)?.address;
        Some(Referred { address, number: Some(number) })
    }

    /// The block is no longer live. Returns the site that it came from.
    #[inline]
    pub(super) fn learn_freed(&mut self, freed: Referred, reusable: bool) -> u32 {
        let Referred { address, number } = freed;
        let mut site = NO_SITE;
        if let Some(number) = number {
            let step = number.wrapping_sub(self.last_freed) as i32;
            let distance = self.allocations.wrapping_sub(number);
            if let Some(context) = self.context() {
                context.step = step;
                context.distance = distance;
            }
            let mut size = 0;
            if let Some(block) = self.block(number) {
                block.live = false;
                (site, size) = (block.site, block.size);
            }
            if reusable && let Some(list) = self.list(size) {
                list.push(address);
            }
            self.last_freed = number;
        }
        if reusable && !self.tables.slices().holes.is_empty() {
            self.add_hole(address);
        }
        self.last_freed_address = address;
        site
    }

    #[inline]
    pub(super) fn learn_block(&mut self, address: u64, size: u64, site: u32) {
        let number = self.allocations;
        let Slices { blocks, index, .. } = self.tables.slices();
        let at = number as usize & blocks.len().wrapping_sub(1);
        if let Some(block) = blocks.get_mut(at) {
            *block = Block { address, size, site, live: true };
        }
        if !index.is_empty() {
            let at = address_slot(address, index.len());
            if let Some(entry) = index.get_mut(at) {
                *entry = number;
            }
        }
        self.allocations = number.wrapping_add(1);
        self.learn_size(site, size);
        self.highest_site = self.highest_site.max(site);
    }
}

/// The encoder's entry for an address: any function will do, the format does not depend on it.
#[inline]
fn address_slot(address: u64, len: usize) -> usize {
    let hash = address.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (hash >> 32) as usize & len.wrapping_sub(1)
}
