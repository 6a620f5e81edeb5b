//! Varints at the end of a `Vec` and at the front of a slice.

use heapwire_core::varint;

pub(super) fn put(out: &mut Vec<u8>, value: u64) {
    let mut buffer = [0; varint::MAX_VARINT];
    let len = varint::put(&mut buffer, value).unwrap_or(0); // never 0: the longest fits
    out.extend_from_slice(&buffer[..len]);
}

pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (value, used) = varint::take(bytes)?;
    *bytes = bytes.get(used..)?;
    Some(value)
}
