//! What a recorder must know of where it runs.

use crate::definition::Session;
use crate::shape::{Placement, Placing};

/// The device, or program, that a [`Recorder`](super::Recorder) records. Its recorder is compiled for
/// it: nothing of this is looked up in memory when an event is recorded.
pub trait Device {
    /// How its allocator places blocks. At most as many address bits as a pointer has.
    const PLACEMENT: Placement;

    /// With how many bits the clock counts before it wraps, from 2 to 64, such as 24 for a SysTick
    /// timer. The clock must be read at least once in half its range; an earlier time than the last is
    /// taken for a late report, not for a wrap.
    const CLOCK_BITS: u32 = 64;

    /// What the hook does when all buffers are full.
    const WHEN_FULL: WhenFull = WhenFull::Lose;

    /// The number of its stream: each core has a recorder of its own, and each of these another number.
    const STREAM: u32 = 0;

    /// Which device this is, and the unit of its ticks; asked when that is sent, in a critical section.
    fn session() -> Session<'static>;

    /// How often the device started before; asked once, when recording first starts. Keep it in flash,
    /// or in memory that a reset leaves alone: by nothing else can a reader tell for sure that events are
    /// those of another run, with another heap.
    #[inline]
    fn epoch() -> u32 {
        0
    }

    /// The clock.
    fn ticks() -> u64;

    /// A chunk was sealed: called in the hook's critical section, to wake the task that drains, or to turn
    /// the UART's interrupt on. Must not record, and should take no time.
    #[inline]
    fn sealed() {}

    /// The thread, task or core that is running; `None` where they are not told apart.
    #[inline]
    fn thread() -> Option<u32> {
        None
    }
}

/// What the hook does when all buffers are full.
#[derive(Clone, Copy, Debug)]
pub enum WhenFull {
    /// Lose the event and count it.
    Lose,
    /// Lose the events of the oldest sealed chunk instead, and count them: the reader of a link that comes
    /// and goes gets what happened last.
    Overwrite,
    /// Call `relax` and look again, at most so many times; then lose the event.
    Wait {
        /// How many times to look.
        attempts: u32,
        /// What to do in between, outside the critical section: yield, sleep, drain.
        relax: fn(),
    },
}

/// How much is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Detail {
    /// Every event.
    #[default]
    Events,
    /// No event, but all are counted: for links too slow for events. Each
    /// [`flush`](super::Recorder::flush) lets a chunk of nothing but a header be sent, with the totals of
    /// the heap; to a reader the events between two of them are lost ones.
    Totals,
}

/// A device's placement.
pub(super) struct Known<D>(core::marker::PhantomData<fn() -> D>);

impl<D> Known<D> {
    pub(super) const fn new() -> Self {
        Self(core::marker::PhantomData)
    }
}

impl<D: Device> Placing for Known<D> {
    #[inline(always)]
    fn placement(&self) -> Placement {
        D::PLACEMENT
    }
}

/// A device's clock, which wraps, as one that does not.
pub(super) struct Clock<D>(core::marker::PhantomData<D>);

impl<D: Device> Clock<D> {
    const BITS: u32 = if D::CLOCK_BITS < 2 {
        2
    } else if D::CLOCK_BITS > 64 {
        64
    } else {
        D::CLOCK_BITS
    };

    /// The time at the start: what the clock shows, even if that is late in its range.
    pub(super) fn first() -> u64 {
        D::ticks() & (u64::MAX >> (64 - Self::BITS))
    }

    /// Whether a step may take more than 32 bits.
    pub(super) const IS_WIDE: bool = Self::BITS > 32;

    /// The time now, given the time before: the nearest to it that the clock may mean; and the step to it.
    #[inline(always)]
    pub(super) fn after(last: u64) -> (u64, i64) {
        let ticks = D::ticks();
        let step = if Self::IS_WIDE {
            let unused = 64u32.wrapping_sub(Self::BITS);
            let step = ticks.wrapping_sub(last).wrapping_shl(unused).cast_signed();
            step.wrapping_shr(unused)
        } else {
            // Without 64-bit arithmetic.
            let unused = 32u32.wrapping_sub(Self::BITS);
            let step = (ticks as u32).wrapping_sub(last as u32).wrapping_shl(unused).cast_signed();
            step.wrapping_shr(unused).into()
        };
        (last.wrapping_add_signed(step), step)
    }
}
