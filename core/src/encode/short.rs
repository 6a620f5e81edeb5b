//! The short way to write rows for a model without contexts, lists and sizes: a microcontroller's hook.
//! What it writes is what the general way writes.

use super::{Encoder, Moment};
use crate::event::NO_SITE;
use crate::lanes::rows::{Has, Rows, Symbol};
use crate::lanes::{Lane, Lanes};
use crate::shape::Placing;
use crate::tables::Tables;
use crate::tag::Tag;
use crate::word::Word;

impl<T: Tables, P: Placing> Encoder<Rows, T, P> {
    /// Whether a common event is sure to fit.
    #[inline(always)]
    pub(crate) fn has_room(&self) -> bool {
        self.lanes.has_room::<T::Word>()
    }

    /// From now on no event is sure to fit.
    pub(crate) fn be_careful(&mut self) {
        self.lanes.be_careful();
    }

    /// Remembers where the lanes stand, to go back to when an event does not fit.
    #[cold]
    #[inline(never)]
    pub(crate) fn keep(&self, kept: &mut Rows) {
        kept.clone_from(&self.lanes);
    }

    pub(crate) fn go_back(&mut self, kept: &Rows) {
        self.lanes.clone_from(kept);
    }

    /// Whether more is to be written of any event at this moment than of a common one.
    #[inline(always)]
    pub(crate) fn is_rare(&self, moment: Moment) -> bool {
        let switched = moment.thread.is_some_and(|thread| thread != self.model.thread());
        moment.back || switched || moment.step >> 32 != 0
    }

    /// Whether all of the event had room.
    pub(crate) fn fits(&self) -> bool {
        self.lanes.complete()
    }

    /// Writes what stands before an event's own tag at a rare moment. Returns what the event has then.
    pub(crate) fn begin_rare(&mut self, storage: &mut [u8], moment: Moment) -> Has {
        let is_switched = self.switch_thread(moment.thread);
        self.start(storage, moment, is_switched);
        self.lanes.late_step = moment.step;
        if moment.step >> 32 != 0 { Has::CAREFUL.and(Has::LATE) } else { Has::CAREFUL }
    }

    /// Writes an allocation. The model learns it even if it does not fit: then the chunk ends.
    #[inline(always)]
    pub(crate) fn write_short_alloc(
        &mut self,
        storage: &mut [u8],
        (step, has): (u32, Has),
        [address, size]: [T::Word; 2],
        site: u32,
    ) {
        let end = self.model.end(address, size.widen());
        let (symbol, far, at) = if let Some(at) = self.model.hole_at(address) {
            (Symbol::alloc_in_hole(self.model.age_of_hole(at)).and(has), T::Word::ZERO, at)
        } else {
            let (symbol, far) = match self.model.far(address) {
                Some(code) => (Symbol::ALLOC_FAR, code),
                None => (Symbol::ALLOC_ABSOLUTE, address),
            };
            (symbol.and(has.and(Has::FAR)), far, self.model.next_hole())
        };
        self.model.learn_end(at, end);
        self.model.learn_recent(address);
        let symbol = symbol.and(Has::SITE).and(Has::SIZE);
        self.lanes.write(storage, symbol, step, &[site.into(), size, far]);
    }

    /// Writes that the allocation behind this is the reallocation of an `old` block. Returns where the model has
    /// that, for [`learn_old`](Self::learn_old) behind the allocation.
    pub(crate) fn write_old(&mut self, storage: &mut [u8], old: T::Word) -> Option<usize> {
        let at = self.model.recent_at(old);
        if let Some(at) = at {
            self.lanes.symbol(storage, Symbol::realloc(self.model.age_of_recent(at)));
        } else {
            let (which, far) = match self.model.far(old) {
                Some(code) => (4, code),
                None => (5, old),
            };
            self.lanes.symbol(storage, Symbol::of(Tag::of_block(Tag::REALLOC, which)));
            self.lanes.value(storage, Lane::Address, far.widen());
        }
        at
    }

    /// The model learns that a reallocation has freed the `old` block.
    pub(crate) fn learn_old(&mut self, old: T::Word, at: Option<usize>) {
        // The new block may have taken its place already.
        let at = at.filter(|at| self.model.age_of_recent(*at) > 0);
        self.model.learn_old(old, at, true);
    }

    /// Writes a reallocation behind its `old` block, whose address remains.
    pub(crate) fn write_same(
        &mut self,
        storage: &mut [u8],
        (step, has): (u32, Has),
        [address, size]: [T::Word; 2],
        old_at: Option<usize>,
        site: u32,
    ) {
        self.model.learn_old(address, old_at, false);
        self.model.learn_recent(address);
        let has = Symbol::SAME.and(has).and(Has::SITE).and(Has::SIZE);
        self.lanes.write(storage, has, step, &[site.into(), size, T::Word::ZERO]);
    }

    /// Writes a free; the same of it.
    #[inline(always)]
    pub(crate) fn write_short_free(
        &mut self,
        storage: &mut [u8],
        (step, has): (u32, Has),
        address: T::Word,
        site: u32,
    ) {
        let (kind, has) = match site {
            NO_SITE => (Tag::FREE, has),
            _ => (Tag::FREE_AT, has.and(Has::SITE)),
        };
        let kind = self.lanes.kind(kind);
        let known = self.model.recent_at(address);
        let (symbol, far) = if let Some(at) = known {
            (Symbol::free(kind, self.model.age_of_recent(at)).and(has), T::Word::ZERO)
        } else {
            let (which, far) = match self.model.far(address) {
                Some(code) => (4, code),
                None => (5, address),
            };
            (Symbol::of(Tag::free(kind, false, which)).and(has.and(Has::FAR)), far)
        };
        self.model.learn_old(address, known, true);
        self.lanes.write(storage, symbol, step, &[site.into(), T::Word::ZERO, far]);
    }
}
