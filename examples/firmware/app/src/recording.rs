//! The recorder, and what it must know of the device.

use core::sync::atomic::{AtomicU32, Ordering};

#[cfg(any(feature = "interrupt", feature = "slow"))]
use heapwire_core::FrameSender;
use heapwire_core::{Detail, Device, HeapObserver, Placement, Recorder, Session, WhenFull};

use crate::board::{self, BUFFER_SIZE};
use crate::drain;
use crate::witness;

/// A task that sends gets its turn less often than an idle loop.
const BUFFERS: usize = if cfg!(feature = "async") { 8 } else { 4 };
const NAMES: usize = 24;

/// A core of the board, as its recorder sees it. Each has a recorder and a stream of its own.
pub(crate) struct Core<const NUMBER: u32>;

impl<const NUMBER: u32> Device for Core<NUMBER> {
    const PLACEMENT: Placement = Placement::LINKED_LIST_32;
    const CLOCK_BITS: u32 = board::CLOCK_BITS;
    const WHEN_FULL: WhenFull =
        if cfg!(feature = "overwrite") { WhenFull::Overwrite } else { WhenFull::Lose };

    const STREAM: u32 = NUMBER;

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
        Some(task())
    }

    fn sealed() {
        drain::sealed();
    }
}

pub(crate) type CoreRecorder<const NUMBER: u32> =
    Recorder<Core<NUMBER>, BUFFER_SIZE, BUFFERS, NAMES>;
pub(crate) static RECORDER: CoreRecorder<0> = Recorder::new();
#[cfg(feature = "harts")]
pub(crate) static SECOND: CoreRecorder<1> = Recorder::new();
#[cfg(any(feature = "interrupt", feature = "slow"))]
pub(crate) type Sender = FrameSender<'static, Core<0>, BUFFER_SIZE, BUFFERS, NAMES>;
pub(crate) type Scope = heapwire_core::Scope<'static, Core<0>, BUFFER_SIZE, BUFFERS, NAMES>;

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
    #[cfg(feature = "harts")]
    SECOND.name_thread(Task::Second as u32, "second core");
    if cfg!(feature = "totals") {
        RECORDER.set_detail(Detail::Totals);
    }
}

pub(crate) fn start() {
    RECORDER.start();
    #[cfg(feature = "harts")]
    SECOND.start();
}

pub(crate) fn stop() {
    RECORDER.stop();
    #[cfg(feature = "harts")]
    SECOND.stop();
}

/// The recorder of the core that is running.
pub(crate) struct ThisCore;

impl ThisCore {
    /// Does something with it.
    fn tell<R>(&self, f: impl FnOnce(&dyn RecorderOfOneCore) -> R) -> R {
        #[cfg(feature = "harts")]
        if board::core() == 1 {
            return f(&SECOND);
        }
        f(&RECORDER)
    }

    pub(crate) fn site(&self) -> u32 {
        self.tell(|recorder| recorder.site())
    }
}

/// What `ThisCore` needs of a recorder, whichever it is.
trait RecorderOfOneCore: HeapObserver {
    fn site(&self) -> u32;
}

impl<const NUMBER: u32> RecorderOfOneCore for CoreRecorder<NUMBER> {
    fn site(&self) -> u32 {
        Recorder::site(self)
    }
}

impl HeapObserver for ThisCore {
    fn allocated(&self, address: usize, size: usize) {
        self.tell(|recorder| recorder.allocated(address, size));
    }

    fn freed(&self, address: usize, size: usize) {
        self.tell(|recorder| recorder.freed(address, size));
    }

    fn reallocated(&self, old: usize, old_size: usize, address: usize, size: usize) {
        self.tell(|recorder| recorder.reallocated(old, old_size, address, size));
    }

    fn failed(&self, size: usize) {
        self.tell(|recorder| recorder.failed(size));
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
    #[cfg(feature = "harts")]
    Second = 4,
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
    #[cfg(feature = "harts")]
    if board::core() == 1 {
        return Task::Second as u32;
    }
    TASK.load(Ordering::Relaxed)
}

pub(crate) fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}
