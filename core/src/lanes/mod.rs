//! Lanes: where the fields of a coded event go. The model decides what is written; a layout decides
//! how: [`Rows`] as one stream of bits, [`Columns`] as bytes of lanes of their own.

pub(crate) mod columns;
pub(crate) mod rows;

pub(crate) use columns::ColumnsReader;
pub use columns::{COLUMN_COUNT, Columns};
pub use rows::Rows;
pub(crate) use rows::RowsReader;

use crate::header::Layout;
use crate::tag::Tag;

/// A kind of number in an event, besides its tags and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Thread,
    Site,
    Size,
    /// A far address.
    Address,
    /// How deep in a list or how old a hole.
    Depth,
    /// How many allocations ago.
    Ago,
    /// Names, gauges, marks.
    Other,
}

impl Lane {
    pub(crate) const COUNT: usize = 7;
}

/// One coded event: its tags, its time and the numbers that were not foretold, in order.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    tags: [u8; 3],
    tag_count: u8,
    /// Ticks since the event before, in the direction that the tags say.
    pub(crate) time: u64,
    value_count: u8,
    values: [(Lane, u64); Fields::MAX_VALUES],
}

impl Fields {
    /// A reallocation has the most: thread, site, block, size, address.
    const MAX_VALUES: usize = 5;

    pub(crate) const fn new() -> Self {
        let values = [(Lane::Other, 0); Self::MAX_VALUES];
        Self { tags: [0; 3], tag_count: 0, time: 0, value_count: 0, values }
    }

    #[inline]
    pub(crate) fn tag(&mut self, tag: Tag) {
        if let Some(slot) = self.tags.get_mut(usize::from(self.tag_count)) {
            *slot = tag.number();
            self.tag_count += 1;
        }
    }

    #[inline]
    pub(crate) fn value(&mut self, lane: Lane, value: u64) {
        if let Some(slot) = self.values.get_mut(usize::from(self.value_count)) {
            *slot = (lane, value);
            self.value_count += 1;
        }
    }

    #[inline]
    fn tags(&self) -> &[u8] {
        self.tags.get(..usize::from(self.tag_count)).unwrap_or_default()
    }

    #[inline]
    fn values(&self) -> &[(Lane, u64)] {
        self.values.get(..usize::from(self.value_count)).unwrap_or_default()
    }
}

/// A layout, as the encoder sees it. Implemented by [`Rows`] and [`Columns`].
pub trait Lanes {
    /// Its name in a chunk's header.
    const LAYOUT: Layout;

    /// Begins a payload in `start..end` of the storage.
    fn begin(&mut self, start: usize, end: usize);

    /// Writes one event, all of it or nothing; says whether it did.
    #[doc(hidden)]
    fn write(&mut self, storage: &mut [u8], fields: &Fields) -> bool;

    /// Completes the payload and returns where it ends. To be called once.
    fn finish(&mut self, storage: &mut [u8]) -> usize;
}

/// A layout, as the decoder sees it: the fields in the order in which they were written.
pub(crate) trait LaneReader {
    /// `None` when the lane has no more, or holds what no encoder writes.
    fn tag(&mut self) -> Option<u8>;
    fn time(&mut self) -> Option<u64>;
    fn value(&mut self, lane: Lane) -> Option<u64>;
    /// Whether nothing but padding is left.
    fn is_exhausted(&self) -> bool;
}

/// The rank of a tag that is not common.
const UNCOMMON: u8 = u8::MAX;

/// The rank of each tag among the `common` ones, or [`UNCOMMON`].
const fn ranks(common: &[u8]) -> [u8; Tag::COUNT] {
    let mut ranks = [UNCOMMON; Tag::COUNT];
    let mut rank = 0;
    while rank < common.len() {
        ranks[common[rank] as usize] = rank as u8;
        rank += 1;
    }
    ranks
}
