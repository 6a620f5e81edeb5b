//! Common events at one go, for the short way of the encoder.

use super::head::{Has, Head};
use super::writer::{LONGEST_SYMBOL, Tape, bytes_of, longest_number};
use super::{ESCAPE, KIND, Rows, Scales, Symbol, TIME, parameter};
use crate::lanes::Lane;
use crate::tag::Tag;
use crate::word::Word;

/// The most bits that a common event takes: a tag, and of 32 bits time, site, size and an address.
pub(crate) const LONGEST_COMMON: u32 = LONGEST_SYMBOL + 4 * longest_number(32);

/// The most bits that an event takes all whose numbers have up to so many bits.
const LONGEST_SMALL: u32 = LONGEST_SYMBOL + 4 * longest_number(SMALL);
/// With so many, an escape is longer than any number that does not escape.
const SMALL: u32 = 13;

/// What an event has behind tags before its own, besides its step of time, its site and its size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts<W> {
    pub(crate) head: Head,
    /// A far address, if the head says that there is one.
    pub(crate) far: W,
}

impl Rows {
    /// Whether a common event is sure to fit.
    #[inline(always)]
    pub(crate) fn has_room<W: Word>(&self) -> bool {
        // As much more as its numbers may be longer: size and address.
        let more = 2 * (usize::from(W::BITS) - 32) / 8;
        self.tape.at.wrapping_add(more) < self.tape.roomy_until
    }

    /// Whether so many more bits have room.
    pub(crate) fn has_room_for(&self, bits: u32) -> bool {
        let Self { pen, tape, .. } = self;
        tape.at.wrapping_add(bytes_of(pen.pending().wrapping_add(bits))) <= tape.end
    }

    /// From now on no event is sure to fit.
    pub(crate) fn be_careful(&mut self) {
        self.tape.roomy_until = 0;
    }

    /// Common events may be sure to fit again.
    pub(crate) fn end_care(&mut self) {
        let Tape { at, end, .. } = self.tape;
        self.tape = Tape::new(at, end);
    }

    /// Whether what [`write`](Self::write) would write has room.
    pub(crate) fn fits<W: Word>(
        &self,
        Parts { head, far }: &Parts<W>,
        step: u64,
        site: u32,
        size: W,
    ) -> bool {
        // Most events, without looking at the scales.
        if (step | u64::from(site) | size.widen() | far.widen()) >> SMALL == 0
            && self.has_room_for(LONGEST_SMALL)
        {
            return true;
        }
        let [_, of_sites, of_sizes, of_addresses, .., of_times] = self.scales.0;
        let mut bits = head.count().wrapping_add(bits_of(of_times, step));
        if head.has(Has::SITE) {
            bits = bits.wrapping_add(bits_of(of_sites, site));
        }
        if head.has(Has::SIZE) {
            bits = bits.wrapping_add(bits_of(of_sizes, size));
        }
        if head.has(Has::FAR) {
            bits = bits.wrapping_add(bits_of(of_addresses, *far));
        }
        self.has_room_for(bits)
    }

    /// Writes the symbol, which is no common one, and the step of time of an event.
    #[inline(never)]
    pub(crate) fn begin_uncommon(&mut self, storage: &mut [u8], Tag(tag): Tag, step: u64) {
        self.prefix(storage, Head::of_uncommon(Symbol(tag)), Lane::Other, 0u32);
        self.number(storage, TIME, step);
    }

    /// Writes a symbol that stands before an event's own, and its number in this lane if the head says that it has one.
    #[inline(never)]
    pub(crate) fn prefix<W: Word>(
        &mut self,
        storage: &mut [u8],
        head: Head,
        lane: Lane,
        number: W,
    ) {
        let Self { scales: Scales(scales), tape, .. } = self;
        let mut pen = self.pen;
        pen.put(tape, storage, head.code(), head.count());
        if head.has(Has::FAR)
            && let Some(scale) = scales.get_mut(lane as usize)
        {
            pen.number(tape, storage, scale, number);
        }
        self.pen = pen;
    }

    /// Writes what an event has behind tags before its own: its symbol, the step of time, and of site, size and
    /// address what the head says is there. Tells `count` whether it has a size, which all allocations have: it is
    /// looked at anyway.
    #[inline(always)]
    pub(crate) fn write<W: Word>(
        &mut self,
        storage: &mut [u8],
        Parts { head, far }: Parts<W>,
        step: impl Word,
        site: u32,
        size: W,
        count: impl FnOnce(bool),
    ) {
        let Self { scales: Scales(scales), tape, .. } = self;
        // In the order of lanes, then time.
        let [_, of_sites, of_sizes, of_addresses, .., of_times] = scales;
        let mut pen = self.pen;
        pen.put(tape, storage, head.code(), head.count());
        pen.number(tape, storage, of_times, step);
        if head.has(Has::SITE) {
            pen.number(tape, storage, of_sites, site);
        }
        if head.has(Has::SIZE) {
            pen.number(tape, storage, of_sizes, size);
            count(true);
        } else {
            count(false);
        }
        if head.has(Has::FAR) {
            pen.number(tape, storage, of_addresses, far);
        }
        self.pen = pen;
    }
}

/// How many bits a number takes in a lane of this scale.
#[inline(always)]
fn bits_of<W: Word>(scale: u8, value: W) -> u32 {
    let k = parameter(scale);
    let low = value.widen() as u32;
    let high = low >> k;
    if high >= ESCAPE || value.widen() >> 32 != 0 {
        longest_number(64).wrapping_sub(value.widen().leading_zeros())
    } else {
        high.wrapping_add(1).wrapping_add(k)
    }
}

impl Head {
    pub(crate) const SWITCH: Self = Self::of_tag(Tag::SWITCH).and(Has::FAR);
    pub(crate) const BACK: Self = Self::of_tag(Tag::BACK);
    pub(crate) const ALLOC_FAR: Self =
        Self::of_tag(Tag::alloc(false, false, 3)).of_alloc().and(Has::FAR);
    pub(crate) const SAME: Self = Self::of_tag(Tag::alloc(false, false, 5)).of_alloc();
    pub(crate) const REALLOC_FAR: Self = Self::of_tag(Tag::of_block(Tag::REALLOC, 4)).and(Has::FAR);
    pub(crate) const REALLOC_ABSOLUTE: Self =
        Self::of_tag(Tag::of_block(Tag::REALLOC, 5)).and(Has::FAR);
    /// Frees of blocks that are not known, of the same kind as the free before it and of the other.
    const FREE_FAR: [Self; 2] = Self::of_frees(4);
    const FREE_ABSOLUTE: [Self; 2] = Self::of_frees(5);

    const fn of_frees(which: u8) -> [Self; 2] {
        let same = Self::of_tag(Tag::free(Tag::FREE, false, which));
        let other = Self::of_tag(Tag::free(Tag::FREE_AT, false, which));
        [same.and(Has::FAR), other.and(Has::FAR)]
    }

    const fn of_tag(Tag(tag): Tag) -> Self {
        Self::of(Symbol(tag))
    }

    #[inline(always)]
    pub(crate) fn with_site(self, at: bool) -> Self {
        Self(self.0 | (u32::from(at) * Has::SITE.0))
    }

    #[inline(always)]
    pub(crate) const fn has(self, Has(has): Has) -> bool {
        self.0 & has != 0
    }

    /// An allocation anywhere, which is seldom.
    #[cold]
    #[inline(never)]
    pub(crate) fn alloc_absolute() -> Self {
        const { Self::of_tag(Tag::alloc(false, false, 4)).of_alloc().and(Has::FAR) }
    }

    /// An allocation in the hole of this age, up to `DEPTHS`.
    #[inline(always)]
    pub(crate) fn alloc_in_hole(age: u32) -> Self {
        Self::of_joint(Symbol(Symbol::ALLOC_DEEP.wrapping_add(age as u8)))
    }

    /// A reallocation of a block so many allocations ago, up to `AGOS`.
    #[inline(always)]
    pub(crate) fn realloc(ago: u32) -> Self {
        Self::of_joint(Symbol(Symbol::REALLOC_AGO.wrapping_add(ago as u8)))
    }

    /// A free of a block so many allocations ago, up to `AGOS`, coded as `turned` says.
    #[inline(always)]
    pub(crate) fn free(turned: bool, ago: u32) -> Self {
        let first = Symbol::FREE_AGO | (u8::from(turned) * KIND);
        Self::of_joint(Symbol(first | ago as u8))
    }

    /// A free of a block far away, or anywhere.
    #[inline(always)]
    pub(crate) fn free_far(turned: bool) -> Self {
        let [same, other] = Self::FREE_FAR;
        if turned { other } else { same }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn free_absolute(turned: bool) -> Self {
        let [same, other] = Self::FREE_ABSOLUTE;
        if turned { other } else { same }
    }
}

impl Rows {
    /// Whether the next free, with its site or without, is of another kind than the free before.
    #[inline(always)]
    pub(crate) fn turn(&mut self, at: bool) -> bool {
        self.frees.turn(at)
    }
}
