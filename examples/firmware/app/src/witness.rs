//! Counts events by another way than the recorder: between the allocator and the recorder, so that the
//! far end can check what it received against the counts and a checksum, which are sent as text.
//!
//! The checksum is FNV-1a, 32 bits, over seven fields of each event, in order: its kind as one byte (1
//! allocation, 2 free, 3 reallocation, 4 failed allocation, 5 gauge), then, as 32 bits each, the least
//! significant byte first: time (as the clock shows it, the lower half), thread, site, old address, address,
//! size. What an event does not have is 0; a gauge's value is its size.

use core::cell::{Cell, RefCell};

use critical_section::Mutex;
use heapwire_core::HeapObserver;

use crate::board;
use crate::memory;
use crate::recording::{self, RECORDER, ThisCore};

/// What was witnessed.
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) events: u32,
    pub(crate) allocations: u32,
    pub(crate) frees: u32,
    pub(crate) reallocations: u32,
    pub(crate) failed: u32,
    pub(crate) gauges: u32,
    /// Of blocks as they were asked for.
    pub(crate) bytes_in_use: u32,
    pub(crate) peak_bytes: u32,
    pub(crate) checksum: u32,
}

impl Counts {
    const NONE: Self = Self {
        events: 0,
        allocations: 0,
        frees: 0,
        reallocations: 0,
        failed: 0,
        gauges: 0,
        bytes_in_use: 0,
        peak_bytes: 0,
        checksum: 0x811C_9DC5,
    };

    fn fold(&mut self, bytes: &[u8]) {
        const PRIME: u32 = 0x0100_0193;
        for &byte in bytes {
            self.checksum = (self.checksum ^ u32::from(byte)).wrapping_mul(PRIME);
        }
    }

    fn freed(&mut self, size: usize) {
        self.bytes_in_use -= size as u32;
    }

    fn allocated(&mut self, size: usize) {
        self.bytes_in_use += size as u32;
        self.peak_bytes = self.peak_bytes.max(self.bytes_in_use);
    }
}

/// An event's kind, as the checksum sees it.
#[derive(Clone, Copy)]
enum Kind {
    Allocation = 1,
    Free = 2,
    Reallocation = 3,
    Failed = 4,
    Gauge = 5,
}

/// Cores, each with a recorder.
pub(crate) const CORES: usize = if cfg!(feature = "harts") { 2 } else { 1 };

struct State {
    counts: [RefCell<Counts>; CORES],
    witnessing: Cell<bool>,
    /// The time of the event that is being recorded.
    now: Cell<Option<u64>>,
}

static STATE: Mutex<State> = Mutex::new(State {
    counts: [const { RefCell::new(Counts::NONE) }; CORES],
    witnessing: Cell::new(false),
    now: Cell::new(None),
});

/// Witnesses events from now on, as the recorder records them.
pub(crate) fn start() {
    critical_section::with(|section| {
        STATE.borrow(section).witnessing.set(true);
        recording::start();
    });
}

/// What was witnessed on each core, up to now: nothing after that is.
pub(crate) fn stop() -> [Counts; CORES] {
    critical_section::with(|section| {
        recording::stop();
        let state = STATE.borrow(section);
        state.witnessing.set(false);
        core::array::from_fn(|core| *state.counts[core].borrow())
    })
}

/// The clock, for the recorder: stopped while an event is recorded, so that both see the same time.
pub(crate) fn ticks() -> u64 {
    critical_section::with(|section| STATE.borrow(section).now.get()).unwrap_or_else(board::ticks)
}

/// Records a gauge.
pub(crate) fn gauge(name: &'static str, value: usize) {
    let tell = || RECORDER.gauge(name, value as i64);
    witness(Kind::Gauge, [0, 0, value], tell, |counts| counts.gauges += 1);
}

fn witness(
    kind: Kind,
    [old, address, size]: [usize; 3],
    tell: impl FnOnce(),
    count: impl FnOnce(&mut Counts),
) {
    critical_section::with(|section| {
        let state = STATE.borrow(section);
        if !state.witnessing.get() {
            return;
        }
        let now = board::ticks();
        state.now.set(Some(now));
        tell();
        state.now.set(None);
        let mut counts = state.counts[board::core()].borrow_mut();
        counts.events += 1;
        count(&mut counts);
        counts.fold(&[kind as u8]);
        let site = if let Kind::Gauge = kind { 0 } else { ThisCore.site() };
        let fields = [now as u32, recording::task(), site, old as u32, address as u32, size as u32];
        for field in fields {
            counts.fold(&field.to_le_bytes());
        }
    });
}

/// Tells the recorder what the allocator does, and counts it.
pub(crate) struct Witness;

impl HeapObserver for Witness {
    fn allocated(&self, address: usize, size: usize) {
        let tell = || ThisCore.allocated(address, size);
        witness(Kind::Allocation, [0, address, size], tell, |counts| {
            counts.allocations += 1;
            counts.allocated(size);
        });
    }

    fn freed(&self, address: usize, size: usize) {
        let tell = || ThisCore.freed(address, size);
        witness(Kind::Free, [0, address, 0], tell, |counts| {
            counts.frees += 1;
            counts.freed(size);
        });
    }

    // What the block leaves behind must not be handed out to an interrupt before the recorder knows.
    fn reallocating(&self) {
        memory::hold_interrupts();
    }

    fn reallocated(&self, old: usize, old_size: usize, address: usize, size: usize) {
        let tell = || ThisCore.reallocated(old, old_size, address, size);
        witness(Kind::Reallocation, [old, address, size], tell, |counts| {
            counts.reallocations += 1;
            counts.freed(old_size);
            counts.allocated(size);
        });
        memory::let_interrupts_go();
    }

    fn failed(&self, size: usize) {
        let tell = || ThisCore.failed(size);
        witness(Kind::Failed, [0, 0, size], tell, |counts| counts.failed += 1);
        memory::let_interrupts_go();
    }
}
