//! What the encoder asks of a model without contexts, lists and sizes, by where things lie in memory.

use super::Model;
use crate::shape::Placing;
use crate::tables::Tables;
use crate::word::Word;

/// Where `wanted` is in a table. A loop would take twice the instructions that a table of 4 or 8 takes so.
#[inline(always)]
fn position<W: Word>(table: &[W], wanted: W) -> Option<usize> {
    let among = |[a, b, c, d]: &[W; 4]| {
        if *a == wanted {
            Some(0)
        } else if *b == wanted {
            Some(1)
        } else if *c == wanted {
            Some(2)
        } else if *d == wanted {
            Some(3)
        } else {
            None
        }
    };
    match table.split_first_chunk() {
        Some((first, [])) => among(first),
        Some((first, rest)) if let Ok(second) = rest.try_into() => {
            among(first).or_else(|| among(second).map(|at| at | 4))
        }
        _ => table.iter().position(|entry| *entry == wanted),
    }
}

impl<T: Tables, P: Placing> Model<T, P> {
    /// Where the hole is that begins at `address`.
    #[inline(always)]
    pub(crate) fn hole_at(&mut self, address: T::Word) -> Option<usize> {
        position(self.tables.slices().holes, address)
    }

    /// How many holes are newer.
    #[inline(always)]
    pub(crate) fn age_of_hole(&mut self, at: usize) -> u32 {
        let mask = (self.tables.slices().holes.len() as u32).wrapping_sub(1);
        self.next_hole.wrapping_sub(1).wrapping_sub(at as u32) & mask
    }

    /// Where the block at `address` is remembered.
    #[inline(always)]
    pub(crate) fn recent_at(&mut self, address: T::Word) -> Option<usize> {
        if address == T::Word::ZERO {
            return None;
        }
        position(self.tables.recent(), address)
    }

    /// How many allocations are newer.
    #[inline(always)]
    pub(crate) fn age_of_recent(&mut self, at: usize) -> u32 {
        let mask = (self.tables.recent().len() as u32).wrapping_sub(1);
        self.allocations.wrapping_sub(1).wrapping_sub(at as u32) & mask
    }
}

/// What the hook does by itself.
#[cfg(feature = "embedded-io")]
impl<T: Tables, P: Placing> Model<T, P> {
    /// How many allocations it learned.
    pub(crate) fn allocations(&self) -> u32 {
        self.allocations
    }

    /// The latest allocation does not count.
    pub(crate) fn uncount_allocation(&mut self) {
        self.allocations = self.allocations.wrapping_sub(1);
    }

    /// Where a block of `size` bytes ends.
    #[inline(always)]
    pub(crate) fn end(&self, address: T::Word, size: T::Word) -> T::Word {
        let granules = if T::Word::BITS == 32 {
            self.placement().class_around(size.widen() as u32)
        } else {
            self.class(size.widen())
        };
        self.end_of(address, granules.into())
    }

    /// Makes place for a new hole.
    #[inline(always)]
    pub(crate) fn next_hole(&mut self) -> usize {
        let next = self.next_hole as usize;
        self.next_hole = self.next_hole.wrapping_add(1);
        next
    }

    /// A block was allocated where this hole is: it ends at `end`.
    #[inline(always)]
    pub(crate) fn learn_end(&mut self, at: usize, end: T::Word) {
        let holes = self.tables.slices().holes;
        if let Some(hole) = holes.get_mut(at & holes.len().wrapping_sub(1)) {
            *hole = end;
        }
        self.own.bump = end;
    }

    #[inline(always)]
    pub(crate) fn learn_recent(&mut self, address: T::Word) {
        let at = self.allocations as usize;
        self.allocations = self.allocations.wrapping_add(1);
        let recent = self.tables.recent();
        if let Some(recent) = recent.get_mut(at & recent.len().wrapping_sub(1)) {
            *recent = address;
        }
    }

    /// A block was freed that may be remembered.
    #[inline(always)]
    pub(crate) fn learn_old(&mut self, address: T::Word, known: Option<usize>, reusable: bool) {
        if let Some(at) = known
            && let Some(recent) = self.tables.recent().get_mut(at)
        {
            *recent = T::Word::ZERO;
        }
        if reusable {
            self.add_hole(address);
        }
        self.last_freed_address = address;
    }
}
