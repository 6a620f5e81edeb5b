//! A slot: what one thread records into while it lives, and then the next. There is nothing to lock: not
//! for the owner, not for who reads, and not in a child process whose other threads vanished in the middle
//! of something.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use heapwire_core::NO_SITE;

use super::local;
use super::log::Log;
use super::stacks::StackCache;

/// Where a thread records.
// Two cache lines, since processors fetch pairs: no thread waits for another's slot.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Slot {
    tracker: usize,
    log: Log,
    /// A time before the reallocation that the owner is within, in ticks; 0 when it is in none.
    resizing: AtomicU64,
    /// The process whose thread owns it; 0 when nobody does.
    owner: AtomicU32,
    stacks: Mutex<Option<StackCache>>,
}

impl Slot {
    /// A slot that nobody owns.
    pub(super) fn new(tracker: usize) -> Self {
        Self {
            tracker,
            log: Log::new(),
            resizing: AtomicU64::new(0),
            owner: AtomicU32::new(0),
            stacks: Mutex::new(None),
        }
    }

    #[inline(always)]
    pub(super) fn tracker(&self) -> usize {
        self.tracker
    }

    #[inline(always)]
    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// Takes it for a thread of this process, unless somebody has it.
    pub(super) fn take(&self, process: u32) -> bool {
        self.owner.compare_exchange(0, process, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Gives it back.
    pub(super) fn give_back(&self) {
        self.owner.store(0, Ordering::Release);
    }

    /// Says that the owner is within a reallocation from now on.
    // The time is that of its last event: to read the clock would cost more than all the rest.
    #[inline(always)]
    pub(super) fn begin_resizing(&self) {
        self.resizing.store(self.log.last_time().max(1), Ordering::Release);
    }

    /// Says that the reallocation is in the log.
    #[inline(always)]
    pub(super) fn end_resizing(&self) {
        self.resizing.store(0, Ordering::Release);
    }

    /// Whether the owner, a thread of this process, is within a reallocation that may have begun before
    /// `then`.
    pub(super) fn is_resizing(&self, process: u32, then: u64) -> bool {
        (1..=then).contains(&self.resizing.load(Ordering::Acquire))
            && self.owner.load(Ordering::Relaxed) == process
    }

    /// The site of the stack that goes outward from a frame of the owner, whose `stack` this is; `node`
    /// tells that of an address called from another site. The owner asks.
    pub(super) fn stack_site(
        &self,
        frame: usize,
        stack: &Range<usize>,
        node: impl Fn(u32, u64) -> u32,
    ) -> u32 {
        // Only the owner asks, so nobody holds the lock.
        let Ok(mut cache) = self.stacks.try_lock() else { return NO_SITE };
        let cache = match &mut *cache {
            Some(cache) => cache,
            none => match local::inside(StackCache::new) {
                Some(new) => none.insert(new),
                None => return NO_SITE,
            },
        };
        cache.site_of(frame, stack, node)
    }
}
