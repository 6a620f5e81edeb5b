//! `GlobalTracker`: what a whole program does with its heap.

mod clock;
mod local;
mod log;
mod packing;
mod sites;
mod slot;
mod snapshot;
mod stack;
mod stacks;

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use heapwire_core::{HeapObserver, NO_SITE};

use crate::trace::source::{ChunkSource, Chunks, SnapshotTask};
use clock::TickClock;
use local::{Local, Place};
use log::{Log, Page};
use sites::Sites;
use slot::Slot;
use stack::frame_pointer;

/// Bits of a tracker's mode: that it records, and that it records call stacks then.
const RECORDS: u8 = 1;
const FOLLOWS_STACKS: u8 = 2;

/// The frame of the function that reports, which the allocator's caller called.
type Frame = Option<usize>;

/// Records every allocation of the program whose global allocator reports to it.
///
/// Threads share no lock. Each records into memory of its own, some three bytes an event, which goes to
/// another thread when this one ends; an export merges all of it by time. What the tracker needs itself is
/// not recorded. A child process goes on with all that its parent had recorded when it forked.
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
    /// Of [`RECORDS`] and [`FOLLOWS_STACKS`].
    mode: AtomicU8,
    clock: OnceLock<TickClock>,
    slots: boxcar::Vec<&'static Slot>,
    sites: Sites,
    own_bytes: AtomicUsize,
    /// Itself, once it was started.
    this: This,
}

/// The tracker that this is a part of.
#[derive(Default)]
struct This(OnceLock<&'static GlobalTracker>);

impl fmt::Debug for This {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("This") // and not the tracker within itself
    }
}

impl GlobalTracker {
    /// A tracker that does not record yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            mode: AtomicU8::new(0),
            clock: OnceLock::new(),
            slots: boxcar::Vec::new(),
            sites: Sites::new(),
            own_bytes: AtomicUsize::new(0),
            this: This(OnceLock::new()),
        }
    }

    /// Records from now on. Blocks allocated before are not known: their frees are recorded, but
    /// count no bytes. A tracker that was started is never given up, so it has to be a `static`.
    pub fn start(&'static self) {
        self.this.0.get_or_init(|| self);
        local::inside(|| self.clock.get_or_init(TickClock::start));
        self.mode.fetch_or(RECORDS, Ordering::Release);
    }

    /// Records from now on, as [`start`](Self::start) does, and the call stack of each allocation and
    /// reallocation: its site is a node of the tree of call stacks, whatever scope it is in. Frees have no
    /// site then. Returns whether call stacks can be had: on Linux on x86-64 and AArch64.
    ///
    /// Stacks are followed by frame pointers: compile with `-C force-frame-pointers=yes`. Where code
    /// without them called, the stack ends or has a wrong address. The innermost 192 frames count.
    pub fn start_with_stacks(&'static self) -> bool {
        if stack::SUPPORTED {
            self.mode.fetch_or(FOLLOWS_STACKS, Ordering::Relaxed);
        }
        self.start();
        stack::SUPPORTED
    }

    /// Records no more. What is recorded stays.
    pub fn stop(&self) {
        self.mode.fetch_and(!RECORDS, Ordering::Release);
    }

    /// Enters a scope: until the guard is dropped, what this thread allocates comes from the site of
    /// this name. Scopes nest.
    pub fn scope(&self, name: &'static str) -> GlobalScope {
        let site = local::with(|local| {
            let ask = || local::inside(|| self.sites.scope(name)).unwrap_or(NO_SITE);
            local.scope(self.identity(), name, ask)
        });
        GlobalScope { former: local::with(|local| local.enter_site(site)) }
    }

    /// Bytes of the program's heap that the tracker holds for itself, as far as it was told: events, sites,
    /// what each thread's slot takes, and all of an export that is under way.
    #[must_use]
    pub fn own_bytes(&self) -> usize {
        self.own_bytes.load(Ordering::Relaxed)
    }

    /// What tells this tracker from others, all of which are statics.
    #[inline]
    fn identity(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    #[inline(always)]
    fn has_mode(&self, bits: u8) -> bool {
        self.mode.load(Ordering::Relaxed) & bits != 0
    }

    /// The time, and where this thread records an event of it at once, as it does nearly always: it is not
    /// within the tracker, its place has room, and there is no call stack to follow.
    #[inline(always)]
    fn ready(&self) -> Option<(u64, Place)> {
        if self.mode.load(Ordering::Relaxed) != RECORDS {
            return None;
        }
        // Before there is anything else to keep in registers: the system's clock may be asked.
        let time = self.clock.get()?.now();
        Some((time, local::with(|local| local.ready_place(self.identity()))?))
    }

    /// Records an event of this thread at its site, whatever has to be done first. A free has no frame.
    fn record(&self, local: &Local, frame: Frame, write: impl FnOnce(&Log, &Page, u64, u32)) {
        let Some(clock) = self.clock.get() else { return };
        let Some(Place { slot, page }) = self.place(local) else { return };
        let site = match self.has_mode(FOLLOWS_STACKS) {
            true => frame.map_or(NO_SITE, |frame| self.stack_site(local, slot, frame)),
            false => local::site(),
        };
        write(slot.log(), page, clock.now(), site);
        slot.end_resizing();
        local.leave_if_late();
    }

    /// Where this thread records, with room for an event.
    fn place(&self, local: &Local) -> Option<Place> {
        match local.place(self.identity()) {
            None => self.new_place(local),
            place => place,
        }
    }

    #[cold]
    fn new_place(&self, local: &Local) -> Option<Place> {
        local::inside(|| {
            let slot = match local.slot(self.identity()) {
                Some(slot) => slot,
                None => self.take_slot()?,
            };
            slot.log().of_thread(slot.log().page()?, local.number());
            let place = Place { slot, page: slot.log().page()? };
            local.record_at(place);
            Some(place)
        })
        .flatten()
    }

    /// A slot that no thread has.
    fn take_slot(&self) -> Option<&'static Slot> {
        let process = std::process::id();
        let free = self.slots.iter().find(|(_, slot)| slot.take(process));
        if let Some((_, slot)) = free {
            return Some(slot);
        }
        let slot: &'static Slot = Box::leak(Box::new(Slot::new(self.identity())));
        slot.take(process);
        self.slots.push(slot);
        Some(slot)
    }

    /// The site of the stack that goes outward from a frame of this thread.
    #[inline(never)]
    fn stack_site(&self, local: &Local, slot: &Slot, frame: usize) -> u32 {
        slot.stack_site(frame, &local.stack(), |parent, address| {
            local::inside(|| self.sites.node(parent, address)).unwrap_or(NO_SITE)
        })
    }

    /// Counts what the tracker allocates or frees for itself.
    #[cold]
    fn count_own(&self, allocated: usize, freed: usize) {
        self.own_bytes.fetch_add(allocated.wrapping_sub(freed), Ordering::Relaxed);
    }
}

impl Default for GlobalTracker {
    fn default() -> Self {
        Self::new()
    }
}

// What is usual is inlined into the allocator, the rest is called.
impl HeapObserver for GlobalTracker {
    #[inline(always)]
    fn allocated(&self, address: usize, size: usize) {
        let frame = frame_pointer();
        match self.ready() {
            Some((time, Place { slot, page })) => {
                slot.log().alloc(page, time, local::site(), address as u64, size as u64);
            }
            None => self.allocated_unready(frame, address, size),
        }
    }

    #[inline(always)]
    fn freed(&self, address: usize, size: usize) {
        match self.ready() {
            Some((time, Place { slot, page })) => {
                slot.log().free(page, time, local::site(), address as u64);
            }
            None => self.freed_unready(address, size),
        }
    }

    fn reallocating(&self) {
        local::with(|local| {
            if !local.is_inside()
                && self.has_mode(RECORDS)
                && let Some(place) = self.place(local)
            {
                local.set_resizing(true);
                place.slot.begin_resizing();
            }
        });
    }

    #[inline(always)]
    fn reallocated(&self, old: usize, old_size: usize, address: usize, size: usize) {
        let frame = frame_pointer();
        match self.ready() {
            Some((time, Place { slot, page })) => {
                local::with(|local| local.set_resizing(false));
                let moved = (old as u64, address as u64);
                slot.log().realloc(page, time, local::site(), moved, size as u64);
                slot.end_resizing();
            }
            None => self.reallocated_unready(frame, (old, old_size), (address, size)),
        }
    }

    #[inline(always)]
    fn failed(&self, size: usize) {
        self.failed_at(frame_pointer(), size);
    }
}

/// What a thread reports that has no place, or is within the tracker, or follows call stacks.
impl GlobalTracker {
    #[inline(never)]
    fn allocated_unready(&self, frame: usize, address: usize, size: usize) {
        local::with(|local| {
            if local.is_inside() {
                self.count_own(size, 0);
            } else if self.has_mode(RECORDS) {
                self.record(local, Some(frame), |log, page, time, site| {
                    log.alloc(page, time, site, address as u64, size as u64);
                });
            }
        });
    }

    #[inline(never)]
    fn freed_unready(&self, address: usize, size: usize) {
        local::with(|local| {
            if local.is_inside() {
                self.count_own(0, size);
            } else if self.has_mode(RECORDS) {
                self.record(local, None, |log, page, time, site| {
                    log.free(page, time, site, address as u64);
                });
            }
        });
    }

    #[inline(never)]
    fn reallocated_unready(
        &self,
        frame: usize,
        (old, old_size): (usize, usize),
        (address, size): (usize, usize),
    ) {
        local::with(|local| {
            if local.is_inside() {
                self.count_own(size, old_size);
            } else if local.set_resizing(false) || self.has_mode(RECORDS) {
                self.record(local, Some(frame), |log, page, time, site| {
                    log.realloc(page, time, site, (old as u64, address as u64), size as u64);
                });
            }
        });
    }

    #[cold]
    fn failed_at(&self, frame: usize, size: usize) {
        local::with(|local| {
            let is_meant = local.set_resizing(false) || self.has_mode(RECORDS);
            if is_meant && !local.is_inside() {
                self.record(local, Some(frame), |log, page, time, site| {
                    log.failed(page, time, site, size as u64);
                });
            }
        });
    }
}

impl ChunkSource for GlobalTracker {
    fn snapshot(&self) -> Chunks {
        let within = local::inside(|| self.chunks()).unwrap_or_default();
        // The caller frees what it is given, so that has to be allocated where it is recorded.
        let given = within.unshared();
        local::inside(|| drop(within));
        given
    }

    fn snapshot_later(&self) -> SnapshotTask {
        match self.this.0.get() {
            Some(&tracker) => SnapshotTask::new(|| tracker.snapshot()),
            None => SnapshotTask::new(Chunks::new), // it has recorded nothing
        }
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
        local::with(|local| local.enter_site(self.former));
    }
}
