//! The short way to write rows for a model without contexts, lists and sizes: a microcontroller's hook.
//! What it writes is what the general way writes.
//!
//! The model learns an event when its parts are known, before they are written: when these do not fit, the chunk
//! ends or begins anew, and the model with it.

use super::Encoder;
use crate::event::{EventKind, NO_SITE};
use crate::lanes::Lane;
use crate::lanes::rows::{Head, Parts, Rows};
use crate::shape::Placing;
use crate::tables::Tables;
use crate::tag::Tag;
use crate::varint::zigzag;
use crate::word::Word;

impl<T: Tables, P: Placing> Encoder<Rows, T, P> {
    /// The lanes, for what needs no model.
    #[inline(always)]
    pub(crate) fn lanes(&mut self) -> &mut Rows {
        &mut self.lanes
    }

    /// Whether a common event is sure to fit.
    #[inline(always)]
    pub(crate) fn has_room(&self) -> bool {
        self.lanes.has_room::<T::Word>()
    }

    /// The thread of the event before.
    #[inline(always)]
    pub(crate) fn thread(&self) -> u32 {
        self.model.thread()
    }

    /// How many allocations are in the chunk.
    pub(crate) fn allocations(&self) -> u32 {
        self.model.allocations()
    }

    /// The latest allocation is not to be in the chunk.
    pub(crate) fn uncount_allocation(&mut self) {
        self.model.uncount_allocation();
    }

    /// Writes what stands before an event's own tag when its thread is another or time steps back.
    pub(crate) fn begin_rare(&mut self, storage: &mut [u8], back: bool, thread: Option<u32>) {
        if let Some(thread) = thread
            && thread != self.model.thread()
        {
            self.model.switch_thread(thread);
            self.lanes.prefix(storage, Head::SWITCH, Lane::Thread, thread);
        }
        if back {
            self.lanes.prefix(storage, Head::BACK, Lane::Thread, 0u32);
        }
    }

    /// The parts of an allocation.
    #[inline(always)]
    pub(crate) fn alloc(&mut self, address: T::Word, size: T::Word) -> Parts<T::Word> {
        let (parts, at) = self.placed(address);
        self.learn_end(at, address, size);
        self.model.learn_recent(address);
        parts
    }

    #[inline(always)]
    fn learn_end(&mut self, at: usize, address: T::Word, size: T::Word) {
        let end = self.model.end(address, size);
        self.model.learn_end(at, end);
    }

    /// The parts of an allocation, and which hole becomes that behind it.
    #[inline(always)]
    fn placed(&mut self, address: T::Word) -> (Parts<T::Word>, usize) {
        if let Some(at) = self.model.hole_at(address) {
            let head = Head::alloc_in_hole(self.model.age_of_hole(at));
            return (Parts { head, far: T::Word::ZERO }, at);
        }
        let parts = match self.model.far_inline(address) {
            Some(far) => Parts { head: Head::ALLOC_FAR, far },
            None => Parts { head: Head::alloc_absolute(), far: address },
        };
        (parts, self.model.next_hole())
    }

    /// The parts of a free.
    #[inline(always)]
    pub(crate) fn free(&mut self, address: T::Word, site: u32) -> Parts<T::Word> {
        if self.lanes.turns(site != NO_SITE) {
            self.turned(address)
        } else {
            self.freed(address, false)
        }
    }

    /// The parts of a free of another kind than the one before: with its site, or without.
    #[cold]
    #[inline(never)]
    fn turned(&mut self, address: T::Word) -> Parts<T::Word> {
        self.lanes.turn();
        self.freed(address, true)
    }

    #[inline(always)]
    fn freed(&mut self, address: T::Word, turned: bool) -> Parts<T::Word> {
        let known = self.model.recent_at(address);
        let (head, far) = if let Some(at) = known {
            (Head::free(turned, self.model.age_of_recent(at)), T::Word::ZERO)
        } else if let Some(far) = self.model.far_inline(address) {
            (Head::free_far(turned), far)
        } else {
            (Head::free_absolute(turned), address)
        };
        self.model.learn_old(address, known, true);
        Parts { head, far }
    }

    /// The parts of a chunk's first event, an allocation or a free, of which the model knows nothing.
    #[cold]
    #[inline(never)]
    pub(crate) fn first<const FREES: bool>(
        &mut self,
        [address, size]: [T::Word; 2],
        site: u32,
    ) -> Parts<T::Word> {
        let known = self.model.far(address);
        let far = known.unwrap_or(address);
        if !FREES {
            // Holes that are not known are at 0.
            let is_hole = address == T::Word::ZERO;
            let at = if is_hole { 0 } else { self.model.next_hole() };
            let age = self.model.age_of_hole(at);
            self.learn_end(at, address, size);
            self.model.learn_recent(address);
            if is_hole {
                return Parts { head: Head::alloc_in_hole(age), far };
            }
            let head = if known.is_some() { Head::ALLOC_FAR } else { Head::alloc_absolute() };
            return Parts { head, far };
        }
        let turned = self.lanes.turns(site != NO_SITE);
        if turned {
            self.lanes.turn();
        }
        self.model.learn_old(address, None, true);
        let head =
            if known.is_some() { Head::free_far(turned) } else { Head::free_absolute(turned) };
        Parts { head, far }
    }

    /// Writes that the allocation behind this is the reallocation of an `old` block.
    pub(crate) fn write_old(&mut self, storage: &mut [u8], old: T::Word) {
        let (head, far) = if let Some(at) = self.model.recent_at(old) {
            (Head::realloc(self.model.age_of_recent(at)), T::Word::ZERO)
        } else {
            match self.model.far(old) {
                Some(far) => (Head::REALLOC_FAR, far),
                None => (Head::REALLOC_ABSOLUTE, old),
            }
        };
        self.lanes.prefix(storage, head, Lane::Address, far);
    }

    /// The model learns of which `old` block the latest allocation was the reallocation.
    pub(crate) fn learn_old(&mut self, old: T::Word) {
        let known = self.model.recent_at(old);
        self.model.learn_old(old, known, true);
    }

    /// The parts of a reallocation of a block that remains where it is.
    #[cold]
    #[inline(never)]
    pub(crate) fn resize(&mut self, address: T::Word) -> Parts<T::Word> {
        let known = self.model.recent_at(address);
        self.model.learn_old(address, known, false);
        self.model.learn_recent(address);
        Parts { head: Head::SAME, far: T::Word::ZERO }
    }

    /// Writes an event that the model learns nothing from.
    pub(crate) fn write_uncommon(&mut self, storage: &mut [u8], kind: &EventKind, step: u64) {
        let lanes = &mut self.lanes;
        let other = Lane::Other as usize;
        match *kind {
            EventKind::FailedAlloc { size, site } => {
                lanes.begin_uncommon(storage, Tag::FAILED_ALLOC, step);
                lanes.number(storage, Lane::Site as usize, site.into());
                lanes.number(storage, Lane::Size as usize, size);
            }
            EventKind::Gauge { gauge, value } => {
                lanes.begin_uncommon(storage, Tag::GAUGE, step);
                lanes.number(storage, other, gauge.into());
                lanes.number(storage, other, zigzag(value));
            }
            EventKind::Mark { mark } => {
                lanes.begin_uncommon(storage, Tag::MARK, step);
                lanes.number(storage, other, mark.into());
            }
            EventKind::Name { address, variable, type_name } => {
                let address = T::Word::cut(address & self.model.address_mask());
                let (which, lane, number) = if let Some(at) = self.model.recent_at(address) {
                    (3, Lane::Ago, self.model.age_of_recent(at).into())
                } else if let Some(far) = self.model.far(address) {
                    (4, Lane::Address, far.widen())
                } else {
                    (5, Lane::Address, address.widen())
                };
                lanes.begin_uncommon(storage, Tag::of_block(Tag::NAME, which), step);
                lanes.number(storage, lane as usize, number);
                lanes.number(storage, other, variable.into());
                lanes.number(storage, other, type_name.into());
            }
            // Those have functions of their own.
            EventKind::Alloc { .. } | EventKind::Free { .. } | EventKind::Realloc { .. } => {}
        }
    }
}
