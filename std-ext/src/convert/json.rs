//! A trace as JSON lines: one object a line, each with one entry that says what it is.
//!
//! ```text
//! {"format":"heapwire","version":1}
//! {"session":{"device":"sensor","build":"","ticks_per_second":1000000,"address_bits":32}}
//! {"region":{"start":536870912,"size":65536,"name":"main heap"}}
//! {"name":{"kind":"scope","id":2,"text":"parse"}}
//! {"call_stack":{"id":1,"parent":0,"address":134217741}}
//! {"alloc":{"time":450,"thread":1,"address":536870928,"size":21,"site":1}}
//! {"realloc":{"time":512,"thread":1,"old_address":536870928,"address":536871160,"size":64,"site":1}}
//! {"free":{"time":2844,"thread":3,"address":536871160,"site":2}}
//! {"failed_alloc":{"time":2900,"thread":1,"size":4294967296,"site":2}}
//! {"naming":{"time":2901,"thread":1,"address":536870928,"variable_id":7,"type_id":4}}
//! {"gauge":{"time":3000,"thread":0,"id":1,"value":-15}}
//! {"mark":{"time":3001,"thread":0,"id":9}}
//! {"end":{"events":7}}
//! ```
//!
//! A line `position` has the fields of [`Position`]: gaps, restarts and totals. Times are in ticks, sizes
//! in bytes. A file without its last line is cut off. [`JsonWriter`] and [`read`] are exact opposites.

use std::io::{BufRead, BufReader, Read, Write};

use heapwire_core::{Definition, Event, EventKind};
use serde::{Deserialize, Serialize};

use super::maps::{DefinitionMap, NameMap, NodeMap, RegionMap, SessionMap};
use super::text::MAX_LINE;
use crate::error::{BinaryExportError, Result};
use crate::trace::Item;
use crate::trace::entry::{Entry, Position};
use crate::trace::limits::Limits;

/// The version of the format.
const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Head<'a> {
    format: &'a str,
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    #[serde(borrow)]
    Session(SessionMap<'a>),
    CallStack(NodeMap),
    #[serde(borrow)]
    Name(NameMap<'a>),
    #[serde(borrow)]
    Region(RegionMap<'a>),
    Position(Position),
    Alloc {
        time: u64,
        thread: u32,
        address: u64,
        size: u64,
        site: u32,
    },
    Free {
        time: u64,
        thread: u32,
        address: u64,
        site: u32,
    },
    Realloc {
        time: u64,
        thread: u32,
        old_address: u64,
        address: u64,
        size: u64,
        site: u32,
    },
    FailedAlloc {
        time: u64,
        thread: u32,
        size: u64,
        site: u32,
    },
    Naming {
        time: u64,
        thread: u32,
        address: u64,
        variable_id: u32,
        type_id: u32,
    },
    Gauge {
        time: u64,
        thread: u32,
        id: u32,
        value: i64,
    },
    Mark {
        time: u64,
        thread: u32,
        id: u32,
    },
    End {
        events: u64,
    },
}

impl<'a> From<&Entry<'a>> for Line<'a> {
    fn from(entry: &Entry<'a>) -> Self {
        match *entry {
            Entry::Position(position) => Self::Position(position),
            Entry::Item(Item::Event(event)) => event.into(),
            Entry::Item(Item::Definition(definition)) => match definition {
                Definition::Session(session) => Self::Session(session.into()),
                Definition::Node(node) => Self::CallStack(node.into()),
                Definition::Name(name) => Self::Name(name.into()),
                Definition::Region(region) => Self::Region(region.into()),
            },
        }
    }
}

impl From<Event> for Line<'_> {
    fn from(Event { time, thread, kind }: Event) -> Self {
        match kind {
            EventKind::Alloc { address, size, site } => {
                Self::Alloc { time, thread, address, size, site }
            }
            EventKind::Free { address, site } => Self::Free { time, thread, address, site },
            EventKind::Realloc { old, address, size, site } => {
                Self::Realloc { time, thread, old_address: old, address, size, site }
            }
            EventKind::FailedAlloc { size, site } => Self::FailedAlloc { time, thread, size, site },
            EventKind::Name { address, variable, type_name } => {
                Self::Naming { time, thread, address, variable_id: variable, type_id: type_name }
            }
            EventKind::Gauge { gauge, value } => Self::Gauge { time, thread, id: gauge, value },
            EventKind::Mark { mark } => Self::Mark { time, thread, id: mark },
        }
    }
}

/// Writes a trace as JSON lines.
#[derive(Debug)]
pub struct JsonWriter<W> {
    out: W,
    events: u64,
}

impl<W: Write> JsonWriter<W> {
    /// Begins. Lines are short, so `out` should be buffered.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn new(out: W) -> Result<Self> {
        let mut writer = Self { out, events: 0 };
        writer.line(&Head { format: "heapwire", version: VERSION })?;
        Ok(writer)
    }

    /// Writes the next entry.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn entry(&mut self, entry: &Entry<'_>) -> Result<()> {
        self.events += u64::from(matches!(entry, Entry::Item(Item::Event(_))));
        self.line(&Line::from(entry))
    }

    /// Writes the last line, and returns the output.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn finish(mut self) -> Result<W> {
        self.line(&Line::End { events: self.events })?;
        Ok(self.out)
    }

    fn line(&mut self, line: &impl Serialize) -> Result<()> {
        let written = serde_json::to_writer(&mut self.out, line).map_err(std::io::Error::from);
        let written = written.and_then(|()| self.out.write_all(b"\n"));
        written.map_err(BinaryExportError::stream("write the JSON lines"))
    }
}

/// Reads JSON lines and hands out all that is in them. Returns how many events that were.
///
/// # Errors
/// [`JsonLines`](BinaryExportError::JsonLines) by the line, also when the last one is missing;
/// [`Limit`](BinaryExportError::Limit) for more events than the limit; the first error of `each`.
pub fn read(
    input: impl Read,
    limits: &Limits,
    mut each: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<u64> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let (mut line, mut number, mut events) = (Vec::new(), 0_u64, 0_u64);
    let mut ended = false;
    loop {
        line.clear();
        // Two bytes more than a line may have: room for its end, or proof that it is too long.
        let mut bounded = (&mut input).take(MAX_LINE as u64 + 2);
        let read = bounded.read_until(b'\n', &mut line);
        read.map_err(BinaryExportError::stream("read the JSON lines"))?;
        number += 1;
        let wrong = |what: String| BinaryExportError::JsonLines { line: number, what };
        if line.is_empty() {
            break;
        }
        if ended {
            return Err(wrong("it is behind the end".into()));
        }
        if line.len() > MAX_LINE + 1 {
            return Err(wrong(format!("it has more than {MAX_LINE} bytes")));
        }
        if number == 1 {
            let head: Head<'_> =
                serde_json::from_slice(&line).map_err(|error| wrong(error.to_string()))?;
            if head.format != "heapwire" || head.version != VERSION {
                let Head { format, version } = head;
                let what = format!("format {format:?}, version {version}; expected {VERSION}");
                return Err(wrong(what));
            }
            continue;
        }
        let line: Line<'_> =
            serde_json::from_slice(&line).map_err(|error| wrong(error.to_string()))?;
        let mut define = |map: &dyn DefinitionMap| {
            each(Entry::Item(Item::Definition(map.checked().map_err(wrong)?)))
        };
        match &line {
            Line::Session(map) => define(map)?,
            Line::CallStack(map) => define(map)?,
            Line::Name(map) => define(map)?,
            Line::Region(map) => define(map)?,
            Line::Position(position) => each(Entry::Position(*position))?,
            Line::End { events: counted } if *counted == events => ended = true,
            Line::End { events: counted } => {
                return Err(wrong(format!("{counted} events are counted, {events} were before")));
            }
            event => {
                events += 1;
                limits.check_events(events)?;
                if let Some(event) = event.event() {
                    each(Entry::Item(Item::Event(event)))?;
                }
            }
        }
    }
    match ended {
        true => Ok(events),
        false => Err(BinaryExportError::JsonLines {
            line: number,
            what: "found the end of the input, expected {\"end\":…}".into(),
        }),
    }
}

impl Line<'_> {
    /// The event, if it is one.
    fn event(&self) -> Option<Event> {
        let (time, thread, kind) = match *self {
            Self::Alloc { time, thread, address, size, site } => {
                (time, thread, EventKind::Alloc { address, size, site })
            }
            Self::Free { time, thread, address, site } => {
                (time, thread, EventKind::Free { address, site })
            }
            Self::Realloc { time, thread, old_address: old, address, size, site } => {
                (time, thread, EventKind::Realloc { old, address, size, site })
            }
            Self::FailedAlloc { time, thread, size, site } => {
                (time, thread, EventKind::FailedAlloc { size, site })
            }
            Self::Naming { time, thread, address, variable_id, type_id } => {
                let kind = EventKind::Name { address, variable: variable_id, type_name: type_id };
                (time, thread, kind)
            }
            Self::Gauge { time, thread, id, value } => {
                (time, thread, EventKind::Gauge { gauge: id, value })
            }
            Self::Mark { time, thread, id } => (time, thread, EventKind::Mark { mark: id }),
            _ => return None,
        };
        Some(Event { time, thread, kind })
    }
}
