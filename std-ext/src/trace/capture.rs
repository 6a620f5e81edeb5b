//! A trace in memory, as it came out of a capture.

use heapwire_core::{Chunk, Definition, Event, StreamPosition};

use super::Item;
use super::entry::for_each_entry;
use super::merge::{Part, for_each_part};
use super::record::{Record, Records};
use super::source::{ChunkSource, Chunks};
use super::symbols::Symbols;
use crate::error::Result;

/// A trace in memory: its chunks as the capture had them, compressed or not, so about as large as
/// the file. It can be exported again.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Every item of them was decoded once.
    chunks: Chunks,
    symbols: Symbols,
}

impl Trace {
    /// Adds a chunk that was decoded to its end.
    pub(crate) fn push(&mut self, unpacked: &Chunk<'_>) {
        self.chunks.push_checked(unpacked);
    }

    /// Adds a definition to the symbols.
    pub(crate) fn define(&mut self, definition: &Definition<'_>) {
        self.symbols.define(definition);
    }

    /// Says where the streams stand after the last chunk.
    pub(crate) fn set_positions(&mut self, positions: Option<Vec<StreamPosition>>) {
        self.chunks.set_positions(positions);
    }

    /// The definitions: names, call stacks, the session.
    #[must_use]
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// Its chunks.
    #[must_use]
    pub fn chunks(&self) -> &Chunks {
        &self.chunks
    }

    /// Events in it.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.chunks.event_count()
    }

    /// Hands out all definitions and events, in the order of the trace; those of several streams
    /// merged by time.
    ///
    /// # Errors
    /// The first error of `each`, or a codec's;
    /// [`SeveralStreams`](crate::BinaryExportError::SeveralStreams) when too many overlap.
    pub fn for_each(&self, mut each: impl FnMut(Item<'_>) -> Result<()>) -> Result<()> {
        for_each_part(&self.chunks, |part| match part {
            Part::Definition(definition) => each(Item::Definition(definition)),
            Part::Event(event) => each(Item::Event(event)),
            Part::Chunk(_) => Ok(()),
        })
    }

    /// Hands out the record of every block, each when it ends, those that do not at the end of the
    /// trace. The [`symbols`](Self::symbols) have the names.
    ///
    /// # Errors
    /// As [`for_each`](Self::for_each).
    pub fn records(&self, mut each: impl FnMut(Record) -> Result<()>) -> Result<()> {
        let mut records = Records::new();
        for_each_entry(&self.chunks, |entry| records.entry(&entry, &mut each))?;
        records.finish(each)
    }

    /// All events, collected: about 48 bytes of memory each. [`for_each`](Self::for_each) needs none.
    ///
    /// # Errors
    /// When a codec fails.
    pub fn events(&self) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        self.for_each(|item| {
            if let Item::Event(event) = item {
                events.push(event);
            }
            Ok(())
        })?;
        Ok(events)
    }
}

impl ChunkSource for Trace {
    fn snapshot(&self) -> Chunks {
        self.chunks.clone()
    }
}
