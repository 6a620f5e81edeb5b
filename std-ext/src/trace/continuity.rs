//! What is missing between chunks: their headers count, so every gap has a place and a size.

use heapwire_core::{ChunkHeader, ChunkKind, Losses};
use rustc_hash::FxHashMap;

/// What is known to be missing before a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// In which stream.
    pub stream: u32,
    /// The chunk after the gap, by its number in the stream.
    pub before_sequence: u32,
    /// Chunks missing.
    pub chunks: u32,
    /// Events missing, those of missing chunks included.
    pub events: u64,
    /// Of these, how many the recorder knew to be lost.
    pub losses: Losses,
    /// The time of the chunk after the gap, in ticks.
    pub time: u64,
}

/// How a chunk follows the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// Nothing lies between.
    Directly,
    /// Something is missing.
    AfterGap(Gap),
    /// The recorder was started anew: the heap is empty, numbers begin at 0. What the former run
    /// sent last may be missing.
    Restart,
    /// It, or a later one, was there before: a line doubled it. Its events are known already.
    Repeated,
}

/// Follows all streams of a trace.
#[derive(Clone, Debug, Default)]
pub struct Continuity {
    streams: FxHashMap<u32, Expected>,
}

#[derive(Clone, Copy, Debug)]
struct Expected {
    epoch: u32,
    sequence: u32,
    event: u64,
    losses: Losses,
}

impl Continuity {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the header of the next chunk of any kind; only those of events can miss others.
    pub(crate) fn follow_chunk(&mut self, header: &ChunkHeader) -> Follows {
        match header.kind {
            ChunkKind::Events => self.follow(header),
            ChunkKind::Definitions | ChunkKind::Index | ChunkKind::End => Follows::Directly,
        }
    }

    /// Takes the header of the next chunk of events; says how it follows its stream's last one.
    pub fn follow(&mut self, header: &ChunkHeader) -> Follows {
        let beginning =
            Expected { epoch: header.epoch, sequence: 0, event: 0, losses: Losses::default() };
        let known = self.streams.get(&header.stream).copied();
        let restarted = known.is_some_and(|expected| header.epoch > expected.epoch);
        let expected = known.filter(|_| !restarted).unwrap_or(beginning);
        if header.epoch < expected.epoch || header.sequence < expected.sequence {
            return Follows::Repeated;
        }
        let next = Expected {
            epoch: header.epoch,
            sequence: header.sequence.wrapping_add(1),
            event: header.first_event.wrapping_add(u64::from(header.events)),
            losses: header.losses,
        };
        self.streams.insert(header.stream, next);
        let gap = Gap {
            stream: header.stream,
            before_sequence: header.sequence,
            chunks: header.sequence - expected.sequence,
            events: header.first_event.saturating_sub(expected.event),
            losses: Losses {
                full: header.losses.full.saturating_sub(expected.losses.full),
                link: header.losses.link.saturating_sub(expected.losses.link),
            },
            time: header.time,
        };
        match gap.chunks == 0 && gap.events == 0 {
            true if restarted => Follows::Restart,
            true => Follows::Directly,
            false => Follows::AfterGap(gap),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heapwire_core::{Codec, HeapTotals, Layout, ModelSpec};

    fn header(epoch: u32, sequence: u32, first_event: u64, events: u32) -> ChunkHeader {
        ChunkHeader {
            kind: ChunkKind::Events,
            layout: Layout::Rows,
            codec: Codec::None,
            events,
            stream: 3,
            epoch,
            sequence,
            time: 50,
            first_event,
            losses: Losses::default(),
            totals: HeapTotals::default(),
            model: ModelSpec::EMBEDDED,
        }
    }

    #[test]
    fn chunks_in_order_follow_directly() {
        let mut continuity = Continuity::new();
        assert_eq!(continuity.follow(&header(0, 0, 0, 10)), Follows::Directly);
        assert_eq!(continuity.follow(&header(0, 1, 10, 5)), Follows::Directly);
        assert_eq!(continuity.follow(&header(0, 2, 15, 0)), Follows::Directly);
    }

    #[test]
    fn missing_chunks_and_events_are_counted() {
        let mut continuity = Continuity::new();
        let Follows::AfterGap(late) = continuity.follow(&header(0, 7, 70, 10)) else {
            panic!("attached late")
        };
        assert_eq!((late.chunks, late.events), (7, 70));
        let Follows::AfterGap(gap) = continuity.follow(&header(0, 9, 95, 1)) else {
            panic!("one chunk is missing")
        };
        assert_eq!((gap.stream, gap.before_sequence, gap.chunks, gap.events), (3, 9, 1, 15));
        let lost = ChunkHeader { losses: Losses { full: 4, link: 0 }, ..header(0, 10, 100, 1) };
        let Follows::AfterGap(gap) = continuity.follow(&lost) else { panic!("events were lost") };
        assert_eq!((gap.chunks, gap.events, gap.losses.full), (0, 4, 4));
    }

    #[test]
    fn repeated_chunks_and_restarts_are_told_apart() {
        let mut continuity = Continuity::new();
        assert_eq!(continuity.follow(&header(1, 0, 0, 10)), Follows::Directly);
        assert_eq!(continuity.follow(&header(1, 0, 0, 10)), Follows::Repeated);
        assert_eq!(continuity.follow(&header(2, 0, 0, 10)), Follows::Restart);
        assert_eq!(continuity.follow(&header(1, 1, 10, 10)), Follows::Repeated);
    }
}
