//! Columns into fields.

use super::{
    COLUMN_COUNT, COMMON, ESCAPE, FIRST_VALUES, FURTHER_TAGS, LONG_TIMES, STEPS, prefix_varint,
};
use crate::lanes::{Lane, LaneReader};
use crate::tag::Tag;
use crate::varint;

/// Reads columns.
#[derive(Clone, Debug)]
pub(crate) struct ColumnsReader<'a> {
    lanes: [&'a [u8]; COLUMN_COUNT],
    /// Events of the lane of steps that were begun.
    begun: usize,
    /// The time step of the latest, as a nibble.
    time: u8,
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
        rest.is_empty().then_some(Self { lanes, begun: 0, time: 0 })
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
        let step = *self.lanes[STEPS].get(self.begun)?;
        self.begun += 1;
        self.time = step >> 4;
        Some(step & 0x0F)
    }

    #[inline(always)]
    fn ranked(&mut self, rank: u8) -> Option<Tag> {
        match COMMON.get(usize::from(rank)) {
            Some(&tag) => Some(Tag(tag)),
            None => self.further_tag(),
        }
    }

    #[inline(always)]
    fn further_tag(&mut self) -> Option<Tag> {
        let lane = self.lanes.get_mut(FURTHER_TAGS)?;
        let (&tag, rest) = lane.split_first()?;
        *lane = rest;
        Some(Tag(tag))
    }

    #[inline(always)]
    fn time(&mut self) -> Option<u64> {
        if self.time < ESCAPE {
            return Some(self.time.into());
        }
        self.number(LONG_TIMES)?.checked_add(ESCAPE.into())
    }

    #[inline(always)]
    fn value(&mut self, lane: Lane) -> Option<u64> {
        self.number(FIRST_VALUES + lane as usize)
    }

    fn is_exhausted(&self) -> bool {
        let [steps, others @ ..] = &self.lanes;
        self.begun == steps.len() && others.iter().all(|lane| lane.is_empty())
    }
}
