//! Columns into fields.

use super::{
    COLUMN_COUNT, COMMON, ESCAPE, FIRST_VALUES, LONG_TIMES, TAGS, TIMES, UNCOMMON_TAGS,
    prefix_varint,
};
use crate::lanes::{Lane, LaneReader};
use crate::tag::Tag;
use crate::varint;

/// Reads columns.
#[derive(Clone, Debug)]
pub(crate) struct ColumnsReader<'a> {
    lanes: [&'a [u8]; COLUMN_COUNT],
    tags: NibbleReader<'a>,
    times: NibbleReader<'a>,
}

impl<'a> ColumnsReader<'a> {
    /// `None` when the lanes' lengths do not add up to the payload's.
    pub(crate) fn new(payload: &'a [u8]) -> Option<Self> {
        let mut lengths = [0usize; COLUMN_COUNT];
        let mut rest = payload;
        for length in &mut lengths {
            let (value, used) = varint::take(rest)?;
            *length = usize::try_from(value).ok()?;
            rest = rest.get(used..)?;
        }
        let mut lanes = [&[][..]; COLUMN_COUNT];
        for (lane, length) in lanes.iter_mut().zip(lengths) {
            (*lane, rest) = rest.split_at_checked(length)?;
        }
        let (tags, times) = (NibbleReader::new(lanes[TAGS]), NibbleReader::new(lanes[TIMES]));
        rest.is_empty().then_some(Self { lanes, tags, times })
    }

    #[inline(always)]
    fn number(&mut self, lane: usize) -> Option<u64> {
        let lane = self.lanes.get_mut(lane)?;
        let (value, used) = prefix_varint::take(lane)?;
        *lane = lane.get(used..)?;
        Some(value)
    }
}

impl LaneReader for ColumnsReader<'_> {
    const QUICK: &'static [u8] = &COMMON;

    #[inline(always)]
    fn rank(&mut self) -> Option<u8> {
        self.tags.next()
    }

    #[inline(always)]
    fn ranked(&mut self, rank: u8) -> Option<Tag> {
        if let Some(&tag) = COMMON.get(usize::from(rank)) {
            return Some(Tag(tag));
        }
        let lane = self.lanes.get_mut(UNCOMMON_TAGS)?;
        let (&tag, rest) = lane.split_first()?;
        *lane = rest;
        Some(Tag(tag))
    }

    #[inline(always)]
    fn time(&mut self) -> Option<u64> {
        let step = self.times.next()?;
        if step < ESCAPE {
            return Some(step.into());
        }
        self.number(LONG_TIMES)?.checked_add(ESCAPE.into())
    }

    #[inline(always)]
    fn value(&mut self, lane: Lane) -> Option<u64> {
        self.number(FIRST_VALUES + lane as usize)
    }

    fn is_exhausted(&self) -> bool {
        let values = self.lanes.iter().skip(FIRST_VALUES);
        self.tags.is_exhausted()
            && self.times.is_exhausted()
            && self.lanes[UNCOMMON_TAGS].is_empty()
            && self.lanes[LONG_TIMES].is_empty()
            && values.into_iter().all(|lane| lane.is_empty())
    }
}

/// The nibbles of bytes, the low one first.
#[derive(Clone, Debug)]
struct NibbleReader<'a> {
    bytes: &'a [u8],
    /// How many bits are before the next one.
    at: usize,
}

impl<'a> NibbleReader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Takes each from its byte: with a word of several, a processor guesses wrong whenever that is empty.
    #[inline(always)]
    fn next(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at / 8)?;
        let nibble = byte >> (self.at & 4) & 0x0F;
        self.at += 4;
        Some(nibble)
    }

    /// At most the padding nibble of the last byte is left.
    fn is_exhausted(&self) -> bool {
        self.at.div_ceil(8) == self.bytes.len()
    }
}
