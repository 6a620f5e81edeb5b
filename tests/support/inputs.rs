//! Inputs and outputs that behave badly, as real ones do.

use std::io::{self, Cursor, ErrorKind, Read, Write};

use crate::sample::Random;

/// Hands its bytes out in pieces of 1 to `most` bytes, and interrupts now and then.
#[derive(Debug)]
pub struct Pieces<'a> {
    bytes: Cursor<&'a [u8]>,
    most: usize,
    interrupt: Option<ErrorKind>,
    random: Random,
}

impl<'a> Pieces<'a> {
    /// With errors of kind `interrupt` between the pieces, if any.
    #[must_use]
    pub fn new(bytes: &'a [u8], most: usize, interrupt: Option<ErrorKind>, seed: u64) -> Self {
        Self { bytes: Cursor::new(bytes), most, interrupt, random: Random(seed) }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(kind) = self.interrupt
            && self.random.below(3) == 0
        {
            return Err(kind.into());
        }
        let len = (1 + self.random.below(self.most)).min(out.len());
        self.bytes.read(&mut out[..len])
    }
}

/// What a medium that fails does.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// It says so.
    Error,
    /// It takes nothing more, without an error.
    Full,
}

/// Takes this many bytes, then fails for ever.
#[derive(Debug)]
pub struct FailingWriter {
    room: usize,
    failure: Failure,
    /// What it took.
    pub taken: Vec<u8>,
}

impl FailingWriter {
    /// Fails at this byte.
    #[must_use]
    pub fn new(room: usize, failure: Failure) -> Self {
        Self { room, failure, taken: Vec::new() }
    }
}

impl Write for FailingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.room - self.taken.len());
        if len == 0 && !bytes.is_empty() {
            return match self.failure {
                Failure::Error => Err(io::Error::other(FULL)),
                Failure::Full => Ok(0),
            };
        }
        self.taken.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The message of the errors made here.
pub const FULL: &str = "the medium fails here";

/// Hands out this many bytes, then fails for ever.
#[derive(Debug)]
pub struct FailingReader<'a> {
    /// What it still hands out.
    pub bytes: &'a [u8],
}

impl Read for FailingReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.bytes.read(out) {
            Ok(0) if !out.is_empty() => Err(io::Error::other(FULL)),
            read => read,
        }
    }
}
