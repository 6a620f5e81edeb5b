//! The index and the end mark of a capture: where its chunks are, and how everything stood at the
//! end. Both are chunks of their own; FORMAT.md tells their fields.

use heapwire_core::format::{INDEX_EVERY, MAX_STREAMS};
use heapwire_core::{ChunkHeader, ChunkKind, HeapTotals, Losses, StreamPosition};

use super::varints::{put, take};

/// Where a chunk is in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Its length in bytes. Entries follow each other as their chunks do.
    pub length: u64,
    /// Events, or definitions.
    pub kind: ChunkKind,
    /// Its stream.
    pub stream: u32,
    /// Events in it.
    pub events: u32,
    /// Its time in ticks.
    pub time: u64,
}

impl IndexEntry {
    /// The entry of a chunk of events or definitions, `length` bytes long.
    #[must_use]
    pub fn new(header: &ChunkHeader, length: u64) -> Self {
        let ChunkHeader { kind, stream, events, time, .. } = *header;
        Self { length, kind, stream, events, time }
    }
}

/// An index chunk's payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Offset of the index chunk before this one, 0 if none.
    pub previous: u64,
    /// The chunks since then.
    pub entries: Vec<IndexEntry>,
}

impl Index {
    /// Its bytes.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.entries.len() * 10);
        put(&mut out, self.previous);
        for entry in &self.entries {
            put(&mut out, entry.length);
            out.push(u8::from(entry.kind == ChunkKind::Definitions));
            put(&mut out, u64::from(entry.stream));
            put(&mut out, u64::from(entry.events));
            put(&mut out, entry.time);
        }
        out
    }

    /// Reads what [`to_payload`](Self::to_payload) wrote; `None` if it is something else.
    #[must_use]
    pub fn from_payload(mut payload: &[u8]) -> Option<Self> {
        let bytes = &mut payload;
        let mut index = Self { previous: take(bytes)?, entries: Vec::new() };
        while !bytes.is_empty() {
            if index.entries.len() == INDEX_EVERY {
                return None;
            }
            let length = take(bytes)?;
            let (kind, rest) = bytes.split_first()?;
            *bytes = rest;
            let kind = match kind {
                0 => ChunkKind::Events,
                1 => ChunkKind::Definitions,
                _ => return None,
            };
            let (stream, events) = (take_u32(bytes)?, take_u32(bytes)?);
            index.entries.push(IndexEntry { length, kind, stream, events, time: take(bytes)? });
        }
        Some(index)
    }
}

/// An end chunk's payload: how everything stands at the end of the capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndMark {
    /// Offset of the last index chunk, 0 if none.
    pub last_index: u64,
    /// Chunks of events and definitions.
    pub chunks: u64,
    /// Events.
    pub events: u64,
    /// Where each stream stands.
    pub streams: Vec<StreamPosition>,
}

impl EndMark {
    /// Its bytes.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let counts = [self.last_index, self.chunks, self.events, self.streams.len() as u64];
        counts.iter().for_each(|&value| put(&mut out, value));
        for stream in &self.streams {
            let StreamPosition { stream, epoch, sequence, event, losses, totals } = *stream;
            for value in [
                u64::from(stream),
                u64::from(epoch),
                u64::from(sequence),
                event,
                losses.full,
                losses.link,
                totals.allocations,
                totals.frees,
                totals.failed,
                totals.bytes_in_use,
                totals.peak_bytes,
            ] {
                put(&mut out, value);
            }
        }
        out
    }

    /// Reads what [`to_payload`](Self::to_payload) wrote; `None` if it is something else.
    #[must_use]
    pub fn from_payload(mut payload: &[u8]) -> Option<Self> {
        let bytes = &mut payload;
        let (last_index, chunks, events) = (take(bytes)?, take(bytes)?, take(bytes)?);
        let count = take(bytes).filter(|&count| count <= MAX_STREAMS as u64)?;
        let mut streams = Vec::new();
        for _ in 0..count {
            streams.push(StreamPosition {
                stream: take_u32(bytes)?,
                epoch: take_u32(bytes)?,
                sequence: take_u32(bytes)?,
                event: take(bytes)?,
                losses: Losses { full: take(bytes)?, link: take(bytes)? },
                totals: HeapTotals {
                    allocations: take(bytes)?,
                    frees: take(bytes)?,
                    failed: take(bytes)?,
                    bytes_in_use: take(bytes)?,
                    peak_bytes: take(bytes)?,
                },
            });
        }
        bytes.is_empty().then_some(Self { last_index, chunks, events, streams })
    }
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    take(bytes)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_and_end_mark_come_back_and_nothing_shorter_does() {
        let entry =
            |kind, events| IndexEntry { length: 300, kind, stream: 2, events, time: 1 << 40 };
        let index = Index {
            previous: 16,
            entries: vec![entry(ChunkKind::Definitions, 0), entry(ChunkKind::Events, 70_000)],
        };
        let payload = index.to_payload();
        assert_eq!(Index::from_payload(&payload).as_ref(), Some(&index));
        let end = EndMark {
            last_index: 99,
            chunks: 2,
            events: 70_000,
            streams: vec![StreamPosition { stream: 2, sequence: 7, ..StreamPosition::default() }],
        };
        let payload = end.to_payload();
        assert_eq!(EndMark::from_payload(&payload).as_ref(), Some(&end));
        for cut in 0..payload.len() {
            assert_eq!(EndMark::from_payload(&payload[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn a_count_of_streams_that_are_not_there_allocates_nothing() {
        assert_eq!(EndMark::from_payload(&[0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]), None);
    }
}
