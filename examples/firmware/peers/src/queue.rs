//! Bytes between hook and drain, as in an RTT channel.

use embedded_io::Write;

/// At least what the bench's hooks send between two drains.
const SIZE: usize = 1024;

#[derive(Debug)]
pub(crate) struct Queue {
    bytes: [u8; SIZE],
    len: usize,
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; SIZE], len: 0 }
    }

    /// Takes all of `bytes`, or none when there is no room.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> bool {
        let end = self.len.wrapping_add(bytes.len());
        let Some(room) = self.bytes.get_mut(self.len..end) else { return false };
        room.copy_from_slice(bytes);
        self.len = end;
        true
    }

    pub(crate) fn drain<W: Write>(&mut self, line: &mut W) {
        // The lines of the bench never fail.
        let _ = line.write_all(self.bytes.get(..self.len).unwrap_or_default());
        self.len = 0;
    }
}
