//! `GlobalTracker`: what a whole program does with its heap.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use heapwire_core::{EventKind, HeapObserver, NO_SITE, NameKind};

use super::chunks::ChunkLog;
use super::names::Names;
use crate::trace::source::{ChunkSource, Chunks};

/// Records every allocation of the program whose global allocator reports to it.
///
/// What it needs itself is not recorded. All threads share one lock while an event is encoded. A
/// block that is moved by a reallocation may be handed out again by another thread before the
/// reallocation is recorded; the two events then stand in the wrong order.
///
/// ```
/// use std::alloc::System;
///
/// use heapwire::{BinaryExport, GlobalTracker, TrackedHeap};
///
/// static TRACKER: GlobalTracker = GlobalTracker::new();
///
/// #[global_allocator]
/// static HEAP: TrackedHeap<System, &GlobalTracker> = TrackedHeap::new(System, &TRACKER);
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     TRACKER.start();
///     let scope = TRACKER.scope("numbers");
///     let numbers: Vec<u64> = (0..1000).collect();
///     drop(scope);
///     TRACKER.stop();
///     assert_eq!(numbers.len(), 1000);
///
///     let path = std::env::temp_dir().join("heapwire-global-tracker-doc.bin");
///     let result = BinaryExport::export_default(&TRACKER, &path)?;
///     assert!(result.events >= 1);
///     std::fs::remove_file(path)?;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct GlobalTracker {
    recording: AtomicBool,
    state: Mutex<Option<State>>,
}

#[derive(Debug)]
struct State {
    log: ChunkLog,
    names: Names,
}

/// Numbers for threads, from 1.
static LAST_THREAD: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// Whether this thread is within the tracker, whose own allocations are not recorded.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// This thread's number, 0 until it has one.
    static THREAD: Cell<u32> = const { Cell::new(0) };
    /// The site of this thread's innermost scope.
    static SITE: Cell<u32> = const { Cell::new(NO_SITE) };
}

/// Runs `f` unless this thread is within the tracker already; what `f` allocates is not recorded.
fn inside<R>(f: impl FnOnce() -> R) -> Option<R> {
    if INSIDE.replace(true) {
        return None;
    }
    let result = f();
    INSIDE.set(false);
    Some(result)
}

fn thread_number() -> u32 {
    if THREAD.get() == 0 {
        THREAD.set(LAST_THREAD.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
    }
    THREAD.get()
}

impl GlobalTracker {
    /// A tracker that does not record yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { recording: AtomicBool::new(false), state: Mutex::new(None) }
    }

    /// Records from now on. Blocks allocated before are not known: their frees are recorded, but
    /// count no bytes beyond those in use.
    pub fn start(&self) {
        self.with(|_| ());
        self.recording.store(true, Ordering::Release);
    }

    /// Records no more. What is recorded stays.
    pub fn stop(&self) {
        self.recording.store(false, Ordering::Release);
    }

    /// Enters a scope: until the guard is dropped, what this thread allocates comes from the site of
    /// this name. Scopes nest.
    pub fn scope(&self, name: &'static str) -> GlobalScope {
        let site = self
            .with(|state| state.names.number(&mut state.log, NameKind::Scope, Cow::Borrowed(name)));
        GlobalScope { former: SITE.replace(site.unwrap_or(NO_SITE)) }
    }

    fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> Option<R> {
        inside(|| {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || State { log: ChunkLog::new(), names: Names::default() };
            f(state.get_or_insert_with(new))
        })
    }

    fn record(&self, freed: usize, kind: impl FnOnce(u32) -> EventKind) {
        if self.recording.load(Ordering::Acquire) {
            self.with(|state| state.log.record(thread_number(), kind(SITE.get()), freed as u64));
        }
    }
}

impl Default for GlobalTracker {
    fn default() -> Self {
        Self::new()
    }
}

impl HeapObserver for GlobalTracker {
    fn allocated(&self, address: usize, size: usize) {
        let (address, size) = (address as u64, size as u64);
        self.record(0, |site| EventKind::Alloc { address, size, site });
    }

    fn freed(&self, address: usize, size: usize) {
        let address = address as u64;
        self.record(size, |site| EventKind::Free { address, site });
    }

    fn reallocated(&self, old: usize, old_size: usize, address: usize, size: usize) {
        let (old, address, size) = (old as u64, address as u64, size as u64);
        self.record(old_size, |site| EventKind::Realloc { old, address, size, site });
    }

    fn failed(&self, size: usize) {
        let size = size as u64;
        self.record(0, |site| EventKind::FailedAlloc { size, site });
    }
}

impl ChunkSource for GlobalTracker {
    fn snapshot(&self) -> Chunks {
        let within = self.with(|state| state.log.snapshot()).unwrap_or_default();
        // The caller frees what it is given, so that has to be allocated where it is recorded.
        let given = within.unshared();
        inside(|| drop(within));
        given
    }
}

/// While it lives, what its thread allocates comes from its site. Returned by
/// [`GlobalTracker::scope`]; to be dropped by the same thread.
#[derive(Debug)]
#[must_use]
pub struct GlobalScope {
    former: u32,
}

impl Drop for GlobalScope {
    fn drop(&mut self) {
        SITE.set(self.former);
    }
}
