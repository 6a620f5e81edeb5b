//! Writes rows.

use super::{
    COMMON, DEEP, ESCAPE, ESCAPED, FIRST_SCALES, FREE_AGO, FREE_AT_AGO, Frees, LENGTH_BITS,
    REALLOC_AGO, SCALES, SYMBOL_BITS, Scales, Symbol, TIME, TOP, UNCOMMON, follow, parameter,
};
use crate::header::Layout;
use crate::lanes::{Lane, Lanes};
use crate::tag::Tag;
use crate::word::Word;

/// The code of each symbol in `COMMON`, and in the lowest `COUNT_BITS` bits how many bits it has; or 0.
const CODES: [u16; Symbol::COUNT] = {
    let mut codes = [0; Symbol::COUNT];
    let mut at = 0;
    while at < COMMON.len() {
        let code = COMMON[at].1 as u16;
        let count = code.ilog2() as u16;
        codes[COMMON[at].0 as usize] = (code ^ 1 << count) << COUNT_BITS | count;
        at += 1;
    }
    codes
};
const COUNT_BITS: u32 = 3;

/// Bits of the longest number.
pub(super) const LONGEST_NUMBER: u32 = ESCAPE + LENGTH_BITS + 63;
/// The most bytes that an event takes: tags that escape, time, thread, site, size, block and place, and what is left
/// of the event before.
const LONGEST_EVENT: usize = (31 + 4 * 2 * SYMBOL_BITS + 6 * LONGEST_NUMBER).div_ceil(8) as usize;

/// Writes rows.
#[derive(Clone, Debug)]
pub struct Rows {
    pub(super) scales: Scales,
    pub(super) frees: Frees,
    /// Whether the last tag's symbol had its number, too.
    is_joint: bool,
    /// A step of more than 32 bits, on its way to [`write`](Self::write).
    #[cfg(feature = "embedded-io")]
    pub(crate) late_step: u64,
    pub(super) pen: Pen,
    pub(super) tape: Tape,
}

/// Bits on their way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen {
    /// Those that are not stored yet, in its low bits; what is above them is old.
    bits: u32,
    /// How many more fit: 1 to 32.
    free: u32,
}

/// Where words are stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tape {
    /// Where the next one goes.
    pub(super) at: usize,
    /// Until here common events are sure to fit.
    #[cfg(feature = "embedded-io")]
    pub(super) roomy_until: usize,
    end: usize,
}

impl Rows {
    /// A layout without storage: it has no room until [`Lanes::begin`].
    #[must_use]
    pub const fn new() -> Self {
        // All zeros, so that a static recorder takes no flash.
        let scales = Scales([0; SCALES]);
        let pen = Pen { bits: 0, free: 0 };
        Self {
            scales,
            frees: Frees(0),
            is_joint: false,
            #[cfg(feature = "embedded-io")]
            late_step: 0,
            pen,
            tape: Tape::new(0, 0),
        }
    }

    /// Writes a symbol alone.
    #[inline(never)]
    pub(crate) fn symbol(&mut self, storage: &mut [u8], mut symbol: Symbol) {
        if symbol.is_free() {
            symbol = self.frees.code(symbol);
        }
        let (code, count) = code_of(symbol);
        self.pen.put(&mut self.tape, storage, code, count);
    }

    /// Writes a number alone.
    #[inline(never)]
    fn number(&mut self, storage: &mut [u8], lane: usize, value: u64) {
        let Some(scale) = self.scales.0.get_mut(lane) else { return };
        self.pen.number(&mut self.tape, storage, scale, value);
    }
}

/// The symbol of a tag and its number, if they have one in common.
#[inline(always)]
fn joint(tag: Tag, near: Option<u64>) -> Option<Symbol> {
    let number = near.unwrap_or(0);
    let first = match tag.0 {
        TOP => Symbol::ALLOC_DEEP,
        DEEP if number <= Symbol::DEPTHS => Symbol::ALLOC_DEEP,
        FREE_AGO if number <= Symbol::AGOS => Symbol::FREE_AGO,
        FREE_AT_AGO if number <= Symbol::AGOS => Symbol::FREE_AT_AGO,
        REALLOC_AGO if number <= Symbol::AGOS => Symbol::REALLOC_AGO,
        _ => return None,
    };
    Some(Symbol(first.wrapping_add(number as u8)))
}

/// The code of a symbol, and how many bits it has.
#[inline(always)]
pub(super) fn code_of(Symbol(symbol): Symbol) -> (u32, u32) {
    let common = CODES.get(usize::from(symbol) % Symbol::COUNT).map_or(0, |code| u32::from(*code));
    if common == 0 {
        return (u32::from(UNCOMMON) << SYMBOL_BITS | u32::from(symbol), 2 * SYMBOL_BITS);
    }
    (common >> COUNT_BITS, common & ((1 << COUNT_BITS) - 1))
}

/// How many bytes so many bits take.
fn bytes_of(bits: u32) -> usize {
    (bits.wrapping_add(7) >> 3) as usize
}

impl Tape {
    const fn new(at: usize, end: usize) -> Self {
        Self {
            at,
            #[cfg(feature = "embedded-io")]
            roomy_until: end.saturating_sub(super::short::LONGEST_COMMON),
            end,
        }
    }

    #[inline(never)]
    fn store(&mut self, storage: &mut [u8], word: u32) {
        let at = self.at;
        // Without room it counts on, for `complete`.
        self.at = at.wrapping_add(4);
        if let Some(room) = storage.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *room = word.to_be_bytes();
        }
    }

    /// Stores as much of a word as has room.
    #[cold]
    #[inline(never)]
    fn store_bytes(&self, storage: &mut [u8], word: u32) {
        let room = storage.get_mut(self.at..self.end).unwrap_or_default();
        for (byte, value) in room.iter_mut().zip(word.to_be_bytes()) {
            *byte = value;
        }
    }
}

impl Pen {
    /// Appends the `count` low bits of `code`, 0 to 31; none above may be set.
    #[inline(always)]
    pub(super) fn put(&mut self, tape: &mut Tape, storage: &mut [u8], code: u32, count: u32) {
        if count >= self.free {
            // Not all are free, and `free` is below 32.
            let word = self.bits << self.free | code >> (count - self.free);
            tape.store(storage, word);
            self.free += 32;
        }
        self.bits = self.bits << count | code;
        self.free = self.free.wrapping_sub(count);
    }

    #[inline(always)]
    pub(super) fn number<W: Word>(
        &mut self,
        tape: &mut Tape,
        storage: &mut [u8],
        scale: &mut u8,
        value: W,
    ) {
        let k = parameter(*scale);
        let low = value.widen() as u32;
        let high = low >> k;
        if high >= ESCAPE || value.widen() >> 32 != 0 {
            follow(scale, ESCAPED);
            *self = self.escape(tape, storage, value.widen());
        } else {
            follow(scale, high);
            // The one that ends the zeros, and the low bits.
            let code = low.wrapping_sub(high.wrapping_sub(1) << k);
            self.put(tape, storage, code, high + 1 + k);
        }
    }

    /// Appends a number that escapes.
    #[cold]
    #[inline(never)]
    pub(super) fn escape(mut self, tape: &mut Tape, storage: &mut [u8], value: u64) -> Self {
        // Without 64-bit arithmetic, which takes a microcontroller long.
        let (high, low) = ((value >> 32) as u32, value as u32);
        let word = if high == 0 { low } else { high };
        let length = 31 - (word | 1).leading_zeros();
        // The highest bit is known to be set.
        let rest = word & !(1 << length);
        let before = if high == 0 { 0 } else { 32 };
        self.put(tape, storage, before + length, ESCAPE + LENGTH_BITS);
        self.put(tape, storage, rest, length);
        if high != 0 {
            self.put(tape, storage, low >> 16, 16);
            self.put(tape, storage, low & 0xFFFF, 16);
        }
        self
    }

    /// Bits that are not stored yet.
    #[inline(always)]
    fn pending(self) -> u32 {
        32u32.wrapping_sub(self.free)
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
        self.scales = Scales(FIRST_SCALES);
        self.frees = Frees::NEW;
        self.pen = Pen { bits: 0, free: 32 };
        self.tape = Tape::new(start, end);
    }

    #[inline(always)]
    fn sure(&mut self, _storage: &mut [u8], most: usize) -> usize {
        most.min(usize::from(self.tape.at.wrapping_add(LONGEST_EVENT) <= self.tape.end))
    }

    #[inline(never)]
    fn tag(&mut self, storage: &mut [u8], tag: Tag, near: Option<u64>) {
        let joint = joint(tag, near);
        self.is_joint = joint.is_some();
        self.symbol(storage, joint.unwrap_or(Symbol::of(tag)));
    }

    #[inline(always)]
    fn time(&mut self, storage: &mut [u8], step: u64) {
        self.number(storage, TIME, step);
    }

    #[inline(always)]
    fn value(&mut self, storage: &mut [u8], lane: Lane, value: u64) {
        if !(self.is_joint && matches!(lane, Lane::Depth | Lane::Ago)) {
            self.number(storage, lane as usize, value);
        }
    }

    #[inline(always)]
    fn complete(&self) -> bool {
        let Self { pen, tape, .. } = self;
        tape.at.wrapping_add(bytes_of(pen.pending())) <= tape.end
    }

    fn undo(&mut self, before: Self, _storage: &mut [u8]) -> bool {
        *self = before;
        false
    }

    fn finish(&mut self, storage: &mut [u8]) -> usize {
        let Self { pen, tape, .. } = self;
        // Zeros fill the last byte.
        let bits = if pen.free < 32 { pen.bits << pen.free } else { 0 };
        tape.store_bytes(storage, bits);
        tape.at.wrapping_add(bytes_of(pen.pending()))
    }
}
