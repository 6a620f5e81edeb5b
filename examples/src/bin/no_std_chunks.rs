//! The core alone, as firmware uses it: events become chunks in a fixed buffer, chunks become frames
//! on a line, and the other end turns them back into events.
//!
//! `record` is the device's part. It uses `heapwire-core` only, which has no heap and no operating
//! system; everything that it needs is on its stack. Run it with
//! `cargo run -p heapwire-examples --bin no_std_chunks`.

use std::error::Error;

use heapwire_core::{
    Chunk, Chunker, Decoder, Deframed, Deframer, Event, EventKind, Placement, Pushed, Rows,
    TinyTables, crc32, max_frame_len, write_frame,
};

/// Bytes of a chunk: all the storage that a device needs for one.
const CHUNK: usize = 512;

const BLOCKS: u64 = 300;

/// What the device does: event after event into the chunk, and each full chunk onto the line.
fn record<E>(mut line: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    let storage = [0; CHUNK];
    let mut chunker = Chunker::new(storage, Rows::new(), TinyTables::new(), Placement::EMBEDDED_32);
    for event in events() {
        // The size of the block that is freed, which an allocator knows: it keeps the totals exact.
        let freed = if matches!(event.kind, EventKind::Free { .. }) { 48 } else { 0 };
        while chunker.push(&event, freed) == Pushed::Full {
            // "Full" is no error: seal the chunk, send it, and push the same event again.
            if let Some(chunk) = chunker.seal() {
                write_frame(chunk, &mut line)?;
            }
        }
    }
    match chunker.seal() {
        Some(last) => write_frame(last, &mut line),
        None => Ok(()),
    }
}

/// A heap on which every block lives for 100 microseconds.
fn events() -> impl Iterator<Item = Event> {
    (0..BLOCKS).flat_map(|i| {
        let address = 0x2000_0000 + 48 * (i % 7);
        let at = |time, kind| Event { time, thread: 0, kind };
        [
            at(1000 * i, EventKind::Alloc { address, size: 48, site: 1 + (i % 3) as u32 }),
            at(1000 * i + 100, EventKind::Free { address, site: 0 }),
        ]
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    // The line is a vector here. On a device it is a UART, and `write_frame` writes to that.
    let mut line = b"boot ok\r\n".to_vec();
    record(|bytes| {
        line.extend_from_slice(bytes);
        Ok::<(), Box<dyn Error>>(())
    })?;

    // The other end finds the frames among whatever else comes over the line, byte by byte or not.
    let mut deframer = Deframer::new([0; max_frame_len(CHUNK)]);
    let mut decoded = Vec::new();
    let mut chunks = 0;
    let mut rest = &line[..];
    while !rest.is_empty() {
        let (taken, found) = deframer.push(rest);
        if let Deframed::Frame(content) = found {
            // A chunk is believed only when its checksum is right, and it decodes alone.
            let chunk = Chunk::parse(content, crc32)?;
            assert!(chunk.bytes.len() <= CHUNK);
            for event in Decoder::new(&chunk, TinyTables::new())? {
                decoded.push(event?);
            }
            chunks += 1;
        }
        rest = &rest[taken..];
    }

    assert!(decoded.into_iter().eq(events()));
    let count = 2 * BLOCKS as usize;
    let bytes_per_event = line.len() as f64 / count as f64;
    assert!(bytes_per_event < 3.0);
    println!("{count} events in {chunks} chunks came back equal: {bytes_per_event:.2} bytes each");
    Ok(())
}
