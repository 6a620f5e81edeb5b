//! What a trace holds, as both sides have it in memory when they have read it.

use heapwire_core::Event;
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

/// What was read of a file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Data {
    pub(super) symbols: Symbols,
    pub(super) events: Vec<Event>,
    pub(super) records: Vec<Record>,
}

impl Data {
    /// What is in `chunks`.
    pub(super) fn of(chunks: &Chunks, content: Content) -> Result<Self> {
        match content {
            Content::Events => {
                let mut data = Self::default();
                for_each_item(chunks, |item| {
                    data.push(&item);
                    Ok(())
                })?;
                Ok(data)
            }
            Content::Records => Self::of_records(|each| for_each_entry(chunks, each)),
        }
    }

    /// The definitions and records in what `entries` hands out.
    pub(super) fn of_records(entries: impl FnOnce(EachEntry<'_>) -> Result<()>) -> Result<Self> {
        let mut data = Self::default();
        for_each_record(entries, |part| {
            match part {
                RecordOr::Record(record) => data.records.push(record),
                RecordOr::Item(item) => data.push(&item),
            }
            Ok(())
        })?;
        Ok(data)
    }

    pub(super) fn push(&mut self, item: &Item<'_>) {
        match item {
            Item::Event(event) => self.events.push(*event),
            Item::Definition(definition) => {
                self.symbols.define(definition);
            }
        }
    }
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
