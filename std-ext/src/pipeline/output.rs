//! A capture being written, and what is known of the chunks in it.

use std::io::Write;

use heapwire_core::{ChunkHeader, StreamPosition};

use crate::error::{BinaryExportError, Result};
use crate::io::capture_writer::CaptureWriter;
use crate::io::compressor::Packed;
use crate::io::digest::Digest;
use crate::io::selection::CompressionReport;
use crate::plan::CapturePlan;

/// A capture being written.
#[derive(Debug)]
pub(super) struct Output<W> {
    writer: CaptureWriter<W>,
    compression: CompressionReport,
    digest: Digest,
}

/// A capture that is written.
pub(super) struct Written<W> {
    pub(super) out: W,
    /// Its bytes.
    pub(super) length: u64,
    pub(super) compression: CompressionReport,
    pub(super) digest: Digest,
}

/// For `map_err`.
fn writing() -> impl FnOnce(std::io::Error) -> BinaryExportError {
    BinaryExportError::stream("write the capture")
}

impl<W: Write> Output<W> {
    /// Begins a capture.
    pub(super) fn new(out: W, plan: &CapturePlan) -> Result<Self> {
        let writer = CaptureWriter::new(out, plan.chunked).map_err(writing())?;
        Ok(Self { writer, compression: CompressionReport::default(), digest: Digest::default() })
    }

    /// Writes a chunk.
    pub(super) fn write(&mut self, packed: &Packed) -> Result<()> {
        self.compression.count(packed);
        self.digest.add(&packed.header, packed.checksum);
        self.writer.write_chunk(&packed.header, &packed.payload).map_err(writing())
    }

    /// Writes a chunk without payload.
    pub(super) fn write_header(&mut self, header: &ChunkHeader) -> Result<()> {
        self.digest.add(header, crc32fast::hash(&[]));
        self.writer.write_chunk(header, &[]).map_err(writing())
    }

    /// Bytes written so far.
    pub(super) fn bytes_written(&self) -> u64 {
        self.writer.bytes_written()
    }

    /// Completes the capture as far as it goes; more may follow.
    pub(super) fn checkpoint(&mut self, positions: &[StreamPosition]) -> Result<()> {
        self.writer.checkpoint(positions).map_err(writing())
    }

    /// What is written to.
    pub(super) fn out_mut(&mut self) -> &mut W {
        self.writer.out_mut()
    }

    /// Writes the index and the end mark: where the streams stand.
    pub(super) fn finish(self, positions: &[StreamPosition]) -> Result<Written<W>> {
        let Self { writer, compression, digest } = self;
        let (out, length) = writer.finish(positions).map_err(writing())?;
        Ok(Written { out, length, compression, digest })
    }
}
