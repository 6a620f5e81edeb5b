//! What a thread knows of itself. Nothing in here has a destructor, so an allocator may ask at any
//! time, also while the thread ends.

use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use heapwire_core::NO_SITE;

use super::log::Page;
use super::slot::Slot;
use super::stack::stack_of_this_thread;

/// Numbers for threads, from 1.
static LAST_THREAD: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static LOCAL: Local = const { Local::new() };
    static LEAVE_AT_EXIT: LeaveAtExit = const { LeaveAtExit };
}

/// This thread, to a tracker.
#[derive(Debug)]
pub(super) struct Local {
    /// Whether the thread is within the tracker, whose own allocations are not recorded.
    inside: Cell<bool>,
    /// Whether the slot is for one event only: nobody will tell when the thread is over.
    late: Cell<bool>,
    place: Cell<Option<Place>>,
    /// The same, where there is nothing else to be done with an event: the thread is neither `inside`
    /// nor `late`.
    ready: Cell<Option<Place>>,
    number: Cell<u32>,
    /// The site of the innermost scope.
    site: Cell<u32>,
    /// Whether the thread is within a reallocation.
    resizing: Cell<bool>,
    /// Where the thread's stack lies; 0 when that is not known yet.
    stack: Cell<(usize, usize)>,
    scopes: [Cell<KnownScope>; KNOWN_SCOPES],
}

/// Where a thread records: its slot, and the page of its log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) slot: &'static Slot,
    pub(super) page: &'static Page,
}

impl Place {
    /// Whether it is in this tracker, and there is room for an event.
    #[inline(always)]
    fn has_room(&self, tracker: usize) -> bool {
        self.slot.tracker() == tracker && !self.slot.log().is_full()
    }
}

/// A scope whose site this thread has asked for before.
#[derive(Clone, Copy, Debug)]
struct KnownScope {
    tracker: usize,
    name: &'static str,
    site: u32,
}

const KNOWN_SCOPES: usize = 16;

impl KnownScope {
    const NONE: Self = Self { tracker: 0, name: "", site: NO_SITE };
}

/// Gives the thread's slot back when the thread ends.
struct LeaveAtExit;

impl Drop for LeaveAtExit {
    fn drop(&mut self) {
        LOCAL.with(Local::leave);
    }
}

/// Lends this thread's `Local`.
#[inline(always)]
pub(super) fn with<R>(f: impl FnOnce(&Local) -> R) -> R {
    LOCAL.with(f)
}

/// The site of the innermost scope.
#[inline(always)]
pub(super) fn site() -> u32 {
    LOCAL.with(|local| local.site.get())
}

/// Runs `f` unless this thread is within the tracker already; what `f` allocates is not recorded.
pub(super) fn inside<R>(f: impl FnOnce() -> R) -> Option<R> {
    /// Also when `f` panics.
    struct Outside;
    impl Drop for Outside {
        fn drop(&mut self) {
            with(|local| local.set_inside(false));
        }
    }
    let entered = with(|local| !local.set_inside(true));
    entered.then(|| {
        let _outside = Outside;
        f()
    })
}

impl Local {
    const fn new() -> Self {
        Self {
            inside: Cell::new(false),
            late: Cell::new(false),
            place: Cell::new(None),
            ready: Cell::new(None),
            number: Cell::new(0),
            site: Cell::new(NO_SITE),
            resizing: Cell::new(false),
            stack: Cell::new((0, 0)),
            scopes: [const { Cell::new(KnownScope::NONE) }; KNOWN_SCOPES],
        }
    }

    /// Whether the thread is within the tracker.
    #[inline(always)]
    pub(super) fn is_inside(&self) -> bool {
        self.inside.get()
    }

    /// Says whether the thread is within the tracker; returns whether it was.
    fn set_inside(&self, inside: bool) -> bool {
        let was_inside = self.inside.replace(inside);
        self.make_ready();
        was_inside
    }

    fn make_ready(&self) {
        let is_plain = !self.inside.get() && !self.late.get();
        self.ready.set(self.place.get().filter(|_| is_plain));
    }

    /// Where the thread records, if that is in this tracker and there is room for an event.
    pub(super) fn place(&self, tracker: usize) -> Option<Place> {
        self.place.get().filter(|at| at.has_room(tracker))
    }

    /// Where the thread [records](Self::place), if it is neither within the tracker nor ending.
    #[inline(always)]
    pub(super) fn ready_place(&self, tracker: usize) -> Option<Place> {
        self.ready.get().filter(|at| at.has_room(tracker))
    }

    /// The slot that the thread has of this tracker.
    pub(super) fn slot(&self, tracker: usize) -> Option<&'static Slot> {
        self.place.get().map(|at| at.slot).filter(|slot| slot.tracker() == tracker)
    }

    /// Records there, in a slot that the thread has taken: until the thread ends, or until
    /// [`leave_if_late`](Self::leave_if_late) when it is ending already, and nobody would tell.
    pub(super) fn record_at(&self, place: Place) {
        if self.place.get().is_some_and(|at| !std::ptr::eq(at.slot, place.slot)) {
            self.leave();
        }
        self.place.set(Some(place));
        self.late.set(LEAVE_AT_EXIT.try_with(|_| ()).is_err());
        self.make_ready();
    }

    /// Gives the slot back.
    pub(super) fn leave(&self) {
        self.ready.set(None);
        if let Some(place) = self.place.take() {
            place.slot.give_back();
        }
    }

    #[inline(always)]
    pub(super) fn leave_if_late(&self) {
        if self.late.get() && !self.resizing.get() {
            self.leave();
        }
    }

    /// The thread's number.
    pub(super) fn number(&self) -> u32 {
        if self.number.get() == 0 {
            self.number.set(LAST_THREAD.fetch_add(1, Ordering::Relaxed).wrapping_add(1));
        }
        self.number.get()
    }

    /// Where the thread's stack lies.
    pub(super) fn stack(&self) -> Range<usize> {
        if self.stack.get() == (0, 0) {
            let stack = stack_of_this_thread();
            self.stack.set((stack.start, stack.end));
        }
        let (start, end) = self.stack.get();
        start..end
    }

    /// Enters a scope; returns the site of the one around it.
    pub(super) fn enter_site(&self, site: u32) -> u32 {
        self.site.replace(site)
    }

    /// Says whether the thread is within a reallocation; returns whether it was.
    pub(super) fn set_resizing(&self, resizing: bool) -> bool {
        self.resizing.replace(resizing)
    }

    /// The site of a scope, which `ask` tells when this thread does not know it.
    pub(super) fn scope(
        &self,
        tracker: usize,
        name: &'static str,
        ask: impl FnOnce() -> u32,
    ) -> u32 {
        let at = (name.as_ptr().addr() >> 3 ^ name.len()) % KNOWN_SCOPES;
        let Some(cell) = self.scopes.get(at) else { return NO_SITE };
        let known = cell.get();
        if known.tracker == tracker && std::ptr::eq(known.name, name) {
            return known.site;
        }
        let site = ask();
        cell.set(KnownScope { tracker, name, site });
        site
    }
}
