//! The workload on a tracked heap, recorded as it happens. What the recorder sends goes to the first
//! UART, and what it was told, in the text form of traces, to the second.
//!
//! The clock shows the microseconds that a core of 20 million instructions a second would have needed
//! for the workload alone.
#![no_std]
#![no_main]

use core::cell::RefCell;
use core::fmt::Write;
use core::sync::atomic::{AtomicU32, Ordering};

use critical_section::Mutex;
use embedded_alloc::LlffHeap;
use firmware_bench::board::{self, HEAP_START, Moment};
use firmware_bench::line::Line;
use firmware_bench::program;
use firmware_workload::{Limits, SCOPES, Scopes, Workload};
use heapwire_core::{Device, HeapObserver, Placement, Recorder, Scope, Session, TrackedHeap};

const HEAP_SIZE: usize = 48 * 1024;
const ROUNDS: u32 = 60;
const INSTRUCTIONS_PER_MICROSECOND: u32 = 20;
const EVENTS_PER_DRAIN: u32 = 32;

type LiveRecorder = Recorder<Live, 216, 4, 8>;

/// Microseconds.
static NOW: AtomicU32 = AtomicU32::new(0);

struct Live;

impl Device for Live {
    const PLACEMENT: Placement = Placement::LINKED_LIST_32;
    const CLOCK_BITS: u32 = 32;

    fn session() -> Session<'static> {
        Session { device: "bench", build: "1", ticks_per_second: 1_000_000, address_bits: 32 }
    }

    fn ticks() -> u64 {
        NOW.load(Ordering::Relaxed).into()
    }
}

static RECORDER: LiveRecorder = Recorder::new();

#[global_allocator]
static HEAP: TrackedHeap<LlffHeap, Witness> = TrackedHeap::new(LlffHeap::empty(), Witness);

/// Tells the recorder, and writes down what it told it.
struct Witness;

struct Notes {
    /// Instructions that the workload has taken.
    workload: u32,
    /// When it went on.
    since: Option<Moment>,
    text: Line,
    line: Line,
    events: u32,
}

static NOTES: Mutex<RefCell<Notes>> = Mutex::new(RefCell::new(Notes {
    workload: 0,
    since: None,
    text: Line::new(),
    line: Line::new(),
    events: 0,
}));

impl Witness {
    fn event(&self, tell: impl FnOnce(&LiveRecorder), write: impl FnOnce(&mut Line, u32, u32)) {
        let arrived = Moment::now();
        critical_section::with(|section| {
            let notes = &mut *NOTES.borrow_ref_mut(section);
            let Some(since) = notes.since else { return };
            notes.workload += arrived.since(since);
            let time = notes.workload / INSTRUCTIONS_PER_MICROSECOND;
            NOW.store(time, Ordering::Relaxed);
            tell(&RECORDER);
            write(&mut notes.text, time, RECORDER.site());
            notes.events += 1;
            if notes.events % EVENTS_PER_DRAIN == 0 {
                let _ = RECORDER.drain(&mut notes.line);
            }
            notes.since = Some(Moment::now());
        });
    }
}

impl HeapObserver for Witness {
    fn allocated(&self, address: usize, size: usize) {
        self.event(
            |recorder| recorder.allocated(address, size),
            |text, time, site| {
                let _ = writeln!(text, "a {time} 0 {address:x} {size} {site}");
            },
        );
    }

    fn freed(&self, address: usize, size: usize) {
        self.event(
            |recorder| recorder.freed(address, size),
            |text, time, site| {
                let _ = match site {
                    0 => writeln!(text, "f {time} 0 {address:x}"),
                    _ => writeln!(text, "f {time} 0 {address:x} {site}"),
                };
            },
        );
    }

    fn reallocated(&self, old: usize, old_size: usize, address: usize, size: usize) {
        self.event(
            |recorder| recorder.reallocated(old, old_size, address, size),
            |text, time, site| {
                let _ = writeln!(text, "r {time} 0 {old:x} {address:x} {size} {site}");
            },
        );
    }

    fn failed(&self, size: usize) {
        self.event(
            |recorder| recorder.failed(size),
            |text, time, site| {
                let _ = writeln!(text, "x {time} 0 {size} {site}");
            },
        );
    }
}

struct RecorderScopes;

impl Scopes for RecorderScopes {
    type Guard = Scope<'static, Live, 216, 4, 8>;

    fn enter(&self, name: &'static str) -> Self::Guard {
        RECORDER.scope(name)
    }
}

program!(|_| {
    // SAFETY: once, before the first allocation, and of memory that is nobody else's.
    unsafe { HEAP.heap().init(HEAP_START, HEAP_SIZE) };
    RECORDER.start();
    let notes = |f: &dyn Fn(&mut Notes)| {
        critical_section::with(|section| f(&mut NOTES.borrow_ref_mut(section)));
    };
    notes(&|notes| {
        let _ = writeln!(notes.text, "h 1000000 32 \"bench\" \"1\"");
        for (index, name) in SCOPES.iter().enumerate() {
            drop(RECORDER.scope(name));
            let _ = writeln!(notes.text, "d scope {} {name}", index + 1);
        }
        notes.since = Some(Moment::now());
    });
    let mut workload = Workload::new(&RecorderScopes, Limits::ROOMY, || {});
    (0..ROUNDS).for_each(|round| workload.round(round));
    drop(workload);
    notes(&|notes| {
        notes.since = None;
        RECORDER.flush();
        let _ = RECORDER.drain(&mut notes.line);
        board::send(0, notes.line.bytes());
        board::send(1, notes.text.bytes());
    });
});
