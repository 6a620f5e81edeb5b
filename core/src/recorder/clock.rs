//! The clock that events are stamped with.

/// A clock: a function that returns ticks, and how many bits it counts with before it wraps.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    ticks: fn() -> u64,
    bits: u32,
}

impl Clock {
    /// `bits` from 2 to 64, such as 24 for a SysTick timer. The clock must be read at least once in
    /// half its range; an earlier time than the last is taken for a late report, not for a wrap.
    #[must_use]
    pub const fn new(ticks: fn() -> u64, bits: u32) -> Self {
        let bits = if bits < 2 {
            2
        } else if bits > 64 {
            64
        } else {
            bits
        };
        Self { ticks, bits }
    }

    /// The time at the start: what the clock shows, even if that is late in its range.
    pub(super) fn first(&self) -> u64 {
        (self.ticks)() & (u64::MAX >> (64 - self.bits))
    }

    /// The time now, given the time before: the nearest to it that the clock may mean.
    pub(super) fn after(&self, last: u64) -> u64 {
        let unused = 64 - self.bits;
        let step = ((self.ticks)().wrapping_sub(last) << unused) as i64 >> unused;
        last.wrapping_add_signed(step)
    }
}
