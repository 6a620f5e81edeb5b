//! What trackers record into: streams of sealed chunks, a few bytes an event.

use std::sync::Arc;
use std::time::Instant;

use heapwire_core::format::{CRC_LEN, MAX_HEADER, MAX_TEXT};
use heapwire_core::{
    Chunker, Columns, Definition, Event, EventKind, Placement, Pushed, Session, put_definition,
};

use crate::tables::{HeapTables, shape_for_chunk};
use crate::trace::source::Chunks;

/// Bytes of a tracker's chunks: small enough to start with, large enough to be dense.
const CHUNK_SIZE: usize = 64 * 1024;

/// Ticks in a second of what a tracker exports: microseconds, since finer ones are noise that takes
/// more room than all else of an event.
const TICKS_PER_SECOND: u64 = 1_000_000;

/// Makes a tracker's chunks.
pub(super) type TrackerChunker = Chunker<Vec<u8>, Columns, HeapTables>;

/// A chunker at the start of stream 0.
pub(super) fn new_chunker() -> TrackerChunker {
    let tables = HeapTables::for_encoding(shape_for_chunk(CHUNK_SIZE));
    Chunker::new(vec![0; CHUNK_SIZE], Columns::new(), tables, Placement::GLIBC_64)
        .with_checksum(crc32fast::hash)
}

/// Completes the open chunk, if there is one.
pub(super) fn seal(chunker: &mut TrackerChunker) -> Option<Arc<[u8]>> {
    chunker.seal().map(Arc::from)
}

/// Definitions on their way into chunks.
#[derive(Clone, Debug, Default)]
pub(super) struct DefinitionQueue(Vec<u8>);

impl DefinitionQueue {
    /// Adds one; returns the chunk of those before when it is full.
    pub(super) fn push(
        &mut self,
        definition: &Definition<'_>,
        chunker: &TrackerChunker,
    ) -> Option<Arc<[u8]>> {
        let mut buffer = [0; 2 * MAX_TEXT + MAX_HEADER];
        let written = put_definition(&mut buffer, definition)?;
        let is_full = self.0.len() + written + MAX_HEADER > CHUNK_SIZE;
        let chunk = is_full.then(|| self.seal(chunker)).flatten();
        self.0.extend_from_slice(&buffer[..written]);
        chunk
    }

    /// The chunk of those that wait, if there are any, with the numbers of `chunker`'s stream.
    pub(super) fn seal(&mut self, chunker: &TrackerChunker) -> Option<Arc<[u8]>> {
        let payload = std::mem::take(&mut self.0);
        if payload.is_empty() {
            return None;
        }
        let mut chunk = vec![0; payload.len() + MAX_HEADER + CRC_LEN];
        let len = chunker.emit_definitions(&mut chunk, 0, &payload)?;
        chunk.get(..len).map(Arc::from)
    }
}

/// Lends the definition of the session: this program, on this machine.
pub(super) fn with_session<R>(f: impl FnOnce(&Definition<'_>) -> R) -> R {
    let program = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&program).file_name().unwrap_or_default();
    f(&Definition::Session(Session {
        device: shorten(&name.to_string_lossy()),
        build: "",
        ticks_per_second: TICKS_PER_SECOND,
        address_bits: usize::BITS as u8,
    }))
}

/// One stream: sealed chunks, and one being filled.
#[derive(Clone, Debug)]
pub(super) struct ChunkLog {
    started: Instant,
    chunker: TrackerChunker,
    sealed: Chunks,
    definitions: DefinitionQueue,
}

impl ChunkLog {
    /// Begins with the session.
    pub(super) fn new() -> Self {
        let mut log = Self {
            started: Instant::now(),
            chunker: new_chunker(),
            sealed: Chunks::new(),
            definitions: DefinitionQueue::default(),
        };
        with_session(|session| log.define(session));
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
        let full = self.definitions.push(definition, &self.chunker);
        self.keep(full);
    }

    /// Events recorded.
    pub(super) fn events(&self) -> u64 {
        self.chunker.position().event
    }

    fn seal(&mut self) {
        let definitions = self.definitions.seal(&self.chunker);
        self.keep(definitions);
        let events = seal(&mut self.chunker);
        self.keep(events);
    }

    /// Keeps a chunk that was made a moment ago, and so is whole.
    fn keep(&mut self, chunk: Option<Arc<[u8]>>) {
        if let Some(chunk) = chunk {
            let whole = self.sealed.push(chunk);
            debug_assert!(whole.is_ok(), "{whole:?}");
        }
    }

    /// Everything, with its last chunk sealed.
    pub(super) fn into_chunks(mut self) -> Chunks {
        self.seal();
        self.sealed.set_positions(Some(vec![self.chunker.position()]));
        self.sealed
    }
}

/// The beginning of a text that a definition has room for.
pub(super) fn shorten(text: &str) -> &str {
    let end = text.floor_char_boundary(MAX_TEXT.min(text.len()));
    text.get(..end).unwrap_or_default()
}
