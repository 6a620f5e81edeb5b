//! Rows: one stream of bits, the most significant of each byte first, for lines on which nothing
//! compresses later.
//!
//! Numbers are Rice codes whose parameter k follows a scale of their lane: `k = scale / 16`. The
//! value's bits above k, `high`, in unary (zeros ended by a one), then its k low bits. After that the
//! scale grows by `4 * (high - 1)`: half of all values should have no bits above k. Eight zeros escape
//! to the plain value in 14 bits, or 32 or 64.

mod head;
mod reader;
#[cfg(feature = "embedded-io")]
mod short;
mod writer;

#[cfg(feature = "embedded-io")]
pub(crate) use head::Head;
pub(crate) use reader::RowsReader;
#[cfg(feature = "embedded-io")]
pub(crate) use short::{LONGEST_COMMON, Parts, longest_common};
pub use writer::Rows;
#[cfg(feature = "embedded-io")]
pub(crate) use writer::{LONGEST_SYMBOL, longest_number};

use super::Lane;
use crate::tag::Tag;

/// Unary zeros that say an escape follows.
const ESCAPE: u32 = 8;
/// What an escaped value's bits above k count as: one far value must not make all that follow it long.
const ESCAPED: u32 = 3;
/// Bits of a short value that escapes.
const SHORT: u32 = 14;
/// The scale of time steps stands after those of the lanes.
const TIME: usize = Lane::COUNT;
const SCALES: usize = Lane::COUNT + 1;

/// Where the scales begin, in the order of [`Lane`]s, then time: about the middle of what
/// microcontrollers were seen to send.
pub(crate) const FIRST_SCALES: [u8; SCALES] = [15, 48, 87, 159, 15, 0, 63, 144];

/// How far the lanes' numbers go at present.
#[derive(Clone, Copy, Debug)]
struct Scales([u8; SCALES]);

/// The Rice parameter, which is 0 to 15.
#[inline(always)]
fn parameter(scale: u8) -> u32 {
    u32::from(scale) >> 4
}

/// A number was this `high`, or `ESCAPED`.
#[inline(always)]
fn follow(scale: &mut u8, high: u32) {
    let change = high.wrapping_sub(1).cast_signed().wrapping_mul(4);
    // Not `clamp`, which has a panic path where nothing is optimized.
    *scale = i32::from(*scale).wrapping_add(change).min(u8::MAX.into()).max(0) as u8;
}

/// A tag, or a tag and the small number that it says the event has: rows have one code for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol(u8);

impl Symbol {
    /// Joint with the depth of a hole: this and the depth, up to `DEPTHS`.
    const ALLOC_DEEP: u8 = 88;
    const DEPTHS: u64 = 7;
    /// Joint with how many allocations ago a block was allocated, up to `AGOS`: this and the number.
    const FREE_AGO: u8 = 96;
    const FREE_AT_AGO: u8 = Self::FREE_AGO | KIND;
    const REALLOC_AGO: u8 = 104;
    const AGOS: u64 = 3;

    /// What a tag says alone.
    #[inline(always)]
    pub(crate) fn of(Tag(tag): Tag) -> Self {
        Self(tag)
    }

    /// Whether it is a free that is not foretold, with its site or without.
    #[inline(always)]
    const fn is_free(self) -> bool {
        self.0 & 0x28 == 0x20
    }
}

/// An allocation in the latest hole.
const TOP: u8 = Tag::alloc(false, false, 0).0;
/// An allocation in a hole that is not the latest.
const DEEP: u8 = Tag::alloc(false, false, 2).0;
/// Frees and reallocations of a block so many allocations ago.
const FREE_AGO: u8 = Tag::free(Tag::FREE, false, 3).0;
const FREE_AT_AGO: u8 = Tag::free(Tag::FREE_AT, false, 3).0;
const REALLOC_AGO: u8 = Tag::of_block(Tag::REALLOC, 3).0;

/// Where frees with their site differ from those without.
const KIND: u8 = Tag::FREE.0 ^ Tag::FREE_AT.0;

/// The symbols most seen on microcontrollers, each with its code, before which a one stands. A free is
/// coded as without its site when it is of the same kind as the free before it, with its site or
/// without, and as with its site when it is of the other. All other symbols follow an escape, in 7 bits.
pub(crate) const COMMON: [(u8, u16); 26] = [
    (Tag::alloc(false, false, 3).0, 0b1_00),
    (Tag::free(Tag::FREE, false, 4).0, 0b1_01),
    (Symbol::ALLOC_DEEP, 0b1_100),
    (Symbol::ALLOC_DEEP + 1, 0b1_1010),
    (Symbol::ALLOC_DEEP + 2, 0b1_10110),
    (Symbol::ALLOC_DEEP + 3, 0b1_10111),
    (Symbol::FREE_AGO, 0b1_11000),
    (Symbol::FREE_AGO + 1, 0b1_11001),
    (Symbol::FREE_AGO + 2, 0b1_11010),
    (Symbol::REALLOC_AGO, 0b1_11011),
    (Symbol::ALLOC_DEEP + 4, 0b1_111000),
    (Symbol::ALLOC_DEEP + 5, 0b1_111001),
    (Symbol::ALLOC_DEEP + 6, 0b1_111010),
    (Symbol::FREE_AGO + 3, 0b1_111011),
    (Tag::free(Tag::FREE_AT, false, 4).0, 0b1_111100),
    (Symbol::ALLOC_DEEP + 7, 0b1_11110100),
    (Symbol::FREE_AT_AGO, 0b1_11110101),
    (Symbol::FREE_AT_AGO + 1, 0b1_11110110),
    (Symbol::FREE_AT_AGO + 2, 0b1_11110111),
    (Symbol::FREE_AT_AGO + 3, 0b1_11111000),
    (Tag::of_block(Tag::REALLOC, 4).0, 0b1_11111001),
    (Tag::SWITCH.0, 0b1_11111010),
    (Tag::alloc(false, false, 4).0, 0b1_11111011),
    (Tag::alloc(false, false, 5).0, 0b1_11111100),
    (Tag::free(Tag::FREE, false, 5).0, 0b1_11111101),
    (Tag::free(Tag::FREE_AT, false, 5).0, 0b1_11111110),
];

/// Stands before the number of a symbol that is not common.
const UNCOMMON: u32 = 0b11111111;
/// Bits of `UNCOMMON`, which no code is longer than: a common event's and a number that is not long go in one word.
pub(crate) const LONGEST_CODE: u32 = 8;
/// Bits of the number of a symbol that is not common.
const SYMBOL_BITS: u32 = 7;

/// Codes a free's kind as whether it is that of the free before.
#[derive(Clone, Copy, Debug)]
struct Frees {
    /// Whether that was one with its site.
    at: bool,
}

impl Frees {
    const NEW: Self = Self { at: true };

    #[inline(always)]
    fn code(&mut self, Symbol(symbol): Symbol) -> Symbol {
        let coded = Symbol(symbol ^ if self.at { KIND } else { 0 });
        self.at = symbol & KIND != 0;
        coded
    }

    fn decode(&mut self, Symbol(coded): Symbol) -> Symbol {
        let Symbol(symbol) = Symbol(coded ^ if self.at { KIND } else { 0 });
        self.at = symbol & KIND != 0;
        Symbol(symbol)
    }
}
