//! Events into chunks in memory, for trackers: those of this crate, and your own.

use heapwire_core::format::{CRC_LEN, MAX_HEADER, MAX_TEXT};
use heapwire_core::{Chunker, Columns, Definition, Event, Placement, Pushed, put_definition};

use super::replay::LiveBlocks;
use super::source::{ChunkSource, Chunks};
use crate::error::{BinaryExportError, Result};
use crate::tables::{HeapTables, shape_for_chunk};

/// Bytes of a chunk: small enough to start with, large enough to be dense.
const CHUNK_SIZE: usize = 64 * 1024;

/// Collects definitions and events as sealed chunks: a few bytes an event, and a map of the live blocks
/// besides. It is a source for exports, so a tracker of your own needs to do no more than keep one.
///
/// ```
/// use heapwire::heapwire_core::{Definition, Event, EventKind, Name, NameKind};
/// use heapwire::trace::builder::ChunkBuilder;
///
/// let mut builder = ChunkBuilder::new();
/// builder.define(&Definition::Name(Name { kind: NameKind::Scope, id: 1, text: "parse" }))?;
/// let kind = EventKind::Alloc { address: 0x5000, size: 64, site: 1 };
/// builder.push(&Event { time: 10, thread: 1, kind });
///
/// let path = std::env::temp_dir().join("heapwire-chunk-builder-doc.bin");
/// assert_eq!(heapwire::BinaryExport::export_default(&builder, &path)?.events, 1);
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ChunkBuilder {
    chunker: Chunker<Vec<u8>, Columns, HeapTables>,
    sealed: Chunks,
    /// Definitions that wait for their chunk.
    definitions: Vec<u8>,
    live: LiveBlocks,
}

impl ChunkBuilder {
    /// A builder at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        let tables = HeapTables::for_encoding(shape_for_chunk(CHUNK_SIZE));
        Self {
            chunker: Chunker::new(vec![0; CHUNK_SIZE], Columns::new(), tables, Placement::GLIBC_64)
                .with_checksum(crc32fast::hash),
            sealed: Chunks::new(),
            definitions: Vec::new(),
            live: LiveBlocks::new(),
        }
    }

    /// Adds a definition, ahead of the last chunk of events, so that it may come after the first event
    /// that needs it. [`Definition::Session`] says what a tick is; without it nobody knows.
    ///
    /// # Errors
    /// [`ItemTooLarge`](BinaryExportError::ItemTooLarge) when a text is longer than
    /// [`MAX_TEXT`] bytes.
    pub fn define(&mut self, definition: &Definition<'_>) -> Result<()> {
        let mut buffer = [0; 2 * MAX_TEXT + MAX_HEADER];
        let too_large = BinaryExportError::ItemTooLarge { chunk_size: CHUNK_SIZE };
        let written = put_definition(&mut buffer, definition).ok_or(too_large)?;
        if self.definitions.len() + written + MAX_HEADER > CHUNK_SIZE {
            self.seal_definitions();
        }
        self.definitions.extend_from_slice(&buffer[..written]);
        Ok(())
    }

    /// Adds an event: the next in time, or a little late.
    pub fn push(&mut self, event: &Event) {
        let freed = self.live.apply(event);
        self.push_freeing(event, freed);
    }

    /// The same, of somebody who knows the size in bytes of a block that is freed or resized.
    pub(crate) fn push_freeing(&mut self, event: &Event, freed: u64) {
        let mut pushed = self.chunker.push(event, freed);
        if pushed == Pushed::Full {
            self.seal();
            pushed = self.chunker.push(event, freed);
        }
        if pushed != Pushed::Written {
            self.chunker.lose(&event.kind, freed);
        }
    }

    /// Events so far.
    #[must_use]
    pub fn event_count(&self) -> u64 {
        self.chunker.position().event
    }

    /// A copy that is good for nothing but to be finished.
    pub(crate) fn copy(&self) -> Self {
        let (chunker, sealed) = (self.chunker.clone(), self.sealed.clone());
        Self { chunker, sealed, definitions: self.definitions.clone(), live: LiveBlocks::new() }
    }

    /// All chunks, the last one sealed.
    #[must_use]
    pub fn finish(mut self) -> Chunks {
        self.seal();
        self.sealed.set_positions(Some(vec![self.chunker.position()]));
        self.sealed
    }

    fn seal(&mut self) {
        self.seal_definitions();
        let events = self.chunker.seal();
        keep(&mut self.sealed, events);
    }

    fn seal_definitions(&mut self) {
        let payload = std::mem::take(&mut self.definitions);
        if payload.is_empty() {
            return;
        }
        let mut chunk = vec![0; payload.len() + MAX_HEADER + CRC_LEN];
        let length = self.chunker.emit_definitions(&mut chunk, 0, &payload);
        keep(&mut self.sealed, length.and_then(|length| chunk.get(..length)));
    }
}

/// Keeps a chunk that was made a moment ago, and so is whole.
fn keep(sealed: &mut Chunks, chunk: Option<&[u8]>) {
    let whole = chunk.map_or(Ok(()), |chunk| sealed.push(chunk));
    debug_assert!(whole.is_ok(), "{whole:?}");
}

impl Default for ChunkBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkSource for ChunkBuilder {
    fn snapshot(&self) -> Chunks {
        self.copy().finish()
    }
}
