//! Where a MessagePack file is read from: knows its place, a checksum of all before, and how much an
//! element may still take.

use std::io::{self, ErrorKind, Read};

use rmp_serde::Deserializer;
use rmp_serde::decode::Error;
use serde::Deserialize;

use crate::error::{BinaryExportError, MessagePackError, Result};

/// Bytes read at once.
const READ_SIZE: usize = 64 << 10;
/// Values in values that are followed; ours are four deep.
const MAX_DEPTH: usize = 64;

pub(super) struct Source<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Of all before `buffer`.
    hasher: crc32fast::Hasher,
    /// Where `start` is in the file.
    offset: u64,
    /// Bytes that the element may still take.
    left: usize,
    /// What reading the input failed with.
    failure: Option<io::Error>,
}

impl<R: Read> Source<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: vec![0; READ_SIZE],
            start: 0,
            end: 0,
            hasher: crc32fast::Hasher::new(),
            offset: 0,
            left: usize::MAX,
            failure: None,
        }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The CRC-32 of all bytes that were taken.
    pub(super) fn checksum(&self) -> u32 {
        let mut hasher = self.hasher.clone();
        hasher.update(self.buffer.get(..self.start).unwrap_or_default());
        hasher.finalize()
    }

    /// Reads one value of at most so many bytes.
    pub(super) fn value<'de, T: Deserialize<'de>>(&mut self, most: usize) -> Result<T> {
        self.left = most;
        let mut deserializer = Deserializer::new(&mut *self);
        deserializer.set_max_depth(MAX_DEPTH);
        let value = T::deserialize(&mut deserializer);
        value.map_err(|error| self.error(error, most))
    }

    /// Reads the beginning of an array: how many elements it has.
    pub(super) fn array(&mut self) -> Result<u32> {
        self.left = usize::MAX;
        let length = rmp::decode::read_array_len(self);
        length.map_err(|error| self.error(error.into(), usize::MAX))
    }

    /// Reads the beginning of a map: how many entries it has.
    pub(super) fn map(&mut self) -> Result<u32> {
        self.left = usize::MAX;
        let length = rmp::decode::read_map_len(self);
        length.map_err(|error| self.error(error.into(), usize::MAX))
    }

    /// Whether nothing is left.
    pub(super) fn is_at_end(&mut self) -> Result<bool> {
        self.fill().map_err(|failure| self.failed(failure))?;
        Ok(self.start == self.end)
    }

    /// A part that cannot be.
    pub(super) fn malformed(&self, what: impl Into<String>) -> BinaryExportError {
        MessagePackError::Malformed { offset: self.offset, what: what.into() }.into()
    }

    /// Parts that contradict each other.
    pub(super) fn contradiction(&self, what: impl Into<String>) -> BinaryExportError {
        MessagePackError::Contradiction { offset: self.offset, what: what.into() }.into()
    }

    #[cold]
    fn error(&mut self, error: Error, most: usize) -> BinaryExportError {
        if let Some(failure) = self.failure.take() {
            return self.failed(failure);
        }
        let ended = |error: &io::Error| error.kind() == ErrorKind::UnexpectedEof;
        match error {
            Error::InvalidMarkerRead(error) | Error::InvalidDataRead(error) if ended(&error) => {
                match self.left {
                    0 => self.malformed(format!("an element of more than {most} bytes")),
                    _ => MessagePackError::CutOff { offset: self.offset }.into(),
                }
            }
            error => self.malformed(error.to_string()),
        }
    }

    /// The input could not be read.
    fn failed(&self, failure: io::Error) -> BinaryExportError {
        match failure.kind() {
            // What a damaged frame is to its decoder.
            ErrorKind::InvalidData => self.malformed(failure.to_string()),
            ErrorKind::UnexpectedEof => MessagePackError::CutOff { offset: self.offset }.into(),
            _ => BinaryExportError::stream("read the MessagePack file")(failure),
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        while self.start == self.end {
            self.hasher.update(self.buffer.get(..self.end).unwrap_or_default());
            (self.start, self.end) = (0, 0);
            match self.input.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => self.end = read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Source<R> {
    #[inline]
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end
            && let Err(error) = self.fill()
        {
            let kind = error.kind();
            self.failure = Some(error);
            return Err(kind.into());
        }
        let len = out.len().min(self.end - self.start).min(self.left);
        if let (Some(out), Some(found)) =
            (out.get_mut(..len), self.buffer.get(self.start..self.start + len))
        {
            out.copy_from_slice(found);
        }
        self.start += len;
        self.offset += len as u64;
        self.left -= len;
        Ok(len)
    }
}
