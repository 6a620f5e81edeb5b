//! Columns: each field's bytes in a lane of its own, for chunks that are compressed later.
//!
//! Tags and time steps are nibbles, the low one of a byte first; 15 escapes to the lane after them.
//! All other lanes hold varints. While a chunk grows, its lanes lie spread over the storage with
//! room behind each; the payload has them close together behind a table of their lengths.

use super::{Fields, Lane, LaneReader, Lanes, UNCOMMON};
use crate::header::Layout;
use crate::tag::Tag;
use crate::varint;

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

/// Bytes kept for the table of lane lengths: no length is larger than a chunk (24 bits).
const TABLE_ROOM: usize = COLUMN_COUNT * 4;

/// A full lane is given room from the others as long as 1 byte in this many is free.
const SPREAD_LIMIT: usize = 64;

/// The tags that take a nibble: what desktop programs do most, most frequent first.
pub(crate) const COMMON: [u8; ESCAPE as usize] = {
    const fn alloc(hit: bool, sized: bool, place: u8) -> u8 {
        Tag::Alloc { hit, sized, place }.number()
    }
    const fn free(hit: bool, which: u8) -> u8 {
        Tag::Free { hit, which }.number()
    }
    [
        alloc(true, true, 0),
        free(true, 0),
        free(true, 1),
        free(true, 3),
        alloc(true, false, 1),
        alloc(false, true, 0),
        alloc(true, true, 1),
        alloc(true, false, 0),
        alloc(true, true, 3),
        alloc(true, false, 3),
        alloc(false, false, 0),
        free(true, 4),
        alloc(false, true, 3),
        alloc(false, false, 3),
        Tag::Switch.number(),
    ]
};

/// The nibble of each tag, or [`UNCOMMON`].
const NIBBLES: [u8; Tag::COUNT] = super::ranks(&COMMON);

/// One lane in the storage: `start + len <= end`, and `end` is where the next begins.
#[derive(Clone, Copy, Debug, Default)]
struct Room {
    start: usize,
    len: usize,
    end: usize,
}

impl Room {
    #[inline]
    fn free(&self) -> usize {
        self.end - self.start - self.len
    }
}

/// Writes columns.
#[derive(Clone, Debug)]
pub struct Columns {
    /// Where the payload begins.
    start: usize,
    lanes: [Room; COLUMN_COUNT],
    /// Nibbles in the tags' and the times' lanes.
    tags: usize,
    times: usize,
}

impl Columns {
    /// A layout without storage: it has no room until [`Lanes::begin`].
    #[must_use]
    pub const fn new() -> Self {
        let empty = Room { start: 0, len: 0, end: 0 };
        Self { start: 0, lanes: [empty; COLUMN_COUNT], tags: 0, times: 0 }
    }

    /// Bytes that the event adds to each lane.
    #[inline]
    fn measure(&self, fields: &Fields) -> [u8; COLUMN_COUNT] {
        let mut needs = [0u8; COLUMN_COUNT];
        for (tags, &tag) in (self.tags..).zip(fields.tags()) {
            needs[TAGS] += u8::from(tags.is_multiple_of(2));
            needs[UNCOMMON_TAGS] += u8::from(nibble(tag) == ESCAPE);
        }
        needs[TIMES] = u8::from(self.times.is_multiple_of(2));
        if fields.time >= u64::from(ESCAPE) {
            needs[LONG_TIMES] = varint::len(fields.time - u64::from(ESCAPE)) as u8;
        }
        for &(lane, value) in fields.values() {
            if let Some(need) = needs.get_mut(FIRST_VALUES + lane as usize) {
                *need += varint::len(value) as u8;
            }
        }
        needs
    }

    /// Whether each lane has room for `needs`, after sharing out the free room anew if that helps.
    #[inline]
    fn make_room(&mut self, storage: &mut [u8], needs: &[u8; COLUMN_COUNT]) -> bool {
        let fits = |lanes: &[Room; COLUMN_COUNT]| {
            lanes.iter().zip(needs).all(|(lane, &need)| lane.free() >= usize::from(need))
        };
        fits(&self.lanes) || (self.spread(storage, needs) && fits(&self.lanes))
    }

    /// Shares the free room out among the lanes, in proportion to what they hold, and moves them.
    #[cold]
    fn spread(&mut self, storage: &mut [u8], needs: &[u8; COLUMN_COUNT]) -> bool {
        let (Some(first), Some(last)) = (self.lanes.first(), self.lanes.last()) else {
            return false;
        };
        let (start, end) = (first.start, last.end);
        let used: usize = self.lanes.iter().map(|lane| lane.len).sum();
        let needed: usize = needs.iter().map(|&need| usize::from(need)).sum();
        let Some(free) = (end - start).checked_sub(used + needed) else { return false };
        if free < (end - start) / SPREAD_LIMIT {
            return false;
        }
        let mut lanes = self.lanes;
        let mut at = start;
        let total = used + needed + COLUMN_COUNT;
        for (lane, &need) in lanes.iter_mut().zip(needs) {
            let weight = lane.len + usize::from(need) + 1;
            let share = (free as u64 * weight as u64 / total as u64) as usize;
            lane.start = at;
            at += lane.len + usize::from(need) + share;
            lane.end = at;
        }
        if let Some(last) = lanes.last_mut() {
            last.end = end;
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

    #[inline]
    fn push(&mut self, storage: &mut [u8], lane: usize, byte: u8) {
        if let Some(room) = self.lanes.get_mut(lane)
            && let Some(slot) = storage.get_mut(room.start + room.len)
        {
            *slot = byte;
            room.len += 1;
        }
    }

    #[inline]
    fn push_varint(&mut self, storage: &mut [u8], lane: usize, value: u64) {
        if let Some(room) = self.lanes.get_mut(lane)
            && let Some(free) = storage.get_mut(room.start + room.len..)
            && let Some(written) = varint::put(free, value)
        {
            room.len += written;
        }
    }

    /// Adds a nibble to `lane`, which has `count` so far.
    #[inline]
    fn push_nibble(&mut self, storage: &mut [u8], lane: usize, count: usize, nibble: u8) {
        if count.is_multiple_of(2) {
            self.push(storage, lane, nibble);
        } else if let Some(room) = self.lanes.get(lane)
            && let Some(byte) = storage.get_mut((room.start + room.len).saturating_sub(1))
        {
            *byte |= nibble << 4;
        }
    }
}

/// Moves a lane's bytes. Does nothing in another storage than the lane was begun for.
fn shift(storage: &mut [u8], lane: &Room, to: usize) {
    let end = lane.start.max(to).saturating_add(lane.len);
    if end <= storage.len() {
        storage.copy_within(lane.start..lane.start + lane.len, to);
    }
}

/// The nibble of a tag.
#[inline]
fn nibble(tag: u8) -> u8 {
    match NIBBLES.get(usize::from(tag)) {
        Some(&nibble) if nibble != UNCOMMON => nibble,
        _ => ESCAPE,
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
        *self = Self { start, ..Self::new() };
        let first = start.saturating_add(TABLE_ROOM).min(end);
        self.lanes = [Room { start: first, len: 0, end: first }; COLUMN_COUNT];
        // All room to the last lane: the first event spreads it.
        if let Some(last) = self.lanes.last_mut() {
            last.end = end.max(first);
        }
    }

    #[inline]
    fn write(&mut self, storage: &mut [u8], fields: &Fields) -> bool {
        let needs = self.measure(fields);
        if !self.make_room(storage, &needs) {
            return false;
        }
        for &tag in fields.tags() {
            let nibble = nibble(tag);
            self.push_nibble(storage, TAGS, self.tags, nibble);
            self.tags += 1;
            if nibble == ESCAPE {
                self.push(storage, UNCOMMON_TAGS, tag);
            }
        }
        let long = fields.time.checked_sub(u64::from(ESCAPE));
        let time = if long.is_some() { ESCAPE } else { fields.time as u8 };
        self.push_nibble(storage, TIMES, self.times, time);
        self.times += 1;
        if let Some(long) = long {
            self.push_varint(storage, LONG_TIMES, long);
        }
        for &(lane, value) in fields.values() {
            self.push_varint(storage, FIRST_VALUES + lane as usize, value);
        }
        true
    }

    fn finish(&mut self, storage: &mut [u8]) -> usize {
        let mut at = self.start;
        for lane in &self.lanes {
            // The table's room is kept free, and its entries are at most 4 bytes each.
            let room = storage.get_mut(at..).unwrap_or_default();
            at += varint::put(room, lane.len as u64).unwrap_or(0);
        }
        for lane in &self.lanes {
            shift(storage, lane, at);
            at += lane.len;
        }
        at
    }
}

/// Reads columns.
#[derive(Clone, Debug)]
pub(crate) struct ColumnsReader<'a> {
    lanes: [&'a [u8]; COLUMN_COUNT],
    tags: Nibbles<'a>,
    times: Nibbles<'a>,
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
        let nibbles = |lane| Nibbles { bytes: lane, high: None };
        let (tags, times) = (nibbles(lanes[TAGS]), nibbles(lanes[TIMES]));
        rest.is_empty().then_some(Self { lanes, tags, times })
    }

    #[inline]
    fn varint(&mut self, lane: usize) -> Option<u64> {
        let lane = self.lanes.get_mut(lane)?;
        let (value, used) = match lane.first()? {
            &byte if byte < 0x80 => (u64::from(byte), 1),
            _ => varint::take(lane)?,
        };
        *lane = lane.get(used..)?;
        Some(value)
    }
}

impl LaneReader for ColumnsReader<'_> {
    #[inline]
    fn tag(&mut self) -> Option<u8> {
        let nibble = self.tags.next()?;
        if let Some(&tag) = COMMON.get(usize::from(nibble)) {
            return Some(tag);
        }
        let lane = self.lanes.get_mut(UNCOMMON_TAGS)?;
        let (&tag, rest) = lane.split_first()?;
        *lane = rest;
        Some(tag)
    }

    #[inline]
    fn time(&mut self) -> Option<u64> {
        let nibble = self.times.next()?;
        if nibble < ESCAPE {
            return Some(u64::from(nibble));
        }
        self.varint(LONG_TIMES)?.checked_add(u64::from(ESCAPE))
    }

    #[inline]
    fn value(&mut self, lane: Lane) -> Option<u64> {
        self.varint(FIRST_VALUES + lane as usize)
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
struct Nibbles<'a> {
    bytes: &'a [u8],
    high: Option<u8>,
}

impl Nibbles<'_> {
    #[inline]
    fn next(&mut self) -> Option<u8> {
        if let Some(high) = self.high.take() {
            return Some(high);
        }
        let (&byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        self.high = Some(byte >> 4);
        Some(byte & 0x0F)
    }

    /// At most the padding nibble of the last byte is left.
    fn is_exhausted(&self) -> bool {
        self.bytes.is_empty() && self.high.unwrap_or(0) == 0
    }
}
