//! Runs of a device: from one start to the next. A device that counts its starts says so in its headers;
//! of one that does not, a new run is recognised by numbers that go back.

use std::collections::VecDeque;

use heapwire_core::{ChunkHeader, ChunkKind};
use rustc_hash::FxHashMap;

/// Chunks that are remembered, to know one that a line brings twice. A line doubles what is on its way, so
/// these are the last few.
const REMEMBERED: usize = 8;

/// Gives every run of a device an epoch of its own.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    /// The epoch that the device gives now, and the one that its run has here.
    epoch: Option<(u32, u32)>,
    streams: FxHashMap<u32, Reached>,
    /// Checksums of the last chunks.
    last: VecDeque<u32>,
}

/// How far a stream got in this run.
#[derive(Clone, Copy, Debug)]
struct Reached {
    sequence: u32,
    event: u64,
    allocations: u64,
    frees: u64,
}

impl Runs {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the header of a chunk of events or definitions and its checksum; returns the epoch of its
    /// run, or `None` when it was there before.
    ///
    /// The epoch is the device's own, unless a start came that the device did not count. Two runs of a
    /// device that does not count are taken for one only when a gap lies between them and all numbers
    /// after it are higher; and runs that are the same to the last bit, and no longer than the few chunks
    /// that are remembered, for a line that doubles.
    pub fn assign(&mut self, header: &ChunkHeader, checksum: u32) -> Option<u32> {
        if self.last.contains(&checksum) {
            return None;
        }
        if self.last.len() == REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back(checksum);

        let (device, epoch) = self.epoch.unwrap_or((header.epoch, header.epoch));
        let epoch = match header.epoch == device && !self.goes_back(header) {
            true => epoch,
            false => {
                self.streams.clear();
                if header.epoch > epoch { header.epoch } else { epoch.saturating_add(1) }
            }
        };
        self.epoch = Some((header.epoch, epoch));
        let events = if header.kind == ChunkKind::Events { header.events } else { 0 };
        let reached = Reached {
            sequence: header.sequence.wrapping_add(u32::from(header.kind == ChunkKind::Events)),
            event: header.first_event.wrapping_add(events.into()),
            allocations: header.totals.allocations,
            frees: header.totals.frees,
        };
        self.streams.insert(header.stream, reached);
        Some(epoch)
    }

    fn goes_back(&self, header: &ChunkHeader) -> bool {
        self.streams.get(&header.stream).is_some_and(|reached| {
            header.sequence < reached.sequence
                || header.first_event < reached.event
                || header.totals.allocations < reached.allocations
                || header.totals.frees < reached.frees
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heapwire_core::{Codec, HeapTotals, Layout, Losses, ModelSpec};

    fn header(epoch: u32, stream: u32, sequence: u32) -> ChunkHeader {
        ChunkHeader {
            kind: ChunkKind::Events,
            layout: Layout::Rows,
            codec: Codec::None,
            events: 10,
            stream,
            epoch,
            sequence,
            time: 0,
            first_event: 10 * u64::from(sequence),
            losses: Losses::default(),
            totals: HeapTotals::default(),
            model: ModelSpec::EMBEDDED,
        }
    }

    /// The epochs of chunks given by epoch, stream and sequence, each with a checksum of its own.
    fn epochs(chunks: &[(u32, u32, u32)]) -> Vec<Option<u32>> {
        let mut runs = Runs::new();
        let numbered = chunks.iter().zip(0..);
        let assign = |(&(epoch, stream, sequence), checksum)| {
            runs.assign(&header(epoch, stream, sequence), checksum)
        };
        numbered.map(assign).collect()
    }

    #[test]
    fn a_device_that_counts_its_starts_is_believed() {
        let chunks = [(3, 0, 7), (3, 0, 8), (4, 0, 0), (4, 0, 5), (9, 0, 6)];
        assert_eq!(epochs(&chunks), [3, 3, 4, 4, 9].map(Some));
    }

    #[test]
    fn numbers_that_go_back_are_a_start_that_was_not_counted() {
        let chunks = [(0, 0, 0), (0, 0, 1), (0, 0, 0), (0, 0, 3), (0, 0, 2), (0, 0, 3)];
        assert_eq!(epochs(&chunks), [0, 0, 1, 1, 2, 2].map(Some));
        // A counter that was lost, and counts again.
        assert_eq!(epochs(&[(5, 0, 0), (0, 0, 0), (1, 0, 0)]), [5, 6, 7].map(Some));
    }

    #[test]
    fn all_streams_of_a_device_start_anew_together() {
        let chunks = [(0, 0, 4), (0, 1, 2), (0, 0, 0), (0, 1, 9), (0, 1, 10), (0, 0, 1)];
        assert_eq!(epochs(&chunks), [0, 0, 1, 1, 1, 1].map(Some));
    }

    #[test]
    fn what_a_line_doubles_is_known() {
        let mut runs = Runs::new();
        for sequence in 0..REMEMBERED as u32 {
            assert_eq!(runs.assign(&header(0, 0, sequence), 100 + sequence), Some(0));
        }
        for sequence in 0..REMEMBERED as u32 {
            assert_eq!(runs.assign(&header(0, 0, sequence), 100 + sequence), None);
        }
        assert_eq!(runs.assign(&header(0, 0, 8), 108), Some(0));
    }
}
