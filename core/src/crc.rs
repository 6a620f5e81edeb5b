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

/// The CRC-32 of bytes that come in pieces, for devices: with a table of 64 bytes, which the crate `crc`
/// does not have.
#[cfg(feature = "embedded-io")]
#[derive(Clone, Copy)]
pub(crate) struct Crc32(u32);

#[cfg(feature = "embedded-io")]
impl Crc32 {
    pub(crate) const fn new() -> Self {
        Self(u32::MAX)
    }

    pub(crate) fn update(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<4>();
        let whole =
            words.iter().fold(self.0, |crc, word| nibbles(crc ^ u32::from_le_bytes(*word), 8));
        Self(rest.iter().fold(whole, |crc, byte| nibbles(crc ^ u32::from(*byte), 2)))
    }

    pub(crate) const fn value(self) -> u32 {
        !self.0
    }
}

/// Takes so many nibbles of the remainder off.
#[cfg(feature = "embedded-io")]
#[inline(always)]
fn nibbles(crc: u32, count: u32) -> u32 {
    (0..count).fold(crc, |crc, _| NIBBLES.get(crc as usize & 15).map_or(0, |term| term ^ crc >> 4))
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
    fn pieces_give_the_same() {
        let bytes: [u8; 60] = core::array::from_fn(|at| (at * 37) as u8);
        for len in 0..bytes.len() {
            for cut in 0..len {
                let (first, second) = bytes[..len].split_at(cut);
                let pieces = super::Crc32::new().update(first).update(second);
                assert_eq!(pieces.value(), super::crc32(&bytes[..len]));
            }
        }
    }
}
