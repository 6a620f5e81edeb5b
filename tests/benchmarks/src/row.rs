//! An event as a user of serde, bitcode or bincode would write it down: no field that a kind does
//! not need, so that formats which store nothing but values store as few as possible.

use heapwire::heapwire_core::{Event, EventKind, NO_SITE};
use serde::{Deserialize, Serialize};

/// One event.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    bincode::Encode,
    bincode::Decode,
    bitcode::Encode,
    bitcode::Decode,
)]
#[allow(missing_docs, reason = "the fields are those of `Event`, which documents them")]
pub enum Row {
    /// A block was allocated.
    Alloc { time: u64, thread: u32, address: u64, size: u64, site: u32 },
    /// A block was freed, nobody knows by whom.
    Free { time: u64, thread: u32, address: u64 },
    /// A block was freed.
    FreeAt { time: u64, thread: u32, address: u64, site: u32 },
    /// A block was resized.
    Realloc { time: u64, thread: u32, old: u64, address: u64, size: u64, site: u32 },
    /// The allocator had nothing to give.
    FailedAlloc { time: u64, thread: u32, size: u64, site: u32 },
    /// A block was named.
    Name { time: u64, thread: u32, address: u64, variable: u32, type_name: u32 },
    /// A number was measured.
    Gauge { time: u64, thread: u32, gauge: u32, value: i64 },
    /// A point in time.
    Mark { time: u64, thread: u32, mark: u32 },
}

impl From<&Event> for Row {
    fn from(event: &Event) -> Self {
        let Event { time, thread, kind } = *event;
        match kind {
            EventKind::Alloc { address, size, site } => {
                Self::Alloc { time, thread, address, size, site }
            }
            EventKind::Free { address, site: NO_SITE } => Self::Free { time, thread, address },
            EventKind::Free { address, site } => Self::FreeAt { time, thread, address, site },
            EventKind::Realloc { old, address, size, site } => {
                Self::Realloc { time, thread, old, address, size, site }
            }
            EventKind::FailedAlloc { size, site } => Self::FailedAlloc { time, thread, size, site },
            EventKind::Name { address, variable, type_name } => {
                Self::Name { time, thread, address, variable, type_name }
            }
            EventKind::Gauge { gauge, value } => Self::Gauge { time, thread, gauge, value },
            EventKind::Mark { mark } => Self::Mark { time, thread, mark },
        }
    }
}
