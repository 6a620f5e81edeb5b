//! Reads captures from anything that can be read, in bounded memory: chunk after chunk, past damage,
//! up to where they end or are cut off.

use std::io::{ErrorKind, Read};

use heapwire_core::format::{
    CAPTURE_HEADER_LEN, CAPTURE_MAGIC, CAPTURE_VERSION, CRC_LEN, END_MAGIC, END_TAIL_LEN, MAX_CHUNK,
};
use heapwire_core::{Chunk, ChunkError, ChunkHeader, ChunkKind};

use super::capture_writer::file_header;
use super::index::EndMark;
use crate::error::{BinaryExportError, Result};

/// How many bytes may be hashed in vain while looking for the next whole chunk behind damage. A
/// hostile file could otherwise claim a chunk of 16 MiB at each of its bytes.
const RESYNC_BUDGET: u64 = 1 << 30;

/// Bytes read at once.
const READ_SIZE: usize = 64 * 1024;

/// Magic bytes that may be wrong in a capture whose header is damaged; with more it is no capture.
const MAGIC_TOLERANCE: usize = 1;

/// Bytes of a capture that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where they begin.
    pub offset: u64,
    /// How many.
    pub length: u64,
    /// What is wrong with the first of them.
    pub error: ChunkError,
}

/// How a capture ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// With an end mark.
    Complete(EndMark),
    /// Without one: behind its last whole part it ends, or goes on with the beginning of another.
    CutOff {
        /// Where the last whole part ends, in bytes.
        offset: u64,
    },
}

/// A part of a capture.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// A chunk of any kind, and its offset. Its payload may be compressed.
    Chunk(Chunk<'a>, u64),
    /// Bytes that cannot be read; what follows can.
    Damage(Damage),
}

/// Reads a capture part by part.
#[derive(Debug)]
pub struct CaptureReader<R> {
    input: R,
    /// Bytes read and not yet handed out: `window[start..]`.
    window: Vec<u8>,
    start: usize,
    /// Where `start` is in the capture.
    offset: u64,
    ended: bool,
    chunked: bool,
    /// What is wrong with the file header, which has not been taken yet then.
    header_error: Option<ChunkError>,
    budget: u64,
    completeness: Completeness,
}

impl<R: Read> CaptureReader<R> {
    /// Opens a capture. A damaged file header is reported by the first
    /// [`next_part`](Self::next_part).
    ///
    /// # Errors
    /// When the input cannot be read, is no capture, or one of a newer version.
    pub fn new(input: R) -> Result<Self> {
        let mut reader = Self {
            input,
            window: Vec::new(),
            start: 0,
            offset: 0,
            ended: false,
            chunked: false,
            header_error: None,
            budget: RESYNC_BUDGET,
            completeness: Completeness::CutOff { offset: 0 },
        };
        reader.read_file_header()?;
        Ok(reader)
    }

    /// Whether its writer was asked for chunks of a certain size.
    #[must_use]
    pub fn is_chunked(&self) -> bool {
        self.chunked
    }

    /// Bytes of the capture that were taken in so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How the capture ends; to be asked after the last part.
    #[must_use]
    pub fn completeness(&self) -> &Completeness {
        &self.completeness
    }

    fn read_file_header(&mut self) -> Result<()> {
        self.fill(CAPTURE_HEADER_LEN)?;
        let found = self.rest();
        if found.is_empty() {
            return Err(BinaryExportError::NotACapture { what: "the file is empty".into() });
        }
        let same = found.iter().zip(CAPTURE_MAGIC).filter(|(found, magic)| **found == *magic);
        let wrong = CAPTURE_MAGIC.len().min(found.len()) - same.count();
        let tolerated = if found.len() < CAPTURE_HEADER_LEN { 0 } else { MAGIC_TOLERANCE };
        if wrong > tolerated {
            let shown = &found[..found.len().min(CAPTURE_MAGIC.len())];
            let what = format!(
                "it begins with \"{}\", expected \"{}\"",
                shown.escape_ascii(),
                CAPTURE_MAGIC.escape_ascii()
            );
            return Err(BinaryExportError::NotACapture { what });
        }
        let Some(&header) = found.first_chunk::<CAPTURE_HEADER_LEN>() else {
            // Cut within its header: nothing to read.
            self.ended = true;
            self.start = self.window.len();
            return Ok(());
        };
        let stored = u32::from_le_bytes([header[12], header[13], header[14], header[15]]);
        let computed = crc32fast::hash(&header[..12]);
        let version = u16::from_le_bytes([header[8], header[9]]);
        self.chunked = header[10] == 1;
        if stored == computed && version > CAPTURE_VERSION {
            let newest = CAPTURE_VERSION;
            return Err(BinaryExportError::UnsupportedVersion { found: version, newest });
        }
        if header != file_header(self.chunked) {
            // Nor is its length to be relied on: a byte of it may be missing.
            self.header_error = Some(match stored == computed {
                true => ChunkError::InvalidField { field: "file header", found: 0 },
                false => ChunkError::ChecksumMismatch { stored, computed },
            });
            return Ok(());
        }
        self.take(CAPTURE_HEADER_LEN);
        self.completeness = Completeness::CutOff { offset: self.offset };
        Ok(())
    }

    /// The next part, or `None` at the end; [`completeness`](Self::completeness) then tells whether
    /// it is the end of the capture.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub fn next_part(&mut self) -> Result<Option<Part<'_>>> {
        if let Some(error) = self.header_error.take() {
            return self.skip_damage(error);
        }
        self.fill(Chunk::PREFIX)?;
        if self.rest().is_empty() {
            return Ok(None);
        }
        let length = match self.whole_chunk()? {
            Ok(length) => length,
            Err(error) => return self.skip_damage(error),
        };
        let is_end = self.kind() == Some(ChunkKind::End);
        if is_end && let Err(error) = self.check_tail(length)? {
            return self.skip_damage(error);
        }
        let offset = self.offset;
        let from = self.start;
        self.take(length + if is_end { END_TAIL_LEN } else { 0 });
        let bytes = self.window.get(from..from + length).unwrap_or_default();
        let Some(chunk) = checked_chunk(bytes) else { return Ok(None) };
        let end_mark = is_end.then(|| EndMark::from_payload(chunk.payload)).flatten();
        self.completeness = match end_mark {
            Some(end) => Completeness::Complete(end),
            None => Completeness::CutOff { offset: self.offset },
        };
        Ok(Some(Part::Chunk(chunk, offset)))
    }

    /// The length of the chunk that begins here, if it is whole and its checksum right.
    fn whole_chunk(&mut self) -> Result<Result<usize, ChunkError>> {
        let length = match Chunk::length(self.rest()) {
            Ok(length) => length,
            Err(error) => return Ok(Err(error)),
        };
        self.fill(length)?;
        Ok(Chunk::parse(self.rest(), crc32fast::hash).map(|_| length))
    }

    fn kind(&self) -> Option<ChunkKind> {
        ChunkHeader::parse(self.rest()).ok().map(|(header, _)| header.kind)
    }

    /// Whether the end chunk of this length has its tail behind it.
    fn check_tail(&mut self, length: usize) -> Result<Result<(), ChunkError>> {
        self.fill(length + END_TAIL_LEN)?;
        let found = self.rest().len().saturating_sub(length);
        let tail = self.rest().get(length..).and_then(|tail| tail.first_chunk::<END_TAIL_LEN>());
        let Some(&[a, b, c, d, magic @ ..]) = tail else {
            return Ok(Err(ChunkError::Truncated { needed: END_TAIL_LEN, found }));
        };
        let stated = u32::from_le_bytes([a, b, c, d]);
        if stated as usize != length || magic != END_MAGIC {
            let found = u64::from(stated);
            return Ok(Err(ChunkError::InvalidField { field: "end mark's tail", found }));
        }
        Ok(Ok(()))
    }

    /// Looks for the next whole chunk behind what is wrong here.
    fn skip_damage(&mut self, error: ChunkError) -> Result<Option<Part<'_>>> {
        let offset = self.offset;
        let cut = self.completeness.clone();
        loop {
            self.take(1);
            self.fill(Chunk::PREFIX)?;
            let found = !self.rest().is_empty();
            if found && self.budget > 0 && self.whole_chunk_within_budget()? {
                break;
            }
            if !found {
                break;
            }
        }
        let damage = Damage { offset, length: self.offset - offset, error };
        if self.rest().is_empty() {
            let truncated = matches!(error, ChunkError::Truncated { .. });
            let end = match cut {
                Completeness::CutOff { offset } => offset,
                Completeness::Complete(_) => damage.offset,
            };
            self.completeness = Completeness::CutOff { offset: end };
            if truncated {
                return Ok(None);
            }
        }
        Ok(Some(Part::Damage(damage)))
    }

    fn whole_chunk_within_budget(&mut self) -> Result<bool> {
        let whole = self.whole_chunk()?;
        if let Err(ChunkError::ChecksumMismatch { .. }) = whole {
            let hashed = Chunk::length(self.rest()).unwrap_or(MAX_CHUNK);
            self.budget = self.budget.saturating_sub(hashed as u64);
        }
        Ok(whole.is_ok())
    }

    fn rest(&self) -> &[u8] {
        self.window.get(self.start..).unwrap_or_default()
    }

    fn take(&mut self, bytes: usize) {
        let taken = bytes.min(self.window.len() - self.start);
        self.start += taken;
        self.offset += taken as u64;
    }

    /// Reads until `wanted` bytes are in the window, or the input ends. The window grows with what
    /// is really there, and never beyond the longest chunk and what was read behind it.
    fn fill(&mut self, wanted: usize) -> Result<()> {
        while !self.ended && self.rest().len() < wanted {
            if self.start > 0 && self.start >= self.rest().len() {
                self.window.drain(..self.start);
                self.start = 0;
            }
            let len = self.window.len();
            self.window.resize(len + READ_SIZE, 0);
            let room = self.window.get_mut(len..).unwrap_or_default();
            let read = self.input.read(room);
            self.window.truncate(len + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(BinaryExportError::stream("read the capture")(error)),
            }
        }
        Ok(())
    }
}

/// The parts of a whole chunk whose checksum was right a moment ago.
fn checked_chunk(bytes: &[u8]) -> Option<Chunk<'_>> {
    let (header, header_len) = ChunkHeader::parse(bytes).ok()?;
    let payload = bytes.get(header_len..bytes.len().checked_sub(CRC_LEN)?)?;
    Some(Chunk { header, payload, bytes })
}
