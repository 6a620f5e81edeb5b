//! Events into packed chunks: what one thread does alone.

use heapwire_core::{
    Chunk, Chunker, Columns, Event, Placement, Pushed, Shape, StreamPosition, Tables,
};

use crate::error::{BinaryExportError, Result};
use crate::io::compressor::{Compressor, Packed};
use crate::monitoring::{Meter, Stage};
use crate::plan::CapturePlan;
use crate::tables::{DenseEncoding, FastEncoding, HeapTables};

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

    /// Encodes an event; `freed` is the size in bytes of the block that it frees.
    #[inline]
    pub(super) fn push(
        &mut self,
        event: &Event,
        freed: u64,
        packed: &mut Vec<Packed>,
    ) -> Result<()> {
        match with_chunker!(&mut self.chunker, chunker => chunker.push(event, freed)) {
            Pushed::Written => Ok(()),
            refused => self.push_to_next(event, freed, packed, refused),
        }
    }

    /// Encodes all these events, each with what it frees.
    #[cfg(feature = "parallel")]
    pub(super) fn push_all(
        &mut self,
        events: &[(Event, u64)],
        packed: &mut Vec<Packed>,
    ) -> Result<()> {
        let mut rest = events;
        while !rest.is_empty() {
            let mut refused = None;
            let written = with_chunker!(&mut self.chunker, chunker => {
                rest.iter().position(|(event, freed)| match chunker.push(event, *freed) {
                    Pushed::Written => false,
                    other => {
                        refused = Some(other);
                        true
                    }
                })
            });
            let (Some(at), Some(refused)) = (written, refused) else { break };
            let Some(((event, freed), after)) = rest.get(at..).and_then(<[_]>::split_first) else {
                break;
            };
            self.push_to_next(event, *freed, packed, refused)?;
            rest = after;
        }
        Ok(())
    }

    /// The open chunk has no room for an event: begins the next one with it.
    #[cold]
    fn push_to_next(
        &mut self,
        event: &Event,
        freed: u64,
        packed: &mut Vec<Packed>,
        mut pushed: Pushed,
    ) -> Result<()> {
        if pushed == Pushed::Full {
            self.finish(packed)?;
            pushed = with_chunker!(&mut self.chunker, chunker => chunker.push(event, freed));
        }
        match pushed {
            Pushed::Written => Ok(()),
            _ => Err(BinaryExportError::ItemTooLarge { chunk_size: self.chunk_size }),
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
