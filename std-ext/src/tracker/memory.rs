//! `MemoryTracker`: allocations recorded by hand.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use heapwire_core::{EventKind, NO_SITE, NameKind};

use super::chunks::ChunkLog;
use super::names::Names;
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
    log: ChunkLog,
    names: Names,
    sizes: HashMap<usize, usize>,
    threads: HashMap<ThreadId, Thread>,
}

/// What is known of a thread: its number, from 1, and the site of its innermost scope.
#[derive(Clone, Copy, Debug)]
struct Thread {
    number: u32,
    site: u32,
}

impl State {
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
        Self {
            state: Arc::new(Mutex::new(State {
                log: ChunkLog::new(),
                names: Names::default(),
                sizes: HashMap::new(),
                threads: HashMap::new(),
            })),
        }
    }

    /// Records that a block of `size` bytes was allocated at `ptr`.
    pub fn track_allocation(&self, ptr: usize, size: usize) {
        let state = &mut *self.lock();
        let Thread { number, site } = *state.thread();
        state.sizes.insert(ptr, size);
        let kind = EventKind::Alloc { address: ptr as u64, size: size as u64, site };
        state.log.record(number, kind, 0);
    }

    /// Records that the block at `old` was resized to `size` bytes and is at `ptr` now.
    pub fn track_reallocation(&self, old: usize, ptr: usize, size: usize) {
        let state = &mut *self.lock();
        let Thread { number, site } = *state.thread();
        let freed = state.sizes.remove(&old).unwrap_or(0);
        state.sizes.insert(ptr, size);
        let (old, address, size) = (old as u64, ptr as u64, size as u64);
        let kind = EventKind::Realloc { old, address, size, site };
        state.log.record(number, kind, freed as u64);
    }

    /// Records that the block at `ptr` was freed.
    pub fn track_deallocation(&self, ptr: usize) {
        let state = &mut *self.lock();
        let Thread { number, site } = *state.thread();
        let freed = state.sizes.remove(&ptr).unwrap_or(0);
        let kind = EventKind::Free { address: ptr as u64, site };
        state.log.record(number, kind, freed as u64);
    }

    /// Names the variable that owns the block at `ptr`, and its type.
    pub fn associate_var(&self, ptr: usize, var_name: &str, type_name: &str) {
        let state = &mut *self.lock();
        let Thread { number, .. } = *state.thread();
        let mut name = |kind, text: &str| {
            state.names.number(&mut state.log, kind, Cow::Owned(text.to_owned()))
        };
        let variable = name(NameKind::Variable, var_name);
        let type_name = name(NameKind::Type, type_name);
        let kind = EventKind::Name { address: ptr as u64, variable, type_name };
        state.log.record(number, kind, 0);
    }

    /// Enters a scope: until the guard is dropped, what this thread records comes from the site of
    /// this name. Scopes nest.
    pub fn scope(&self, name: &str) -> MemoryScope<'_> {
        let state = &mut *self.lock();
        let text = Cow::Owned(name.to_owned());
        let site = state.names.number(&mut state.log, NameKind::Scope, text);
        let former = std::mem::replace(&mut state.thread().site, site);
        MemoryScope { tracker: self, former }
    }

    /// Events recorded so far.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.lock().log.events()
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
    let log = lock(state).log.clone();
    log.into_chunks()
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
