//! Common events at one go, for the short way of the encoder.

use super::head::Head;
use super::writer::{LONGEST_SHORT, Tape, bytes_of, longest_number};
use super::{KIND, LONGEST_CODE, Rows, SHORT, Scales, Symbol, TIME};
use crate::event::NO_SITE;
use crate::lanes::Lane;
use crate::tag::Tag;
use crate::word::Word;

/// The most bits that a common event takes: a tag, and of 32 bits time, site, size and an address.
pub(crate) const LONGEST_COMMON: u32 = LONGEST_CODE + 4 * longest_number(32);

/// The most bits that a common event takes if its numbers together have no other bits than these.
pub(crate) fn longest_common(numbers: u64) -> u32 {
    if numbers >> SHORT == 0 {
        LONGEST_CODE + 4 * LONGEST_SHORT
    } else if numbers >> 32 == 0 {
        LONGEST_COMMON
    } else {
        LONGEST_CODE + 4 * longest_number(64)
    }
}

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
        pen.head(tape, storage, head);
        if head.has_far()
            && let Some(scale) = scales.get_mut(lane as usize)
        {
            pen.number(tape, storage, scale, number);
        }
        self.pen = pen;
    }

    /// Writes what an event has behind tags before its own: its symbol, the step of time, its site, which frees may
    /// not have, its size if it is no free, and its address where it is not foretold.
    #[inline(always)]
    pub(crate) fn write<const FREES: bool, W: Word>(
        &mut self,
        storage: &mut [u8],
        Parts { head, far }: Parts<W>,
        step: impl Word,
        site: u32,
        size: W,
    ) {
        let Self { scales: Scales(scales), tape, .. } = self;
        // In the order of lanes, then time.
        let [_, of_sites, of_sizes, of_addresses, .., of_times] = scales;
        let mut pen = self.pen;
        pen.number_after(tape, storage, head, of_times, step);
        if !FREES || site != NO_SITE {
            pen.number(tape, storage, of_sites, site);
        }
        if !FREES {
            pen.number(tape, storage, of_sizes, size);
        }
        if head.has_far() {
            pen.number(tape, storage, of_addresses, far);
        }
        self.pen = pen;
    }
}

impl Head {
    pub(crate) const SWITCH: Self = Self::of_tag(Tag::SWITCH).and_far();
    pub(crate) const BACK: Self = Self::of_tag(Tag::BACK);
    pub(crate) const ALLOC_FAR: Self = Self::of_tag(Tag::alloc(false, false, 3)).and_far();
    pub(crate) const SAME: Self = Self::of_tag(Tag::alloc(false, false, 5));
    pub(crate) const REALLOC_FAR: Self = Self::of_tag(Tag::of_block(Tag::REALLOC, 4)).and_far();
    pub(crate) const REALLOC_ABSOLUTE: Self =
        Self::of_tag(Tag::of_block(Tag::REALLOC, 5)).and_far();
    /// Frees of blocks that are not known, of the same kind as the free before it and of the other.
    const FREE_FAR: [Self; 2] = Self::of_frees(4);
    const FREE_ABSOLUTE: [Self; 2] = Self::of_frees(5);

    const fn of_frees(which: u8) -> [Self; 2] {
        let same = Self::of_tag(Tag::free(Tag::FREE, false, which));
        let other = Self::of_tag(Tag::free(Tag::FREE_AT, false, which));
        [same.and_far(), other.and_far()]
    }

    const fn of_tag(Tag(tag): Tag) -> Self {
        Self::of(Symbol(tag))
    }

    /// An allocation anywhere, which is seldom.
    #[cold]
    #[inline(never)]
    pub(crate) fn alloc_absolute() -> Self {
        const { Self::of_tag(Tag::alloc(false, false, 4)).and_far() }
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
    pub(crate) fn turns(&self, at: bool) -> bool {
        at != self.frees.at
    }

    /// The next free is of another kind.
    pub(crate) fn turn(&mut self) {
        self.frees.at = !self.frees.at;
    }
}
