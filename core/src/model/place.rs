//! Where a block is allocated.

use super::{Model, slot, spread};
use crate::tables::{FreeList, Tables};
use crate::varint::{unzigzag, zigzag};

/// Where an allocated block lies, as the model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the newest block of its size class's list, or the latest hole.
    Top,
    /// Right after the thread's last fresh block.
    Bump,
    /// Deeper in the list, or an older hole: how deep, from 1.
    Deep(u64),
    /// A distance in granules, in code: see [`Model::far`].
    Far(u64),
    /// Anywhere: the address itself.
    Absolute(u64),
    /// Where it was (reallocations only).
    Same,
}

impl<T: Tables> Model<T> {
    #[inline]
    pub(super) fn list(&mut self, size: u64) -> Option<&mut FreeList> {
        let class = self.placement.granules(size) as u32;
        let key = class.wrapping_add(spread(self.thread));
        let lists = self.tables.slices().lists;
        let at = key as usize & lists.len().wrapping_sub(1);
        lists.get_mut(at)
    }

    #[inline]
    pub(super) fn bump(&mut self) -> u64 {
        let thread = self.thread;
        let threads = self.tables.slices().threads;
        threads.get(slot(spread(thread), threads.len())).map_or(0, |state| state.bump)
    }

    /// The hole `age` steps back, the latest being 0.
    #[inline]
    fn hole(&mut self, age: u64) -> Option<&mut u64> {
        let next = self.next_hole;
        let holes = self.tables.slices().holes;
        if age >= holes.len() as u64 {
            return None;
        }
        let at = next.wrapping_sub(1).wrapping_sub(age as u32);
        holes.get_mut(at as usize & holes.len().wrapping_sub(1))
    }

    #[inline]
    pub(super) fn add_hole(&mut self, address: u64) {
        self.next_hole = self.next_hole.wrapping_add(1);
        if let Some(hole) = self.hole(0) {
            *hole = address;
        }
    }

    /// How the model would say that a block of `size` bytes was allocated at `address`.
    #[inline]
    pub(crate) fn place(&mut self, address: u64, size: u64) -> Place {
        let depth = match self.list(size) {
            Some(list) => list.position(address),
            None => self.hole_age(address),
        };
        match depth {
            Some(0) => Place::Top,
            _ if self.bump() == address => Place::Bump,
            Some(depth) => Place::Deep(depth as u64),
            None => self.far(address).map_or(Place::Absolute(address), Place::Far),
        }
    }

    #[inline]
    fn hole_age(&mut self, address: u64) -> Option<usize> {
        let holes = self.tables.slices().holes.len();
        (0..holes).find(|&age| self.hole(age as u64).is_some_and(|hole| *hole == address))
    }

    /// The inverse of [`place`](Self::place); `None` for a place that the model does not have.
    #[inline]
    pub(crate) fn address(&mut self, place: Place, size: u64, old: u64) -> Option<u64> {
        let depth = match place {
            Place::Same => return Some(old),
            Place::Bump => return Some(self.bump()),
            Place::Far(code) => return Some(self.near(code)),
            Place::Absolute(address) => return Some(address),
            Place::Top => 0,
            Place::Deep(depth) => depth,
        };
        match self.list(size) {
            Some(list) => list.get(usize::try_from(depth).ok()?),
            None => self.hole(depth).map(|hole| *hole),
        }
    }

    /// An address as a distance in granules from the bump end or, if that is nearer, from the last
    /// freed block; the lowest bit of the code says from which. `None` when it is no whole number
    /// of granules away, or the code would not fit.
    #[inline]
    pub(crate) fn far(&mut self, address: u64) -> Option<u64> {
        let placement = self.placement;
        let bump = placement.distance(self.bump(), address);
        let freed = placement.distance(self.last_freed_address, address);
        let from_freed = freed.unsigned_abs() < bump.unsigned_abs();
        let distance = if from_freed { freed } else { bump };
        let granules = distance >> placement.granule_bits;
        let code = zigzag(granules);
        let fits = granules << placement.granule_bits == distance && code >> 63 == 0;
        fits.then_some(code << 1 | u64::from(from_freed))
    }

    /// The inverse of [`far`](Self::far).
    #[inline]
    pub(crate) fn near(&mut self, code: u64) -> u64 {
        let base = if code & 1 == 0 { self.bump() } else { self.last_freed_address };
        let distance = unzigzag(code >> 1) << self.placement.granule_bits;
        base.wrapping_add_signed(distance) & self.placement.address_mask()
    }

    /// The allocation at `address` was where `place` says: the lists and holes learn it.
    #[inline]
    pub(super) fn learn_place(&mut self, place: Place, address: u64, size: u64) {
        let end = self.placement.end(address, size);
        let depth = match place {
            Place::Top => Some(0),
            Place::Deep(depth) => Some(depth),
            Place::Same => return,
            Place::Bump | Place::Far(_) | Place::Absolute(_) => None,
        };
        if let Some(list) = self.list(size) {
            if let Some(depth) = depth {
                list.remove(depth as usize);
                return;
            }
        } else if let Some(hole) = depth.and_then(|depth| self.hole(depth)) {
            *hole = end;
        } else {
            self.add_hole(end);
        }
        let thread = self.thread;
        let threads = self.tables.slices().threads;
        if let Some(state) = threads.get_mut(slot(spread(thread), threads.len())) {
            state.bump = end;
        }
    }
}
