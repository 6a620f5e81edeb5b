//! Columns: each field's bytes in a lane of its own, for chunks that are compressed later.
//!
//! Every event has a byte in the lane of steps: its first tag in the low nibble, its time step in the high one; the
//! largest of each escape to a lane of their own. All other lanes hold prefix varints. The payload has them close
//! together behind a table of their lengths.

mod prefix_varint;
mod reader;
mod writer;

pub(crate) use reader::ColumnsReader;
pub use writer::Columns;

use super::Lane;
use crate::tag::Tag;

/// Lanes of a columns payload, in this order: steps, further tags, long times, then threads, sites, sizes, addresses,
/// depths, agos, others.
pub const COLUMN_COUNT: usize = 3 + Lane::COUNT;

const STEPS: usize = 0;
const FURTHER_TAGS: usize = 1;
const LONG_TIMES: usize = 2;
const FIRST_VALUES: usize = 3;

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
