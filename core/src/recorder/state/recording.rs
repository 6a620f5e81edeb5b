//! The hook's part: how an event is recorded. Common events, frees and allocations that are sure to fit, take the
//! straight way; whatever else an event has or needs is looked after apart, at its own cost.

use super::{Act, Block, Refused, State, What, Whose};
use crate::event::EventKind;
use crate::lanes::rows::{LONGEST_COMMON, LONGEST_SYMBOL, Parts, longest_common, longest_number};
use crate::recorder::device::{Clock, Device, WhenFull};
use crate::word::{OwnWord, Word};

/// The most bits that an event takes which is no allocation and no free. Those that stand before an event's own are
/// not in it.
const LONGEST_OTHER: u32 = LONGEST_SYMBOL + 3 * longest_number(32) + longest_number(64);
/// The most bits that a change of threads, a step backwards and the old block of a reallocation take.
const LONGEST_SWITCH: u32 = LONGEST_SYMBOL + longest_number(32);
const LONGEST_BACK: u32 = LONGEST_SYMBOL;
const LONGEST_OLD: u32 = LONGEST_SYMBOL + longest_number(OwnWord::BITS);
/// How much longer common events are with a step of 64 bits, and with numbers as wide as pointers.
const LATER: u32 = 32;
const WIDER: u32 = 2 * (OwnWord::BITS - 32);
/// The most bits that any event takes.
const LONGEST: u32 = LONGEST_SWITCH + LONGEST_BACK + LONGEST_OLD + LONGEST_COMMON + WIDER + LATER;

impl<D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize>
    State<D, SIZE, BUFFERS, NAMES>
{
    /// Whether an empty chunk has room for any event.
    pub(super) const IS_LARGE: bool = SIZE >= LONGEST.div_ceil(8) as usize;
    /// Whether an event that was refused may be recorded later. Otherwise it is lost when it was refused: nothing of
    /// it is to be remembered until then.
    pub(in crate::recorder) const RETRIES: bool = matches!(D::WHEN_FULL, WhenFull::Wait { .. });

    /// Records what happened just now: a free, or something else.
    #[inline(always)]
    pub(in crate::recorder) fn record<const FREES: bool>(
        &mut self,
        what: &What<'_>,
        block: Block,
        whose: Whose,
    ) -> Result<(), Refused> {
        if !self.recording {
            self.pass_over(what, block);
            return Ok(());
        }
        let (time, step) = Clock::<D>::after(self.time);
        self.time = time;
        let thread = D::thread();
        let site = match whose {
            Whose::Scope => self.site,
            Whose::Site(site) => site,
        };
        let is_switched = thread.is_some_and(|thread| thread != self.encoder.thread());
        let rare = if FREES { 0 } else { what.rare };
        let mut step = step.cast_unsigned();
        let mut is_resized = false;
        // The step has these bits when time steps back, too.
        if is_switched || (step >> 32) as u32 | rare != 0 {
            step = self.begin(what, block, step.cast_signed(), thread)?;
            match what.act {
                Act::Other(kind) => return self.record_other(kind, step),
                Act::Reallocated(old) => is_resized = old.address == block.address,
                Act::Allocated | Act::Freed => {}
            }
        }
        let mut step = if Clock::<D>::IS_WIDE { step } else { u64::from(step as u32) };
        let mut parts = if FREES {
            self.encoder.free(block.address, site)
        } else if is_resized {
            self.encoder.resize(block.address)
        } else {
            self.encoder.alloc(block.address, block.size)
        };
        if !self.encoder.has_room() && !self.make_room(what, parts, step, site, block)? {
            parts = self.encoder.first::<FREES>([block.address, block.size], site);
            step = 0;
        }
        // Before it is written, when the size need not be remembered any longer.
        if FREES {
            self.counts.remove(block.size);
        } else {
            self.counts.add(block.size);
        }
        let Some(buffer) = self.buffers.get_mut(usize::from(self.filling)) else { return Ok(()) };
        let (storage, lanes) = (&mut buffer.payload, self.encoder.lanes());
        if Clock::<D>::IS_WIDE {
            lanes.write::<FREES, _>(storage, parts, step, site, block.size);
        } else {
            lanes.write::<FREES, _>(storage, parts, step as u32, site, block.size);
        }
        Ok(())
    }

    /// Begins an event that is not a common one, or at a rare moment: in the next chunk if it may not fit in this.
    /// Returns how far time steps, forward from what is written.
    #[cold]
    #[inline(never)]
    fn begin(
        &mut self,
        what: &What<'_>,
        block: Block,
        step: i64,
        thread: Option<u32>,
    ) -> Result<u64, Refused> {
        let mut most = match what.act {
            Act::Allocated | Act::Freed => LONGEST_COMMON + WIDER,
            Act::Reallocated(_) => LONGEST_COMMON + WIDER + LONGEST_OLD,
            Act::Other(_) => LONGEST_OTHER,
        };
        if thread.is_some_and(|thread| thread != self.encoder.thread()) {
            most += LONGEST_SWITCH;
        }
        if step >> 32 != 0 {
            most += LONGEST_BACK + LATER;
        }
        let mut step = step;
        if !self.is_open {
            self.open(what, block)?;
            step = 0;
        } else if !self.encoder.lanes().has_room_for(most) {
            self.seal();
            self.open(what, block)?;
            step = 0;
        }
        if let Some(buffer) = self.buffers.get_mut(usize::from(self.filling)) {
            self.encoder.begin_rare(&mut buffer.payload, step < 0, thread);
            if let Act::Reallocated(old) = what.act {
                self.encoder.write_old(&mut buffer.payload, old.address);
                self.counts.resize(old.size);
                // `make_room` sees to the rest, so that no other event is asked whether it has an old block.
                self.encoder.lanes().be_careful();
            }
        }
        Ok(step.unsigned_abs())
    }

    /// Records an event that no allocator reports often.
    #[cold]
    #[inline(never)]
    fn record_other(&mut self, kind: &EventKind, step: u64) -> Result<(), Refused> {
        let Some(buffer) = self.buffers.get_mut(usize::from(self.filling)) else { return Ok(()) };
        self.encoder.write_uncommon(&mut buffer.payload, kind, step);
        self.counts.count_other(kind);
        Ok(())
    }

    /// Sees to the room of an event that is not sure to fit: whether it has it in this chunk, as far as is seen from
    /// how large its numbers are. Otherwise another is begun. And looks after the old block of a reallocation.
    #[cold]
    #[inline(never)]
    fn make_room(
        &mut self,
        what: &What<'_>,
        parts: Parts<OwnWord>,
        step: u64,
        site: u32,
        block: Block,
    ) -> Result<bool, Refused> {
        if let Act::Reallocated(old) = what.act {
            self.encoder.lanes().end_care();
            if old.address != block.address {
                self.encoder.learn_old(old.address);
            }
            // `begin` saw to the room.
            return Ok(true);
        }
        if self.is_open {
            let numbers = step | u64::from(site) | block.size.widen() | parts.far.widen();
            if self.encoder.lanes().has_room_for(longest_common(numbers)) {
                return Ok(true);
            }
            if !matches!(what.act, Act::Freed) {
                // Which the model has learned already.
                self.encoder.uncount_allocation();
            }
            self.seal();
        }
        self.open(what, block)?;
        if let Some(buffer) = self.buffers.get_mut(usize::from(self.filling)) {
            self.encoder.begin_rare(&mut buffer.payload, false, D::thread());
        }
        Ok(false)
    }
}
