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
#[doc(hidden)]
pub enum Lane {
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

/// A layout, as the encoder sees it. Implemented by [`Rows`] and [`Columns`].
///
/// An event is written tags first, then its time step, then its values. Writers check all room by
/// themselves: what has none is not written, and [`complete`](Self::complete) says so.
pub trait Lanes: Clone {
    /// Its name in a chunk's header.
    const LAYOUT: Layout;

    /// Begins a payload in `start..end` of the storage.
    fn begin(&mut self, start: usize, end: usize);

    /// How many of the next events, up to `most`, are sure to fit whatever they are, with no need to keep a copy to
    /// go back to. To be asked again for those after them.
    #[doc(hidden)]
    fn sure(&mut self, storage: &mut [u8], most: usize) -> usize;

    /// `near` is the depth or how many allocations ago, where the tag says that there is one: a layout may write
    /// it now, and not when it is given as a value.
    #[doc(hidden)]
    fn tag(&mut self, storage: &mut [u8], tag: Tag, near: Option<u64>);

    #[doc(hidden)]
    fn time(&mut self, storage: &mut [u8], step: u64);

    /// Writes the tag and the time step of an event that no other tag stands before.
    #[doc(hidden)]
    #[inline(always)]
    fn step(&mut self, storage: &mut [u8], tag: Tag, near: Option<u64>, step: u64) {
        self.tag(storage, tag, near);
        self.time(storage, step);
    }

    #[doc(hidden)]
    fn value(&mut self, storage: &mut [u8], lane: Lane, value: u64);

    /// Whether all of the event had room.
    #[doc(hidden)]
    fn complete(&self) -> bool;

    /// Goes back to the copy made `before` an event that did not fit. Whether it will fit now, since
    /// room was made for it.
    #[doc(hidden)]
    fn undo(&mut self, before: Self, storage: &mut [u8]) -> bool;

    /// Completes the payload and returns where it ends. To be called once.
    fn finish(&mut self, storage: &mut [u8]) -> usize;
}

/// A layout, as the decoder sees it: the fields in the order in which they were written.
pub(crate) trait LaneReader {
    /// Tags that take so little time to read that code of its own for each pays, by their ranks; the next rank is
    /// that of any other.
    const QUICK: &'static [u8];

    /// The rank of an event's first tag. `None` when the lane has no more, or holds what no encoder writes.
    fn rank(&mut self) -> Option<u8>;
    /// The tag of this rank, read last, whatever it is.
    fn ranked(&mut self, rank: u8) -> Option<Tag>;

    /// A tag that stands behind another one of the same event.
    fn further_tag(&mut self) -> Option<Tag>;

    fn time(&mut self) -> Option<u64>;
    fn value(&mut self, lane: Lane) -> Option<u64>;
    /// Whether nothing but padding is left.
    fn is_exhausted(&self) -> bool;
}

/// The rank of a tag that is not common.
const UNCOMMON: u8 = u8::MAX;

/// The rank of each number of a tag among the `common` ones, or [`UNCOMMON`].
const fn ranks(common: &[u8]) -> [u8; 256] {
    let mut ranks = [UNCOMMON; 256];
    let mut rank = 0;
    while rank < common.len() {
        ranks[common[rank] as usize] = rank as u8;
        rank += 1;
    }
    ranks
}
