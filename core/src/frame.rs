//! Frames: chunks on a serial line. Byte stuffing takes the zeros out of a chunk, and a zero stands
//! before and after it, so a receiver finds the next frame after any damage, and text may be printed
//! between frames.
//!
//! It is Consistent Overhead Byte Stuffing (Cheshire and Baker, IEEE/ACM Transactions on Networking 7 (2),
//! 1999) from behind: the bytes are cut at their zeros, and each piece is followed, not preceded, by a byte
//! with its length + 1; a piece of 254 bytes (length byte 255) ends without a zero. So a device stuffs
//! bytes where they are, on their way to the line, and need not look ahead.

use crate::format::FRAME_DELIMITER;

/// Bytes of the longest piece.
pub(crate) const LONGEST: usize = 254;

/// The longest frame of a chunk of `len` bytes, delimiters included.
#[must_use]
pub const fn max_frame_len(len: usize) -> usize {
    len.saturating_add(len / LONGEST + 3)
}

/// Writes `chunk` as a frame, piece by piece and without a buffer.
///
/// # Errors
/// The first error of `write`, after which the frame is incomplete; the next frame's delimiter ends
/// it on the line.
pub fn write_frame<E>(
    chunk: &[u8],
    mut write: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    write(&[FRAME_DELIMITER])?;
    let mut rest = chunk;
    loop {
        let window = rest.get(..LONGEST).unwrap_or(rest);
        let zero = window.iter().position(|&byte| byte == 0);
        let (piece, _) = window.split_at_checked(zero.unwrap_or(LONGEST)).unwrap_or((window, &[]));
        if !piece.is_empty() {
            write(piece)?;
        }
        let code = (piece.len() as u8).wrapping_add(1);
        if zero.is_none() && piece.len() < LONGEST {
            return write(&[code, FRAME_DELIMITER]);
        }
        write(&[code])?;
        let taken = piece.len().wrapping_add(zero.is_some().into());
        rest = rest.get(taken..).unwrap_or_default();
    }
}

/// What came of some bytes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deframed<'a> {
    /// All bytes are taken in and no frame is complete.
    NeedMore,
    /// The content of a frame: probably a chunk, whose checksum will tell.
    Frame(&'a [u8]),
    /// Bytes that are no frame: text between frames, or what noise made of one.
    Stray(&'a [u8]),
}

/// Finds frames in the bytes of a line, however they arrive and wherever they begin.
///
/// `B` is the storage: a frame's content and its length bytes must fit, or it is stray.
#[derive(Clone, Debug)]
pub struct Deframer<B> {
    storage: B,
    len: usize,
    /// Whether the bytes in storage began somewhere within a frame that was too long.
    overlong: bool,
    /// Whether the storage was handed out and is to be emptied.
    done: bool,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Deframer<B> {
    /// A deframer that has seen nothing.
    pub const fn new(storage: B) -> Self {
        Self { storage, len: 0, overlong: false, done: false }
    }

    /// Takes in bytes up to the next frame or stray bytes; says how many were taken. Call again with
    /// the rest until it needs more. At least one byte is taken or handed out, so that this ends.
    pub fn push(&mut self, input: &[u8]) -> (usize, Deframed<'_>) {
        if core::mem::take(&mut self.done) {
            self.len = 0;
        }
        for (taken, &byte) in input.iter().enumerate() {
            if byte == FRAME_DELIMITER {
                if self.len == 0 {
                    self.overlong = false;
                    continue;
                }
                return (taken + 1, self.complete());
            }
            let len = self.len;
            if let Some(slot) = self.storage.as_mut().get_mut(len) {
                *slot = byte;
                self.len += 1;
            } else if len > 0 {
                // Hand the full storage out as it is and take this byte again.
                self.overlong = true;
                self.done = true;
                return (taken, Deframed::Stray(self.storage.as_ref()));
            }
            // Without any storage, every byte is dropped.
        }
        (input.len(), Deframed::NeedMore)
    }

    /// What is left when the line ends: the beginning of a frame, or text.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        let len = if self.done { 0 } else { self.len };
        self.storage.as_ref().get(..len).unwrap_or_default()
    }

    fn complete(&mut self) -> Deframed<'_> {
        self.done = true;
        let overlong = core::mem::take(&mut self.overlong);
        let bytes = self.storage.as_mut().get_mut(..self.len).unwrap_or_default();
        if overlong || !is_stuffed(bytes) {
            return Deframed::Stray(bytes);
        }
        let start = unstuff(bytes);
        Deframed::Frame(bytes.get(start..).unwrap_or_default())
    }
}

/// Whether pieces follow each other exactly, from the end to the start: one that overruns it would hide
/// damage.
fn is_stuffed(bytes: &[u8]) -> bool {
    let mut left = bytes;
    while let Some((&code, _)) = left.split_last() {
        // No code is 0, as frames end at zeros.
        match left.len().checked_sub(code.into()).and_then(|len| left.get(..len)) {
            Some(before) => left = before,
            None => return false,
        }
    }
    true
}

/// Puts the zeros back, in place; the content ends where the bytes do, and this is where it starts.
fn unstuff(bytes: &mut [u8]) -> usize {
    let (mut from, mut to) = (bytes.len(), bytes.len());
    while let Some(code_at) = from.checked_sub(1)
        && let Some(&code) = bytes.get(code_at)
    {
        let length = usize::from(code).saturating_sub(1);
        // No zero follows the last piece.
        if length < LONGEST && from < bytes.len() {
            to = to.saturating_sub(1);
            if let Some(slot) = bytes.get_mut(to) {
                *slot = 0;
            }
        }
        from = code_at.saturating_sub(length);
        for at in (from..code_at).rev() {
            to = to.saturating_sub(1);
            if let Some(&byte) = bytes.get(at)
                && let Some(slot) = bytes.get_mut(to)
            {
                *slot = byte;
            }
        }
    }
    to
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn frame(content: &[u8]) -> Vec<u8> {
        let mut line = Vec::new();
        let written: Result<(), ()> = write_frame(content, |bytes| {
            line.extend_from_slice(bytes);
            Ok(())
        });
        assert!(written.is_ok() && line.len() <= max_frame_len(content.len()));
        line
    }

    #[test]
    fn known_frames() {
        assert_eq!(frame(&[]), [0, 1, 0]);
        assert_eq!(frame(&[0]), [0, 1, 1, 0]);
        assert_eq!(frame(&[0x11, 0x22, 0, 0x33]), [0, 0x11, 0x22, 3, 0x33, 2, 0]);
        assert_eq!(frame(&[0x11, 0, 0, 0]), [0, 0x11, 2, 1, 1, 1, 0]);
        let longest = [0x11; LONGEST];
        let line = frame(&longest);
        assert_eq!(line[1..][..LONGEST], longest);
        assert_eq!(line[1 + LONGEST..], [255, 1, 0]);
    }

    #[test]
    fn contents_of_every_length_come_back_through_every_split() {
        for len in (1..20).chain(250..260).chain(505..512) {
            let patterns: [fn(usize) -> u8; 4] =
                [|_| 0, |_| 1, |i| i as u8, |i| u8::from(i % 5 != 0)];
            for pattern in patterns {
                let content: Vec<u8> = (0..len).map(pattern).collect();
                let line = frame(&content);
                for piece in [1, 2, 3, 7, line.len()] {
                    let mut deframer = Deframer::new([0u8; 600]);
                    let mut frames = Vec::new();
                    for bytes in line.chunks(piece) {
                        let mut bytes = bytes;
                        while !bytes.is_empty() {
                            let (taken, found) = deframer.push(bytes);
                            if let Deframed::Frame(found) = found {
                                frames.push(found.to_vec());
                            }
                            bytes = &bytes[taken..];
                        }
                    }
                    assert_eq!(frames.len(), 1, "length {len}, pieces of {piece}");
                    assert_eq!(frames[0], content, "length {len}, pieces of {piece}");
                }
            }
        }
    }

    #[test]
    fn text_between_frames_is_stray_and_disturbs_none() {
        let mut line = b"boot ok\n".to_vec();
        line.extend(frame(b"one"));
        line.extend(b"a longer line of text than the storage holds");
        line.extend(frame(b"two"));
        let mut deframer = Deframer::new([0u8; 16]);
        let (mut frames, mut text, mut rest) = (Vec::new(), Vec::new(), &line[..]);
        while !rest.is_empty() {
            let (taken, found) = deframer.push(rest);
            match found {
                Deframed::Frame(content) => frames.push(content.to_vec()),
                Deframed::Stray(bytes) => text.extend_from_slice(bytes),
                Deframed::NeedMore => {}
            }
            rest = &rest[taken..];
        }
        assert_eq!(frames, [b"one", b"two"]);
        assert_eq!(text, b"boot ok\na longer line of text than the storage holds");
    }

    #[test]
    fn a_piece_that_overruns_its_frame_is_stray() {
        let mut deframer = Deframer::new([0u8; 16]);
        assert_eq!(deframer.push(&[1, 2, 5, 0]), (4, Deframed::Stray(&[1, 2, 5])));
        assert_eq!(deframer.push(&[1, 2, 3, 0]), (4, Deframed::Frame(&[1, 2])));
    }
}
