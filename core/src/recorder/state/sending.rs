//! The drain's part: what is to be sent next, and what became of what was.

use super::State;
use crate::definition::write_name;
use crate::format::MAX_TEXT;
use crate::header::{ChunkKind, Codec, HeaderWriter, Layout};
use crate::recorder::device::Device;
use crate::recorder::outgoing::{Outgoing, Stage};
use crate::shape::ModelSpec;
use crate::tables::{Tables, TinyTables};
use crate::varint::zigzag;
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
    surplus: i64,
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
}

/// What became of the next chunk.
pub(in crate::recorder) enum Next {
    /// It is complete but for its frame.
    Complete,
    /// It grows: ask again.
    Grows,
    /// There is none.
    Nothing,
}

impl<D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize>
    State<D, SIZE, BUFFERS, NAMES>
{
    /// Makes what is to be sent next, if anything: definitions that are due, or the oldest sealed chunk, or
    /// one of totals. `sent` says whether what this made before was sent; otherwise it is lost.
    #[inline(never)]
    pub(in crate::recorder) fn next(&mut self, sent: bool, chunk: &mut Outgoing<SIZE>) -> Next {
        if matches!(chunk.stage, Stage::Definitions) {
            // One at a time, so that none waits long for the hook.
            if self.define(chunk) {
                return Next::Grows;
            }
            chunk.stage = Stage::Done;
            if chunk.body_len > 0 {
                return Next::Complete;
            }
        } else {
            self.settle(sent);
        }
        let at = usize::from(self.filling).checked_sub(self.sealed.into());
        let at = at.unwrap_or_else(|| {
            usize::from(self.filling).wrapping_add(BUFFERS).wrapping_sub(self.sealed.into())
        });
        let oldest = if self.sealed > 0 { self.buffers.get(at) } else { None };
        let (time, counts, events) = match oldest {
            Some(oldest) => (oldest.time, &oldest.counts, oldest.events),
            None if self.totals_due => (self.time, &self.counts, 0),
            None => return Next::Nothing,
        };
        if self.repeat_in == 0 {
            self.defined = 0;
        }
        let (kind, next) = if usize::from(self.defined) <= self.names.len() {
            (chunk.stage, chunk.events, chunk.body_len) = (Stage::Definitions, 0, 0);
            (ChunkKind::Definitions, Next::Grows)
        } else {
            chunk.events = events;
            chunk.body_len = oldest.map_or(0, |oldest| {
                chunk.body = oldest.payload;
                oldest.len.into()
            });
            match self.sealed.checked_sub(1) {
                Some(sealed) => self.sealed = sealed,
                None => self.totals_due = false,
            }
            self.repeat_in = self.repeat_in.wrapping_sub(1);
            (ChunkKind::Events, Next::Complete)
        };
        let taken = &mut self.taken;
        taken.on_its_way = Some(chunk.events);
        // A number is made just before it is written, so that none takes registers or stack meanwhile.
        let mut header = HeaderWriter::new(&mut chunk.head, kind, Layout::Rows, Codec::None, false);
        header.rare(D::STREAM.into());
        header.rare(taken.epoch.into());
        header.rare(counts.lost.saturating_add(self.overwritten).into());
        header.rare(taken.lost_by_link.into());
        header.rare(counts.failed.into());
        let surplus = counts.others.wrapping_sub(counts.failed);
        let step = surplus.wrapping_sub(taken.surplus as u32).cast_signed();
        taken.surplus = taken.surplus.wrapping_add(step.into());
        header.rare(zigzag(taken.surplus));
        header.usual(taken.sequence.into());
        header.usual(time);
        let step = counts.allocations.wrapping_sub(taken.allocations as u32);
        taken.allocations = taken.allocations.wrapping_add(step.into());
        header.usual(taken.allocations);
        // No machine has so many blocks that this wraps.
        let live = counts.allocations.wrapping_sub(counts.frees).cast_signed();
        header.usual(i64::from(live).cast_unsigned());
        let (in_use, peak) = (counts.bytes_in_use.widen(), counts.peak_bytes.widen());
        header.usual(in_use);
        header.usual(peak.wrapping_sub(in_use));
        if kind == ChunkKind::Events {
            taken.sequence = taken.sequence.wrapping_add(1);
            let shape = TinyTables::<OwnWord>::empty().shape();
            // Readers take it: `State::new` sees to that.
            let _ = header.model(&ModelSpec { shape, placement: D::PLACEMENT });
        }
        // There is room for the longest.
        chunk.head_len = header.finish().unwrap_or(0);
        next
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
        if self.sealed == 0 && !self.is_open {
            self.make_totals_due();
        }
    }

    /// Adds the next definition to a chunk, if it has room; false when it has not, or there is none.
    fn define(&mut self, chunk: &mut Outgoing<SIZE>) -> bool {
        let Some(room) = chunk.body.get_mut(chunk.body_len..) else { return false };
        let mut message = Writer::new(room);
        if let Some(at) = usize::from(self.defined).checked_sub(1) {
            let Some((kind, id, text)) = self.names.get(at) else { return false };
            let len = text.len().wrapping_add(BESIDE_TEXT);
            // What is named by a text too long for any chunk stays a number.
            if len <= SIZE.min(MAX_TEXT + BESIDE_TEXT) {
                if len > message.room() {
                    self.repeat_in = self.repeat_in.wrapping_add(REPEAT_EVERY);
                    return false;
                }
                write_name(&mut message, kind, id, text);
            }
        } else {
            self.repeat_in = REPEAT_EVERY;
            D::session().write(&mut message);
        }
        self.defined = self.defined.wrapping_add(1);
        chunk.body_len = chunk.body_len.wrapping_add(message.finish().unwrap_or(0));
        true
    }
}
