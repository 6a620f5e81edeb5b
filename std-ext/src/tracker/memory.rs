//! `MemoryTracker`: allocations recorded by hand.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Instant;

use heapwire_core::{Event, EventKind, NO_SITE, NameKind};

use super::names::Names;
use super::session::with_session;
use crate::trace::builder::ChunkBuilder;
use crate::trace::source::{ChunkSource, Chunks, SnapshotTask};

/// Records what it is told, from any thread, as sealed chunks: a few bytes an event, and a map of the
/// live blocks besides.
///
/// ```
/// use heapwire::{BinaryExport, MemoryTracker};
///
/// let tracker = MemoryTracker::new();
/// {
///     let _scope = tracker.scope("parse");
///     tracker.track_allocation(0x5000, 64);
///     tracker.associate_var(0x5000, "line", "String");
/// }
/// tracker.track_deallocation(0x5000);
///
/// let path = std::env::temp_dir().join("heapwire-memory-tracker-doc.bin");
/// let result = BinaryExport::export_default(&tracker, &path)?;
/// assert_eq!(result.events, 3);
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MemoryTracker {
    /// Shared with snapshots that are yet to be taken.
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    started: Instant,
    builder: ChunkBuilder,
    names: Names,
    threads: HashMap<ThreadId, Thread>,
}

/// What is known of a thread: its number, from 1, and the site of its innermost scope.
#[derive(Clone, Copy, Debug)]
struct Thread {
    number: u32,
    site: u32,
}

impl State {
    /// Records what happens now, on this thread.
    fn record(&mut self, kind: impl FnOnce(u32) -> EventKind) {
        let Thread { number, site } = *self.thread();
        let time = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.builder.push(&Event { time, thread: number, kind: kind(site) });
    }

    fn number(&mut self, kind: NameKind, text: &str) -> u32 {
        self.names.number(&mut self.builder, kind, Cow::Owned(text.to_owned()))
    }

    fn thread(&mut self) -> &mut Thread {
        let number = self.threads.len() as u32 + 1;
        let thread = thread::current().id();
        self.threads.entry(thread).or_insert(Thread { number, site: NO_SITE })
    }
}

impl MemoryTracker {
    /// A tracker that has recorded nothing.
    #[must_use]
    pub fn new() -> Self {
        let mut builder = ChunkBuilder::new();
        let defined = with_session(|session| builder.define(session));
        debug_assert!(defined.is_ok(), "{defined:?}");
        Self {
            state: Arc::new(Mutex::new(State {
                started: Instant::now(),
                builder,
                names: Names::default(),
                threads: HashMap::new(),
            })),
        }
    }

    /// Records that a block of `size` bytes was allocated at `ptr`.
    pub fn track_allocation(&self, ptr: usize, size: usize) {
        let (address, size) = (ptr as u64, size as u64);
        self.lock().record(|site| EventKind::Alloc { address, size, site });
    }

    /// Records that the block at `old` was resized to `size` bytes and is at `ptr` now.
    pub fn track_reallocation(&self, old: usize, ptr: usize, size: usize) {
        let (old, address, size) = (old as u64, ptr as u64, size as u64);
        self.lock().record(|site| EventKind::Realloc { old, address, size, site });
    }

    /// Records that the block at `ptr` was freed.
    pub fn track_deallocation(&self, ptr: usize) {
        let address = ptr as u64;
        self.lock().record(|site| EventKind::Free { address, site });
    }

    /// Names the variable that owns the block at `ptr`, and its type.
    pub fn associate_var(&self, ptr: usize, var_name: &str, type_name: &str) {
        let address = ptr as u64;
        let mut state = self.lock();
        let variable = state.number(NameKind::Variable, var_name);
        let type_name = state.number(NameKind::Type, type_name);
        state.record(|_| EventKind::Name { address, variable, type_name });
    }

    /// Enters a scope: until the guard is dropped, what this thread records comes from the site of
    /// this name. Scopes nest.
    pub fn scope(&self, name: &str) -> MemoryScope<'_> {
        let mut state = self.lock();
        let site = state.number(NameKind::Scope, name);
        let former = std::mem::replace(&mut state.thread().site, site);
        MemoryScope { tracker: self, former }
    }

    /// Events recorded so far.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.lock().builder.event_count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A thread that panicked while it recorded left at worst its own event half-counted.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything so far. Threads that record wait only while it is copied.
fn snapshot(state: &Mutex<State>) -> Chunks {
    let copy = lock(state).builder.copy();
    copy.finish()
}

impl Default for MemoryTracker {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkSource for MemoryTracker {
    fn snapshot(&self) -> Chunks {
        snapshot(&self.state)
    }

    fn snapshot_later(&self) -> SnapshotTask {
        let state = Arc::clone(&self.state);
        SnapshotTask::new(move || snapshot(&state))
    }
}

/// While it lives, what its thread records comes from its site. Returned by
/// [`MemoryTracker::scope`].
#[derive(Debug)]
#[must_use]
pub struct MemoryScope<'a> {
    tracker: &'a MemoryTracker,
    former: u32,
}

impl Drop for MemoryScope<'_> {
    fn drop(&mut self) {
        self.tracker.lock().thread().site = self.former;
    }
}
