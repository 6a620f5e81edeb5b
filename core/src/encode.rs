//! Events into lanes: asks the model what it foretold and writes down what it did not.

#[cfg(feature = "embedded-io")]
mod short;

use crate::event::{Event, EventKind, NO_SITE};
use crate::lanes::{Lane, Lanes};
use crate::model::{Model, Place, Placed, Which};
use crate::shape::{GivenPlacement, ModelSpec, Placing};
use crate::tables::{Act, Tables};
use crate::tag::Tag;
use crate::varint::zigzag;
use crate::word::Word;

/// Encodes the events of one chunk at a time. All or nothing: an event that does not fit leaves
/// encoder and payload as they were.
#[derive(Clone, Debug)]
pub(crate) struct Encoder<L, T: Tables, P = GivenPlacement> {
    model: Model<T, P>,
    lanes: L,
}

/// When an event happened, and on which thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Ticks since the event before it or, if `back`, until then; 0 for a chunk's first.
    pub(crate) step: u64,
    pub(crate) back: bool,
    /// Always `None` where threads are not told apart.
    pub(crate) thread: Option<u32>,
}

impl Moment {
    #[inline(always)]
    pub(crate) fn new(last: u64, time: u64, thread: Option<u32>) -> Self {
        let step = time.wrapping_sub(last).cast_signed();
        Self { step: step.unsigned_abs(), back: step < 0, thread }
    }
}

/// An allocation, or the reallocation of an `old` block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocated {
    pub(crate) old: Option<u64>,
    pub(crate) address: u64,
    pub(crate) size: u64,
    pub(crate) site: u32,
}

impl<L: Lanes, T: Tables, P: Placing> Encoder<L, T, P> {
    pub(crate) const fn new(lanes: L, tables: T, placing: P) -> Self {
        Self { model: Model::new(tables, placing), lanes }
    }

    pub(crate) fn spec(&self) -> ModelSpec {
        self.model.spec()
    }

    /// Begins a chunk whose payload may take `start..end` of the storage.
    pub(crate) fn begin(&mut self, start: usize, end: usize) {
        self.model.reset();
        self.lanes.begin(start, end);
    }

    /// How many of the next events, up to `most`, are sure to fit. To be asked again for those after them.
    #[inline(always)]
    pub(crate) fn sure(&mut self, storage: &mut [u8], most: usize) -> usize {
        self.lanes.sure(storage, most)
    }

    /// Writes an event that is not sure to fit, or returns false when it does not.
    #[cold]
    #[inline(never)]
    pub(crate) fn encode(&mut self, storage: &mut [u8], moment: Moment, kind: &EventKind) -> bool {
        // Twice, if room is made for it.
        for _ in 0..2 {
            let (before, former_thread) = (self.lanes.clone(), self.model.thread());
            if self.write(storage, moment, kind) {
                return true;
            }
            if self.model.thread() != former_thread {
                self.model.switch_thread(former_thread);
            }
            if !self.lanes.undo(before, storage) {
                return false;
            }
        }
        false
    }

    /// Writes an event that is sure to fit. Of the most frequent ones the model learns at once what it had foretold.
    #[inline(always)]
    pub(crate) fn encode_surely(&mut self, storage: &mut [u8], last: u64, event: &Event) {
        let &Event { time, thread, ref kind } = event;
        if thread == self.model.thread() && time >= last {
            let step = time.wrapping_sub(last);
            if let EventKind::Alloc { address, size, site } = *kind {
                return self.encode_alloc(storage, step, self.cut(address), size, site);
            } else if let EventKind::Free { address, site } = *kind {
                return self.encode_free(storage, step, self.cut(address), site);
            }
        }
        let fits = self.write(storage, Moment::new(last, time, Some(thread)), kind);
        debug_assert!(fits, "an event that was sure to fit does not");
    }

    #[inline(always)]
    fn encode_alloc(
        &mut self,
        storage: &mut [u8],
        step: u64,
        address: T::Word,
        size: u64,
        site: u32,
    ) {
        let met = self.model.meet_alloc(address, size, site);
        let hit = met.site_code.is_none();
        let tag = Tag::alloc(hit, met.sized, met.place.number());
        self.lanes.step(storage, tag, met.place.depth(), step);
        if let Some(code) = met.site_code {
            self.lanes.value(storage, Lane::Site, code);
        }
        if !met.sized {
            self.lanes.value(storage, Lane::Size, size);
        }
        self.place(storage, &met.place);
    }

    #[inline(always)]
    fn encode_free(&mut self, storage: &mut [u8], step: u64, address: T::Word, site: u32) {
        let (act, tag) = match site {
            NO_SITE => (Act::Free, Tag::FREE),
            _ => (Act::FreeAt, Tag::FREE_AT),
        };
        let met = self.model.meet_free(address, act, site);
        let hit = met.site_code.is_none();
        let tag = Tag::free(tag, hit, met.which.number());
        self.lanes.step(storage, tag, met.which.ago(), step);
        if let Some(code) = met.site_code.filter(|_| site != NO_SITE) {
            self.lanes.value(storage, Lane::Site, code);
        }
        self.which(storage, met.which);
    }

    /// Writes an event: true if it fits.
    #[inline(never)]
    fn write(&mut self, storage: &mut [u8], moment: Moment, kind: &EventKind) -> bool {
        match *kind {
            EventKind::Alloc { address, size, site } => {
                let old = None;
                self.write_alloc(storage, moment, Allocated { old, address, size, site })
            }
            EventKind::Realloc { old, address, size, site } => {
                let old = Some(old);
                self.write_alloc(storage, moment, Allocated { old, address, size, site })
            }
            EventKind::Free { address, site } => self.write_free(storage, moment, address, site),
            _ => self.write_other(storage, moment, kind),
        }
    }

    /// Completes the payload and returns where it ends.
    pub(crate) fn finish(&mut self, storage: &mut [u8]) -> usize {
        self.lanes.finish(storage)
    }

    #[inline]
    fn cut(&self, address: u64) -> T::Word {
        T::Word::cut(address & self.model.address_mask())
    }

    /// Writes an allocation and, if it fitted, lets the model learn it.
    #[inline(always)]
    fn write_alloc(&mut self, storage: &mut [u8], moment: Moment, allocated: Allocated) -> bool {
        let Allocated { old, address, size, site } = allocated;
        let switched = self.switch_thread(moment.thread);
        let (old, address) = (old.map(|old| self.cut(old)), self.cut(address));
        let act = if old.is_some() { Act::Realloc } else { Act::Alloc };
        let hit = self.model.foretold(act) == Some(site);
        let last = self.model.last_size(site);
        let (sized, class) = match last {
            Some(last) if u64::from(last.size) == size && last.class != 0 => (true, last.class),
            _ => (false, self.model.class(size)),
        };
        let place = match old {
            Some(old) if old == address => Place::Same,
            _ => self.model.place(address, class),
        };
        let old = old.map(|old| self.model.refer(old));
        self.start(storage, moment, switched);
        if let Some(old) = old {
            let which = self.model.which(old);
            let tag = Tag::of_block(Tag::REALLOC, which.number());
            self.lanes.tag(storage, tag, which.ago());
            self.which(storage, which);
        }
        self.lanes.tag(storage, Tag::alloc(hit, sized, place.number()), place.depth());
        self.lanes.time(storage, moment.step);
        if !hit {
            self.site(storage, site);
        }
        if !sized {
            self.lanes.value(storage, Lane::Size, size);
        }
        self.place(storage, &place);
        let fits = self.lanes.complete();
        if fits {
            let block = Placed { address, size, class, site };
            self.model.learn_alloc(old, hit, sized, &place, block);
        }
        fits
    }

    /// Writes a free and, if it fitted, lets the model learn it.
    #[inline(always)]
    fn write_free(&mut self, storage: &mut [u8], moment: Moment, address: u64, site: u32) -> bool {
        let switched = self.switch_thread(moment.thread);
        let (act, kind) = match site {
            NO_SITE => (Act::Free, Tag::FREE),
            _ => (Act::FreeAt, Tag::FREE_AT),
        };
        let hit = self.model.foretold(act) == Some(site);
        let freed = self.model.refer(self.cut(address));
        let which = self.model.which(freed);
        self.start(storage, moment, switched);
        self.lanes.tag(storage, Tag::free(kind, hit, which.number()), which.ago());
        self.lanes.time(storage, moment.step);
        if !hit && site != NO_SITE {
            self.site(storage, site);
        }
        self.which(storage, which);
        let fits = self.lanes.complete();
        if fits {
            self.model.learn_free(hit, act, site, freed);
        }
        fits
    }

    /// Writes an event that the model learns nothing from.
    #[inline(never)]
    fn write_other(&mut self, storage: &mut [u8], moment: Moment, kind: &EventKind) -> bool {
        let switched = self.switch_thread(moment.thread);
        let mut named = None;
        let other = Lane::Other;
        let (tag, first, second) = match *kind {
            EventKind::Name { address, variable, type_name } => {
                let block = self.model.refer(self.cut(address));
                let which = self.model.which(block);
                named = Some(which);
                let tag = Tag::of_block(Tag::NAME, which.number());
                (tag, (other, u64::from(variable)), Some((other, u64::from(type_name))))
            }
            EventKind::Gauge { gauge, value } => {
                (Tag::GAUGE, (other, u64::from(gauge)), Some((other, zigzag(value))))
            }
            EventKind::FailedAlloc { size, site } => {
                let code = self.model.site_code(site);
                (Tag::FAILED_ALLOC, (Lane::Site, code), Some((Lane::Size, size)))
            }
            EventKind::Mark { mark } => (Tag::MARK, (other, u64::from(mark)), None),
            // Written by the functions above.
            EventKind::Alloc { .. } | EventKind::Free { .. } | EventKind::Realloc { .. } => {
                return false;
            }
        };
        self.start(storage, moment, switched);
        self.lanes.tag(storage, tag, None);
        self.lanes.time(storage, moment.step);
        if let Some(which) = named {
            self.which(storage, which);
        }
        self.lanes.value(storage, first.0, first.1);
        if let Some((lane, value)) = second {
            self.lanes.value(storage, lane, value);
        }
        self.lanes.complete()
    }

    /// Turns the model to the event's thread; says whether it was another.
    #[inline(always)]
    fn switch_thread(&mut self, thread: Option<u32>) -> bool {
        let Some(thread) = thread.filter(|thread| *thread != self.model.thread()) else {
            return false;
        };
        self.model.switch_thread(thread);
        true
    }

    /// What stands before any event's own tag.
    #[inline(always)]
    fn start(&mut self, storage: &mut [u8], moment: Moment, switched: bool) {
        if let Some(thread) = moment.thread.filter(|_| switched) {
            self.lanes.tag(storage, Tag::SWITCH, None);
            self.lanes.value(storage, Lane::Thread, u64::from(thread));
        }
        if moment.back {
            self.lanes.tag(storage, Tag::BACK, None);
        }
    }

    #[inline]
    fn site(&mut self, storage: &mut [u8], site: u32) {
        let code = self.model.site_code(site);
        self.lanes.value(storage, Lane::Site, code);
    }

    #[inline(always)]
    fn place(&mut self, storage: &mut [u8], place: &Place<T::Word>) {
        if let Some((lane, value)) = place.lane() {
            self.lanes.value(storage, lane, value);
        }
    }

    #[inline(always)]
    fn which(&mut self, storage: &mut [u8], which: Which<T::Word>) {
        if let Some((lane, value)) = which.lane() {
            self.lanes.value(storage, lane, value);
        }
    }
}
