//! A trace told from its beginning to its end, with all that belongs to no single event: what every
//! form of a trace is made from and read into.

use heapwire_core::{ChunkHeader, Event, HeapTotals, Losses, StreamPosition};
use serde::{Deserialize, Serialize};

use super::Item;
use super::continuity::{Continuity, Follows, Gap};
use super::merge::{Part, for_each_part};
use super::position::Positions;
use super::replay::LiveBlocks;
use super::source::Chunks;
use crate::error::Result;

/// One part of a trace that is told in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Entry<'a> {
    /// A definition or an event.
    Item(Item<'a>),
    /// Where the stream of the next events stands; told only where that is not what counting the
    /// events before gives.
    Position(Position),
}

/// Where a stream stands, and what is missing before that: at a gap, when the recorder was started
/// anew, when another stream goes on, or where its recorder knew its totals better than the events
/// tell. Numbers count as those of a chunk's header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which stream.
    pub stream: u32,
    /// How often its recorder had started before.
    pub epoch: u32,
    /// Whether it was started anew here, so that the heap is empty.
    pub restarted: bool,
    /// When, in ticks.
    pub time: u64,
    /// Chunks missing right before.
    pub missing_chunks: u32,
    /// Events missing right before.
    pub missing_events: u64,
    /// Events of the stream's epoch before, recorded or not.
    pub events_before: u64,
    /// Of these, how many were lost because all buffers were full, or only totals were asked for.
    pub lost_full: u64,
    /// And how many on the link.
    pub lost_link: u64,
    /// Blocks handed out before.
    pub allocations: u64,
    /// Blocks given back before.
    pub frees: u64,
    /// Allocations that failed before.
    pub failed: u64,
    /// Bytes in live blocks.
    pub bytes_in_use: u64,
    /// The largest number of these so far.
    pub peak_bytes: u64,
}

impl Position {
    /// Where `found` is, which counting puts at `counted`.
    fn new(found: &StreamPosition, counted: &StreamPosition, time: u64, restarted: bool) -> Self {
        let StreamPosition { stream, epoch, sequence, event, losses, totals } = *found;
        Self {
            stream,
            epoch,
            restarted,
            time,
            missing_chunks: sequence.saturating_sub(counted.sequence),
            missing_events: event.saturating_sub(counted.event),
            events_before: event,
            lost_full: losses.full,
            lost_link: losses.link,
            allocations: totals.allocations,
            frees: totals.frees,
            failed: totals.failed,
            bytes_in_use: totals.bytes_in_use,
            peak_bytes: totals.peak_bytes,
        }
    }

    /// Whether something is missing right before.
    #[must_use]
    pub fn is_gap(&self) -> bool {
        self.missing_chunks > 0 || self.missing_events > 0
    }

    /// Events that were lost before, by cause.
    #[must_use]
    pub fn losses(&self) -> Losses {
        Losses { full: self.lost_full, link: self.lost_link }
    }

    /// The heap.
    #[must_use]
    pub fn totals(&self) -> HeapTotals {
        HeapTotals {
            allocations: self.allocations,
            frees: self.frees,
            failed: self.failed,
            bytes_in_use: self.bytes_in_use,
            peak_bytes: self.peak_bytes,
        }
    }
}

/// Follows the chunks of a trace and says where a stream stands otherwise than counting its events
/// gives. Memory grows with the live blocks and the streams.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    positions: Positions,
    /// `None` when totals are not counted, but taken from the headers.
    live: Option<LiveBlocks>,
    /// The stream of the last chunk; a trace begins with stream 0.
    stream: u32,
    time: u64,
}

impl Standing {
    /// At the start of stream 0.
    #[must_use]
    pub fn new() -> Self {
        Self { live: Some(LiveBlocks::new()), ..Self::default() }
    }

    /// The same without counting totals: what only a recorder knew of them is not told, and memory grows
    /// with the streams alone.
    #[must_use]
    pub fn without_totals() -> Self {
        Self::default()
    }

    /// A chunk of events begins that was not there before.
    pub fn begin(&mut self, header: &ChunkHeader) -> Option<Position> {
        let found = StreamPosition {
            stream: header.stream,
            epoch: header.epoch,
            sequence: header.sequence,
            event: header.first_event,
            losses: header.losses,
            totals: header.totals,
        };
        let start = |epoch| StreamPosition { stream: header.stream, epoch, ..Default::default() };
        let former = self.positions.begin(header);
        let restarted = former.is_some_and(|former| header.epoch > former.epoch);
        if restarted && let Some(live) = &mut self.live {
            *live = LiveBlocks::new();
        }
        let counted = former.filter(|_| !restarted).unwrap_or_else(|| start(header.epoch));
        let counted = self.counted(counted, &found);
        let other = std::mem::replace(&mut self.stream, header.stream) != header.stream;
        let is_late = former.is_none() && header.epoch > 0;
        self.time = header.time;
        (found != counted || restarted || is_late || other)
            .then(|| Position::new(&found, &counted, header.time, restarted))
    }

    /// An event of the chunk that began last. Returns the number of blocks live after it, 0 without
    /// totals.
    #[inline]
    pub fn count(&mut self, event: &Event) -> usize {
        self.time = event.time;
        let Some(live) = &mut self.live else {
            self.positions.pass(1);
            return 0;
        };
        let freed = live.apply(event);
        self.positions.count(event, freed);
        live.blocks()
    }

    /// What counting gives where a header or end mark says `found`.
    fn counted(&self, counted: StreamPosition, found: &StreamPosition) -> StreamPosition {
        match self.live {
            Some(_) => counted,
            None => StreamPosition { totals: found.totals, ..counted },
        }
    }

    /// The trace ends, and its streams stand so.
    pub fn end(&mut self, streams: &[StreamPosition]) -> Vec<Position> {
        let counted = self.positions.all();
        let differs = streams.iter().filter_map(|found| {
            let counted = counted.iter().find(|counted| counted.stream == found.stream).copied();
            let start = StreamPosition { stream: found.stream, ..Default::default() };
            let counted = self.counted(counted.unwrap_or(start), found);
            (counted != *found).then(|| {
                let restarted = found.epoch > counted.epoch;
                let counted = match restarted {
                    true => StreamPosition { epoch: found.epoch, ..start },
                    false => counted,
                };
                Position::new(found, &counted, self.time, restarted)
            })
        });
        differs.collect()
    }
}

/// Follows the chunks of streams that were merged into one, stream 0.
#[derive(Clone, Debug, Default)]
struct MergedStanding {
    at: StreamPosition,
    live: LiveBlocks,
}

impl MergedStanding {
    /// A chunk of one of the streams begins, and follows so.
    fn begin(&mut self, header: &ChunkHeader, follows: Follows) -> Option<Position> {
        match follows {
            Follows::AfterGap(gap) => {
                let restarted = self.restart(header.epoch);
                let counted = self.at;
                self.miss(&gap);
                Some(Position::new(&self.at, &counted, gap.time, restarted))
            }
            Follows::Restart if self.restart(header.epoch) => {
                Some(Position::new(&self.at, &self.at, header.time, true))
            }
            Follows::Restart | Follows::Directly | Follows::Repeated => None,
        }
    }

    fn restart(&mut self, epoch: u32) -> bool {
        let restarted = epoch > self.at.epoch;
        if restarted {
            self.at = StreamPosition { epoch, ..StreamPosition::default() };
            self.live = LiveBlocks::new();
        }
        restarted
    }

    fn miss(&mut self, gap: &Gap) {
        let StreamPosition { sequence, event, losses, .. } = &mut self.at;
        *sequence = sequence.wrapping_add(gap.chunks);
        *event = event.wrapping_add(gap.events);
        losses.full = losses.full.saturating_add(gap.losses.full);
        losses.link = losses.link.saturating_add(gap.losses.link);
    }

    /// An event of any of the streams.
    fn count(&mut self, event: &Event) {
        let freed = self.live.apply(event);
        self.at.event = self.at.event.wrapping_add(1);
        self.at.totals.count(&event.kind, freed);
    }
}

/// Hands out all entries of a source's chunks: one stream's as they stand there; several streams merged
/// into one by time.
///
/// # Errors
/// The first error of `each`, or a codec's;
/// [`SeveralStreams`](crate::BinaryExportError::SeveralStreams) when too many overlap.
pub fn for_each_entry(
    chunks: &Chunks,
    mut each: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<()> {
    let mut follower = match chunks.has_several_streams() {
        true => Follower::Merged(Continuity::new(), MergedStanding::default()),
        false => Follower::One(Standing::new()),
    };
    for_each_part(chunks, |part| match part {
        Part::Definition(definition) => each(Entry::Item(Item::Definition(definition))),
        Part::Chunk(header) => {
            let position = follower.begin(header);
            position.map_or(Ok(()), |position| each(Entry::Position(position)))
        }
        Part::Event(event) => {
            match &mut follower {
                Follower::One(standing) => {
                    standing.count(&event);
                }
                Follower::Merged(_, standing) => standing.count(&event),
            }
            each(Entry::Item(Item::Event(event)))
        }
    })?;
    match (follower, chunks.positions()) {
        (Follower::One(mut standing), Some(positions)) => {
            let ends = standing.end(positions);
            ends.into_iter().try_for_each(|position| each(Entry::Position(position)))
        }
        _ => Ok(()),
    }
}

enum Follower {
    One(Standing),
    Merged(Continuity, MergedStanding),
}

impl Follower {
    fn begin(&mut self, header: &ChunkHeader) -> Option<Position> {
        match self {
            Self::One(standing) => standing.begin(header),
            Self::Merged(continuity, standing) => standing.begin(header, continuity.follow(header)),
        }
    }
}
