//! Any header fields and payload behind a right checksum: the decoder ends, and never hands out more
//! events than the header says.
#![no_main]

use heapwire::tables::HeapTables;
use heapwire_core::{Chunk, ChunkHeader, ChunkKind, Decoder, Definitions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The checksum is not what is tested here: take the bytes for a chunk as they are.
    let Ok((header, len)) = ChunkHeader::parse(bytes) else { return };
    let chunk = Chunk { header, payload: &bytes[len..], bytes };
    if header.kind == ChunkKind::Definitions {
        if let Ok(definitions) = Definitions::new(&chunk) {
            assert!(definitions.count() <= bytes.len() + 1);
        }
        return;
    }
    let shape = header.model.shape;
    // Larger tables are right, and slow to clear for every input.
    if [shape.blocks, shape.contexts, shape.sizes, shape.lists, shape.holes, shape.threads]
        .iter()
        .any(|&bits| bits > 10)
    {
        return;
    }
    if let Ok(decoder) = Decoder::new(&chunk, HeapTables::for_decoding(shape)) {
        let events = decoder.filter(|event| event.is_ok()).count();
        assert!(events <= header.events as usize);
    }
});
