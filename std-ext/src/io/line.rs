//! Chunks from a serial line, or anything else that brings frames byte by byte, and the text between
//! them.

use std::io::{ErrorKind, Read};

use heapwire_core::format::{CHUNK_MAGIC, MAX_NARROW};
use heapwire_core::{Chunk, Deframed, Deframer, max_frame_len, write_frame};

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

/// What was found on a line.
#[derive(Clone, Copy, Debug)]
pub enum Arrival<'a> {
    /// A whole chunk.
    Chunk(&'a Chunk<'a>),
    /// Text between frames, or a part of it.
    Text {
        /// Printable but for tabs, line ends and escapes. It is a device's, so escape it before showing it.
        text: &'a str,
        /// Whether a zero followed.
        ends: bool,
    },
    /// What stood between two zeros and is neither: what noise made of a frame, or a frame of
    /// somebody else's.
    Other(&'a [u8]),
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
    /// Bytes of text handed out already of what has no end yet.
    told: usize,
    stats: LineStats,
}

impl<R: Read> LineReader<R> {
    /// Reads from `input`, which may have begun long ago.
    pub fn new(input: R) -> Self {
        Self {
            input,
            deframer: deframer(),
            buffer: vec![0; READ_SIZE],
            told: 0,
            stats: LineStats::default(),
        }
    }

    /// What came so far.
    pub fn stats(&self) -> LineStats {
        self.stats
    }

    /// Goes on with another input, which continues neither a frame nor a text of the former.
    pub fn reconnect(&mut self, input: R) {
        self.input = input;
        self.deframer = deframer();
        self.told = 0;
    }

    /// Reads once, and hands out everything that this completes. Lines of text are handed out before
    /// it is known where the text ends.
    ///
    /// # Errors
    /// When the input fails, or the first error of `each`.
    pub fn poll(&mut self, mut each: impl FnMut(Arrival<'_>) -> Result<()>) -> Result<LineState> {
        let read = match self.input.read(&mut self.buffer) {
            Ok(0) => {
                self.tell_rest(&mut each)?;
                return Ok(LineState::Closed);
            }
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
                Deframed::Stray(piece) => {
                    self.stats.stray_bytes += piece.len() as u64;
                    tell_stray(piece, std::mem::take(&mut self.told), &mut each)?;
                }
                Deframed::Frame(content) => match whole_chunk(content) {
                    Some(chunk) => {
                        self.stats.chunks += 1;
                        each(Arrival::Chunk(&chunk))?;
                    }
                    None => {
                        let piece = stuffed(content);
                        match as_text(&piece).is_some() {
                            true => self.stats.stray_bytes += piece.len() as u64,
                            false => self.stats.damaged_frames += 1,
                        }
                        tell_stray(&piece, std::mem::take(&mut self.told), &mut each)?;
                    }
                },
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
        self.tell_lines(&mut each)?;
        Ok(LineState::Active)
    }

    /// Hands out the lines of what may go on for long and is no frame of a chunk, in which the first byte has
    /// the magic number.
    fn tell_lines(&mut self, each: &mut impl FnMut(Arrival<'_>) -> Result<()>) -> Result<()> {
        let piece = self.deframer.rest();
        if piece.first().is_none_or(|&byte| byte & 0xF0 == CHUNK_MAGIC) {
            return Ok(());
        }
        let untold = piece.get(self.told..).unwrap_or_default();
        let Some(end) = untold.iter().rposition(|&byte| byte == b'\n') else { return Ok(()) };
        let lines = untold.get(..=end).unwrap_or_default();
        match as_text(lines) {
            Some(text) => {
                self.told += lines.len();
                each(Arrival::Text { text, ends: false })
            }
            None => Ok(()),
        }
    }

    /// Hands out what no zero ended, since nothing more comes.
    fn tell_rest(&mut self, each: &mut impl FnMut(Arrival<'_>) -> Result<()>) -> Result<()> {
        let piece = self.deframer.rest();
        if piece.is_empty() {
            return Ok(());
        }
        self.stats.stray_bytes += piece.len() as u64;
        tell_stray(piece, self.told, each)?;
        self.deframer = deframer();
        self.told = 0;
        Ok(())
    }
}

/// A deframer for the longest chunk that is not wide.
fn deframer() -> Deframer<Vec<u8>> {
    Deframer::new(vec![0; max_frame_len(MAX_NARROW)])
}

/// The chunk that is all of a frame's content.
fn whole_chunk(content: &[u8]) -> Option<Chunk<'_>> {
    let chunk = Chunk::parse(content, crc32fast::hash).ok()?;
    (chunk.bytes.len() == content.len()).then_some(chunk)
}

/// What stood on the line between two zeros, of which the deframer made `content`.
fn stuffed(content: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(max_frame_len(content.len()));
    let written: std::result::Result<(), std::convert::Infallible> =
        write_frame(content, |bytes| {
            line.extend_from_slice(bytes);
            Ok(())
        });
    match written {
        Ok(()) => line.get(1..line.len() - 1).unwrap_or_default().to_vec(),
    }
}

/// Hands out what is no chunk, but for the `told` bytes of text that were handed out before.
fn tell_stray(
    piece: &[u8],
    told: usize,
    each: &mut impl FnMut(Arrival<'_>) -> Result<()>,
) -> Result<()> {
    let untold = piece.get(told..).unwrap_or_default();
    match as_text(untold) {
        Some(text) => each(Arrival::Text { text, ends: true }),
        None => each(Arrival::Other(untold)),
    }
}

/// Bytes that are text, as somebody would print it over a serial line.
fn as_text(bytes: &[u8]) -> Option<&str> {
    let is_printed = |char: char| !char.is_control() || matches!(char, '\t' | '\n' | '\r' | '\x1b');
    std::str::from_utf8(bytes).ok().filter(|text| text.chars().all(is_printed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use heapwire_core::{Chunker, Event, EventKind, Placement, Pushed, Rows, TinyTables, crc32};

    fn frame(size: u64) -> Vec<u8> {
        let placement = Placement::EMBEDDED_32;
        let mut chunker = Chunker::new([0; 256], Rows::new(), TinyTables::new(), placement);
        let kind = EventKind::Alloc { address: 0x2000_0000, size, site: 0 };
        let pushed = chunker.push(&Event { time: 7, thread: 0, kind }, 0);
        assert_eq!(pushed, Pushed::Written);
        let chunk = chunker.seal().unwrap();
        assert!(Chunk::parse(chunk, crc32).is_ok());
        let mut line = vec![0];
        line.extend(stuffed(chunk));
        line.push(0);
        line
    }

    /// Gives so many bytes at a time.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let most = self.1.min(buffer.len());
            self.0.read(&mut buffer[..most])
        }
    }

    /// Chunks, the text put together, and other pieces.
    fn read(line: &[u8], at_once: usize) -> (usize, String, Vec<Vec<u8>>, LineStats) {
        let mut reader = LineReader::new(Trickle(line, at_once));
        let (mut chunks, mut text, mut other) = (0, String::new(), Vec::new());
        loop {
            let state = reader.poll(|arrival| {
                match arrival {
                    Arrival::Chunk(_) => chunks += 1,
                    Arrival::Text { text: piece, .. } => text += piece,
                    Arrival::Other(piece) => other.push(piece.to_vec()),
                }
                Ok(())
            });
            if state.unwrap() == LineState::Closed {
                return (chunks, text, other, reader.stats());
            }
        }
    }

    #[test]
    fn text_between_frames_comes_out_whole_however_it_arrives() {
        // The third is stuffed like a frame: 32 bytes with the blank.
        let texts =
            ["boot\n", "\u{1b}[1mwärm\u{1b}[0m\nno end", "is exactly stuffed like a frame "];
        assert_eq!(texts[2].len(), 32);
        let mut line = Vec::new();
        for (size, text) in texts.iter().enumerate() {
            line.extend(text.as_bytes());
            line.extend(frame(size as u64));
        }
        line.extend(b"the end");
        for at_once in 1..=line.len() {
            let (chunks, text, other, stats) = read(&line, at_once);
            assert_eq!((chunks, other.len()), (3, 0));
            assert_eq!(text, texts.concat() + "the end");
            assert_eq!((stats.stray_bytes, stats.damaged_frames), (text.len() as u64, 0));
        }
    }

    #[test]
    fn lines_of_text_do_not_wait_for_the_next_frame() {
        let mut reader = LineReader::new(&b"waiting for sensor\nand"[..]);
        let mut text = String::new();
        let mut each = |arrival: Arrival<'_>| {
            let Arrival::Text { text: piece, ends: false } = arrival else { panic!("{arrival:?}") };
            text += piece;
            Ok(())
        };
        assert_eq!(reader.poll(&mut each).unwrap(), LineState::Active);
        assert_eq!(text, "waiting for sensor\n");
    }

    #[test]
    fn what_noise_made_of_a_frame_is_no_text() {
        let mut damaged = frame(300);
        damaged[6] ^= 4;
        let line = [&damaged[..], b"fine\n", &frame(4)].concat();
        let (chunks, text, other, stats) = read(&line, 5);
        assert_eq!((chunks, text.as_str()), (1, "fine\n"));
        assert_eq!(other, [damaged[1..damaged.len() - 1].to_vec()]);
        assert_eq!(stats.damaged_frames + stats.stray_bytes.min(1), 2, "{stats:?}");
    }
}
