//! What both trackers record into: one stream of sealed chunks, a few bytes an event.

use std::time::Instant;

use heapwire_core::format::{CRC_LEN, MAX_HEADER, MAX_TEXT};
use heapwire_core::{
    Chunk, Chunker, Columns, Definition, Event, EventKind, Placement, Pushed, put_definition,
};

use crate::tables::{HeapTables, shape_for_chunk};
use crate::trace::source::Chunks;

/// Bytes of a tracker's chunks: small enough to start with, large enough to be dense.
const CHUNK_SIZE: usize = 64 * 1024;

/// Ticks in a second of a tracker's clock: microseconds, since finer ones are noise that takes more
/// room than all else of an event.
const TICKS_PER_SECOND: u64 = 1_000_000;

/// Sealed chunks, and one being filled.
#[derive(Clone, Debug)]
pub(super) struct ChunkLog {
    started: Instant,
    chunker: Chunker<Vec<u8>, Columns, HeapTables>,
    sealed: Chunks,
    definitions: Vec<u8>,
}

impl ChunkLog {
    /// Begins with the session: this program, on this machine.
    pub(super) fn new() -> Self {
        let tables = HeapTables::for_encoding(shape_for_chunk(CHUNK_SIZE));
        let storage = vec![0; CHUNK_SIZE];
        let chunker = Chunker::new(storage, Columns::new(), tables, Placement::GLIBC_64)
            .with_checksum(crc32fast::hash);
        let mut log = Self {
            started: Instant::now(),
            chunker,
            sealed: Chunks::new(),
            definitions: Vec::new(),
        };
        let program = std::env::args_os().next().unwrap_or_default();
        let name = std::path::Path::new(&program).file_name().unwrap_or_default();
        log.define(&Definition::Session(heapwire_core::Session {
            device: shorten(&name.to_string_lossy()),
            build: "",
            ticks_per_second: TICKS_PER_SECOND,
            address_bits: usize::BITS as u8,
        }));
        log
    }

    /// Records what happens now. `freed` is the size in bytes of a block freed or resized.
    pub(super) fn record(&mut self, thread: u32, kind: EventKind, freed: u64) {
        let elapsed = self.started.elapsed();
        let time = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let event = Event { time, thread, kind };
        match self.chunker.push(&event, freed) {
            Pushed::Written => {}
            Pushed::Full => {
                self.seal();
                if self.chunker.push(&event, freed) != Pushed::Written {
                    self.chunker.lose(&kind, freed);
                }
            }
            Pushed::TooLarge => self.chunker.lose(&kind, freed),
        }
    }

    /// Records a definition, ahead of all events that are not sealed yet.
    pub(super) fn define(&mut self, definition: &Definition<'_>) {
        let mut buffer = [0; 2 * MAX_TEXT + MAX_HEADER];
        if let Some(written) = put_definition(&mut buffer, definition) {
            if self.definitions.len() + written + MAX_HEADER > CHUNK_SIZE {
                self.seal_definitions();
            }
            self.definitions.extend_from_slice(&buffer[..written]);
        }
    }

    /// Events recorded.
    pub(super) fn events(&self) -> u64 {
        self.chunker.position().event
    }

    fn seal(&mut self) {
        self.seal_definitions();
        if let Some(chunk) = self.chunker.seal() {
            keep(&mut self.sealed, chunk);
        }
    }

    fn seal_definitions(&mut self) {
        let payload = std::mem::take(&mut self.definitions);
        if payload.is_empty() {
            return;
        }
        let mut chunk = vec![0; payload.len() + MAX_HEADER + CRC_LEN];
        if let Some(len) = self.chunker.emit_definitions(&mut chunk, 0, &payload) {
            keep(&mut self.sealed, &chunk[..len]);
        }
    }

    /// Everything so far, with a copy of its last chunk sealed.
    pub(super) fn snapshot(&self) -> Chunks {
        let mut copy = self.clone();
        copy.seal();
        copy.sealed.set_positions(Some(vec![copy.chunker.position()]));
        copy.sealed
    }
}

/// Keeps a chunk that was made a moment ago, and so is whole.
fn keep(sealed: &mut Chunks, chunk: &[u8]) {
    if let Ok(chunk) = Chunk::parse(chunk, crc32fast::hash) {
        sealed.push_checked(&chunk);
    }
}

/// The beginning of a text that a definition has room for.
pub(super) fn shorten(text: &str) -> &str {
    let end = text.floor_char_boundary(MAX_TEXT.min(text.len()));
    text.get(..end).unwrap_or_default()
}
