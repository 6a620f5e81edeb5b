//! The recorder, and what it must know of the device.

use core::sync::atomic::{AtomicU32, Ordering};

use heapwire_core::{Device, Placement, Recorder, Scope, Session};

use crate::board::{self, BUFFER_SIZE};
use crate::uart::Uart;
use crate::witness;

const BUFFERS: usize = 4;
const SCOPES: usize = 16;

pub(crate) struct Board;

impl Device for Board {
    const PLACEMENT: Placement = Placement::LINKED_LIST_32;
    const CLOCK_BITS: u32 = board::CLOCK_BITS;

    fn session() -> Session<'static> {
        Session {
            device: board::NAME,
            build: env!("CARGO_PKG_VERSION"),
            ticks_per_second: board::TICKS_PER_SECOND,
            address_bits: 32,
        }
    }

    fn ticks() -> u64 {
        witness::ticks()
    }

    fn thread() -> Option<u32> {
        Some(TASK.load(Ordering::Relaxed))
    }
}

pub(crate) static RECORDER: Recorder<Board, BUFFER_SIZE, BUFFERS, SCOPES> = Recorder::new();

/// Names who allocates, until the guard is dropped.
pub(crate) fn scope(name: &'static str) -> Scope<'static, Board, BUFFER_SIZE, BUFFERS, SCOPES> {
    RECORDER.scope(name)
}

/// The scopes of the workload.
pub(crate) struct Scopes;

impl firmware_workload::Scopes for Scopes {
    type Guard = Scope<'static, Board, BUFFER_SIZE, BUFFERS, SCOPES>;

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

/// Sends what is ready, however long that takes.
pub(crate) fn drain() {
    // A UART never fails.
    let _ = RECORDER.drain(&mut Uart);
}

/// Sends all there is, and how everything stands.
pub(crate) fn finish() {
    RECORDER.stop();
    RECORDER.flush();
    drain();
    let _ = RECORDER.send_totals(&mut Uart);
}
