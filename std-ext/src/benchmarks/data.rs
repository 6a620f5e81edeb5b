//! What a trace holds, as both sides have it in memory when they have read it.

use heapwire_core::{Definition, Event, EventKind};
use serde::Serialize;

use crate::error::{BinaryExportError, Result};
use crate::trace::Item;
use crate::trace::decode::{self, EventDecoder};
use crate::trace::entry::{Entry, for_each_entry};
use crate::trace::merge::{Part, for_each_part};
use crate::trace::record::{Record, Records};
use crate::trace::source::Chunks;
use crate::trace::symbols::Symbols;

/// What is in memory when a file was read, besides all definitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// Every event.
    Events,
    /// Every record: one allocation's whole life, made of its events.
    Records,
}

/// Who takes what is read.
pub(super) trait Taker {
    fn definition(&mut self, definition: &Definition<'_>);
    fn events(&mut self, events: &[Event]);
    fn record(&mut self, record: Record);

    fn item(&mut self, item: &Item<'_>) {
        match item {
            Item::Event(event) => self.events(&[*event]),
            Item::Definition(definition) => self.definition(definition),
        }
    }
}

/// Keeps what was read in memory.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Data {
    pub(super) symbols: Symbols,
    pub(super) events: Vec<Event>,
    pub(super) records: Vec<Record>,
}

impl Taker for Data {
    fn definition(&mut self, definition: &Definition<'_>) {
        self.symbols.define(definition);
    }

    fn events(&mut self, events: &[Event]) {
        self.events.extend_from_slice(events);
    }

    fn record(&mut self, record: Record) {
        self.records.push(record);
    }
}

/// Looks at every event and record and keeps none: only what tells whether others were handed the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    events: u64,
    records: u64,
    sum: u64,
}

impl Seen {
    fn add(&mut self, number: u64) {
        self.sum = self.sum.rotate_left(7).wrapping_add(number);
    }
}

impl Taker for Seen {
    fn definition(&mut self, _: &Definition<'_>) {}

    fn events(&mut self, events: &[Event]) {
        self.events += events.len() as u64;
        for Event { time, thread, kind } in events {
            let what = match *kind {
                EventKind::Alloc { address, size, site }
                | EventKind::Realloc { address, size, site, .. } => {
                    address ^ size ^ u64::from(site)
                }
                EventKind::Free { address, .. } | EventKind::Name { address, .. } => !address,
                EventKind::FailedAlloc { size, .. } => size,
                EventKind::Gauge { value, .. } => value as u64,
                EventKind::Mark { mark } => mark.into(),
            };
            self.add(time ^ u64::from(*thread) ^ what);
        }
    }

    fn record(&mut self, record: Record) {
        self.records += 1;
        self.add(record.id ^ record.address);
    }
}

/// Hands `taker` what is in `chunks`.
pub(super) fn take_all(chunks: &Chunks, content: Content, taker: &mut impl Taker) -> Result<()> {
    match content {
        Content::Events => for_each_item(chunks, |item| {
            taker.item(&item);
            Ok(())
        }),
        Content::Records => take_records(|each| for_each_entry(chunks, each), taker),
    }
}

/// Hands `taker` the definitions and records in what `entries` hands out.
pub(super) fn take_records(
    entries: impl FnOnce(EachEntry<'_>) -> Result<()>,
    taker: &mut impl Taker,
) -> Result<()> {
    for_each_record(entries, |part| {
        match part {
            RecordOr::Record(record) => taker.record(record),
            RecordOr::Item(item) => taker.item(&item),
        }
        Ok(())
    })
}

/// Hands out what is in `chunks`, decoded as it goes; several streams merged by time.
pub(super) fn for_each_item(
    chunks: &Chunks,
    mut each: impl FnMut(Item<'_>) -> Result<()>,
) -> Result<()> {
    if chunks.has_several_streams() {
        return for_each_part(chunks, |part| match part {
            Part::Definition(definition) => each(Item::Definition(definition)),
            Part::Event(event) => each(Item::Event(event)),
            Part::Chunk(_) => Ok(()),
        });
    }
    let mut decoder = EventDecoder::new();
    chunks.for_each(|chunk| {
        let length = chunk.bytes.len() as u64;
        let damaged = |source| BinaryExportError::Damaged { offset: 0, length, source };
        decode::for_each_item(chunk, &mut decoder, &mut each)?.map_err(damaged)
    })
}

/// A record that ends, or a definition.
pub(super) enum RecordOr<'a> {
    Record(Record),
    Item(Item<'a>),
}

/// Who takes entries.
pub(super) type EachEntry<'a> = &'a mut dyn FnMut(Entry<'_>) -> Result<()>;

/// Hands out the definitions in what `entries` hands out, and the record of every block when it ends.
pub(super) fn for_each_record(
    entries: impl FnOnce(EachEntry<'_>) -> Result<()>,
    mut each: impl FnMut(RecordOr<'_>) -> Result<()>,
) -> Result<()> {
    let mut records = Records::new();
    entries(&mut |entry| {
        if let Entry::Item(item @ Item::Definition(_)) = entry {
            return each(RecordOr::Item(item));
        }
        records.entry(&entry, |record| each(RecordOr::Record(record)))
    })?;
    records.finish(|record| each(RecordOr::Record(record)))
}
