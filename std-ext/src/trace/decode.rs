//! A chunk's definitions or events, one after the other.

use heapwire_core::{
    Chunk, ChunkError, ChunkKind, Decoder, Definition, Definitions, Event, EventKind, Shape, Tables,
};

use super::Item;
use crate::error::Result;
use crate::tables::{DenseDecoding, FastDecoding, HeapTables};

/// Decodes the events of chunk after chunk, whatever model they were made with, in the same memory.
#[derive(Clone, Debug, Default)]
pub struct EventDecoder {
    dense: Option<DenseDecoding>,
    fast: Option<FastDecoding>,
    other: Option<HeapTables>,
}

impl EventDecoder {
    /// A decoder that has not allocated anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes an uncompressed chunk of events and hands them to `sink`, some at a time.
    ///
    /// # Errors
    /// When the chunk holds no events or is compressed, or at the first event that cannot be decoded;
    /// those before it were handed over.
    pub fn decode(
        &mut self,
        chunk: &Chunk<'_>,
        mut sink: impl FnMut(&[Event]),
    ) -> Result<(), ChunkError> {
        self.decode_blocks(chunk, &mut sink)
    }
}

/// What decodes events, and keeps its tables from chunk to chunk.
pub(crate) trait DecodeEvents {
    /// Decodes an uncompressed chunk of events and hands them out some at a time. The sink has no type of
    /// its own, so that the decoder, which is large, is compiled once.
    fn decode_blocks(
        &mut self,
        chunk: &Chunk<'_>,
        sink: &mut dyn FnMut(&[Event]),
    ) -> Result<(), ChunkError>;
}

impl DecodeEvents for EventDecoder {
    fn decode_blocks(
        &mut self,
        chunk: &Chunk<'_>,
        sink: &mut dyn FnMut(&[Event]),
    ) -> Result<(), ChunkError> {
        match chunk.header.model.shape {
            Shape::DENSE => decode_with(&mut self.dense, DenseDecoding::new, chunk, sink),
            Shape::FAST => decode_with(&mut self.fast, FastDecoding::new, chunk, sink),
            _ => self.other.decode_blocks(chunk, sink),
        }
    }
}

/// Tables that are kept as long as the shape does not change.
impl DecodeEvents for Option<HeapTables> {
    fn decode_blocks(
        &mut self,
        chunk: &Chunk<'_>,
        sink: &mut dyn FnMut(&[Event]),
    ) -> Result<(), ChunkError> {
        let shape = chunk.header.model.shape;
        self.take_if(|tables| tables.shape() != shape);
        decode_with(self, || HeapTables::for_decoding(shape), chunk, sink)
    }
}

/// Events that are handed out together: few enough for a processor's first cache.
const BLOCK: usize = 128;

/// Decodes with the tables kept from the chunk before, or new ones. The decoder owns them meanwhile: borrowed, they
/// would be a pointer further away.
fn decode_with<T: Tables>(
    kept: &mut Option<T>,
    new: impl FnOnce() -> T,
    chunk: &Chunk<'_>,
    sink: &mut dyn FnMut(&[Event]),
) -> Result<(), ChunkError> {
    let mut decoder = Decoder::new(chunk, kept.take().unwrap_or_else(new))?;
    let decoded = decode_blocks(&mut decoder, sink);
    *kept = Some(decoder.into_tables());
    decoded
}

fn decode_blocks<T: Tables>(
    decoder: &mut Decoder<'_, T>,
    sink: &mut dyn FnMut(&[Event]),
) -> Result<(), ChunkError> {
    let kind = EventKind::Mark { mark: 0 };
    let mut block = [Event { time: 0, thread: 0, kind }; BLOCK];
    loop {
        match decoder.decode_into(&mut block)? {
            0 => return Ok(()),
            decoded => sink(&block[..decoded]),
        }
    }
}

/// Some of what is in a chunk.
pub(crate) enum Decoded<'a> {
    Definition(Definition<'a>),
    Events(&'a [Event]),
}

/// Decodes an uncompressed chunk and hands out what is in it. The inner error is the chunk's, the outer
/// one `each`'s, after which nothing more is handed out.
pub(crate) fn for_each_decoded(
    chunk: &Chunk<'_>,
    decoder: &mut impl DecodeEvents,
    mut each: impl FnMut(Decoded<'_>) -> Result<()>,
) -> Result<Result<(), ChunkError>> {
    match chunk.header.kind {
        ChunkKind::Definitions => {
            for_each_definition(chunk, |definition| each(Decoded::Definition(definition)))
        }
        ChunkKind::Events => {
            let mut failure = None;
            let decoded = decoder.decode_blocks(chunk, &mut |events| {
                if failure.is_none() {
                    failure = each(Decoded::Events(events)).err();
                }
            });
            failure.map_or(Ok(decoded), Err)
        }
        ChunkKind::Index | ChunkKind::End => Ok(Ok(())),
    }
}

/// As [`for_each_decoded`], one by one.
pub(crate) fn for_each_item(
    chunk: &Chunk<'_>,
    decoder: &mut impl DecodeEvents,
    mut each: impl FnMut(Item<'_>) -> Result<()>,
) -> Result<Result<(), ChunkError>> {
    for_each_decoded(chunk, decoder, |part| match part {
        Decoded::Definition(definition) => each(Item::Definition(definition)),
        Decoded::Events(events) => events.iter().try_for_each(|event| each(Item::Event(*event))),
    })
}

/// As [`for_each_decoded`], of a chunk of definitions.
fn for_each_definition(
    chunk: &Chunk<'_>,
    mut each: impl FnMut(Definition<'_>) -> Result<()>,
) -> Result<Result<(), ChunkError>> {
    let definitions = match Definitions::new(chunk) {
        Ok(definitions) => definitions,
        Err(error) => return Ok(Err(error)),
    };
    for definition in definitions {
        match definition {
            Ok(definition) => each(definition)?,
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}
