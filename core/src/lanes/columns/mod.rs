//! Columns: each field's bytes in a lane of its own, for chunks that are compressed later.
//!
//! Tags and time steps are nibbles, the low one of a byte first; the largest escape to the lane
//! after them. All other lanes hold prefix varints. The payload has them close together behind a table of
//! their lengths.

mod prefix_varint;
mod reader;
mod writer;

pub(crate) use reader::ColumnsReader;
pub use writer::Columns;

use super::Lane;
use crate::tag::Tag;

/// Lanes of a columns payload, in this order: tags, uncommon tags, times, long times, then threads,
/// sites, sizes, addresses, depths, agos, others.
pub const COLUMN_COUNT: usize = 4 + Lane::COUNT;

const TAGS: usize = 0;
const UNCOMMON_TAGS: usize = 1;
const TIMES: usize = 2;
const LONG_TIMES: usize = 3;
const FIRST_VALUES: usize = 4;

/// The nibble that escapes.
const ESCAPE: u8 = 15;

/// The tags that take a nibble: what desktop programs do most, most frequent first.
pub(crate) const COMMON: [u8; ESCAPE as usize] = {
    const fn alloc(hit: bool, sized: bool, place: u8) -> u8 {
        Tag::alloc(hit, sized, place).0
    }
    const fn free(hit: bool, which: u8) -> u8 {
        Tag::free(Tag::FREE, hit, which).0
    }
    [
        free(true, 0),
        alloc(true, true, 0),
        free(true, 4),
        free(true, 3),
        alloc(true, false, 0),
        alloc(true, false, 1),
        alloc(true, true, 1),
        free(true, 1),
        alloc(true, true, 3),
        alloc(false, true, 0),
        alloc(true, true, 2),
        alloc(false, false, 0),
        alloc(false, false, 3),
        Tag::of_block(Tag::REALLOC, 0).0,
        Tag::SWITCH.0,
    ]
};
