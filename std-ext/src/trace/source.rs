//! Where an export gets its chunks: from a tracker, or from a capture in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use heapwire_core::format::{CRC_LEN, MAX_HEADER};
use heapwire_core::{Chunk, ChunkError, ChunkKind, StreamPosition, emit_chunk};

use crate::error::{BinaryExportError, Result};
use crate::io::codec::{Decompressor, unpacked_len};
use crate::tables::table_memory;

/// Anything that holds recorded data as sealed chunks: what an export takes.
pub trait ChunkSource {
    /// Everything recorded so far, as it stood at one moment.
    fn snapshot(&self) -> Chunks;

    /// The snapshot as a task that any thread may do later, for callers that must not be blocked. Sources
    /// that do not say otherwise take it at once; heapwire's trackers, as it stands when the task is done.
    fn snapshot_later(&self) -> SnapshotTask {
        let chunks = self.snapshot();
        SnapshotTask::new(move || chunks)
    }
}

/// A snapshot that is yet to be taken.
pub struct SnapshotTask(Box<dyn FnOnce() -> Chunks + Send>);

impl SnapshotTask {
    /// One that `take` takes.
    #[must_use]
    pub fn new(take: impl FnOnce() -> Chunks + Send + 'static) -> Self {
        Self(Box::new(take))
    }

    /// Takes it.
    #[must_use]
    pub fn take(self) -> Chunks {
        (self.0)()
    }
}

impl fmt::Debug for SnapshotTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SnapshotTask")
    }
}

/// Sealed chunks of definitions and events, definitions before the events that use them, of one stream
/// or of several. A copy shares their bytes.
#[derive(Clone, Debug, Default)]
pub struct Chunks {
    stored: Vec<Arc<[u8]>>,
    positions: Option<Vec<StreamPosition>>,
    streams: BTreeMap<u32, StreamExtent>,
    longest: usize,
    events: u64,
    /// Memory of the largest model, in bytes.
    tables: usize,
}

/// The most of a stream that is in memory at once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StreamExtent {
    /// Chunks of events.
    pub(crate) chunks: usize,
    /// Events of its largest chunk.
    pub(crate) events: u32,
    /// Blocks that were live when one of its chunks began, as its headers tell.
    pub(crate) live_blocks: u64,
}

impl Chunks {
    /// No chunks, of streams whose positions are not known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there are events of more than one stream.
    #[must_use]
    pub fn has_several_streams(&self) -> bool {
        self.streams.len() > 1
    }

    /// Adds a chunk, compressed or not.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn push(&mut self, stored: impl Into<Arc<[u8]>>) -> Result<(), ChunkError> {
        let stored = stored.into();
        let chunk = Chunk::parse(&stored, crc32fast::hash)?;
        self.measure(&chunk);
        self.stored.push(stored);
        Ok(())
    }

    /// Adds a chunk that was checked; its payload is unpacked, its bytes are as stored.
    pub(crate) fn push_checked(&mut self, unpacked: &Chunk<'_>) {
        self.measure(unpacked);
        self.stored.push(unpacked.bytes.into());
    }

    fn measure(&mut self, chunk: &Chunk<'_>) {
        self.events += u64::from(chunk.header.events);
        if chunk.header.kind == ChunkKind::Events {
            let extent = self.streams.entry(chunk.header.stream).or_default();
            let totals = chunk.header.totals;
            let live = totals.allocations.saturating_sub(totals.frees);
            extent.chunks += 1;
            extent.events = extent.events.max(chunk.header.events);
            extent.live_blocks = extent.live_blocks.max(live);
            self.tables = self.tables.max(table_memory(chunk.header.model.shape, false));
        }
        self.longest = self.longest.max(unpacked_chunk_len(chunk));
    }

    /// Says where each stream stands after the last chunk; `None` when that is not known, and an
    /// export has to count anew.
    pub fn set_positions(&mut self, positions: Option<Vec<StreamPosition>>) {
        self.positions = positions;
    }

    /// Where each stream stands after the last chunk, if that is known.
    #[must_use]
    pub fn positions(&self) -> Option<&[StreamPosition]> {
        self.positions.as_deref()
    }

    /// Events in all chunks.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.events
    }

    /// An upper bound of the chunks' lengths in bytes.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// How many chunks there are.
    pub(crate) fn count(&self) -> usize {
        self.stored.len()
    }

    /// How much of each stream is in memory at once.
    pub(crate) fn extents(&self) -> impl Iterator<Item = &StreamExtent> {
        self.streams.values()
    }

    /// Bytes of memory that decoding takes for the model.
    pub(crate) fn tables(&self) -> usize {
        self.tables
    }

    /// Bytes of memory that the chunks take.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.stored.iter().map(|chunk| chunk.len()).sum()
    }

    /// Hands out all chunks in order, unpacked.
    ///
    /// # Errors
    /// The first error of `each`, or a codec's.
    pub fn for_each(&self, mut each: impl FnMut(&Chunk<'_>) -> Result<()>) -> Result<()> {
        let mut decompressor = Decompressor::new();
        (0..self.stored.len()).try_for_each(|at| each(&self.unpack(at, &mut decompressor)?))
    }

    /// The chunk at this place, unpacked; empty when there is none.
    pub(crate) fn unpack<'a>(
        &'a self,
        at: usize,
        decompressor: &'a mut Decompressor,
    ) -> Result<Chunk<'a>> {
        unpack(self.stored.get(at).map(|stored| &stored[..]).unwrap_or_default(), decompressor)
    }

    /// All chunks as they are stored.
    pub(crate) fn stored(&self) -> &[Arc<[u8]>] {
        &self.stored
    }

    /// A copy that shares nothing.
    pub(crate) fn unshared(&self) -> Self {
        let mut copy = self.clone();
        for chunk in &mut copy.stored {
            *chunk = Arc::from(&chunk[..]);
        }
        copy
    }
}

/// How long a chunk is when it is unpacked, at most.
fn unpacked_chunk_len(chunk: &Chunk<'_>) -> usize {
    let mut room = [0; MAX_HEADER + CRC_LEN];
    let short = emit_chunk(&mut room, &chunk.header, &[], |_| 0).unwrap_or(room.len());
    let length = short + unpacked_len(chunk);
    // In a long chunk, its length and its number of events take two bytes more each.
    length + if length + MAX_HEADER > usize::from(u16::MAX) { 4 } else { 0 }
}

/// A stored chunk, unpacked.
pub(crate) fn unpack<'a>(
    stored: &'a [u8],
    decompressor: &'a mut Decompressor,
) -> Result<Chunk<'a>> {
    let length = stored.len() as u64;
    let damaged = |source| BinaryExportError::Damaged { offset: 0, length, source };
    let chunk = Chunk::parse(stored, crc32fast::hash).map_err(damaged)?;
    decompressor.unpack(chunk)?.map_err(damaged)
}

impl ChunkSource for Chunks {
    fn snapshot(&self) -> Chunks {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracker::memory::MemoryTracker;

    #[test]
    fn chunks_of_a_tracker_are_as_long_as_they_seem() {
        let tracker = MemoryTracker::new();
        let mut random = 1_usize;
        for _ in 0..100_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            tracker.track_allocation(random >> 20, random >> 40);
        }
        let chunks = tracker.snapshot();
        assert!(chunks.stored.len() > 2);
        let longest = chunks.stored.iter().map(|stored| stored.len()).max().unwrap_or(0);
        // A tracker's are made as if each were a long one.
        assert!((longest - 4..=longest).contains(&chunks.longest()), "{longest}, {chunks:?}");
        assert!(longest <= 64 * 1024);
    }
}
