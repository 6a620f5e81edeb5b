//! Chunks from a serial line, or anything else that brings frames byte by byte.

use std::io::{ErrorKind, Read};

use heapwire_core::format::MAX_NARROW;
use heapwire_core::{Chunk, Deframed, Deframer, max_frame_len};

use crate::error::{BinaryExportError, Result};

/// Bytes read at once.
const READ_SIZE: usize = 4096;

/// What came over a line so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineStats {
    /// All bytes.
    pub bytes: u64,
    /// Frames that held a whole chunk.
    pub chunks: u64,
    /// Frames that did not: damaged on the way.
    pub damaged_frames: u64,
    /// Bytes that were in no frame: text, or what noise made of one.
    pub stray_bytes: u64,
}

/// Whether more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineState {
    /// Bytes came.
    Active,
    /// Nothing came before the input's timeout.
    Idle,
    /// The input has ended.
    Closed,
}

/// Reads chunks of up to 64 KiB from a line.
#[derive(Debug)]
pub struct LineReader<R> {
    input: R,
    deframer: Deframer<Vec<u8>>,
    buffer: Vec<u8>,
    stats: LineStats,
}

impl<R: Read> LineReader<R> {
    /// Reads from `input`, which may have begun long ago.
    pub fn new(input: R) -> Self {
        Self {
            input,
            deframer: Deframer::new(vec![0; max_frame_len(MAX_NARROW)]),
            buffer: vec![0; READ_SIZE],
            stats: LineStats::default(),
        }
    }

    /// What came so far.
    pub fn stats(&self) -> LineStats {
        self.stats
    }

    /// Reads once, and hands out every chunk that this completes.
    ///
    /// # Errors
    /// When the input fails, or the first error of `each`.
    pub fn poll(&mut self, mut each: impl FnMut(&Chunk<'_>) -> Result<()>) -> Result<LineState> {
        let read = match self.input.read(&mut self.buffer) {
            Ok(0) => return Ok(LineState::Closed),
            Ok(read) => read,
            Err(error) => {
                return match error.kind() {
                    ErrorKind::TimedOut | ErrorKind::WouldBlock => Ok(LineState::Idle),
                    ErrorKind::Interrupted => Ok(LineState::Active),
                    // How the serial port library says that the other end was closed.
                    ErrorKind::BrokenPipe => Ok(LineState::Closed),
                    _ => Err(BinaryExportError::stream("read the line")(error)),
                };
            }
        };
        self.stats.bytes += read as u64;
        let mut rest = self.buffer.get(..read).unwrap_or_default();
        while !rest.is_empty() {
            let (taken, found) = self.deframer.push(rest);
            match found {
                Deframed::NeedMore => {}
                Deframed::Stray(bytes) => self.stats.stray_bytes += bytes.len() as u64,
                Deframed::Frame(content) => match whole_chunk(content) {
                    Some(chunk) => {
                        self.stats.chunks += 1;
                        each(&chunk)?;
                    }
                    None => self.stats.damaged_frames += 1,
                },
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(LineState::Active)
    }
}

/// The chunk that is all of a frame's content.
fn whole_chunk(content: &[u8]) -> Option<Chunk<'_>> {
    let chunk = Chunk::parse(content, crc32fast::hash).ok()?;
    (chunk.bytes.len() == content.len()).then_some(chunk)
}
