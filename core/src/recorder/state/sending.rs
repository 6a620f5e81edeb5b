//! The drain's part: what is to be sent next, and what became of what was.

use super::{Counts, State};
use crate::definition::write_name;
use crate::event::HeapTotals;
use crate::format::MAX_TEXT;
use crate::header::{ChunkHeader, ChunkKind, Codec, Layout, Losses};
use crate::recorder::device::Device;
use crate::recorder::outgoing::Outgoing;
use crate::shape::ModelSpec;
use crate::tables::{Tables, TinyTables};
use crate::word::{OwnWord, Word};
use crate::writer::Writer;

/// After so many chunks of events the definitions are repeated, for readers that attach late, if a chunk
/// holds them all; else after so many more for each chunk that they take. Often enough to wait for, rarely
/// enough to cost little.
const REPEAT_EVERY: u32 = 32;

/// Bytes of a name's definition besides its text, at most: one for each of two kinds, two for the number
/// and for the text's length.
const BESIDE_TEXT: usize = 6;

/// The drain's part: what the chunks that it took said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    allocations: u64,
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
        surplus: 0,
        epoch: 0,
        sequence: 0,
        lost_by_link: 0,
        on_its_way: None,
    };

    /// The header of the next chunk, which is on its way from now on.
    #[inline(always)]
    fn header<D: Device>(
        &mut self,
        kind: ChunkKind,
        time: u64,
        counts: &Counts,
        events: u16,
    ) -> ChunkHeader {
        grow(&mut self.allocations, counts.allocations);
        // No machine has so many blocks that this wraps.
        let live = counts.allocations.wrapping_sub(counts.frees).cast_signed();
        let step = counts.surplus.wrapping_sub(self.surplus as u32).cast_signed();
        self.surplus = self.surplus.wrapping_add_signed(step.into());
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(u32::from(kind == ChunkKind::Events));
        self.on_its_way = Some(events);
        let totals = HeapTotals {
            allocations: self.allocations,
            frees: self.allocations.wrapping_sub(i64::from(live).cast_unsigned()),
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
            epoch: self.epoch,
            sequence,
            time,
            first_event: totals.events().wrapping_add(self.surplus),
            losses: Losses { full: counts.lost.into(), link: self.lost_by_link.into() },
            totals,
            model: ModelSpec {
                shape: TinyTables::<OwnWord>::empty().shape(),
                placement: D::PLACEMENT,
            },
        }
    }
}

/// What the drain is to send.
pub(in crate::recorder) enum Payload {
    /// So many bytes, which are there already.
    Taken(usize),
    /// As many definitions as have room.
    Definitions,
}

impl<D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize>
    State<D, SIZE, BUFFERS, NAMES>
{
    /// Begins what is to be sent next, if anything: definitions that are due, or the oldest sealed chunk,
    /// or one of totals. `sent` says whether what this began before was sent; otherwise it is lost.
    #[inline(never)]
    pub(in crate::recorder) fn next(
        &mut self,
        sent: bool,
        chunk: &mut Outgoing<SIZE>,
    ) -> Option<Payload> {
        self.settle(sent);
        let at = usize::from(self.filling).checked_sub(self.sealed.into());
        let at = at.unwrap_or_else(|| {
            usize::from(self.filling).wrapping_add(BUFFERS).wrapping_sub(self.sealed.into())
        });
        let oldest = if self.sealed > 0 { self.buffers.get(at) } else { None };
        let (time, counts, events) = match oldest {
            Some(oldest) => (oldest.time, &oldest.counts, oldest.events),
            None if self.totals_due => (self.time, &self.counts, 0),
            None => return None,
        };
        if self.repeat_in == 0 {
            self.defined = 0;
        }
        let (kind, events, payload) = if usize::from(self.defined) <= self.names.len() {
            (ChunkKind::Definitions, 0, Payload::Definitions)
        } else {
            let len = oldest.map_or(0, |oldest| {
                chunk.body = oldest.payload;
                oldest.len.into()
            });
            match self.sealed.checked_sub(1) {
                Some(sealed) => self.sealed = sealed,
                None => self.totals_due = false,
            }
            self.repeat_in = self.repeat_in.wrapping_sub(1);
            (ChunkKind::Events, events, Payload::Taken(len))
        };
        let header = self.taken.header::<D>(kind, time, counts, events);
        chunk.begin(&header, events)?;
        Some(payload)
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

    /// Has totals sent, if no events wait.
    pub(in crate::recorder) fn want_totals(&mut self) {
        if self.sealed == 0 && self.events == 0 {
            self.make_totals_due();
        }
    }

    /// Writes the next definition, if it has room; false when it has not, or there is none.
    #[inline(never)]
    pub(in crate::recorder) fn define(&mut self, message: &mut Writer<'_>) -> bool {
        if let Some(at) = usize::from(self.defined).checked_sub(1) {
            let Some((kind, id, text)) = self.names.get(at) else { return false };
            let len = text.len().wrapping_add(BESIDE_TEXT);
            // What is named by a text too long for any chunk stays a number.
            if len <= SIZE.min(MAX_TEXT + BESIDE_TEXT) {
                if len > message.room() {
                    self.repeat_in = self.repeat_in.wrapping_add(REPEAT_EVERY);
                    return false;
                }
                write_name(message, kind, id, text);
            }
        } else {
            self.repeat_in = REPEAT_EVERY;
            D::session().write(message);
        }
        self.defined = self.defined.wrapping_add(1);
        true
    }
}

/// `total` becomes the next number that ends with these 32 bits.
fn grow(total: &mut u64, low: u32) {
    *total = total.wrapping_add(low.wrapping_sub(*total as u32).into());
}
