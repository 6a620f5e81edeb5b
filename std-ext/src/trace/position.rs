//! Where streams stand while their chunks are read: what the next header, or the end mark, must say.

use std::collections::BTreeMap;

use heapwire_core::{ChunkHeader, Event, StreamPosition};

/// Follows the positions of all streams of a trace.
#[derive(Clone, Debug, Default)]
pub struct Positions {
    streams: BTreeMap<u32, StreamPosition>,
    current: Option<u32>,
}

impl Positions {
    /// No streams yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A chunk of events begins: its stream stands where the header says. Returns where it stood
    /// according to the events before, if the stream is known.
    pub fn begin(&mut self, header: &ChunkHeader) -> Option<StreamPosition> {
        let position = StreamPosition {
            stream: header.stream,
            epoch: header.epoch,
            sequence: header.sequence,
            event: header.first_event,
            losses: header.losses,
            totals: header.totals,
        };
        self.current = Some(header.stream);
        let next = StreamPosition { sequence: header.sequence.wrapping_add(1), ..position };
        self.streams.insert(header.stream, next)
    }

    /// An event of the chunk that began last; `freed` is the size in bytes of the block that it frees
    /// or resizes.
    pub fn count(&mut self, event: &Event, freed: u64) {
        if let Some(position) = self.current() {
            position.event = position.event.wrapping_add(1);
            position.totals.count(&event.kind, freed);
        }
    }

    /// So many events of that chunk, whose totals are not counted.
    pub(super) fn pass(&mut self, events: usize) {
        if let Some(position) = self.current() {
            position.event = position.event.wrapping_add(events as u64);
        }
    }

    fn current(&mut self) -> Option<&mut StreamPosition> {
        self.current.and_then(|stream| self.streams.get_mut(&stream))
    }

    /// Where each stream stands now, by stream.
    #[must_use]
    pub fn all(&self) -> Vec<StreamPosition> {
        self.streams.values().copied().collect()
    }
}
