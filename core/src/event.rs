//! What happens on a heap: the vocabulary that every other layer speaks.

/// The site of an event whose origin is not known, and the parent of a call stack's outermost node.
pub const NO_SITE: u32 = 0;

/// Something that happened on a heap, and when, and on which thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Event {
    /// Ticks since the clock's start; [`Session::ticks_per_second`](crate::Session) gives the unit.
    /// Events of one stream may step backwards (an interrupt that reported late).
    pub time: u64,
    /// Thread, task or core, as numbered by whoever recorded it.
    pub thread: u32,
    /// What happened.
    pub kind: EventKind,
}

/// What happened. Sites, names and gauges are numbers; a [`Definition`](crate::Definition) tells
/// what stands behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum EventKind {
    /// A block was allocated.
    Alloc {
        /// Its first byte.
        address: u64,
        /// Bytes asked for.
        size: u64,
        /// Who asked, or [`NO_SITE`].
        site: u32,
    },
    /// A block was freed.
    Free {
        /// Its first byte.
        address: u64,
        /// Who freed it, or [`NO_SITE`].
        site: u32,
    },
    /// A block was resized, in place or not.
    Realloc {
        /// Its first byte before.
        old: u64,
        /// Its first byte now; equal to `old` when it was resized in place.
        address: u64,
        /// Bytes it has now.
        size: u64,
        /// Who asked, or [`NO_SITE`].
        site: u32,
    },
    /// The allocator had nothing to give.
    FailedAlloc {
        /// Bytes asked for.
        size: u64,
        /// Who asked, or [`NO_SITE`].
        site: u32,
    },
    /// A live block was given a name.
    Name {
        /// The block's first byte.
        address: u64,
        /// The defined name of its variable, or 0.
        variable: u32,
        /// The defined name of its type, or 0.
        type_name: u32,
    },
    /// A measured number: the largest free block, the depth of a queue.
    Gauge {
        /// The defined name of the gauge.
        gauge: u32,
        /// Its value now.
        value: i64,
    },
    /// A point in time worth finding again.
    Mark {
        /// The defined name of the mark.
        mark: u32,
    },
}

/// Running totals of a heap. A reallocation counts as one allocation and one free, so
/// `allocations - frees` is the number of live blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HeapTotals {
    /// Blocks handed out.
    pub allocations: u64,
    /// Blocks given back.
    pub frees: u64,
    /// Allocations that failed.
    pub failed: u64,
    /// Bytes in live blocks.
    pub bytes_in_use: u64,
    /// The largest `bytes_in_use` so far.
    pub peak_bytes: u64,
}

impl HeapTotals {
    /// Counts one event. `freed` is the size in bytes of the block that the event frees or
    /// resizes, 0 when it is not known; other events ignore it.
    pub fn count(&mut self, kind: &EventKind, freed: u64) {
        // The most frequent first, each with a branch of its own: quicker than one jump for all.
        if let EventKind::Alloc { size, .. } = *kind {
            return self.add(size);
        } else if let EventKind::Free { .. } = kind {
            return self.remove(freed);
        }
        match *kind {
            EventKind::Realloc { size, .. } => {
                self.remove(freed);
                self.add(size);
            }
            EventKind::FailedAlloc { .. } => self.failed = self.failed.saturating_add(1),
            _ => {}
        }
    }

    /// Allocations, frees and failures: in most streams the number of events.
    pub(crate) fn events(&self) -> u64 {
        self.allocations.wrapping_add(self.frees).wrapping_add(self.failed)
    }

    fn add(&mut self, size: u64) {
        self.allocations = self.allocations.saturating_add(1);
        self.bytes_in_use = self.bytes_in_use.saturating_add(size);
        self.peak_bytes = self.peak_bytes.max(self.bytes_in_use);
    }

    fn remove(&mut self, size: u64) {
        self.frees = self.frees.saturating_add(1);
        self.bytes_in_use = self.bytes_in_use.saturating_sub(size);
    }
}
