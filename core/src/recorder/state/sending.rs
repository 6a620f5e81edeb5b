//! The drain's part: what is to be sent next, and what became of what was.

use super::{Counts, State};
use crate::definition::Definition;
use crate::event::HeapTotals;
use crate::format::CRC_LEN;
use crate::header::{ChunkHeader, ChunkKind, Codec, Layout, Losses};
use crate::recorder::device::{Clock, Device};
use crate::shape::ModelSpec;
use crate::tables::{Tables, TinyTables};
use crate::word::{OwnWord, Word};

/// Some definitions are repeated after so many chunks of events, for readers that attach late: often
/// enough to wait for, rarely enough to cost little.
const REPEAT_EVERY: u8 = 32;

/// The drain's part: what the chunks that it took said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    allocations: u64,
    frees: u64,
    surplus: u64,
    pub(super) epoch: u32,
    sequence: u32,
    lost_by_link: u32,
    /// The events of the chunk that is on its way; definitions have none.
    on_its_way: Option<u16>,
}

impl Taken {
    pub(super) const NOTHING: Self = Self {
        allocations: 0,
        frees: 0,
        surplus: 0,
        epoch: 0,
        sequence: 0,
        lost_by_link: 0,
        on_its_way: None,
    };
}

/// The payload of what the drain is to send.
pub(in crate::recorder) enum Payload {
    /// So many bytes, which are there already.
    Taken(usize),
    /// The definitions from this number on.
    Definitions(usize),
}

impl<D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize>
    State<D, SIZE, BUFFERS, NAMES>
{
    /// Whether there is something to send.
    pub(in crate::recorder) fn is_ready(&self) -> bool {
        self.sealed > 0 || self.totals_due
    }

    /// What is to be sent next, if anything: definitions that are due, or the oldest sealed chunk, or one
    /// of totals. `sent` says whether what this returned before was sent; otherwise it is lost.
    pub(in crate::recorder) fn next(
        &mut self,
        sent: bool,
        body: &mut [u8; SIZE],
    ) -> Option<(ChunkHeader, Payload)> {
        self.settle(sent);
        let at = usize::from(self.filling).checked_sub(self.sealed.into());
        let at = at.unwrap_or_else(|| {
            usize::from(self.filling).wrapping_add(BUFFERS).wrapping_sub(self.sealed.into())
        });
        let oldest = if self.sealed > 0 { self.buffers.get(at) } else { None };
        let (time, counts, events) = match oldest {
            Some(oldest) => (oldest.time, oldest.counts, oldest.events),
            // A checksum must have room.
            None if self.totals_due && SIZE >= CRC_LEN => (self.now(), self.counts, 0),
            None => return None,
        };
        let is_defined = usize::from(self.defined) > self.names.len();
        let (kind, events, payload) = if !is_defined || self.repeat_in == 0 {
            let first = if is_defined { self.repeat } else { self.defined };
            (ChunkKind::Definitions, 0, Payload::Definitions(first.into()))
        } else {
            let len = oldest.map_or(0, |oldest| {
                *body = oldest.payload;
                oldest.len.into()
            });
            match self.sealed.checked_sub(1) {
                Some(sealed) => self.sealed = sealed,
                None => self.totals_due = false,
            }
            self.repeat_in = self.repeat_in.saturating_sub(1);
            (ChunkKind::Events, events, Payload::Taken(len))
        };
        Some((self.header(kind, time, counts, events), payload))
    }

    /// What was on its way has arrived, or is lost; then definitions may not have got through either.
    pub(in crate::recorder) fn settle(&mut self, sent: bool) {
        if let Some(events) = self.taken.on_its_way.take()
            && !sent
        {
            self.taken.lost_by_link = self.taken.lost_by_link.saturating_add(events.into());
            self.defined = 0;
        }
    }

    /// The header of a chunk without events, if none waits.
    pub(in crate::recorder) fn totals(&mut self) -> Option<ChunkHeader> {
        self.settle(false);
        let idle = self.sealed == 0 && self.events == 0;
        idle.then(|| self.header(ChunkKind::Events, self.now(), self.counts, 0))
    }

    fn now(&self) -> u64 {
        Clock::<D>::after(self.time).0
    }

    /// The header of the next chunk, which is on its way from now on.
    fn header(&mut self, kind: ChunkKind, time: u64, counts: Counts, events: u16) -> ChunkHeader {
        let taken = &mut self.taken;
        grow(&mut taken.allocations, counts.allocations);
        grow(&mut taken.frees, counts.frees);
        let step = counts.surplus.wrapping_sub(taken.surplus as u32).cast_signed();
        taken.surplus = taken.surplus.wrapping_add_signed(step.into());
        let sequence = taken.sequence;
        taken.sequence = sequence.wrapping_add(u32::from(kind == ChunkKind::Events));
        taken.on_its_way = Some(events);
        let totals = HeapTotals {
            allocations: taken.allocations,
            frees: taken.frees,
            failed: counts.failed.into(),
            bytes_in_use: counts.bytes_in_use.widen(),
            peak_bytes: counts.peak_bytes.widen(),
        };
        ChunkHeader {
            kind,
            layout: Layout::Rows,
            codec: Codec::None,
            events: events.into(),
            stream: D::STREAM,
            epoch: taken.epoch,
            sequence,
            time,
            first_event: totals.events().wrapping_add(taken.surplus),
            losses: Losses { full: counts.lost.into(), link: taken.lost_by_link.into() },
            totals,
            model: ModelSpec {
                shape: TinyTables::<OwnWord>::empty().shape(),
                placement: D::PLACEMENT,
            },
        }
    }

    /// The definitions of these numbers were made into a chunk.
    pub(in crate::recorder) fn defined(&mut self, first: usize, end: usize) {
        if usize::from(self.defined) > self.names.len() {
            self.repeat = if end <= self.names.len() { end as u16 } else { 0 };
        } else if usize::from(self.defined) == first {
            self.defined = end as u16;
        }
        if usize::from(self.defined) > self.names.len() {
            self.repeat_in = REPEAT_EVERY;
        }
    }

    /// The definition of a name, by number.
    pub(in crate::recorder) fn definition(&self, item: usize) -> Option<Definition<'static>> {
        Some(Definition::Name(self.names.get(item.checked_sub(1)?)?))
    }
}

/// `total` becomes the next number that ends with these 32 bits.
fn grow(total: &mut u64, low: u32) {
    *total = total.wrapping_add(low.wrapping_sub(*total as u32).into());
}
