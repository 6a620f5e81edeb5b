//! Events into packed chunks: what one thread does alone.

use heapwire_core::{
    Chunk, Chunker, Columns, Event, Placement, Pushed, Shape, StreamPosition, Tables,
};

use crate::error::{BinaryExportError, Result};
use crate::io::compressor::{Compressor, Packed};
use crate::monitoring::{Meter, Stage};
use crate::plan::CapturePlan;
use crate::tables::{DenseEncoding, FastEncoding, HeapTables};

/// Events, and for each the size in bytes of the block that it frees.
#[derive(Debug, Default)]
pub(super) struct Events {
    events: Vec<Event>,
    freed: Vec<u64>,
}

impl Events {
    #[inline]
    pub(super) fn push(&mut self, event: Event, freed: u64) {
        self.events.push(event);
        self.freed.push(freed);
    }

    /// Adds events, of which `freed` says how large the block is that one frees.
    #[inline]
    pub(super) fn extend(&mut self, events: &[Event], freed: impl FnMut(&Event) -> u64) {
        self.freed.extend(events.iter().map(freed));
        self.events.extend_from_slice(events);
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.freed.clear();
    }

    /// Whether it never held any.
    #[cfg(feature = "parallel")]
    pub(super) fn is_new(&self) -> bool {
        self.events.capacity() == 0
    }
}

/// Encodes and compresses events. Its memory is used again for each batch.
#[derive(Debug)]
pub(super) struct BatchEncoder {
    chunker: AnyChunker,
    compressor: Compressor,
    chunk_size: usize,
    /// Measures the thread that encodes.
    pub(super) meter: Meter,
}

/// A chunker with tables of the plan's shape.
#[derive(Debug)]
enum AnyChunker {
    Dense(Box<Chunker<Vec<u8>, Columns, DenseEncoding>>),
    Fast(Box<Chunker<Vec<u8>, Columns, FastEncoding>>),
    Other(Box<Chunker<Vec<u8>, Columns, HeapTables>>),
}

fn chunker<T: Tables>(tables: T, chunk_size: usize) -> Box<Chunker<Vec<u8>, Columns, T>> {
    let chunker = Chunker::new(vec![0; chunk_size], Columns::new(), tables, Placement::GLIBC_64);
    // The checksum of what is packed here is never looked at: the writer makes its own.
    Box::new(chunker.with_checksum(|_| 0))
}

/// Does the same with whichever chunker it is.
macro_rules! with_chunker {
    ($any:expr, $chunker:ident => $action:expr) => {
        match $any {
            AnyChunker::Dense($chunker) => $action,
            AnyChunker::Fast($chunker) => $action,
            AnyChunker::Other($chunker) => $action,
        }
    };
}

impl BatchEncoder {
    pub(super) fn new(plan: &CapturePlan, meter: Meter) -> Result<Self> {
        let size = plan.chunk_size;
        let chunker = match plan.shape() {
            Shape::DENSE => AnyChunker::Dense(chunker(DenseEncoding::new(), size)),
            Shape::FAST => AnyChunker::Fast(chunker(FastEncoding::new(), size)),
            other => AnyChunker::Other(chunker(HeapTables::for_encoding(other), size)),
        };
        Ok(Self { chunker, compressor: plan.compressor()?, chunk_size: size, meter })
    }

    /// The next event comes after this position.
    pub(super) fn begin(&mut self, position: StreamPosition) {
        with_chunker!(&mut self.chunker, chunker => chunker.set_position(position));
    }

    /// Encodes all these events.
    pub(super) fn push_all(&mut self, all: &Events, packed: &mut Vec<Packed>) -> Result<()> {
        let (mut events, mut freed) = (&all.events[..], &all.freed[..]);
        loop {
            let pushed =
                with_chunker!(&mut self.chunker, chunker => chunker.push_all(events, freed));
            let rest = (events.get(pushed..), freed.get(pushed..));
            let (Some([event, rest @ ..]), Some([freed_by, rest_freed @ ..])) = rest else {
                return Ok(());
            };
            // The next one begins another chunk.
            self.finish(packed)?;
            match with_chunker!(&mut self.chunker, chunker => chunker.push(event, *freed_by)) {
                Pushed::Written => (events, freed) = (rest, rest_freed),
                _ => return Err(BinaryExportError::ItemTooLarge { chunk_size: self.chunk_size }),
            }
        }
    }

    /// Completes the open chunk, if there is one.
    pub(super) fn finish(&mut self, packed: &mut Vec<Packed>) -> Result<()> {
        let sealed = with_chunker!(&mut self.chunker, chunker => chunker.seal());
        // Sealed a moment ago with this checksum.
        if let Some(Ok(chunk)) = sealed.map(|sealed| Chunk::parse(sealed, |_| 0)) {
            let compressor = &mut self.compressor;
            let pack = || compressor.pack(&chunk.header, chunk.payload);
            packed.push(self.meter.within(Stage::Compression, pack)?);
        }
        Ok(())
    }
}
