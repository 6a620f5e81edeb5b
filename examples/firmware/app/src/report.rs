//! What the far end compares with, as lines of text.

use core::fmt::{self, Write};

use crate::board::{self, HEAP_SIZE};
use crate::memory;
use crate::planted::{FAILING_BYTES, FAILING_SCOPE, LEAKS, Leak};
use crate::uart::Uart;
use crate::witness::Counts;

/// Writes a line; a UART never fails.
macro_rules! line {
    ($($text:tt)*) => {{ let _ = writeln!(Uart, $($text)*); }};
}

/// Before the first event.
pub(crate) fn boot(epoch: u32) {
    // As far as the checksum goes.
    let clock_bits = board::CLOCK_BITS.min(32);
    line!("boot board={} epoch={epoch} clock_bits={clock_bits}", board::NAME);
}

/// What was witnessed on each core.
pub(crate) fn witness(cores: &[Counts]) {
    for (core, counts) in cores.iter().enumerate() {
        witness_one(core, counts);
    }
}

fn witness_one(stream: usize, counts: &Counts) {
    let Counts { events, allocations, frees, reallocations, failed, gauges, .. } = *counts;
    let Counts { bytes_in_use, peak_bytes, checksum, .. } = *counts;
    line!(
        "witness stream={stream} events={events} allocations={allocations} frees={frees} \
         reallocations={reallocations} failed={failed} gauges={gauges} \
         bytes_in_use={bytes_in_use} peak_bytes={peak_bytes} checksum={checksum:08x}"
    );
}

/// What was planted.
pub(crate) fn planted() {
    for Leak { scope, blocks, bytes } in LEAKS {
        line!("planted scope={scope} blocks={blocks} bytes={}", blocks * bytes as u32);
    }
}

/// What failed.
pub(crate) fn failed(cores: &[Counts]) {
    if cores.iter().any(|counts| counts.failed > 0) {
        line!("failed scope={FAILING_SCOPE} size={FAILING_BYTES}");
    }
}

/// The allocator's own numbers.
pub(crate) fn heap() {
    let (used, free) = (memory::heap_used(), memory::heap_free());
    line!("heap size={HEAP_SIZE} used={used} free={free}");
}

/// A reset is waited for.
pub(crate) fn waiting() {
    line!("waiting");
}

/// Why it ended before its time.
pub(crate) fn died(why: fmt::Arguments<'_>) {
    line!("died {why}");
}

/// That was all.
pub(crate) fn done() {
    line!("done");
}
