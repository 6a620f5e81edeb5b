//! CRC-32 as in Ethernet, zip and PNG (polynomial 0x04C11DB7, reflected): "123456789" gives
//! 0xCBF43926.

use crc::{CRC_32_ISO_HDLC, Crc, Table};

/// A function that gives the CRC-32 of bytes. [`crc32`] is one; a desktop passes a quicker one.
pub type Checksum = fn(&[u8]) -> u32;

/// One table of 1 KiB: far quicker than none, and a sixteenth of the flash that the quickest takes.
static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// The CRC-32 of `bytes`.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

/// The CRC-32 of bytes that come one or four at a time, for devices: with a table of 64 bytes, which the
/// crate `crc` does not have.
#[cfg(feature = "embedded-io")]
#[derive(Clone, Copy)]
pub(crate) struct Crc32(u32);

#[cfg(feature = "embedded-io")]
impl Crc32 {
    /// That of no bytes.
    pub(crate) const NEW: Self = Self(u32::MAX);

    /// That of nothing sensible: all zeros.
    pub(crate) const ZERO: Self = Self(0);

    #[inline(always)]
    pub(crate) fn byte(self, byte: u8) -> Self {
        Self(two_nibbles(self.0 ^ u32::from(byte)))
    }

    /// Four bytes, the first in the lowest bits.
    #[inline(always)]
    pub(crate) fn word(self, word: u32) -> Self {
        Self(two_nibbles(two_nibbles(two_nibbles(two_nibbles(self.0 ^ word)))))
    }

    pub(crate) const fn value(self) -> u32 {
        !self.0
    }
}

/// Takes two nibbles off the remainder.
#[cfg(feature = "embedded-io")]
#[inline(always)]
fn two_nibbles(crc: u32) -> u32 {
    let off = |crc: u32| NIBBLES.get(crc as usize & 15).map_or(0, |term| term ^ crc >> 4);
    off(off(crc))
}

/// What each nibble that is taken off leaves in the remainder.
#[cfg(feature = "embedded-io")]
static NIBBLES: [u32; 16] = {
    let mut table = [0; 16];
    let mut nibble = 0;
    while nibble < 16 {
        let (mut crc, mut bit) = (nibble as u32, 0);
        while bit < 4 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
            bit += 1;
        }
        table[nibble] = crc;
        nibble += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    #[test]
    fn check_value_of_the_polynomial() {
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    #[cfg(feature = "embedded-io")]
    fn bytes_and_words_give_the_same() {
        let bytes: [u8; 64] = core::array::from_fn(|at| (at * 37) as u8);
        for len in 0..bytes.len() {
            let (words, rest) = bytes[..len].as_chunks::<4>();
            let words = words.iter().map(|word| u32::from_le_bytes(*word));
            let by_words = words.fold(super::Crc32::NEW, super::Crc32::word);
            let by_words = rest.iter().copied().fold(by_words, super::Crc32::byte);
            let by_bytes = bytes[..len].iter().copied().fold(super::Crc32::NEW, super::Crc32::byte);
            assert_eq!(by_words.value(), super::crc32(&bytes[..len]));
            assert_eq!(by_bytes.value(), super::crc32(&bytes[..len]));
        }
    }
}
