//! Events into a capture: in batches that are encoded and compressed on as many threads as the plan
//! has, and written in order. Any number of threads gives the same bytes.

use std::io::Write;

use heapwire_core::format::{MAX_HEADER, MAX_TEXT};
use heapwire_core::{
    Chunk, ChunkHeader, ChunkKind, Chunker, Codec, Columns, Definition, Event, HeapTotals, Layout,
    ModelSpec, Placement, Pushed, StreamPosition, put_definition,
};

use crate::error::{BinaryExportError, Result};
use crate::io::capture_writer::CaptureWriter;
use crate::io::codec::{Compressor, Packed};
use crate::plan::CapturePlan;
use crate::tables::{HeapTables, shape_for_chunk};
use crate::trace::Item;
use crate::trace::replay::LiveBlocks;

/// A batch has as many events as fill this many chunks, if each takes about [`BYTES_PER_EVENT`]:
/// its last chunk is not full, and many chunks make that matter less.
const CHUNKS_PER_BATCH: usize = 4;
const BYTES_PER_EVENT: usize = 2;
/// The most events of a batch: 56 bytes of memory each, for every thread.
const MAX_BATCH: usize = 1 << 18;

/// Writes items into a capture.
#[derive(Debug)]
pub struct TraceEncoder<W> {
    plan: CapturePlan,
    writer: CaptureWriter<W>,
    workers: Vec<Worker>,
    #[cfg(feature = "parallel")]
    pool: Option<rayon::ThreadPool>,
    batches: Vec<Batch>,
    batch_size: usize,
    live: LiveBlocks,
    position: StreamPosition,
    definitions: Definitions,
}

/// Events that one worker encodes, and how everything stood before them.
#[derive(Debug, Default)]
struct Batch {
    /// Chunks of definitions that come before.
    definitions: Vec<Packed>,
    position: StreamPosition,
    /// Each with the size in bytes of the block that it frees.
    events: Vec<(Event, u64)>,
    packed: Vec<Packed>,
}

/// Definitions that wait for their chunk.
#[derive(Debug)]
struct Definitions {
    payload: Vec<u8>,
    compressor: Compressor,
}

#[derive(Debug)]
struct Worker {
    chunker: Chunker<Vec<u8>, Columns, HeapTables>,
    compressor: Compressor,
    chunk_size: usize,
}

impl<W: Write> TraceEncoder<W> {
    /// Begins a capture.
    ///
    /// # Errors
    /// When `out` refuses the file header, or a codec the plan's level.
    pub fn new(out: W, plan: CapturePlan) -> Result<Self> {
        let writer =
            CaptureWriter::new(out, plan.chunked).map_err(BinaryExportError::stream(WRITING))?;
        let batch_size = plan.chunk_size.saturating_mul(CHUNKS_PER_BATCH) / BYTES_PER_EVENT;
        let workers = (0..plan.threads).map(|_| Worker::new(&plan)).collect::<Result<_>>()?;
        let compressor = Compressor::new(plan.compression)?;
        Ok(Self {
            plan,
            writer,
            workers,
            #[cfg(feature = "parallel")]
            pool: new_pool(plan.threads)?,
            batches: vec![Batch::default()],
            batch_size: batch_size.clamp(1, MAX_BATCH),
            live: LiveBlocks::new(),
            position: StreamPosition::default(),
            definitions: Definitions { payload: Vec::new(), compressor },
        })
    }

    /// Adds a definition or an event.
    ///
    /// # Errors
    /// When a batch that is complete cannot be encoded or written, or a definition is longer than
    /// the format allows.
    pub fn push(&mut self, item: &Item<'_>) -> Result<()> {
        match item {
            Item::Definition(definition) => self.define(definition),
            Item::Event(event) => self.push_event(event),
        }
    }

    /// The heap after the last event, as far as the events tell.
    #[must_use]
    pub fn totals(&self) -> HeapTotals {
        self.position.totals
    }

    /// Says that something is missing before the next event: the stream goes on as this header says,
    /// of the chunk after the gap, with numbers and totals as exact as it has them.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn resume(&mut self, header: &ChunkHeader, missing_chunks: u32) -> Result<()> {
        self.seal_definitions()?;
        self.write_batches()?;
        if header.epoch != self.position.epoch {
            self.position.sequence = 0;
            self.live = LiveBlocks::new();
        }
        self.position = StreamPosition {
            stream: header.stream,
            epoch: header.epoch,
            sequence: self.position.sequence.wrapping_add(missing_chunks),
            event: header.first_event,
            losses: header.losses,
            totals: header.totals,
        };
        self.batches.push(Batch { position: self.position, ..Batch::default() });
        Ok(())
    }

    /// Says how the heap stands before the next event: a source may know better than the events tell,
    /// of blocks that were allocated where no event tells of it.
    pub(super) fn stand(&mut self, totals: HeapTotals) {
        self.position.totals = totals;
    }

    /// Encodes and writes what is left, the index and the end mark. Returns the output, and the
    /// capture's length in bytes.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(mut self) -> Result<(W, u64)> {
        self.seal_definitions()?;
        self.write_batches()?;
        self.writer.finish(&[self.position]).map_err(BinaryExportError::stream(WRITING))
    }

    fn push_event(&mut self, event: &Event) -> Result<()> {
        let freed = self.live.apply(event);
        if self.batches.last().is_none_or(|batch| batch.events.len() >= self.batch_size) {
            self.next_batch()?;
        }
        if let Some(batch) = self.batches.last_mut() {
            batch.events.push((*event, freed));
        }
        self.position.event = self.position.event.wrapping_add(1);
        self.position.totals.count(&event.kind, freed);
        Ok(())
    }

    /// Completes the batch; when there is one for each worker, they work.
    fn next_batch(&mut self) -> Result<()> {
        self.seal_definitions()?;
        if self.batches.len() >= self.workers.len() {
            self.write_batches()?;
        }
        self.batches.push(Batch { position: self.position, ..Batch::default() });
        Ok(())
    }

    fn write_batches(&mut self) -> Result<()> {
        self.encode_batches()?;
        for batch in &mut self.batches {
            for packed in batch.definitions.iter().chain(&batch.packed) {
                let mut header = packed.header;
                header.sequence = self.position.sequence;
                if header.kind == ChunkKind::Events {
                    self.position.sequence = self.position.sequence.wrapping_add(1);
                }
                self.writer
                    .write_chunk(&header, &packed.payload)
                    .map_err(BinaryExportError::stream(WRITING))?;
            }
        }
        self.batches.clear();
        Ok(())
    }

    #[cfg(feature = "parallel")]
    fn encode_batches(&mut self) -> Result<()> {
        use rayon::prelude::*;
        let Self { pool, workers, batches, .. } = self;
        match pool {
            Some(pool) => pool.install(|| {
                let pairs = workers.par_iter_mut().zip(batches.par_iter_mut());
                pairs.try_for_each(|(worker, batch)| worker.encode(batch))
            }),
            None => encode_in_turn(workers, batches),
        }
    }

    #[cfg(not(feature = "parallel"))]
    fn encode_batches(&mut self) -> Result<()> {
        encode_in_turn(&mut self.workers, &mut self.batches)
    }

    fn define(&mut self, definition: &Definition<'_>) -> Result<()> {
        // The longest has two texts; numbers and variants take less than a header.
        let mut buffer = [0; 2 * MAX_TEXT + MAX_HEADER];
        let too_large = BinaryExportError::ItemTooLarge { chunk_size: self.plan.chunk_size };
        let written = put_definition(&mut buffer, definition)
            .filter(|&written| written + MAX_HEADER < self.plan.chunk_size);
        let Some(written) = written else { return Err(too_large) };
        if self.definitions.payload.len() + written + MAX_HEADER > self.plan.chunk_size {
            self.seal_definitions()?;
        }
        self.definitions.payload.extend_from_slice(&buffer[..written]);
        Ok(())
    }

    /// Puts the definitions that wait before the events of the last batch.
    fn seal_definitions(&mut self) -> Result<()> {
        let payload = std::mem::take(&mut self.definitions.payload);
        if payload.is_empty() {
            return Ok(());
        }
        let header = definitions_header(&self.position);
        let packed = self.definitions.compressor.pack(&header, &payload)?;
        if self.batches.is_empty() {
            self.batches.push(Batch { position: self.position, ..Batch::default() });
        }
        if let Some(batch) = self.batches.last_mut() {
            batch.definitions.push(packed);
        }
        Ok(())
    }
}

const WRITING: &str = "write the capture";

/// The workers take the batches in turn, on this thread.
fn encode_in_turn(workers: &mut [Worker], batches: &mut [Batch]) -> Result<()> {
    workers.iter_mut().zip(batches).try_for_each(|(worker, batch)| worker.encode(batch))
}

#[cfg(feature = "parallel")]
fn new_pool(threads: usize) -> Result<Option<rayon::ThreadPool>> {
    if threads == 1 {
        return Ok(None);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map(Some).map_err(|error| {
        BinaryExportError::stream("start the worker threads")(std::io::Error::other(error))
    })
}

/// The header of a chunk of definitions made here.
fn definitions_header(position: &StreamPosition) -> ChunkHeader {
    ChunkHeader {
        kind: ChunkKind::Definitions,
        layout: Layout::Rows,
        codec: Codec::None,
        events: 0,
        stream: position.stream,
        epoch: position.epoch,
        sequence: position.sequence,
        time: 0,
        first_event: position.event,
        losses: position.losses,
        totals: position.totals,
        model: ModelSpec::DESKTOP,
    }
}

impl Worker {
    fn new(plan: &CapturePlan) -> Result<Self> {
        let tables = HeapTables::for_encoding(shape_for_chunk(plan.chunk_size));
        let storage = vec![0; plan.chunk_size];
        let chunker = Chunker::new(storage, Columns::new(), tables, Placement::GLIBC_64)
            // The checksum of what is packed here is never looked at: the writer makes its own.
            .with_checksum(|_| 0);
        let compressor = Compressor::new(plan.compression)?;
        Ok(Self { chunker, compressor, chunk_size: plan.chunk_size })
    }

    /// Encodes the batch's events into packed chunks.
    fn encode(&mut self, batch: &mut Batch) -> Result<()> {
        // Numbered when they are written. Room is kept for the largest number: what fits a chunk must not
        // depend on how far the others are.
        self.chunker.set_position(StreamPosition { sequence: u32::MAX, ..batch.position });
        for (event, freed) in &batch.events {
            let mut pushed = self.chunker.push(event, *freed);
            if pushed == Pushed::Full {
                self.pack(&mut batch.packed)?;
                pushed = self.chunker.push(event, *freed);
            }
            if pushed != Pushed::Written {
                return Err(BinaryExportError::ItemTooLarge { chunk_size: self.chunk_size });
            }
        }
        self.pack(&mut batch.packed)
    }

    fn pack(&mut self, packed: &mut Vec<Packed>) -> Result<()> {
        if let Some(sealed) = self.chunker.seal() {
            // Sealed a moment ago with this checksum.
            if let Ok(chunk) = Chunk::parse(sealed, |_| 0) {
                packed.push(self.compressor.pack(&chunk.header, chunk.payload)?);
            }
        }
        Ok(())
    }
}
