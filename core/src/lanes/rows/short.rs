//! Common events at one go, for the short way of the encoder.

use super::writer::{LONGEST_NUMBER, code_of};
use super::{ESCAPE, ESCAPED, LENGTH_BITS, Rows, SYMBOL_BITS, Scales, Symbol, follow};
use crate::tag::Tag;
use crate::word::Word;

/// The most bytes that a common event takes, a tag, time, and of 32 bits site, size and an address, and what is left
/// of the event before.
pub(super) const LONGEST_COMMON: usize =
    (31 + 2 * SYMBOL_BITS + LONGEST_NUMBER + 3 * (ESCAPE + LENGTH_BITS + 31)).div_ceil(8) as usize;

/// An event's symbol, in the lowest byte, and which numbers it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Has(pub(crate) u32);

impl Has {
    pub(crate) const NOTHING: Self = Self(0);
    pub(crate) const SITE: Self = Self(1 << 8);
    pub(crate) const SIZE: Self = Self(1 << 9);
    pub(crate) const FAR: Self = Self(1 << 10);
    /// It may not fit.
    pub(crate) const CAREFUL: Self = Self(1 << 12);
    /// A step of more than 32 bits: `late_step`.
    pub(crate) const LATE: Self = Self(1 << 11);

    #[inline(always)]
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline(always)]
    pub(crate) const fn is_careful(self) -> bool {
        self.0 & Self::CAREFUL.0 != 0
    }
}

impl Rows {
    /// Whether a common event is sure to fit.
    #[inline(always)]
    pub(crate) fn has_room<W: Word>(&self) -> bool {
        // As much more as its numbers may be longer: site, size and address.
        let more = 3 * (W::BITS as usize - 32) / 8;
        self.tape.at.wrapping_add(more) < self.tape.roomy_until
    }

    /// From now on no event is sure to fit.
    pub(crate) fn be_careful(&mut self) {
        self.tape.roomy_until = 0;
    }

    /// The kind of the next free in code: whether it is that of the free before.
    #[inline(always)]
    pub(crate) fn kind(&mut self, Tag(kind): Tag) -> Tag {
        let Symbol(coded) = self.frees.code(Symbol(kind));
        Tag(coded)
    }

    /// Writes what an event has behind tags before its own: its symbol, the time step, and of site, size and
    /// address what `has` says is there. A free's kind is in code already.
    #[inline(never)]
    pub(crate) fn write<W: Word>(
        &mut self,
        storage: &mut [u8],
        Has(has): Has,
        step: u32,
        [site, size, far]: &[W; 3],
    ) {
        let Self { scales: Scales(scales), tape, .. } = self;
        // In the order of lanes, then time.
        let [_, of_sites, of_sizes, of_addresses, .., of_times] = scales;
        let (code, count) = code_of(Symbol(has as u8));
        let mut pen = self.pen;
        pen.put(tape, storage, code, count);
        if has & Has::LATE.0 == 0 {
            pen.number(tape, storage, of_times, step);
        } else {
            follow(of_times, ESCAPED);
            pen = pen.escape(tape, storage, self.late_step);
        }
        if has & Has::SITE.0 != 0 {
            pen.number(tape, storage, of_sites, *site);
        }
        if has & Has::SIZE.0 != 0 {
            pen.number(tape, storage, of_sizes, *size);
        }
        if has & Has::FAR.0 != 0 {
            pen.number(tape, storage, of_addresses, *far);
        }
        self.pen = pen;
    }
}

impl Symbol {
    pub(crate) const ALLOC_FAR: Self = Self(Tag::alloc(false, false, 3).0);
    pub(crate) const ALLOC_ABSOLUTE: Self = Self(Tag::alloc(false, false, 4).0);
    pub(crate) const SAME: Self = Self(Tag::alloc(false, false, 5).0);

    /// An allocation in the hole of this age, up to `DEPTHS`.
    #[inline(always)]
    pub(crate) fn alloc_in_hole(age: u32) -> Self {
        Self(Self::ALLOC_DEEP.wrapping_add(age as u8))
    }

    /// A free of this kind of a block so many allocations ago, up to `AGOS`.
    #[inline(always)]
    pub(crate) fn free(Tag(kind): Tag, ago: u32) -> Self {
        Self((Self::FREE_AGO - Tag::FREE.0).wrapping_add(kind).wrapping_add(ago as u8))
    }

    /// A reallocation of a block so many allocations ago, up to `AGOS`.
    #[inline(always)]
    pub(crate) fn realloc(ago: u32) -> Self {
        Self(Self::REALLOC_AGO.wrapping_add(ago as u8))
    }

    #[inline(always)]
    pub(crate) fn and(self, has: Has) -> Has {
        Has(u32::from(self.0)).and(has)
    }
}
