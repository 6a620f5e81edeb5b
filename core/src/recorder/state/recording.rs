//! The hook's part: how an event is recorded. Common events, frees and allocations that are sure to fit, take the
//! straight way; whatever else an event has or needs is looked after apart, at its own cost.

use super::{Block, Recorded, State, What, Whose};
use crate::encode::Moment;
use crate::event::EventKind;
use crate::lanes::rows::Has;
use crate::recorder::device::{Clock, Device};

impl<D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize>
    State<D, SIZE, BUFFERS, NAMES>
{
    /// Records what happened just now.
    #[inline(always)]
    pub(in crate::recorder) fn record(&mut self, what: &What<'_>, whose: Whose) -> Recorded {
        let mut has = Has::NOTHING;
        if !self.encoder.has_room() {
            if let Some(recorded) = self.prepare(what) {
                return recorded;
            }
            has = Has::CAREFUL;
        }
        let (time, moment) = Clock::<D>::after(self.time);
        self.time = time;
        let site = match whose {
            Whose::Scope => self.site,
            Whose::Site(site) => site,
        };
        if self.encoder.is_rare(moment) {
            let Moment { step, back, thread } = moment;
            has = self.begin_rare(step, back, thread, what, has);
        }
        let step = moment.step as u32;
        let is_written = match what {
            What::Allocated(block) => self.record_alloc(block, site, step, has),
            What::Reallocated(blocks) => self.record_realloc(blocks, site, step, has),
            What::Freed(freed) => self.record_free(freed, site, step, has),
            What::Other(kind) => {
                self.record_other(moment.step, moment.back, moment.thread, kind, has)
            }
        };
        if !is_written {
            return self.refuse();
        }
        self.events = self.events.wrapping_add(1);
        Recorded::Done
    }

    /// Begins an event at a rare moment.
    #[cold]
    #[inline(never)]
    fn begin_rare(
        &mut self,
        step: u64,
        back: bool,
        thread: Option<u32>,
        what: &What<'_>,
        has: Has,
    ) -> Has {
        if !has.is_careful() {
            self.encoder.keep(&mut self.kept);
        }
        match self.buffers.get_mut(usize::from(self.filling)) {
            Some(buffer) if !matches!(what, What::Other(_)) => {
                self.encoder.begin_rare(&mut buffer.payload, Moment { step, back, thread })
            }
            _ => Has::CAREFUL,
        }
    }

    #[inline(never)]
    fn record_alloc(&mut self, block: &Block, site: u32, step: u32, has: Has) -> bool {
        let Some(buffer) = self.buffers.get_mut(usize::from(self.filling)) else { return false };
        let numbers = [block.address, block.size];
        self.encoder.write_short_alloc(&mut buffer.payload, (step, has), numbers, site);
        if has.is_careful() && !self.encoder.fits() {
            return false;
        }
        self.counts.add(block.size);
        true
    }

    #[cold]
    #[inline(never)]
    fn record_realloc(
        &mut self,
        [old, new]: &[Block; 2],
        site: u32,
        step: u32,
        mut has: Has,
    ) -> bool {
        if !has.is_careful() {
            self.encoder.keep(&mut self.kept);
            has = has.and(Has::CAREFUL);
        }
        let Some(buffer) = self.buffers.get_mut(usize::from(self.filling)) else { return false };
        let old_at = self.encoder.write_old(&mut buffer.payload, old.address);
        let counts_before = self.counts;
        self.counts.surplus = self.counts.surplus.wrapping_sub(1);
        self.counts.remove(old.size);
        let fits = if old.address == new.address {
            let numbers = [new.address, new.size];
            self.encoder.write_same(&mut buffer.payload, (step, has), numbers, old_at, site);
            self.counts.add(new.size);
            self.encoder.fits()
        } else {
            let fits = self.record_alloc(new, site, step, has);
            self.encoder.learn_old(old.address, old_at);
            fits
        };
        if !fits {
            self.counts = counts_before;
        }
        fits
    }

    #[inline(never)]
    fn record_free(&mut self, freed: &Block, site: u32, step: u32, has: Has) -> bool {
        let Some(buffer) = self.buffers.get_mut(usize::from(self.filling)) else { return false };
        self.encoder.write_short_free(&mut buffer.payload, (step, has), freed.address, site);
        if has.is_careful() && !self.encoder.fits() {
            return false;
        }
        self.counts.remove(freed.size);
        true
    }

    /// Records an event that no allocator reports often.
    #[cold]
    #[inline(never)]
    fn record_other(
        &mut self,
        step: u64,
        back: bool,
        thread: Option<u32>,
        kind: &EventKind,
        has: Has,
    ) -> bool {
        if !has.is_careful() {
            self.encoder.keep(&mut self.kept);
        }
        let Some(buffer) = self.buffers.get_mut(usize::from(self.filling)) else { return false };
        let moment = Moment { step, back, thread };
        let fits = self.encoder.write_other(&mut buffer.payload, moment, kind);
        if fits {
            self.counts.count_other(kind);
        }
        fits
    }

    /// Makes ready for an event that is not sure to fit: `None` when it may be tried.
    #[cold]
    #[inline(never)]
    fn prepare(&mut self, what: &What<'_>) -> Option<Recorded> {
        if !self.recording {
            self.pass_over(what);
            return Some(Recorded::Done);
        }
        if self.events == 0 {
            self.time = Clock::<D>::after(self.time).0;
            if !self.open() {
                return Some(Recorded::NoRoom);
            }
        }
        self.encoder.keep(&mut self.kept);
        None
    }

    /// An event had no room in the chunk.
    #[cold]
    #[inline(never)]
    fn refuse(&mut self) -> Recorded {
        self.encoder.go_back(&self.kept);
        if self.events == 0 {
            // The model has learned it: the chunk is to begin anew.
            self.encoder.be_careful();
            return Recorded::TooLarge;
        }
        self.seal();
        Recorded::Again
    }
}
