//! Where the streams of a capture stand, when that is not what counting their events gives: gaps, new epochs,
//! other streams.

use std::io::Write;

use heapwire_core::{ChunkHeader, ChunkKind, HeapTotals, StreamPosition};

use super::{TraceEncoder, header};
use crate::error::Result;
use crate::trace::continuity::Gap;
use crate::trace::entry::Position;
use crate::trace::replay::LiveBlocks;

impl<W: Write> TraceEncoder<W> {
    /// Says that something is missing before the next event: the stream goes on as this header says,
    /// of the chunk after the gap, with numbers and totals as exact as it has them.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn resume(&mut self, header: &ChunkHeader, missing_chunks: u32) -> Result<()> {
        self.interrupt()?;
        if header.epoch != self.position.epoch {
            self.position.sequence = 0;
            self.live = LiveBlocks::within(self.plan.memory.live_blocks);
        }
        self.position = StreamPosition {
            stream: header.stream,
            epoch: header.epoch,
            sequence: self.position.sequence.wrapping_add(missing_chunks),
            event: header.first_event,
            losses: header.losses,
            totals: header.totals,
        };
        self.resumed = Some(header.time);
        Ok(())
    }

    /// Says where the stream of the next events stands, which need not be the one of the last events.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn position(&mut self, position: &Position) -> Result<()> {
        self.interrupt()?;
        let start = |stream| StreamPosition { stream, ..StreamPosition::default() };
        let (stream, epoch) = (position.stream, position.epoch);
        if stream != self.position.stream {
            let other = self.others_stand.remove(&stream).unwrap_or_else(|| start(stream));
            let former = std::mem::replace(&mut self.position, other);
            if former != start(former.stream) {
                self.others_stand.insert(former.stream, former);
            }
        }
        if position.restarted {
            self.live = LiveBlocks::new();
        }
        let first = if epoch == self.position.epoch { self.position.sequence } else { 0 };
        self.position = StreamPosition {
            stream,
            epoch,
            sequence: first.wrapping_add(position.missing_chunks),
            event: position.events_before,
            losses: position.losses(),
            totals: position.totals(),
        };
        self.resumed = position.is_gap().then_some(position.time);
        Ok(())
    }

    /// Says that a stream that was merged with others has a gap here.
    pub(in crate::pipeline) fn miss(&mut self, epoch: u32, gap: &Gap) -> Result<()> {
        self.restart(epoch)?;
        self.interrupt()?;
        let position = &mut self.position;
        position.sequence = position.sequence.wrapping_add(gap.chunks);
        position.event = position.event.wrapping_add(gap.events);
        position.losses.full = position.losses.full.saturating_add(gap.losses.full);
        position.losses.link = position.losses.link.saturating_add(gap.losses.link);
        self.resumed = Some(gap.time);
        Ok(())
    }

    /// Says that a stream that was merged with others goes on in this epoch; in a new one the heap is
    /// empty.
    pub(in crate::pipeline) fn restart(&mut self, epoch: u32) -> Result<()> {
        if epoch > self.position.epoch {
            self.interrupt()?;
            self.live = LiveBlocks::within(self.plan.memory.live_blocks);
            self.position = StreamPosition { epoch, ..StreamPosition::default() };
        }
        Ok(())
    }

    /// Encodes and writes all that is there, since what follows is not its continuation.
    pub(super) fn interrupt(&mut self) -> Result<()> {
        self.end_batch()?;
        self.write_all()?;
        self.write_totals()
    }

    /// A gap that no event follows shows in the header of a chunk without any.
    fn write_totals(&mut self) -> Result<()> {
        let Some(time) = self.resumed.take() else { return Ok(()) };
        let header = header(ChunkKind::Events, &self.position, time);
        self.position.sequence = self.position.sequence.wrapping_add(1);
        self.output.write_header(&header)
    }

    /// Says how the heap stands before the next event: a source may know better than the events tell,
    /// of blocks that were allocated where no event tells of it.
    pub(in crate::pipeline) fn stand(&mut self, totals: HeapTotals) {
        self.position.totals = totals;
    }

    /// Where the streams stand, all that have begun; at least one.
    pub(super) fn positions(&self) -> Vec<StreamPosition> {
        let mut positions = self.others_stand.clone();
        let start = StreamPosition { stream: self.position.stream, ..StreamPosition::default() };
        if positions.is_empty() || self.position != start {
            positions.insert(self.position.stream, self.position);
        }
        positions.into_values().collect()
    }
}
