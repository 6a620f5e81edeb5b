//! Rows: one stream of bits, the most significant of each byte first, for lines on which nothing
//! compresses later.
//!
//! Numbers are Rice codes whose parameter follows a running mean of their lane, `m`, kept as four
//! times the mean of value + 1: `k = floor(log2 m) - 2`; the value's bits above k in unary (zeros
//! ended by a one), then its k low bits. Eight zeros escape to 6 bits of length and the plain value.
//! Tags are codes of a fixed table.

use super::{Lane, LaneReader, Lanes};
use crate::header::Layout;
use crate::tag::Tag;

/// Unary zeros that say an escape follows.
const ESCAPE: u32 = 8;
/// The mean of time steps stands after those of the lanes.
const TIME: usize = Lane::COUNT;
const MEANS: usize = Lane::COUNT + 1;

/// Where the means begin, in the order of [`Lane`]s, then time: about the middle of what
/// microcontrollers were seen to send. None is below 4, and so none ever becomes.
pub(crate) const FIRST_MEANS: [u32; MEANS] = [8, 32, 192, 4096, 8, 4, 64, 2048];

/// No mean is larger, so that no code outgrows 32 bits.
const MOST_MEAN: i32 = (1 << 27) - 1;

/// How far the lanes' numbers go at present.
#[derive(Clone, Copy, Debug)]
struct Means([u32; MEANS]);

/// The Rice parameter, which is 0 to 24: a mean is 4 to `MOST_MEAN`.
#[inline(always)]
fn parameter(mean: u32) -> u32 {
    29u32.wrapping_sub(mean.leading_zeros())
}

/// A number without escape is less than 8 << k, which is at most twice the mean.
#[inline(always)]
#[expect(clippy::manual_clamp, reason = "`clamp` has a panic path where nothing is optimized")]
fn learn(mean: &mut u32, value: u32) {
    let mean_then = *mean;
    let next = mean_then.wrapping_sub(mean_then >> 2).wrapping_add(value).wrapping_add(1);
    *mean = next.cast_signed().min(MOST_MEAN).max(0).cast_unsigned();
}

/// One far value must not make all that follow it long.
fn learn_escaped(mean: &mut u32, value: u64) {
    let value = u32::try_from(value).map_or(*mean, |value| value.min(*mean));
    learn(mean, value);
}

/// How many bytes so many bits take.
fn bytes_of(bits: u32) -> usize {
    (bits.wrapping_add(7) >> 3) as usize
}

/// The tags most seen on microcontrollers, each with its code, before which a one stands. A free is
/// coded as `FREE` when it is of the same kind as the free before it, with its site or without, and
/// as `FREE_AT` when it is of the other. All other tags follow an escape, in 7 bits.
pub(crate) const COMMON: [(u8, u8); 13] = {
    const fn alloc(sized: bool, place: u8) -> u8 {
        Tag::alloc(false, sized, place).0
    }
    const fn free(kind: Tag, which: u8) -> u8 {
        Tag::free(kind, false, which).0
    }
    [
        (free(Tag::FREE, 4), 0b1_00),
        (alloc(false, 3), 0b1_01),
        (alloc(false, 2), 0b1_100),
        (free(Tag::FREE, 3), 0b1_101),
        (alloc(false, 0), 0b1_110),
        (free(Tag::FREE_AT, 4), 0b1_1110),
        (alloc(false, 1), 0b1_1111000),
        (Tag::of_block(Tag::REALLOC, 3).0, 0b1_1111001),
        (free(Tag::FREE_AT, 3), 0b1_1111010),
        (Tag::SWITCH.0, 0b1_1111011),
        (alloc(true, 0), 0b1_1111100),
        (alloc(true, 1), 0b1_1111101),
        (alloc(true, 3), 0b1_1111110),
    ]
};

/// Stands before the number of a tag that is not common.
const UNCOMMON: u8 = 0b1111111;
/// Bits of `UNCOMMON`, and of a number behind it.
const TAG_BITS: u32 = 7;

/// The code of each tag as in `COMMON`, or 0.
const CODES: [u8; Tag::COUNT] = {
    let mut codes = [0; Tag::COUNT];
    let mut at = 0;
    while at < COMMON.len() {
        codes[COMMON[at].0 as usize] = COMMON[at].1;
        at += 1;
    }
    codes
};

/// Codes a free's kind as whether it is that of the free before.
#[derive(Clone, Copy, Debug)]
struct Frees(u8);

impl Frees {
    const NEW: Self = Self(Tag::FREE_AT.0);

    #[inline(always)]
    fn same_or_other(&mut self, Tag(tag): Tag) -> Tag {
        let coded = Tag(tag ^ self.0 & KIND);
        self.0 = tag;
        coded
    }

    fn kind(&mut self, coded: Tag) -> Tag {
        let Self(before) = *self;
        let tag = Tag(coded.0 ^ before & KIND);
        self.0 = tag.0;
        tag
    }
}

/// Where `FREE` and `FREE_AT` differ.
const KIND: u8 = Tag::FREE.0 ^ Tag::FREE_AT.0;

/// The most bytes that an event takes: four tags that escape, and time, thread, site, size, block
/// and address that do, of 64 bits each.
const LONGEST_EVENT: usize = (4 * 2 * TAG_BITS + 6 * (ESCAPE + 6 + 63)).div_ceil(8) as usize;

/// Writes rows.
#[derive(Clone, Debug)]
pub struct Rows {
    written: Written,
}

/// Where rows stand.
#[derive(Clone, Debug)]
struct Written {
    means: Means,
    /// Where the next byte goes.
    at: usize,
    /// Where any event is sure to fit.
    roomy_until: usize,
    end: usize,
    /// The latest bits, which are not stored yet, in its low bits; what is above them is old.
    bits: u32,
    /// How many more fit: 1 to 32.
    free: u32,
    frees: Frees,
}

impl Rows {
    /// A layout without storage: it has no room until [`Lanes::begin`].
    #[must_use]
    pub const fn new() -> Self {
        // All zeros, so that a static recorder takes no flash.
        let means = Means([0; MEANS]);
        let frees = Frees(0);
        let written = Written { means, at: 0, roomy_until: 0, end: 0, bits: 0, free: 0, frees };
        Self { written }
    }
}

impl Written {
    #[inline(always)]
    fn number(&mut self, storage: &mut [u8], lane: usize, value: u64) {
        // On a microcontroller it is known at compile time that most values have 32 bits.
        match u32::try_from(value) {
            Ok(value) => self.short_number(storage, lane, value),
            Err(_) => self.escape(storage, lane, value),
        }
    }

    #[inline(never)]
    fn short_number(&mut self, storage: &mut [u8], lane: usize, value: u32) {
        let Some(mean) = self.means.0.get_mut(lane) else { return };
        let k = parameter(*mean);
        let high = value >> k;
        if high >= ESCAPE {
            return self.escape(storage, lane, value.into());
        }
        learn(mean, value);
        // The one that ends the zeros, and the low bits.
        let code = value.wrapping_sub(high.wrapping_sub(1) << k);
        self.put(storage, code, high + 1 + k);
    }

    /// Appends the `count` low bits of `code`, 1 to 32; none above may be set.
    #[inline(always)]
    fn put(&mut self, storage: &mut [u8], code: u32, count: u32) {
        if count < self.free {
            self.bits = self.bits << count | code;
            self.free -= count;
        } else {
            self.store(storage, code, count);
        }
    }

    /// Stores the word that `code` fills, and keeps what is left of it.
    #[inline(never)]
    fn store(&mut self, storage: &mut [u8], code: u32, count: u32) {
        let left = count.wrapping_sub(self.free);
        // No bit is old when all are free.
        let high = if self.free < 32 { self.bits << self.free } else { 0 };
        let word = (high | code >> left).to_be_bytes();
        match storage.get_mut(self.at..self.end).and_then(|room| room.first_chunk_mut()) {
            Some(room) => *room = word,
            None => self.store_bytes(storage, word),
        }
        // Without room it counts on, for `complete`.
        self.at = self.at.wrapping_add(4);
        self.bits = code;
        self.free = 32u32.wrapping_sub(left);
    }

    /// Stores as much of a word as has room.
    #[cold]
    #[inline(never)]
    fn store_bytes(&self, storage: &mut [u8], word: [u8; 4]) {
        let room = storage.get_mut(self.at..self.end).unwrap_or_default();
        for (byte, value) in room.iter_mut().zip(word) {
            *byte = value;
        }
    }

    /// Writes a tag by its code as in `CODES`.
    #[inline(never)]
    fn put_tag(&mut self, storage: &mut [u8], code: u32) {
        let count = 31 - code.leading_zeros();
        self.put(storage, code ^ 1 << count, count);
    }

    #[inline(never)]
    fn put_rarely(&mut self, storage: &mut [u8], code: u32, count: u32) {
        self.put(storage, code, count);
    }

    /// Writes a number that escapes.
    #[cold]
    #[inline(never)]
    fn escape(&mut self, storage: &mut [u8], lane: usize, value: u64) {
        if let Some(mean) = self.means.0.get_mut(lane) {
            learn_escaped(mean, value);
        }
        let length = 63 - (value | 1).leading_zeros();
        self.put_rarely(storage, length, ESCAPE + 6);
        // The highest bit is known to be set.
        let rest = value ^ 1 << length;
        if length > 32 {
            self.put_rarely(storage, (rest >> 32) as u32, length - 32);
        }
        if length > 0 {
            self.put_rarely(storage, rest as u32, length.min(32));
        }
    }

    /// Bits that are not stored yet.
    #[inline(always)]
    fn pending(&self) -> u32 {
        32u32.wrapping_sub(self.free)
    }

    #[cold]
    #[inline(never)]
    fn is_within(&self) -> bool {
        self.at.wrapping_add(bytes_of(self.pending())) <= self.end
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
        let means = Means(FIRST_MEANS);
        let roomy_until = end.saturating_sub(LONGEST_EVENT);
        let frees = Frees::NEW;
        self.written = Written { means, at: start, roomy_until, end, bits: 0, free: 32, frees };
    }

    #[inline(always)]
    fn sure(&mut self, _storage: &mut [u8], most: usize) -> usize {
        most.min(usize::from(self.written.at < self.written.roomy_until))
    }

    #[inline(always)]
    fn tag(&mut self, storage: &mut [u8], tag: Tag) {
        let Tag(number) = if tag.is_free() { self.written.frees.same_or_other(tag) } else { tag };
        let common = CODES.get(usize::from(number)).map_or(0, |code| u32::from(*code));
        let uncommon = (1 << TAG_BITS | u32::from(UNCOMMON)) << TAG_BITS | u32::from(number);
        self.written.put_tag(storage, if common == 0 { uncommon } else { common });
    }

    #[inline(always)]
    fn time(&mut self, storage: &mut [u8], step: u64) {
        self.written.number(storage, TIME, step);
    }

    #[inline(always)]
    fn value(&mut self, storage: &mut [u8], lane: Lane, value: u64) {
        self.written.number(storage, lane as usize, value);
    }

    #[inline(always)]
    fn complete(&self) -> bool {
        // No more than 4 bytes are pending.
        self.written.at.wrapping_add(4) <= self.written.end || self.written.is_within()
    }

    #[inline(always)]
    fn undo(&mut self, before: Self, _storage: &mut [u8]) -> bool {
        self.written = before.written;
        false
    }

    fn finish(&mut self, storage: &mut [u8]) -> usize {
        let written = &self.written;
        let pending = written.pending();
        // Zeros fill the last byte.
        let bits = if pending > 0 { written.bits << written.free } else { 0 };
        written.store_bytes(storage, bits.to_be_bytes());
        written.at.wrapping_add(bytes_of(pending))
    }
}

/// Reads rows.
#[derive(Clone, Debug)]
pub(crate) struct RowsReader<'a> {
    means: Means,
    bytes: &'a [u8],
    /// What was read and not taken yet, in its low bits; what is above them is old.
    bits: u64,
    bit_count: u32,
    frees: Frees,
}

impl<'a> RowsReader<'a> {
    pub(crate) fn new(payload: &'a [u8]) -> Self {
        let means = Means(FIRST_MEANS);
        Self { means, bytes: payload, bits: 0, bit_count: 0, frees: Frees::NEW }
    }

    /// The next `count` bits, at most 32.
    #[inline]
    fn take(&mut self, count: u32) -> Option<u64> {
        while self.bit_count < count {
            let (&byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            self.bits = self.bits << 8 | u64::from(byte);
            self.bit_count += 8;
        }
        self.bit_count -= count;
        Some(self.bits >> self.bit_count & ((1 << count) - 1))
    }

    /// Zeros before a one; at `ESCAPE` zeros there is no one.
    #[inline]
    fn take_unary(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while zeros < ESCAPE && self.take(1)? == 0 {
            zeros += 1;
        }
        Some(zeros)
    }

    /// The next tag, with a free's kind in code.
    fn coded_tag(&mut self) -> Option<Tag> {
        let mut code = 1;
        for _ in 0..TAG_BITS {
            code = code << 1 | self.take(1)? as u8;
            if let Some((tag, _)) = COMMON.iter().find(|(_, common)| *common == code) {
                return Some(Tag(*tag));
            }
        }
        self.take(TAG_BITS).map(|tag| Tag(tag as u8))
    }

    #[inline]
    fn number(&mut self, lane: usize) -> Option<u64> {
        let k = parameter(*self.means.0.get(lane)?);
        let high = self.take_unary()?;
        let value = if high < ESCAPE {
            u64::from(high) << k | self.take(k)?
        } else {
            let length = self.take(6)? as u32;
            let top = if length > 32 { self.take(length - 32)? } else { 0 };
            1 << length | top << 32 | self.take(length.min(32))?
        };
        let mean = self.means.0.get_mut(lane)?;
        match high < ESCAPE {
            true => learn(mean, value as u32),
            false => learn_escaped(mean, value),
        }
        Some(value)
    }
}

impl LaneReader for RowsReader<'_> {
    const QUICK: &'static [u8] = &[];

    fn rank(&mut self) -> Option<u8> {
        Some(0)
    }

    #[inline]
    fn ranked(&mut self, _rank: u8) -> Option<Tag> {
        let coded = self.coded_tag()?;
        Some(if coded.is_free() { self.frees.kind(coded) } else { coded })
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
        self.bytes.is_empty() && self.bit_count < 8 && self.bits & ((1 << self.bit_count) - 1) == 0
    }
}
