//! Writes rows.

use super::head::Head;
use super::{
    DEEP, ESCAPE, ESCAPED, FIRST_SCALES, FREE_AGO, FREE_AT_AGO, Frees, LONGEST_CODE, REALLOC_AGO,
    SCALES, SHORT, SYMBOL_BITS, Scales, Symbol, TIME, TOP, UNCOMMON, follow, parameter,
};
use crate::header::Layout;
use crate::lanes::{Lane, Lanes};
use crate::tag::Tag;
use crate::word::Word;

/// Bits of the longest symbol.
pub(crate) const LONGEST_SYMBOL: u32 = LONGEST_CODE + SYMBOL_BITS;
/// Bits of the longest number that does not escape or that is short. Behind a common symbol it goes in one word.
#[cfg(feature = "embedded-io")]
pub(super) const LONGEST_SHORT: u32 = ESCAPE + 1 + SHORT;
/// Bits of the longest number of so many bits.
pub(crate) const fn longest_number(bits: u32) -> u32 {
    ESCAPE + 2 + if bits > 32 { 64 } else { 32 }
}
/// The most bytes that an event takes: tags that escape, time, thread, site, size, block and place, and what is left
/// of the event before.
const LONGEST_EVENT: usize =
    (31 + 4 * LONGEST_SYMBOL + 6 * longest_number(64)).div_ceil(8) as usize;

/// Writes rows.
#[derive(Clone, Debug)]
pub struct Rows {
    pub(super) scales: Scales,
    pub(super) frees: Frees,
    /// Whether the last tag's symbol had its number, too.
    is_joint: bool,
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
    pub(super) end: usize,
}

impl Rows {
    /// A layout without storage: it has no room until [`Lanes::begin`].
    #[must_use]
    pub const fn new() -> Self {
        // All zeros, so that a static recorder takes no flash.
        let scales = Scales([0; SCALES]);
        let pen = Pen { bits: 0, free: 0 };
        Self { scales, frees: Frees { at: false }, is_joint: false, pen, tape: Tape::new(0, 0) }
    }

    /// Writes a symbol alone.
    #[inline(never)]
    fn symbol(&mut self, storage: &mut [u8], mut symbol: Symbol) {
        if symbol.is_free() {
            symbol = self.frees.code(symbol);
        }
        let head = Head::find(symbol);
        self.pen.head(&mut self.tape, storage, head);
    }

    /// Writes a number alone.
    #[inline(never)]
    pub(crate) fn number(&mut self, storage: &mut [u8], lane: usize, value: u64) {
        let Self { scales, pen, tape, .. } = self;
        let Some(scale) = scales.0.get_mut(lane) else { return };
        // Without 64-bit arithmetic, which takes a microcontroller long.
        match u32::try_from(value) {
            Ok(value) => pen.number(tape, storage, scale, value),
            Err(_) => {
                follow(scale, ESCAPED);
                *pen = pen.escape_wide(tape, storage, value);
            }
        }
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

/// How many bytes so many bits take.
pub(super) const fn bytes_of(bits: u32) -> usize {
    (bits.wrapping_add(7) >> 3) as usize
}

impl Tape {
    pub(super) const fn new(at: usize, end: usize) -> Self {
        Self {
            at,
            #[cfg(feature = "embedded-io")]
            roomy_until: end.saturating_sub(bytes_of(super::short::LONGEST_COMMON + 31)),
            end,
        }
    }

    #[inline(always)]
    fn store(&mut self, storage: &mut [u8], word: u32) {
        let at = self.at;
        // Without room it counts on, for `complete`.
        self.at = at.wrapping_add(4);
        if let Some(room) = storage.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *room = word.to_be_bytes();
        }
    }

    /// Stores the last word, whose lowest bytes may be behind the end, or as much of it as has room.
    #[inline(always)]
    fn store_last(&self, storage: &mut [u8], word: u32) {
        let room = storage.get_mut(self.at..).unwrap_or_default();
        let word = word.to_be_bytes();
        if let Some(room) = room.first_chunk_mut() {
            *room = word;
            return;
        }
        for (byte, value) in room.iter_mut().zip(word) {
            *byte = value;
        }
    }
}

/// The code of a number and how many bits it has, unless it escapes. Its lane learns the number in any case.
#[inline(always)]
fn of_number<W: Word>(scale: &mut u8, value: W) -> Option<(u32, u32)> {
    let k = parameter(*scale);
    let low = value.widen() as u32;
    let high = low >> k;
    if high >= ESCAPE || value.widen() >> 32 != 0 {
        follow(scale, ESCAPED);
        return None;
    }
    follow(scale, high);
    // The one that ends the zeros, and the low bits.
    Some((low.wrapping_sub(high.wrapping_sub(1) << k), high + 1 + k))
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

    /// Appends any symbol's code.
    #[inline(always)]
    pub(super) fn head(&mut self, tape: &mut Tape, storage: &mut [u8], head: Head) {
        if head.is_uncommon() {
            self.put(tape, storage, UNCOMMON, LONGEST_CODE);
        }
        self.put(tape, storage, head.code(), head.count());
    }

    #[inline(always)]
    pub(super) fn number<W: Word>(
        &mut self,
        tape: &mut Tape,
        storage: &mut [u8],
        scale: &mut u8,
        value: W,
    ) {
        match of_number(scale, value) {
            Some((code, count)) => self.put(tape, storage, code, count),
            None => *self = self.escape(tape, storage, value),
        }
    }

    /// The same behind the symbol of a common event.
    #[cfg(feature = "embedded-io")]
    #[inline(always)]
    pub(super) fn number_after<W: Word>(
        &mut self,
        tape: &mut Tape,
        storage: &mut [u8],
        head: Head,
        scale: &mut u8,
        value: W,
    ) {
        match of_number(scale, value) {
            Some((code, count)) => {
                self.put(tape, storage, head.code() << count | code, head.count() + count);
            }
            None => *self = self.escape_after(tape, storage, head, value),
        }
    }

    #[cfg(feature = "embedded-io")]
    #[cold]
    #[inline(never)]
    fn escape_after<W: Word>(
        mut self,
        tape: &mut Tape,
        storage: &mut [u8],
        head: Head,
        value: W,
    ) -> Self {
        self.put(tape, storage, head.code(), head.count());
        self.escape(tape, storage, value)
    }

    /// Appends a number that escapes.
    #[inline(always)]
    fn escape<W: Word>(self, tape: &mut Tape, storage: &mut [u8], value: W) -> Self {
        if W::BITS == 32 {
            self.escape_word(tape, storage, value.widen() as u32)
        } else {
            self.escape_wide(tape, storage, value.widen())
        }
    }

    #[cold]
    #[inline(never)]
    fn escape_word(mut self, tape: &mut Tape, storage: &mut [u8], value: u32) -> Self {
        if value >> SHORT == 0 {
            // Zeros stand before it.
            self.put(tape, storage, value, ESCAPE + 1 + SHORT);
            return self;
        }
        self.put(tape, storage, 0b10 << 16 | value >> 16, ESCAPE + 2 + 16);
        self.put(tape, storage, value & 0xFFFF, 16);
        self
    }

    #[cold]
    #[inline(never)]
    fn escape_wide(mut self, tape: &mut Tape, storage: &mut [u8], value: u64) -> Self {
        let (high, low) = ((value >> 32) as u32, value as u32);
        if high == 0 {
            return self.escape_word(tape, storage, low);
        }
        self.put(tape, storage, 0b11, ESCAPE + 2);
        self.word(tape, storage, high);
        self.word(tape, storage, low);
        self
    }

    /// Appends 32 bits: as many as are stored at once, so that as many are free as before.
    #[inline(always)]
    fn word(&mut self, tape: &mut Tape, storage: &mut [u8], word: u32) {
        let before = self.bits.checked_shl(self.free).unwrap_or(0);
        tape.store(storage, before | word.wrapping_shr(32 - self.free));
        self.bits = word;
    }

    /// Bits that are not stored yet.
    #[inline(always)]
    pub(super) fn pending(self) -> u32 {
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
        tape.store_last(storage, bits);
        tape.at.wrapping_add(bytes_of(pen.pending()))
    }
}
