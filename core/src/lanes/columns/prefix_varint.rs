//! Prefix varints: numbers whose first byte says how many they take, so that one is read or written at once,
//! whatever its length, where a varint's groups are taken one by one.
//!
//! Little-endian, in 1 to 8 bytes: a 1 with as many zeros below as bytes follow the first, the value above it. A first
//! byte of 0 has a value of 8 bytes behind it.

/// Bytes that are read or written at once.
const WORD: usize = size_of::<u64>();
/// The least value that takes a byte more than a word.
const LONG: u64 = 1 << (7 * WORD);

/// The length of `value` in bytes, at most 9.
#[inline(always)]
pub(super) const fn len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    if value < LONG { bits.div_ceil(7) } else { 1 + WORD }
}

/// Writes `value` to the start of `free`, where at least 9 bytes are, of which it may use any. Returns its length,
/// or `None` without room.
#[inline(always)]
pub(super) fn put(free: &mut [u8], value: u64) -> Option<usize> {
    if value >= LONG {
        let (first, rest) = free.split_first_mut()?;
        (*first, *rest.first_chunk_mut()?) = (0, value.to_le_bytes());
        return Some(1 + WORD);
    }
    let len = len(value);
    *free.first_chunk_mut()? = ((value << 1 | 1) << (len - 1)).to_le_bytes();
    Some(len)
}

/// Reads the number at the start of `bytes`; returns it and its length, or `None` when it is cut off.
#[inline(always)]
pub(super) fn take(bytes: &[u8]) -> Option<(u64, usize)> {
    let Some(word) = bytes.first_chunk() else { return take_last(bytes) };
    match take_word(u64::from_le_bytes(*word)) {
        None => take_long(bytes),
        taken => taken,
    }
}

/// The number in the lowest bytes of a word; `None` when it takes more.
#[inline(always)]
fn take_word(word: u64) -> Option<(u64, usize)> {
    let following = word.trailing_zeros();
    // The bytes above are not its own.
    let unused = 56u32.checked_sub(8 * following)?;
    Some(((word << unused) >> unused >> following >> 1, following as usize + 1))
}

#[cold]
fn take_long(bytes: &[u8]) -> Option<(u64, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let value = u64::from_le_bytes(*rest.first_chunk()?);
    (first == 0).then_some((value, 1 + WORD))
}

/// A number among the last bytes of a lane.
#[cold]
fn take_last(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut word = [0; WORD];
    word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    take_word(u64::from_le_bytes(word)).filter(|&(_, len)| len <= bytes.len())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn numbers_come_back_in_the_stated_length_whatever_is_behind_them() {
        let edges = (0..64).flat_map(|bits| [(1u64 << bits) - 1, 1 << bits, (1 << bits) + 1]);
        for value in edges.chain([u64::MAX]) {
            for (room, behind) in (0..20).flat_map(|room| [(room, 0), (room, 0xFF)]) {
                let mut bytes = std::vec![behind; room];
                let Some(written) = put(&mut bytes, value) else {
                    assert!(room < 9, "{value} in {room}");
                    continue;
                };
                assert_eq!(written, len(value));
                bytes[written..].fill(behind);
                assert_eq!(take(&bytes), Some((value, written)), "{value}");
                let shortest = Vec::from(&bytes[..written]);
                assert_eq!(take(&shortest), Some((value, written)));
                (0..written).for_each(|cut| assert_eq!(take(&bytes[..cut]), None, "cut at {cut}"));
            }
        }
    }

    #[test]
    fn examples() {
        let put = |value| {
            let mut bytes = [0; 9];
            let written = put(&mut bytes, value).unwrap();
            Vec::from(&bytes[..written])
        };
        assert_eq!(put(0), [0x01]);
        assert_eq!(put(127), [0xff]);
        assert_eq!(put(128), [0x02, 0x02]);
        assert_eq!(put((1 << 56) - 1), [0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(put(1 << 56), [0, 0, 0, 0, 0, 0, 0, 0, 1]);
        // A longer form than need be means the same.
        assert_eq!(take(&[0x02, 0]), Some((0, 2)));
    }
}
