//! Unsigned integers in 7-bit groups, least significant first; the high bit says that more follow
//! (LEB128). Every number has one encoding: a trailing zero group is rejected.

/// The longest varint, in bytes: 64 bits in groups of 7.
pub const MAX_VARINT: usize = 10;

/// Writes `value` at the start of `out` and returns its length in bytes, or `None` without room.
#[inline]
pub fn put(out: &mut [u8], mut value: u64) -> Option<usize> {
    for (i, byte) in out.iter_mut().enumerate() {
        if value < 0x80 {
            *byte = value as u8;
            return Some(i + 1);
        }
        *byte = value as u8 | 0x80;
        value >>= 7;
    }
    None
}

/// Reads a varint from the start of `bytes`: the value and its length in bytes. `None` when it is
/// cut off, longer than 64 bits, or not the shortest form.
#[inline]
pub fn take(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().take(MAX_VARINT).enumerate() {
        let group = u64::from(byte & 0x7f);
        let shift = 7 * i as u32;
        if shift == 63 && group > 1 {
            return None;
        }
        value |= group << shift;
        if byte < 0x80 {
            return (i == 0 || byte != 0).then_some((value, i + 1));
        }
    }
    None
}

/// [`put`] without branches on the value, where 8 bytes are free, of which it may use any.
#[inline]
pub(crate) fn put_quickly(free: &mut [u8], value: u64) -> Option<usize> {
    if value >> 56 != 0 {
        return put(free, value);
    }
    let Some(first) = free.first_chunk_mut() else { return put(free, value) };
    // Each step halves the groups: 56 bits into 2 of 28, 4 of 14, 8 of 7.
    let groups = value & 0x0FFF_FFFF | (value & 0x00FF_FFFF_F000_0000) << 4;
    let groups = groups & 0x0000_3FFF_0000_3FFF | (groups & 0x0FFF_C000_0FFF_C000) << 2;
    let groups = groups & 0x007F_007F_007F_007F | (groups & 0x3F80_3F80_3F80_3F80) << 1;
    let length = len(value);
    let more = 0x0080_8080_8080_8080 & ((1 << (8 * (length - 1))) - 1);
    *first = (groups | more).to_le_bytes();
    Some(length)
}

/// [`take`] without branches on the value, where 8 bytes are left.
#[inline]
pub(crate) fn take_quickly(bytes: &[u8]) -> Option<(u64, usize)> {
    let Some(first) = bytes.first_chunk() else { return take(bytes) };
    let word = u64::from_le_bytes(*first);
    let stops = !word & 0x8080_8080_8080_8080;
    if stops == 0 {
        return take(bytes);
    }
    let last = stops.trailing_zeros() & !7;
    let groups = word & 0x7F7F_7F7F_7F7F_7F7F & (u64::MAX >> (56 - last));
    if groups >> last == 0 && last > 0 {
        return None;
    }
    let groups = groups & 0x007F_007F_007F_007F | (groups & 0x7F00_7F00_7F00_7F00) >> 1;
    let groups = groups & 0x0000_3FFF_0000_3FFF | (groups & 0x3FFF_0000_3FFF_0000) >> 2;
    let value = groups & 0x0FFF_FFFF | (groups & 0x0FFF_FFFF_0000_0000) >> 4;
    Some((value, last as usize / 8 + 1))
}

/// The length of `value` as a varint, in bytes.
#[inline]
pub const fn len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Maps small numbers of either sign to small unsigned ones: 0, -1, 1, -2 become 0, 1, 2, 3.
#[inline]
pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
#[inline]
pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_round_trip_in_the_stated_length() {
        let mut buffer = [0u8; MAX_VARINT];
        for shift in 0..64 {
            for value in [(1u64 << shift) - 1, 1 << shift, (1 << shift) + 1] {
                let written = put(&mut buffer, value).expect("fits");
                assert_eq!(written, len(value), "{value}");
                assert_eq!(take(&buffer[..written]), Some((value, written)));
                for short in 0..written {
                    assert_eq!(put(&mut [0u8; MAX_VARINT][..short], value), None);
                    assert_eq!(take(&buffer[..short]), None, "cut at {short}");
                }
            }
        }
        assert_eq!(put(&mut buffer, u64::MAX), Some(10));
        assert_eq!(take(&buffer), Some((u64::MAX, 10)));
    }

    #[test]
    fn quick_ones_do_the_same() {
        for shift in 0..64 {
            for value in [(1u64 << shift) - 1, 1 << shift, (1 << shift) + 1] {
                for room in 0..12 {
                    let (mut plain, mut quick) = ([0; 12], [0; 12]);
                    let written = put(&mut plain[..room], value);
                    assert_eq!(put_quickly(&mut quick[..room], value), written, "{value}");
                    let Some(length) = written else { continue };
                    assert_eq!(plain[..length], quick[..length]);
                    assert_eq!(take_quickly(&plain[..room]), Some((value, length)));
                    // Whatever is in one more byte, and an overlong form.
                    plain[length - 1] |= 0x80;
                    assert_eq!(take_quickly(&plain[..room]), take(&plain[..room]));
                }
            }
        }
    }

    #[test]
    fn odd_inputs_are_rejected() {
        assert_eq!(take(&[]), None);
        assert_eq!(take(&[0x80, 0x00]), None, "overlong zero");
        assert_eq!(take(&[0xff, 0x00]), None, "overlong 127");
        assert_eq!(take(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]), None);
        assert_eq!(take(&[0x80; 11]), None);
    }

    #[test]
    fn zigzag_is_its_own_inverse_at_the_limits() {
        for value in [0, -1, 1, -2, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
        assert_eq!([0, -1, 1, -2].map(zigzag), [0, 1, 2, 3]);
    }
}
