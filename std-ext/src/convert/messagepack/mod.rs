//! A trace as one MessagePack map, which any language reads with no knowledge of ours:
//!
//! ```python
//! trace = msgpack.load(open("trace.msgpack", "rb"))
//! leaked = [record for record in trace["records"] if record["fate"] == "never_freed"]
//! ```
//!
//! Its entries, in this order:
//!
//! | key | value |
//! |---|---|
//! | `format`, `version` | `"heapwire"`, 1 |
//! | `events` | how many events the trace has; each has a number, from 0, and is told in one place |
//! | `session` | the last of `sessions`, or nil |
//! | `sessions` | `device`, `build`, `ticks_per_second` (the unit of every time), `address_bits` |
//! | `regions` | of the heap: `start`, `size`, `name` |
//! | `names` | `kind` (`scope`, `variable`, `type`, `thread`, `gauge`, `mark`), `id`, `text` |
//! | `call_stacks` | nodes: `id` (a site), `parent` (the caller's node; 0 is none), `address` |
//! | `positions` | gaps, restarts and totals: `before_event`, and the fields of [`Position`] |
//! | `other_events` | what belongs to no block: `event`, `time`, `thread`, `kind`, and for `failed_allocation` `size` and `site`, for `gauge` `id`, `name` and `value`, for `mark` `id` and `name` |
//! | `records` | of all blocks, by `id` |
//! | `checksum` | CRC-32 (IEEE) of all bytes before this number |
//!
//! Of names and others with the same id, the last holds. A record has always the same keys; what the
//! trace does not tell is nil, or an empty array:
//!
//! | key | value |
//! |---|---|
//! | `id` | its number, in the order in which the trace first tells of blocks |
//! | `address`, `size` | as it was allocated, in bytes |
//! | `alignment` | the largest power of two that `address` is a multiple of |
//! | `allocated`, `freed` | `event`, `time`, `thread`, `site` |
//! | `reallocations` | each as above, with `old_address`, `address`, `old_size`, `size` |
//! | `namings` | `event`, `time`, `thread`, `variable_id`, `type_id` |
//! | `fate` | `freed`, `never_freed`, or `unknown`: a gap lies between, or another block took its place |
//! | `scope`, `variable`, `type` | names: of the scope that allocated it, the last of its variable and type |
//!
//! That is every event with its place in the trace, so the trace comes back as it was: nothing is lost
//! but which chunks its events were in, and definitions that only repeat what is known.
//!
//! [`Position`]: crate::trace::entry::Position

mod reader;
mod source;
mod writer;

use heapwire_core::{Event, EventKind};
use serde::{Deserialize, Serialize};

pub use self::reader::read;
pub(crate) use self::reader::read_with_records;
pub use self::writer::MessagePackWriter;
pub use crate::error::MessagePackError;
use crate::trace::entry::Position;

/// The name and version of the format.
const FORMAT: &str = "heapwire";
const VERSION: u64 = 1;

/// What the format is called in messages.
const NAME: &str = "MessagePack";

/// A position, and where it belongs.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct PositionMap {
    /// The number of the event that follows.
    before_event: u64,
    #[serde(flatten)]
    position: Position,
}

/// An event that belongs to no block.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct OtherEvent {
    event: u64,
    time: u64,
    thread: u32,
    kind: OtherKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    site: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<i64>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OtherKind {
    FailedAllocation,
    Gauge,
    Mark,
}

impl OtherEvent {
    /// The event of this number, if it is of these kinds.
    fn new(number: u64, event: &Event) -> Option<Self> {
        let &Event { time, thread, kind } = event;
        let of = |kind| Self {
            event: number,
            time,
            thread,
            kind,
            size: None,
            site: None,
            id: None,
            value: None,
        };
        match kind {
            EventKind::FailedAlloc { size, site } => {
                Some(Self { size: Some(size), site: Some(site), ..of(OtherKind::FailedAllocation) })
            }
            EventKind::Gauge { gauge, value } => {
                Some(Self { id: Some(gauge), value: Some(value), ..of(OtherKind::Gauge) })
            }
            EventKind::Mark { mark } => Some(Self { id: Some(mark), ..of(OtherKind::Mark) }),
            _ => None,
        }
    }

    /// The event; `None` when a field of it is missing.
    fn event(&self) -> Option<Event> {
        let kind = match self.kind {
            OtherKind::FailedAllocation => {
                EventKind::FailedAlloc { size: self.size?, site: self.site? }
            }
            OtherKind::Gauge => EventKind::Gauge { gauge: self.id?, value: self.value? },
            OtherKind::Mark => EventKind::Mark { mark: self.id? },
        };
        Some(Event { time: self.time, thread: self.thread, kind })
    }
}
