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
