//! Fields into columns. While a chunk grows, its lanes lie spread over the storage with room behind
//! each.

use super::{
    COLUMN_COUNT, COMMON, ESCAPE, FIRST_VALUES, FURTHER_TAGS, LONG_TIMES, STEPS, prefix_varint,
};
use crate::header::Layout;
use crate::lanes::{Lane, Lanes, UNCOMMON, ranks};
use crate::tag::Tag;
use crate::varint;

/// Bytes kept for the table of lane lengths: no length is larger than a chunk (24 bits).
const TABLE_ROOM: usize = COLUMN_COUNT * 4;

/// The most bytes that one event adds to each lane; where there are numbers, at least the 9 that writing one wants.
const MOST: [usize; COLUMN_COUNT] = [1, 4, 9, 9, 9, 9, 18, 9, 9, 18];

/// A full lane is given room from the others as long as 1 byte in this many is free.
const SPREAD_LIMIT: usize = 64;
/// No lane is given more room for events to come than for this many, unless it fills fast.
const EVENTS_AHEAD: usize = 512;

/// The nibble of each number of a tag, or [`UNCOMMON`].
const NIBBLES: [u8; 256] = ranks(&COMMON);

/// One lane in the storage: `start <= at`; from `at` to `end` is free. When `at` lies beyond `end`,
/// what was written last did not fit.
#[derive(Clone, Copy, Debug, Default)]
struct Room {
    start: usize,
    at: usize,
    end: usize,
}

/// Writes columns.
#[derive(Clone, Debug)]
pub struct Columns {
    /// The payload's bounds.
    start: usize,
    end: usize,
    lanes: [Room; COLUMN_COUNT],
    /// The nibble of the event's first tag, until its time is written too.
    first_tag: Option<u8>,
    /// Events that are sure to fit.
    sure: usize,
    overflown: bool,
}

impl Columns {
    /// A layout without storage: it has no room until [`Lanes::begin`].
    #[must_use]
    pub const fn new() -> Self {
        Self {
            start: 0,
            end: 0,
            lanes: [Room { start: 0, at: 0, end: 0 }; COLUMN_COUNT],
            first_tag: None,
            sure: 0,
            overflown: false,
        }
    }

    /// Bytes that no lane uses.
    fn free(&self) -> usize {
        let used: usize = self.lanes.iter().map(|lane| lane.at - lane.start).sum();
        self.end.saturating_sub(self.start).saturating_sub(TABLE_ROOM + used)
    }

    /// Whether it is worth the while to move lanes for the room that is left.
    fn is_worth_spreading(&self) -> bool {
        self.free() > 0 && self.free() >= self.end.saturating_sub(self.start) / SPREAD_LIMIT
    }

    /// Events that every lane has room for.
    fn count_sure(&self) -> usize {
        let lanes = self.lanes.iter().zip(MOST);
        let events = lanes.map(|(lane, most)| lane.end.saturating_sub(lane.at) / most);
        events.min().unwrap_or(0).min(EVENTS_AHEAD)
    }

    #[cold]
    fn look_for_room(&mut self, storage: &mut [u8]) -> usize {
        let sure = self.count_sure();
        if sure == 0 && self.is_worth_spreading() {
            // Half of the free room evenly, for what may come; half where it comes most.
            let events = (self.free() / 2 / MOST.iter().sum::<usize>()).min(EVENTS_AHEAD);
            if events > 0 && self.spread(storage, &MOST.map(|most| most * events)) {
                return self.count_sure();
            }
        }
        sure
    }

    /// Gives each lane what it needs and shares the other free room out in proportion to what the
    /// lanes hold. False when there is not that much.
    #[cold]
    fn spread(&mut self, storage: &mut [u8], needs: &[usize; COLUMN_COUNT]) -> bool {
        let Some(free) = self.free().checked_sub(needs.iter().sum()) else { return false };
        let weight = |lane: &Room| lane.at - lane.start + 1;
        let total: usize = self.lanes.iter().map(weight).sum();
        let mut lanes = self.lanes;
        let mut next = self.start + TABLE_ROOM;
        for (lane, need) in lanes.iter_mut().zip(needs) {
            let share = (free as u64 * weight(lane) as u64 / total as u64) as usize;
            let at = next + (lane.at - lane.start);
            let end = at + need + share;
            *lane = Room { start: next, at, end };
            next = end;
        }
        // Towards the start in order, then towards the end in reverse: no lane overwrites another.
        let moves = || self.lanes.iter().zip(&lanes);
        for (from, to) in moves().filter(|(from, to)| to.start < from.start) {
            shift(storage, from, to.start);
        }
        for (from, to) in moves().rev().filter(|(from, to)| to.start > from.start) {
            shift(storage, from, to.start);
        }
        self.lanes = lanes;
        true
    }

    #[inline(always)]
    fn push(&mut self, storage: &mut [u8], lane: usize, byte: u8) {
        let Some(room) = self.lanes.get_mut(lane) else { return };
        match storage.get_mut(room.at) {
            Some(slot) if room.at < room.end => *slot = byte,
            _ => self.overflown = true,
        }
        room.at += 1;
    }

    #[inline(always)]
    fn push_number(&mut self, storage: &mut [u8], lane: usize, value: u64) {
        let Some(room) = self.lanes.get_mut(lane) else { return };
        let free = storage.get_mut(room.at..room.end).unwrap_or_default();
        let written = prefix_varint::put(free, value);
        self.overflown |= written.is_none();
        room.at += written.unwrap_or_else(|| prefix_varint::len(value));
    }

    /// The nibble of an event's first tag, which may be written behind it.
    #[inline(always)]
    fn nibble(&mut self, storage: &mut [u8], Tag(tag): Tag) -> u8 {
        let nibble = NIBBLES[usize::from(tag)];
        if nibble != UNCOMMON {
            return nibble;
        }
        self.push(storage, FURTHER_TAGS, tag);
        ESCAPE
    }

    #[inline(always)]
    fn push_step(&mut self, storage: &mut [u8], nibble: u8, step: u64) {
        if step < u64::from(ESCAPE) {
            self.push(storage, STEPS, nibble | (step as u8) << 4);
        } else {
            self.push(storage, STEPS, nibble | ESCAPE << 4);
            self.push_number(storage, LONG_TIMES, step - u64::from(ESCAPE));
        }
    }
}

/// Moves a lane's bytes. Does nothing in another storage than the lane was begun for.
fn shift(storage: &mut [u8], lane: &Room, to: usize) {
    let end = lane.start.max(to).saturating_add(lane.at - lane.start);
    if end <= storage.len() {
        storage.copy_within(lane.start..lane.at, to);
    }
}

impl Default for Columns {
    fn default() -> Self {
        Self::new()
    }
}

impl Lanes for Columns {
    const LAYOUT: Layout = Layout::Columns;

    fn begin(&mut self, start: usize, end: usize) {
        let first = start.saturating_add(TABLE_ROOM);
        // No lane has room: the first event spreads them.
        let lanes = [Room { start: first, at: first, end: first }; COLUMN_COUNT];
        *self = Self { start, end, lanes, ..Self::new() };
    }

    #[inline(always)]
    fn sure(&mut self, storage: &mut [u8], most: usize) -> usize {
        if self.sure == 0 {
            self.sure = self.look_for_room(storage);
        }
        let sure = self.sure.min(most);
        self.sure -= sure;
        sure
    }

    #[inline(always)]
    fn tag(&mut self, storage: &mut [u8], tag: Tag, _near: Option<u64>) {
        match self.first_tag {
            None => self.first_tag = Some(self.nibble(storage, tag)),
            Some(_) => self.push(storage, FURTHER_TAGS, tag.0),
        }
    }

    #[inline(always)]
    fn time(&mut self, storage: &mut [u8], step: u64) {
        if let Some(nibble) = self.first_tag.take() {
            self.push_step(storage, nibble, step);
        }
    }

    #[inline(always)]
    fn step(&mut self, storage: &mut [u8], tag: Tag, _near: Option<u64>, step: u64) {
        let nibble = self.nibble(storage, tag);
        self.push_step(storage, nibble, step);
    }

    #[inline(always)]
    fn value(&mut self, storage: &mut [u8], lane: Lane, value: u64) {
        self.push_number(storage, FIRST_VALUES + lane as usize, value);
    }

    #[inline(always)]
    fn complete(&self) -> bool {
        !self.overflown
    }

    #[cold]
    fn undo(&mut self, before: Self, storage: &mut [u8]) -> bool {
        let mut needs = [0; COLUMN_COUNT];
        for ((need, tried), kept) in needs.iter_mut().zip(&self.lanes).zip(&before.lanes) {
            *need = match tried.at - kept.at {
                0 => 0,
                // The last number is written with what is above it.
                used => used + size_of::<u64>() - 1,
            };
        }
        *self = before;
        self.is_worth_spreading() && self.spread(storage, &needs)
    }

    fn finish(&mut self, storage: &mut [u8]) -> usize {
        let mut at = self.start;
        for lane in &self.lanes {
            // The table's room is kept free, and its entries are at most 4 bytes each.
            let room = storage.get_mut(at..).unwrap_or_default();
            at += varint::put(room, (lane.at - lane.start) as u64).unwrap_or(0);
        }
        for lane in &self.lanes {
            shift(storage, lane, at);
            at += lane.at - lane.start;
        }
        at
    }
}
