//! Bytes written one after the other where there may not be room for all.

use crate::format::MAX_TEXT;

/// Writes to the start of a slice. What has no room is not written, but counted: so only the end is to be
/// checked, by [`finish`](Self::finish).
pub(crate) struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    pub(crate) const fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    #[inline(always)]
    pub(crate) fn byte(&mut self, byte: u8) {
        if let Some(place) = self.out.get_mut(self.len) {
            *place = byte;
        }
        self.len = self.len.wrapping_add(1);
    }

    /// Leaves out what is before this place, to be [set](Self::set) later.
    #[inline(always)]
    pub(crate) fn skip_to(&mut self, at: usize) {
        self.len = at;
    }

    /// Sets a byte that was left out.
    #[inline(always)]
    pub(crate) fn set(&mut self, at: usize, byte: u8) {
        if let Some(place) = self.out.get_mut(at) {
            *place = byte;
        }
    }

    /// Writes a varint.
    #[inline(never)]
    pub(crate) fn number(&mut self, mut value: u64) {
        loop {
            let group = value as u8 & 0x7F;
            value >>= 7;
            if value == 0 {
                return self.byte(group);
            }
            self.byte(group | 0x80);
        }
    }

    /// Writes a text as postcard does. One beyond [`MAX_TEXT`] never has room.
    #[inline(never)]
    pub(crate) fn text(&mut self, text: &str) {
        if text.len() > MAX_TEXT {
            self.len = usize::MAX / 2;
        }
        self.number(text.len() as u64);
        for byte in text.bytes() {
            self.byte(byte);
        }
    }

    /// How many more bytes there is room for.
    #[cfg(feature = "embedded-io")]
    #[inline(always)]
    pub(crate) fn room(&self) -> usize {
        self.out.len().saturating_sub(self.len)
    }

    /// The length of what was written, in bytes; `None` when not all had room.
    pub(crate) fn finish(self) -> Option<usize> {
        (self.len <= self.out.len()).then_some(self.len)
    }
}
