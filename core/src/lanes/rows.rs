//! Rows: one stream of bits, least significant first, for lines on which nothing compresses later.
//!
//! Numbers are Rice codes whose parameter follows a running mean of their lane, `m`, kept as four
//! times the mean of value + 1: `k = floor(log2 m) - 2`; the value's bits above k in unary (ones
//! ended by a zero), then its k low bits. Eight ones escape to 6 bits of length and the plain value.
//! Tags are codes of a fixed table.

use super::{Lane, LaneReader, Lanes};
use crate::header::Layout;
use crate::tag::Tag;

/// Unary ones that say an escape follows.
const ESCAPE: u32 = 8;
/// The mean of time steps stands after those of the lanes.
const TIME: usize = Lane::COUNT;

/// Where the means begin, in the order of [`Lane`]s, then time: about the middle of what
/// microcontrollers were seen to send.
pub(crate) const FIRST_MEANS: [u32; Lane::COUNT + 1] = [8, 32, 192, 4096, 8, 4, 64, 2048];

/// No larger number is learned, so that no mean outgrows its 32 bits.
const MOST_LEARNED: u32 = 1 << 24;

/// How far the lanes' numbers go at present.
#[derive(Clone, Copy, Debug)]
struct Means([u32; Lane::COUNT + 1]);

impl Means {
    #[inline]
    fn parameter(&self, lane: usize) -> u32 {
        let mean = self.0.get(lane).map_or(1, |mean| *mean | 1);
        29u32.saturating_sub(mean.leading_zeros())
    }

    #[inline]
    fn learn(&mut self, lane: usize, value: u64) {
        if let Some(mean) = self.0.get_mut(lane) {
            // One far value must not make all that follow it long.
            let value = value.min((*mean).min(MOST_LEARNED).into()) as u32;
            *mean = *mean - *mean / 4 + value + 1;
        }
    }
}

/// The tags most seen on microcontrollers, most frequent first. A tag is coded as its rank here,
/// two ranks to each unary one; all other tags escape to their number in 8 bits.
pub(crate) const COMMON: [u8; 2 * ESCAPE as usize] = {
    const fn alloc(sized: bool, place: u8) -> u8 {
        Tag::alloc(false, sized, place).0
    }
    const fn free_at(which: u8) -> u8 {
        Tag::free(Tag::FREE_AT, false, which).0
    }
    const fn free(which: u8) -> u8 {
        Tag::free(Tag::FREE, false, which).0
    }
    const fn realloc(which: u8) -> u8 {
        Tag::of_block(Tag::REALLOC, which).0
    }
    [
        free_at(4),
        alloc(false, 2),
        alloc(false, 3),
        free_at(3),
        alloc(false, 0),
        alloc(false, 1),
        alloc(true, 2),
        alloc(true, 1),
        alloc(true, 0),
        free(3),
        free(4),
        alloc(true, 3),
        realloc(3),
        alloc(false, 5),
        Tag::SWITCH.0,
        Tag::GAUGE.0,
    ]
};

/// The rank of each tag in `COMMON`, or 255.
const RANKS: [u8; 256] = super::ranks(&COMMON);

/// The most bytes that an event takes: four tags that escape, and time, thread, site, size, block
/// and address that do, of 64 bits each.
const LONGEST_EVENT: usize =
    (4 * (ESCAPE as usize + 8) + 6 * (ESCAPE as usize + 6 + 64)).div_ceil(8);

/// Writes rows.
#[derive(Clone, Debug)]
pub struct Rows {
    means: Means,
    /// Where the next byte goes.
    at: usize,
    end: usize,
    /// Bits that do not fill a byte yet, and how many; at most 7 between events.
    bits: u64,
    bit_count: u32,
}

impl Rows {
    /// A layout without storage: it has no room until [`Lanes::begin`].
    #[must_use]
    pub const fn new() -> Self {
        Self { means: Means(FIRST_MEANS), at: 0, end: 0, bits: 0, bit_count: 0 }
    }

    /// Appends the `count` low bits of `bits`; at most 32, and none above may be set.
    #[inline]
    fn put(&mut self, storage: &mut [u8], bits: u64, count: u32) {
        self.bits |= bits << self.bit_count;
        self.bit_count += count;
        while self.bit_count >= 8 {
            // Without room it counts on, for `fits`.
            if self.at < self.end
                && let Some(byte) = storage.get_mut(self.at)
            {
                *byte = self.bits as u8;
            }
            self.at += 1;
            self.bits >>= 8;
            self.bit_count -= 8;
        }
    }

    #[inline]
    fn number(&mut self, storage: &mut [u8], lane: usize, value: u64) {
        let k = self.means.parameter(lane);
        self.means.learn(lane, value);
        let high = value >> k;
        if high < u64::from(ESCAPE) {
            let unary = (1u64 << high) - 1;
            let low = value & ((1 << k) - 1);
            return self.put(storage, unary | low << (high + 1), high as u32 + 1 + k);
        }
        let length = 63 - (value | 1).leading_zeros();
        self.put(storage, 0xFF | u64::from(length) << ESCAPE, ESCAPE + 6);
        self.put(storage, value & 0xFFFF_FFFF, (length + 1).min(32));
        if length >= 32 {
            self.put(storage, value >> 32, length - 31);
        }
    }
}

impl Default for Rows {
    fn default() -> Self {
        Self::new()
    }
}

impl Lanes for Rows {
    const LAYOUT: Layout = Layout::Rows;

    fn begin(&mut self, start: usize, end: usize) {
        *self = Self { at: start, end, ..Self::new() };
    }

    #[inline]
    fn is_roomy(&mut self, _storage: &mut [u8]) -> bool {
        self.end.saturating_sub(self.at) > LONGEST_EVENT
    }

    #[inline]
    fn tag(&mut self, storage: &mut [u8], Tag(tag): Tag) {
        let rank = RANKS[usize::from(tag)];
        if rank == super::UNCOMMON {
            self.put(storage, 0xFF | u64::from(tag) << ESCAPE, ESCAPE + 8);
        } else {
            let high = u32::from(rank >> 1);
            self.put(storage, ((1 << high) - 1) | u64::from(rank & 1) << (high + 1), high + 2);
        }
    }

    #[inline]
    fn time(&mut self, storage: &mut [u8], step: u64) {
        self.number(storage, TIME, step);
    }

    #[inline]
    fn value(&mut self, storage: &mut [u8], lane: Lane, value: u64) {
        self.number(storage, lane as usize, value);
    }

    #[inline]
    fn fits(&self) -> bool {
        // The last, partial byte needs its place too.
        self.at + usize::from(self.bit_count > 0) <= self.end
    }

    fn undo(&mut self, before: Self, _storage: &mut [u8]) -> bool {
        *self = before;
        false
    }

    fn finish(&mut self, storage: &mut [u8]) -> usize {
        if self.bit_count > 0 {
            // Room was kept for it; zeros pad.
            self.put(storage, 0, 8 - self.bit_count);
        }
        self.at
    }
}

/// Reads rows.
#[derive(Clone, Debug)]
pub(crate) struct RowsReader<'a> {
    means: Means,
    bytes: &'a [u8],
    bits: u64,
    bit_count: u32,
}

impl<'a> RowsReader<'a> {
    pub(crate) fn new(payload: &'a [u8]) -> Self {
        Self { means: Means(FIRST_MEANS), bytes: payload, bits: 0, bit_count: 0 }
    }

    /// The next `count` bits, at most 32.
    #[inline]
    fn take(&mut self, count: u32) -> Option<u64> {
        while self.bit_count < count {
            let (&byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            self.bits |= u64::from(byte) << self.bit_count;
            self.bit_count += 8;
        }
        let value = self.bits & ((1u64 << count) - 1);
        self.bits >>= count;
        self.bit_count -= count;
        Some(value)
    }

    /// Ones before a zero; at `ESCAPE` ones there is no zero.
    #[inline]
    fn take_unary(&mut self) -> Option<u32> {
        let mut ones = 0;
        while ones < ESCAPE && self.take(1)? == 1 {
            ones += 1;
        }
        Some(ones)
    }
}

impl LaneReader for RowsReader<'_> {
    #[inline]
    fn tag(&mut self) -> Option<Tag> {
        let high = self.take_unary()?;
        if high == ESCAPE {
            return self.take(8).map(|tag| Tag(tag as u8));
        }
        let rank = high * 2 + self.take(1)? as u32;
        COMMON.get(rank as usize).map(|&tag| Tag(tag))
    }

    #[inline]
    fn time(&mut self) -> Option<u64> {
        self.number(TIME)
    }

    #[inline]
    fn value(&mut self, lane: Lane) -> Option<u64> {
        self.number(lane as usize)
    }

    fn is_exhausted(&self) -> bool {
        self.bytes.is_empty() && self.bit_count < 8 && self.bits == 0
    }
}

impl RowsReader<'_> {
    #[inline]
    fn number(&mut self, lane: usize) -> Option<u64> {
        let k = self.means.parameter(lane);
        let high = self.take_unary()?;
        let value = if high < ESCAPE {
            u64::from(high) << k | self.take(k)?
        } else {
            let length = self.take(6)? as u32;
            let low = self.take((length + 1).min(32))?;
            let top = if length < 32 { 0 } else { self.take(length - 31)? };
            top << 32 | low
        };
        self.means.learn(lane, value);
        Some(value)
    }
}
