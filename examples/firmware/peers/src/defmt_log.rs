//! defmt: a log line an event, in its default encoding (rzCOBS), with memory for a transport.
//!
//! The one file here with unsafe code: a logger is an unsafe trait, whose state is guarded by the
//! critical section between its `acquire` and `release`, as defmt's own loggers do it.
#![allow(unsafe_code)]

use core::cell::{Cell, UnsafeCell};
use core::sync::atomic::{AtomicU32, Ordering};

use critical_section::{Mutex, RestoreState};
use embedded_io::Write;
use firmware_bench::coder::Coder;
use firmware_bench::trace::{Act, Site, Step};

use crate::queue::Queue;

static NOW: AtomicU32 = AtomicU32::new(0);
static SITES: Mutex<Cell<&[Site]>> = Mutex::new(Cell::new(&[]));

defmt::timestamp!("{=u32:us}", NOW.load(Ordering::Relaxed));

struct State {
    encoder: defmt::Encoder,
    queue: Queue,
    restore: RestoreState,
}

/// The state, for who holds the critical section.
struct Guarded(UnsafeCell<State>);

// SAFETY: only used within the critical section.
unsafe impl Sync for Guarded {}

static STATE: Guarded = Guarded(UnsafeCell::new(State {
    encoder: defmt::Encoder::new(),
    queue: Queue::new(),
    restore: RestoreState::invalid(),
}));

#[defmt::global_logger]
struct Logger;

impl Logger {
    /// # Safety
    /// Within the critical section, and one borrow at a time.
    unsafe fn state() -> &'static mut State {
        // SAFETY: as the caller promises.
        unsafe { &mut *STATE.0.get() }
    }
}

// SAFETY: `acquire` begins a critical section, which `release` ends.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        // SAFETY: released in `release`; the state is not borrowed elsewhere until then.
        unsafe {
            let restore = critical_section::acquire();
            let State { encoder, queue, restore: kept } = Self::state();
            *kept = restore;
            encoder.start_frame(|bytes| _ = queue.push(bytes));
        }
    }

    unsafe fn flush() {}

    unsafe fn release() {
        // SAFETY: called after `acquire`, once.
        unsafe {
            let State { encoder, queue, restore } = Self::state();
            encoder.end_frame(|bytes| _ = queue.push(bytes));
            critical_section::release(*restore);
        }
    }

    unsafe fn write(bytes: &[u8]) {
        // SAFETY: called between `acquire` and `release`.
        let State { encoder, queue, .. } = unsafe { Self::state() };
        encoder.write(bytes, |bytes| _ = queue.push(bytes));
    }
}

/// defmt log lines.
#[derive(Debug)]
pub struct DefmtLog;

impl Coder for DefmtLog {
    const RAM: usize = 0;

    fn start(sites: &'static [Site]) {
        critical_section::with(|section| SITES.borrow(section).set(sites));
    }

    #[inline(never)]
    fn hook(step: &Step) {
        let sites = critical_section::with(|section| SITES.borrow(section).get());
        let site = crate::site(sites, step.site);
        NOW.store(step.time, Ordering::Relaxed);
        match step.act {
            Act::Alloc => defmt::info!("a {=u32} {=u32} {=u32}", step.address, step.size, site),
            Act::Free => defmt::info!("f {=u32} {=u32}", step.address, site),
            Act::Realloc { old } => {
                defmt::info!("r {=u32} {=u32} {=u32} {=u32}", old, step.address, step.size, site);
            }
        }
    }

    #[inline(never)]
    fn drain<W: Write>(line: &mut W) {
        // SAFETY: within a critical section, and nothing here logs.
        critical_section::with(|_| unsafe { Logger::state() }.queue.drain(line));
    }

    fn finish<W: Write>(line: &mut W) {
        Self::drain(line);
    }
}
