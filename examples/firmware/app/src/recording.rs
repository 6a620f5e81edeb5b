//! The recorder, and what it must know of the device.

use core::sync::atomic::{AtomicU32, Ordering};

#[cfg(any(feature = "interrupt", feature = "slow"))]
use heapwire_core::FrameSender;
use heapwire_core::{Detail, Device, Placement, Recorder, Session, WhenFull};

use crate::board::{self, BUFFER_SIZE};
use crate::drain;
use crate::witness;

/// A task that sends gets its turn less often than an idle loop.
const BUFFERS: usize = if cfg!(feature = "async") { 8 } else { 4 };
const NAMES: usize = 24;

/// The board, as its recorder sees it.
pub(crate) struct Board;

impl Device for Board {
    const PLACEMENT: Placement = Placement::LINKED_LIST_32;
    const CLOCK_BITS: u32 = board::CLOCK_BITS;
    const WHEN_FULL: WhenFull =
        if cfg!(feature = "overwrite") { WhenFull::Overwrite } else { WhenFull::Lose };

    fn session() -> Session<'static> {
        Session {
            device: board::NAME,
            build: env!("CARGO_PKG_VERSION"),
            ticks_per_second: board::TICKS_PER_SECOND,
            address_bits: 32,
        }
    }

    fn epoch() -> u32 {
        EPOCH.load(Ordering::Relaxed)
    }

    fn ticks() -> u64 {
        witness::ticks()
    }

    fn thread() -> Option<u32> {
        Some(TASK.load(Ordering::Relaxed))
    }

    fn sealed() {
        drain::sealed();
    }
}

pub(crate) static RECORDER: Recorder<Board, BUFFER_SIZE, BUFFERS, NAMES> = Recorder::new();
#[cfg(any(feature = "interrupt", feature = "slow"))]
pub(crate) type Sender = FrameSender<'static, Board, BUFFER_SIZE, BUFFERS, NAMES>;
pub(crate) type Scope = heapwire_core::Scope<'static, Board, BUFFER_SIZE, BUFFERS, NAMES>;

/// How often the board was reset.
static EPOCH: AtomicU32 = AtomicU32::new(0);

/// Before recording starts.
pub(crate) fn prepare(epoch: u32) {
    EPOCH.store(epoch, Ordering::Relaxed);
    for (task, name) in
        [(Task::Reports, "reports"), (Task::Messages, "messages"), (Task::Timer, "timer interrupt")]
    {
        RECORDER.name_thread(task as u32, name);
    }
    if cfg!(feature = "totals") {
        RECORDER.set_detail(Detail::Totals);
    }
}

/// Names who allocates, until the guard is dropped.
pub(crate) fn scope(name: &'static str) -> Scope {
    RECORDER.scope(name)
}

/// The scopes of the workload.
pub(crate) struct Scopes;

impl firmware_workload::Scopes for Scopes {
    type Guard = Scope;

    fn enter(&self, name: &'static str) -> Self::Guard {
        scope(name)
    }
}

/// Who is running, as a thread's number.
#[derive(Clone, Copy)]
pub(crate) enum Task {
    Reports = 1,
    Messages = 2,
    Timer = 3,
}

static TASK: AtomicU32 = AtomicU32::new(Task::Reports as u32);

/// Runs a task.
pub(crate) fn within<R>(task: Task, f: impl FnOnce() -> R) -> R {
    let former = TASK.load(Ordering::Relaxed);
    TASK.store(task as u32, Ordering::Relaxed);
    let result = f();
    TASK.store(former, Ordering::Relaxed);
    result
}

/// Who is running.
pub(crate) fn task() -> u32 {
    TASK.load(Ordering::Relaxed)
}

pub(crate) fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}
