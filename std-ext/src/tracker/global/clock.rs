//! The time of events: read as cheaply as the processor allows, and turned into microseconds later.

use quanta::Clock;

/// The longest tick, in nanoseconds: events of several threads fall into the order in which they happened,
/// since no processor hands a block to another in less.
const MAX_TICK: u64 = 16;

/// One clock for all threads, started with its tracker.
#[derive(Debug)]
pub(super) struct TickClock {
    clock: Clock,
    /// A tick is so many units of the counter, as a power of 2.
    unit_bits: u32,
    started: u64,
}

impl TickClock {
    /// Starts. The first in a program takes a few milliseconds, in which the processor's counter is
    /// compared with the system's clock.
    pub(super) fn start() -> Self {
        let clock = Clock::new();
        let is_short = |bits: &u32| clock.delta_as_nanos(0, 1 << bits) <= MAX_TICK;
        let unit_bits = (1..u32::BITS).take_while(is_short).last().unwrap_or(0);
        Self { started: clock.raw() >> unit_bits, clock, unit_bits }
    }

    /// Now, in ticks.
    #[inline(always)]
    pub(super) fn now(&self) -> u64 {
        self.clock.raw() >> self.unit_bits
    }

    /// Microseconds from the start until then.
    pub(super) fn microseconds(&self, then: u64) -> u64 {
        let units = then.saturating_sub(self.started) << self.unit_bits;
        self.clock.delta_as_nanos(0, units) / 1000
    }

    /// Ticks in a microsecond, rounded up.
    pub(super) fn ticks_in_a_microsecond(&self) -> u64 {
        let least = |ticks: &u64| self.clock.delta_as_nanos(0, ticks << self.unit_bits) >= 1000;
        (1..).find(least).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn time_is_that_of_the_system_clock() {
        let (clock, started) = (TickClock::start(), Instant::now());
        std::thread::sleep(Duration::from_millis(50));
        let microseconds = clock.microseconds(clock.now());
        let elapsed = started.elapsed().as_micros() as u64;
        assert!((49_000..=elapsed + 1000).contains(&microseconds), "{microseconds} of {elapsed}");
        assert_eq!(clock.microseconds(0), 0, "before the start");
    }

    #[test]
    fn ticks_are_short() {
        let clock = TickClock::start();
        let ticks = clock.ticks_in_a_microsecond();
        assert!((1000 / MAX_TICK..=1001).contains(&ticks), "{ticks}");
    }
}
