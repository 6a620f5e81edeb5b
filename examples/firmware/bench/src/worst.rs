//! What an adversary would make the hook do: events of every kind with values of every magnitude, times
//! that jump, threads that change, sites without number, and buffers that are mostly full.

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};

use heapwire_core::{Device, EventKind, Placement, Recorder, Session};
use semihosting::println;

use crate::board;
use crate::line::Line;
use crate::meter::Meter;

const CALLS: u32 = 40_000;

/// The halves of the time.
static NOW: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];
static THREAD: AtomicU32 = AtomicU32::new(0);

fn now() -> u64 {
    let [low, high] = [0, 1].map(|half: usize| u64::from(NOW[half].load(Ordering::Relaxed)));
    high << 32 | low
}

struct Wild;

impl Device for Wild {
    const PLACEMENT: Placement = Placement::EMBEDDED_32;

    fn session() -> Session<'static> {
        Session { device: "bench", build: "1", ticks_per_second: 1_000_000, address_bits: 32 }
    }

    fn ticks() -> u64 {
        now()
    }

    fn thread() -> Option<u32> {
        Some(THREAD.load(Ordering::Relaxed))
    }
}

static RECORDER: Recorder<Wild, 216, 4> = Recorder::new();

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Of any magnitude up to so many bits.
    fn magnitude(&mut self, bits: u64) -> u64 {
        let unused = 64 - self.below(bits + 1);
        self.next().checked_shr(unused as u32).unwrap_or(0)
    }
}

#[inline(never)]
fn hook(kind: EventKind, freed: u64) {
    RECORDER.record(kind, freed);
}

/// The figure goes to the semihosting console, the stream to the first UART.
pub fn run(line: &mut Line) {
    RECORDER.start();
    let mut random = Random(0x5EED);
    let mut meter = Meter::new();
    for call in 0..CALLS {
        // Ever wilder: sizes and addresses of 32 bits first, then of 64.
        let bits = if call < CALLS / 2 { 32 } else { 64 };
        let jump = random.magnitude(bits);
        let time = if random.below(8) == 0 { now().wrapping_sub(jump) } else { now() + jump };
        NOW[0].store(time as u32, Ordering::Relaxed);
        NOW[1].store((time >> 32) as u32, Ordering::Relaxed);
        if random.below(4) == 0 {
            THREAD.store(random.magnitude(32) as u32, Ordering::Relaxed);
        }
        let address = random.magnitude(32);
        let size = random.magnitude(bits);
        let site = random.magnitude(32) as u32;
        let kind = match random.below(8) {
            0 | 1 => EventKind::Alloc { address, size, site },
            2 => EventKind::Free { address, site },
            3 | 4 => EventKind::Realloc { old: random.magnitude(32), address, size, site },
            5 => EventKind::FailedAlloc { size, site },
            6 => {
                let type_name = random.magnitude(32) as u32;
                EventKind::Name { address, variable: site, type_name }
            }
            _ => EventKind::Gauge { gauge: site, value: random.magnitude(64) as i64 },
        };
        let freed = random.magnitude(bits);
        meter.call(|| hook(black_box(kind), black_box(freed)));
        // At times the drain keeps up, at times everything is full for long.
        if random.below(if call / 1000 % 2 == 0 { 8 } else { 200 }) == 0 {
            let _ = RECORDER.drain(line);
        }
    }
    RECORDER.flush();
    let _ = RECORDER.drain(line);
    let _ = RECORDER.send_totals(line);
    board::send(0, line.bytes());
    println!("events {}", meter.calls);
    println!("hook.instructions {}", meter.total);
    println!("hook.longest {}", meter.longest);
    println!("hook.stack {}", meter.stack);
}
