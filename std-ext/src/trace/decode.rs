//! A chunk's definitions or events, one after the other.

use heapwire_core::{Chunk, ChunkError, ChunkKind, Decoder, Definitions, Tables};

use super::Item;
use crate::error::Result;
use crate::tables::HeapTables;

/// Decodes an uncompressed chunk and hands out what is in it. `tables` are kept from chunk to chunk
/// as long as the shape does not change. The inner error is the chunk's, the outer one `each`'s.
pub(crate) fn for_each_item(
    chunk: &Chunk<'_>,
    tables: &mut Option<HeapTables>,
    mut each: impl FnMut(Item<'_>) -> Result<()>,
) -> Result<Result<(), ChunkError>> {
    match chunk.header.kind {
        ChunkKind::Definitions => {
            let definitions = match Definitions::new(chunk) {
                Ok(definitions) => definitions,
                Err(error) => return Ok(Err(error)),
            };
            for definition in definitions {
                match definition {
                    Ok(definition) => each(Item::Definition(definition))?,
                    Err(error) => return Ok(Err(error)),
                }
            }
        }
        ChunkKind::Events => {
            let shape = chunk.header.model.shape;
            let tables = match tables {
                Some(tables) if tables.shape() == shape => tables,
                other => other.insert(HeapTables::for_decoding(shape)),
            };
            let decoder = match Decoder::new(chunk, tables) {
                Ok(decoder) => decoder,
                Err(error) => return Ok(Err(error)),
            };
            for event in decoder {
                match event {
                    Ok(event) => each(Item::Event(event))?,
                    Err(error) => return Ok(Err(error)),
                }
            }
        }
        ChunkKind::Index | ChunkKind::End => {}
    }
    Ok(Ok(()))
}
