//! Events into a capture: encoded and compressed at once, or in batches by as many threads as the plan
//! has, and written in order. Any number of threads gives the same bytes.

mod batches;
mod streams;

use std::collections::BTreeMap;
use std::io::Write;

use heapwire_core::format::{MAX_HEADER, MAX_TEXT};
use heapwire_core::{
    ChunkHeader, ChunkKind, Codec, Definition, Event, HeapTotals, Layout, ModelSpec,
    StreamPosition, put_definition,
};

#[cfg(feature = "parallel")]
use self::batches::Others;
use self::batches::{Batch, write};
use super::batch::{BatchEncoder, Events};
use super::output::{Output, Written};
use crate::error::{BinaryExportError, Result};
use crate::io::compressor::Compressor;
use crate::io::selection::CompressionReport;
use crate::monitoring::{Meter, Stage, Times};
use crate::plan::{CapturePlan, MemoryPlan};
use crate::trace::Item;
use crate::trace::replay::LiveBlocks;

/// Events of a batch: a chunk of the default size, of smaller ones several. Twice as many made captures
/// 2 % smaller, but threads that wait for each other need memory for all events of some batches, 56 bytes
/// each.
pub(super) const BATCH: usize = 1 << 16;

/// Events that the caller's thread encodes together: few enough for a processor's first cache.
const HELD: usize = 128;

/// Bytes of packed definitions that wait for the end of the batch that they come before.
pub(super) const MOST_DEFINITIONS: usize = 1 << 20;

/// Stands for a chunk's number until it is written, when those before it are counted: none is longer, so
/// how much goes into a chunk does not depend on it.
const LONG_SEQUENCE: u32 = 1 << 31;

/// Writes items into a capture.
#[derive(Debug)]
pub struct TraceEncoder<W> {
    plan: CapturePlan,
    output: Output<W>,
    /// What the caller's thread encodes with.
    encoder: BatchEncoder,
    #[cfg(feature = "parallel")]
    others: Option<Others>,
    /// Events that the caller's thread encodes next, up to `HELD`.
    held: Events,
    /// The batch that grows.
    batch: Batch,
    /// Whether it is collected, for another thread to encode it.
    is_collected: bool,
    /// How many events it has.
    events: usize,
    live: LiveBlocks,
    position: StreamPosition,
    /// Where the streams stand that do not go on now.
    others_stand: BTreeMap<u32, StreamPosition>,
    /// When the stream went on after a gap, as long as no event came since.
    resumed: Option<u64>,
    definitions: Definitions,
}

/// Definitions that wait for their chunk.
#[derive(Debug)]
struct Definitions {
    payload: Vec<u8>,
    compressor: Compressor,
}

impl<W: Write> TraceEncoder<W> {
    /// Begins a capture.
    ///
    /// # Errors
    /// When `out` refuses the file header, a codec the plan's level, or the operating system threads.
    pub fn new(out: W, plan: CapturePlan) -> Result<Self> {
        Self::measured(out, plan, Meter::default())
    }

    /// Begins a capture, and measures what it does.
    pub(super) fn measured(out: W, plan: CapturePlan, meter: Meter) -> Result<Self> {
        Ok(Self {
            output: Output::new(out, &plan)?,
            #[cfg(feature = "parallel")]
            others: Others::new(&plan, &meter)?,
            encoder: BatchEncoder::new(&plan, meter)?,
            held: Events::default(),
            batch: Batch::default(),
            is_collected: false,
            events: 0,
            live: LiveBlocks::within(plan.memory.live_blocks),
            position: StreamPosition::default(),
            others_stand: BTreeMap::new(),
            resumed: None,
            definitions: Definitions { payload: Vec::new(), compressor: plan.compressor()? },
            plan,
        })
    }

    /// Adds a definition or an event.
    ///
    /// # Errors
    /// When a batch that is complete cannot be encoded or written, or a definition is longer than
    /// the format allows.
    #[inline]
    pub fn push(&mut self, item: &Item<'_>) -> Result<()> {
        match item {
            Item::Definition(definition) => self.define(definition),
            Item::Event(event) => self.push_event(event),
        }
    }

    /// Adds events, faster than [`push`](Self::push) does one by one.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_all(&mut self, events: &[Event]) -> Result<()> {
        let mut rest = events;
        while !rest.is_empty() {
            self.begin_event()?;
            let most = if self.is_collected { BATCH } else { HELD };
            let Self { live, position, .. } = self;
            let waiting = if self.is_collected { &mut self.batch.events } else { &mut self.held };
            let (next, later) = rest.split_at(rest.len().min(most - waiting.len()));
            waiting.extend(next, |event| {
                let freed = live.apply(event);
                position.totals.count(&event.kind, freed);
                freed
            });
            self.end_events(next.len())?;
            rest = later;
        }
        Ok(())
    }

    fn push_event(&mut self, event: &Event) -> Result<()> {
        self.begin_event()?;
        let freed = self.live.apply(event);
        let waiting = if self.is_collected { &mut self.batch.events } else { &mut self.held };
        waiting.push(*event, freed);
        self.position.totals.count(&event.kind, freed);
        self.end_events(1)
    }

    /// Makes room for another event.
    #[inline]
    fn begin_event(&mut self) -> Result<()> {
        if self.events == BATCH {
            self.end_batch()?;
        }
        if self.events == 0 {
            self.begin_batch();
        }
        Ok(())
    }

    /// So many events were added to those that wait.
    #[inline]
    fn end_events(&mut self, count: usize) -> Result<()> {
        self.events += count;
        self.position.event = self.position.event.wrapping_add(count as u64);
        if self.held.len() == HELD { self.encode_held() } else { Ok(()) }
    }

    /// The heap after the last event, as far as the events tell.
    #[must_use]
    pub fn totals(&self) -> HeapTotals {
        self.position.totals
    }

    /// Encodes and writes what is left, the index and the end mark. Returns the output, and the
    /// capture's length in bytes.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(self) -> Result<(W, u64)> {
        self.finish_with_report().map(|(out, length, _)| (out, length))
    }

    /// Does what [`finish`](Self::finish) does, and returns how the chunks were compressed too.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish_with_report(self) -> Result<(W, u64, CompressionReport)> {
        let (written, _) = self.finish_measured()?;
        Ok((written.out, written.length, written.compression))
    }

    /// Writes all that is there, an index and an end mark, so that what was written so far is a complete
    /// capture; it can go on after that.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn checkpoint(&mut self) -> Result<()> {
        self.interrupt()?;
        let positions = self.positions();
        self.output.checkpoint(&positions)
    }

    /// The output, in which all up to the last checkpoint is.
    pub(super) fn out_mut(&mut self) -> &mut W {
        self.output.out_mut()
    }

    /// As [`finish`](Self::finish); returns more, and the times of the caller's thread and of all others.
    pub(super) fn finish_measured(mut self) -> Result<(Written<W>, [Times; 2])> {
        self.interrupt()?;
        let positions = self.positions();
        let output = self.output;
        let written = self.encoder.meter.within(Stage::Writing, || output.finish(&positions))?;
        #[cfg_attr(not(feature = "parallel"), expect(unused_mut, reason = "there are no others"))]
        let (mut own, mut others) = (*self.encoder.meter.times(), Times::default());
        #[cfg(feature = "parallel")]
        if let Some(Others { ordered, .. }) = self.others {
            let (encoders, waited) = ordered.end();
            own.add(Stage::Waiting, waited);
            encoders.iter().for_each(|encoder| others.add_all(encoder.meter.times()));
        }
        Ok((written, [own, others]))
    }

    /// Bytes written so far.
    pub(super) fn bytes_written(&self) -> u64 {
        self.output.bytes_written()
    }

    /// The first event of a batch comes: while the other threads have enough to do, this one encodes.
    #[inline(never)]
    fn begin_batch(&mut self) {
        self.resumed = None;
        self.batch.position = StreamPosition { sequence: LONG_SEQUENCE, ..self.position };
        #[cfg(feature = "parallel")]
        if let Some(Others { ordered, spare }) = &mut self.others
            && !ordered.is_callers_turn()
            && !ordered.is_busy()
        {
            self.is_collected = true;
            self.batch.events = spare.pop().unwrap_or_default();
        }
        if !self.is_collected {
            self.encoder.begin(self.batch.position);
        }
    }

    /// Encodes the events that wait for it.
    #[inline(never)]
    fn encode_held(&mut self) -> Result<()> {
        let encoded = self.encoder.push_all(&self.held, &mut self.batch.packed);
        self.held.clear();
        encoded
    }

    /// Completes the batch and the definitions that come before it.
    #[inline(never)]
    fn end_batch(&mut self) -> Result<()> {
        if let Some(requested) = self.live.wanted() {
            let MemoryPlan { most: available, live_blocks, .. } = self.plan.memory;
            let requested = (available - live_blocks.min(available)).saturating_add(requested);
            return Err(BinaryExportError::OutOfMemory { requested, available });
        }
        self.seal_definitions()?;
        if self.events == 0 && self.batch.definitions.is_empty() {
            return Ok(());
        }
        if !self.is_collected {
            self.encode_held()?;
            self.encoder.finish(&mut self.batch.packed)?;
        }
        self.events = 0;
        #[cfg(feature = "parallel")]
        if let Some(Others { ordered, spare }) = &mut self.others {
            let batch = std::mem::take(&mut self.batch);
            match std::mem::take(&mut self.is_collected) {
                true => ordered.hand_in(batch),
                false => ordered.hand_in_done(batch),
            }
            while let Some(mut done) = match ordered.is_overfull() {
                true => ordered.take(&mut self.encoder),
                false => ordered.take_done(),
            } {
                let meter = &mut self.encoder.meter;
                write(&mut done, &mut self.output, &mut self.position, meter)?;
                spare.extend(done.into_memory());
            }
            return Ok(());
        }
        let meter = &mut self.encoder.meter;
        write(&mut self.batch, &mut self.output, &mut self.position, meter)
    }

    /// Waits until all completed batches are written.
    fn write_all(&mut self) -> Result<()> {
        #[cfg(feature = "parallel")]
        if let Some(Others { ordered, spare }) = &mut self.others {
            while let Some(mut batch) = ordered.take(&mut self.encoder) {
                let meter = &mut self.encoder.meter;
                write(&mut batch, &mut self.output, &mut self.position, meter)?;
                spare.extend(batch.into_memory());
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn define(&mut self, definition: &Definition<'_>) -> Result<()> {
        // The longest has two texts; numbers and variants take less than a header.
        let mut buffer = [0; 2 * MAX_TEXT + MAX_HEADER];
        let too_large = BinaryExportError::ItemTooLarge { chunk_size: self.plan.chunk_size };
        let written = put_definition(&mut buffer, definition)
            .filter(|&written| written + MAX_HEADER < self.plan.chunk_size);
        let Some(written) = written else { return Err(too_large) };
        if self.definitions.payload.len() + written + MAX_HEADER > self.plan.chunk_size {
            self.seal_definitions()?;
            let waiting: usize = self.batch.definitions.iter().map(|d| d.payload.len()).sum();
            if self.events == 0 || waiting > MOST_DEFINITIONS {
                self.end_batch()?;
            }
        }
        self.definitions.payload.extend_from_slice(&buffer[..written]);
        Ok(())
    }

    /// Puts the definitions that wait before the events of the batch.
    fn seal_definitions(&mut self) -> Result<()> {
        if self.definitions.payload.is_empty() {
            return Ok(());
        }
        let position = if self.events == 0 { &self.position } else { &self.batch.position };
        let header = header(ChunkKind::Definitions, position, 0);
        let Definitions { payload, compressor } = &mut self.definitions;
        let pack = || compressor.pack(&header, payload);
        let packed = self.encoder.meter.within(Stage::Compression, pack)?;
        self.definitions.payload.clear();
        self.batch.definitions.push(packed);
        Ok(())
    }
}

/// The header of a chunk without events that begins here.
fn header(kind: ChunkKind, position: &StreamPosition, time: u64) -> ChunkHeader {
    ChunkHeader {
        kind,
        layout: Layout::Rows,
        codec: Codec::None,
        events: 0,
        stream: position.stream,
        epoch: position.epoch,
        sequence: position.sequence,
        time,
        first_event: position.event,
        losses: position.losses,
        totals: position.totals,
        model: ModelSpec::DESKTOP,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::IntegratedConfig;
    use crate::io::capture_reader::{CaptureReader, Part};

    #[test]
    fn a_gap_that_no_event_follows_is_in_the_capture() {
        for threads in [1, 2] {
            let plan = CapturePlan::try_from(&IntegratedConfig::default()).expect("a plan");
            let plan = CapturePlan { threads, ..plan };
            let mut encoder = TraceEncoder::new(Vec::new(), plan).expect("begins");
            let kind = heapwire_core::EventKind::Mark { mark: 1 };
            encoder.push(&Item::Event(Event { time: 5, thread: 0, kind })).expect("encodes");
            let position = StreamPosition { event: 40, ..StreamPosition::default() };
            encoder.resume(&header(ChunkKind::Events, &position, 9), 3).expect("writes");
            let (capture, _) = encoder.finish().expect("writes");
            let mut headers = Vec::new();
            let mut reader = CaptureReader::new(&capture[..]).expect("a capture");
            while let Some(part) = reader.next_part().expect("reads") {
                let Part::Chunk(chunk, _) = part else { panic!("{part:?}") };
                let ChunkHeader { events, sequence, first_event, time, .. } = chunk.header;
                if chunk.header.kind == ChunkKind::Events {
                    headers.push((events, sequence, first_event, time));
                }
            }
            assert_eq!(headers, [(1, 0, 0, 5), (0, 4, 40, 9)]);
        }
    }
}
