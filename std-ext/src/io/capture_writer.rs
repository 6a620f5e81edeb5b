//! Writes captures: a file header, chunks, an index and the end mark.

use std::io::{self, Write};

use heapwire_core::format::{
    CAPTURE_HEADER_LEN, CAPTURE_MAGIC, CAPTURE_VERSION, END_MAGIC, END_TAIL_LEN, INDEX_EVERY,
    MAX_HEADER, MAX_STREAMS,
};
use heapwire_core::{ChunkHeader, ChunkKind, Codec, Layout, ModelSpec, StreamPosition, emit_chunk};

use super::index::{EndMark, Index, IndexEntry};

/// The file header of a capture.
pub(super) fn file_header(chunked: bool) -> [u8; CAPTURE_HEADER_LEN] {
    let mut header = [0; CAPTURE_HEADER_LEN];
    header[..8].copy_from_slice(&CAPTURE_MAGIC);
    header[8..10].copy_from_slice(&CAPTURE_VERSION.to_le_bytes());
    header[10] = u8::from(chunked);
    let crc = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Writes a capture to anything that can be written to; nothing is ever sought or read back.
#[derive(Debug)]
pub struct CaptureWriter<W> {
    out: W,
    offset: u64,
    index: Index,
    end: EndMark,
    chunk: Vec<u8>,
}

impl<W: Write> CaptureWriter<W> {
    /// Begins a capture.
    ///
    /// # Errors
    /// When `out` refuses the file header.
    pub fn new(mut out: W, chunked: bool) -> io::Result<Self> {
        out.write_all(&file_header(chunked))?;
        Ok(Self {
            out,
            offset: CAPTURE_HEADER_LEN as u64,
            index: Index::default(),
            end: EndMark::default(),
            chunk: Vec::new(),
        })
    }

    /// Bytes written so far.
    #[must_use]
    pub fn bytes_written(&self) -> u64 {
        self.offset
    }

    /// Writes a chunk of events or definitions.
    ///
    /// # Errors
    /// When `out` refuses, or the chunk would be longer than the format allows.
    pub fn write_chunk(&mut self, header: &ChunkHeader, payload: &[u8]) -> io::Result<()> {
        let length = self.emit(header, payload)?;
        self.index.entries.push(IndexEntry::new(header, length));
        self.end.chunks += 1;
        self.end.events += u64::from(header.events);
        if self.index.entries.len() >= INDEX_EVERY {
            self.write_index()?;
        }
        Ok(())
    }

    /// Completes the capture: index and end mark, which says where the streams stand.
    ///
    /// # Errors
    /// When `out` refuses, or there are more streams than 65,536.
    pub fn finish(mut self, streams: &[StreamPosition]) -> io::Result<(W, u64)> {
        self.checkpoint(streams)?;
        self.out.flush()?;
        Ok((self.out, self.offset))
    }

    /// Completes the capture as far as it goes, and lets it go on: readers skip what stands there when
    /// more follows.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn checkpoint(&mut self, streams: &[StreamPosition]) -> io::Result<()> {
        if streams.len() > MAX_STREAMS {
            let message = format!("{} streams, expected at most {MAX_STREAMS}", streams.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        if !self.index.entries.is_empty() {
            self.write_index()?;
        }
        self.end.streams = streams.to_vec();
        let payload = self.end.to_payload();
        let length = self.emit(&unstreamed(ChunkKind::End), &payload)?;
        // A chunk's length has 32 bits in its header too.
        let mut tail = [0; END_TAIL_LEN];
        tail[..4].copy_from_slice(&(length as u32).to_le_bytes());
        tail[4..].copy_from_slice(&END_MAGIC);
        self.out.write_all(&tail)?;
        self.offset += END_TAIL_LEN as u64;
        Ok(())
    }

    /// What is written to.
    pub fn out_mut(&mut self) -> &mut W {
        &mut self.out
    }

    fn write_index(&mut self) -> io::Result<()> {
        let offset = self.offset;
        let payload = self.index.to_payload();
        self.emit(&unstreamed(ChunkKind::Index), &payload)?;
        self.end.last_index = offset;
        self.index.previous = offset;
        self.index.entries.clear();
        Ok(())
    }

    fn emit(&mut self, header: &ChunkHeader, payload: &[u8]) -> io::Result<u64> {
        self.chunk.resize(payload.len() + MAX_HEADER + heapwire_core::format::CRC_LEN, 0);
        let length = emit_chunk(&mut self.chunk, header, payload, crc32fast::hash);
        let chunk = length.and_then(|length| self.chunk.get(..length)).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "a chunk beyond the format's limit")
        })?;
        self.out.write_all(chunk)?;
        self.offset += chunk.len() as u64;
        Ok(chunk.len() as u64)
    }
}

/// The header of a chunk that belongs to no stream.
fn unstreamed(kind: ChunkKind) -> ChunkHeader {
    ChunkHeader {
        kind,
        layout: Layout::Rows,
        codec: Codec::None,
        events: 0,
        stream: 0,
        epoch: 0,
        sequence: 0,
        time: 0,
        first_event: 0,
        losses: Default::default(),
        totals: Default::default(),
        model: ModelSpec::EMBEDDED,
    }
}
