//! Where a block is allocated.

use super::block::address_slot;
use super::{Model, spread};
use crate::lanes::Lane;
use crate::shape::Placing;
use crate::tables::{FreeList, Slices, Tables};
use crate::varint::unzigzag;
use crate::word::Word;

/// Where an allocated block lies, as the model sees it; numbers are as wide as `N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<N> {
    /// In the block that its size class's list hands out next, or, without lists, the latest hole.
    Top,
    /// Right after the thread's last fresh block.
    Bump,
    /// Deeper in the list, or a hole: how deep, from 1; holes lie behind the list, the latest first.
    Deep(usize),
    /// A distance in granules, in code: see [`Model::far`].
    Far(N),
    /// Anywhere: the address itself.
    Absolute(N),
    /// Where it was (reallocations only).
    Same,
}

impl<N> Place<N> {
    /// Its number in a tag.
    #[inline]
    pub(crate) const fn number(&self) -> u8 {
        match self {
            Self::Top => 0,
            Self::Bump => 1,
            Self::Deep(_) => 2,
            Self::Far(_) => 3,
            Self::Absolute(_) => 4,
            Self::Same => 5,
        }
    }
}

impl<W: Word> Place<W> {
    /// The number that says more, and its lane.
    #[inline(always)]
    pub(crate) fn lane(&self) -> Option<(Lane, u64)> {
        match *self {
            Self::Deep(depth) => Some((Lane::Depth, depth as u64)),
            Self::Far(code) | Self::Absolute(code) => Some((Lane::Address, code.widen())),
            Self::Top | Self::Bump | Self::Same => None,
        }
    }

    /// How deep, if that is said.
    #[inline(always)]
    pub(crate) fn depth(&self) -> Option<u64> {
        match *self {
            Self::Deep(depth) => Some(depth as u64),
            _ => None,
        }
    }
}

impl<T: Tables, P: Placing> Model<T, P> {
    /// The list of a size class and the current thread; `None` when this model has none.
    #[inline(always)]
    pub(super) fn list(&mut self, class: u32) -> Option<&mut FreeList<T::Word>> {
        let key = class.wrapping_add(spread(self.thread));
        let tables = self.tables.slices();
        let at = key as usize & tables.lists.len().wrapping_sub(1);
        let list = tables.lists.get_mut(at)?;
        if list.generation != *tables.generation {
            list.generation = *tables.generation;
            list.clear();
        }
        Some(list)
    }

    /// The hole `age` steps back, the latest being 0.
    #[inline(always)]
    fn hole(&mut self, age: usize) -> Option<T::Word> {
        let next = self.next_hole as usize;
        let holes = self.tables.slices().holes;
        if age >= holes.len() {
            return None;
        }
        holes.get(next.wrapping_sub(1).wrapping_sub(age) & holes.len().wrapping_sub(1)).copied()
    }

    /// Puts another hole in the place of the one `age` steps back.
    #[inline(always)]
    fn set_hole(&mut self, age: usize, address: T::Word) {
        let number = self.next_hole.wrapping_sub(1).wrapping_sub(age as u32);
        let Slices { holes, index, .. } = self.tables.slices();
        let mask = holes.len().wrapping_sub(1);
        if let Some(hole) = holes.get_mut(number as usize & mask) {
            *hole = address;
            // Beside that of the block which may live there.
            if let Some(entry) = index.get_mut(address_slot(address, index.len()) ^ 1) {
                *entry = number;
            }
        }
    }

    #[inline(always)]
    pub(super) fn add_hole(&mut self, address: T::Word) {
        if !self.tables.slices().holes.is_empty() {
            self.next_hole = self.next_hole.wrapping_add(1);
            self.set_hole(0, address);
        }
    }

    /// How the model would say that a block of this class was allocated at `address`.
    #[inline(always)]
    pub(crate) fn place(&mut self, address: T::Word, class: u32) -> Place<T::Word> {
        if self.tables.slices().lists.is_empty() {
            return self.place_in_hole(address);
        }
        if self.listed(0, class) == Some(address) {
            Place::Top
        } else if self.own.bump == address {
            Place::Bump
        } else {
            self.deep_place(address, class)
        }
    }

    /// A block of this class is allocated at `address`: where that is, which the lists and holes learn.
    #[inline(always)]
    pub(super) fn meet_place(&mut self, address: T::Word, class: u32) -> Place<T::Word> {
        let bump = self.own.bump;
        let Some(list) = self.list(class) else {
            let place = self.place(address, class);
            self.learn_place(&place, address, class);
            return place;
        };
        if list.get(0) == Some(address) {
            list.take(0);
            return Place::Top;
        }
        if bump != address
            && let Some(depth) = list.depth(address)
        {
            list.take(depth);
            return Place::Deep(depth);
        }
        let behind = list.len();
        list.pass_over();
        let place = if bump == address {
            Place::Bump
        } else if let Some(age) = self.hole_age(address) {
            self.set_hole(age, bump);
            match behind + age {
                0 => Place::Top,
                depth => Place::Deep(depth),
            }
        } else {
            let far = self.far(address).map_or(Place::Absolute(address), Place::Far);
            self.add_hole(bump);
            far
        };
        self.own.bump = self.end_of(address, class.into());
        place
    }

    fn deep_place(&mut self, address: T::Word, class: u32) -> Place<T::Word> {
        let (listed, behind) = match self.list(class) {
            Some(list) => (list.depth(address), list.len()),
            None => (None, 0),
        };
        match listed.or_else(|| Some(behind + self.hole_age(address)?)) {
            Some(depth) => Place::Deep(depth),
            None => self.far(address).map_or(Place::Absolute(address), Place::Far),
        }
    }

    #[inline(always)]
    fn hole_age(&mut self, address: T::Word) -> Option<usize> {
        let Slices { holes, index, .. } = self.tables.slices();
        let mask = holes.len().wrapping_sub(1);
        let at = if index.is_empty() {
            self.hole_at(address)?
        } else {
            let number = index.get(address_slot(address, index.len()) ^ 1)?;
            Some(*number as usize & mask).filter(|at| holes.get(*at) == Some(&address))?
        };
        Some(self.age_of_hole(at) as usize)
    }

    /// The same in a model without lists. There the latest block's end is a hole, too.
    fn place_in_hole(&mut self, address: T::Word) -> Place<T::Word> {
        match self.hole_age(address) {
            Some(0) => Place::Top,
            Some(age) => Place::Deep(age),
            None => self.far(address).map_or(Place::Absolute(address), Place::Far),
        }
    }

    /// The inverse of [`place`](Self::place); `None` for a place that the model does not have.
    /// `old` is the block of a reallocation.
    #[inline(always)]
    pub(crate) fn address(
        &mut self,
        place: Place<u64>,
        class: u32,
        old: T::Word,
    ) -> Option<T::Word> {
        if matches!(place, Place::Top) {
            self.listed(0, class)
        } else if matches!(place, Place::Bump) {
            Some(self.own.bump)
        } else {
            self.deep_address(place, class, old)
        }
    }

    #[inline(never)]
    fn deep_address(&mut self, place: Place<u64>, class: u32, old: T::Word) -> Option<T::Word> {
        match place {
            Place::Deep(depth) => self.listed(depth, class),
            Place::Far(code) => Some(self.near(code)),
            Place::Absolute(address) => {
                (address & !self.address_mask() == 0).then_some(T::Word::cut(address))
            }
            Place::Same => Some(old),
            Place::Top | Place::Bump => None,
        }
    }

    #[inline(always)]
    fn listed(&mut self, depth: usize, class: u32) -> Option<T::Word> {
        let age = match self.list(class) {
            Some(list) => match depth.checked_sub(list.len()) {
                Some(age) => age,
                None => return list.get(depth),
            },
            None => depth,
        };
        self.hole(age)
    }

    /// An address as a distance in granules from the bump end or, if that is nearer, from the last
    /// freed block; the lowest bit of the code says from which. `None` when it is no whole number
    /// of granules away, or the code would not fit.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn far(&mut self, address: T::Word) -> Option<T::Word> {
        self.far_inline(address)
    }

    /// The same at once.
    #[inline(always)]
    pub(crate) fn far_inline(&mut self, address: T::Word) -> Option<T::Word> {
        address.far(self.own.bump, self.last_freed_address, self.placement())
    }

    /// The inverse of [`far`](Self::far).
    pub(crate) fn near(&mut self, code: u64) -> T::Word {
        let base = if code & 1 == 0 { self.own.bump } else { self.last_freed_address };
        self.end_of(base, unzigzag(code >> 1) as u64)
    }

    /// The address so many granules behind another.
    #[inline]
    pub(super) fn end_of(&self, address: T::Word, granules: u64) -> T::Word {
        T::Word::cut(
            address.forward(granules, self.placement().granule_bits).widen() & self.address_mask(),
        )
    }

    /// The allocation at `address` was where `place` says: the lists and holes learn it.
    #[inline(always)]
    pub(super) fn learn_place<N>(&mut self, place: &Place<N>, address: T::Word, class: u32) {
        match *place {
            Place::Top => self.learn_listed(0, address, class),
            Place::Deep(depth) => self.learn_listed(depth, address, class),
            Place::Bump => self.learn_elsewhere(address, class, false),
            Place::Far(_) | Place::Absolute(_) => self.learn_elsewhere(address, class, true),
            Place::Same => {}
        }
    }

    #[inline(always)]
    fn learn_listed(&mut self, depth: usize, address: T::Word, class: u32) {
        let end = self.end_of(address, class.into());
        let (age, left) = match self.list(class) {
            Some(list) => match depth.checked_sub(list.len()) {
                Some(age) => {
                    list.pass_over();
                    (age, self.own.bump)
                }
                None => return list.take(depth),
            },
            None => (depth, end),
        };
        self.set_hole(age, left);
        self.own.bump = end;
    }

    /// `away`: not where the last fresh block ended, so that this end becomes a hole.
    fn learn_elsewhere(&mut self, address: T::Word, class: u32, away: bool) {
        let end = self.end_of(address, class.into());
        match self.list(class) {
            Some(list) => {
                list.pass_over();
                if away {
                    let left = self.own.bump;
                    self.add_hole(left);
                }
            }
            None => self.add_hole(end),
        }
        self.own.bump = end;
    }
}
