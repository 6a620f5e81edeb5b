//! Chunks: a header, a payload and a CRC-32. [`Chunk`] reads one; [`Chunker`] builds them, one after
//! the other, in the caller's storage.

use crate::crc::Checksum;
use crate::encode::{Encoder, Moment};
use crate::error::ChunkError;
use crate::event::{Event, EventKind, HeapTotals};
use crate::format::{CRC_LEN, MAX_CHUNK};
use crate::header::{self, ChunkHeader, ChunkKind, Codec, Fixed, Layout, Losses};
use crate::lanes::Lanes;
use crate::shape::{GivenPlacement, Placement};
use crate::tables::Tables;
use crate::word::Word;

/// A chunk whose checksum and header are right; its payload is not looked at yet.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// What it says about itself.
    pub header: ChunkHeader,
    /// Its events or definitions, compressed if the header says so.
    pub payload: &'a [u8],
    /// All its bytes, header and checksum included.
    pub bytes: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// With this many bytes of its beginning, a chunk's length is known.
    pub const PREFIX: usize = Fixed::MAX;

    /// The length in bytes of the chunk that begins with `prefix`, as it says itself.
    ///
    /// # Errors
    /// When no chunk begins so, or `prefix` is shorter than [`PREFIX`](Self::PREFIX).
    pub fn length(prefix: &[u8]) -> Result<usize, ChunkError> {
        Ok(Fixed::parse(prefix)?.len)
    }

    /// Reads the chunk at the start of `bytes`, which may go on behind it.
    ///
    /// # Errors
    /// When the bytes end early, the checksum is wrong, or the header holds what the format does
    /// not know.
    pub fn parse(bytes: &'a [u8], checksum: Checksum) -> Result<Self, ChunkError> {
        let len = Self::length(bytes)?;
        let truncated = ChunkError::Truncated { needed: len, found: bytes.len() };
        let bytes = bytes.get(..len).ok_or(truncated)?;
        let (body, crc) = bytes.split_last_chunk::<CRC_LEN>().ok_or(truncated)?;
        let (stored, computed) = (u32::from_le_bytes(*crc), checksum(body));
        if stored != computed {
            return Err(ChunkError::ChecksumMismatch { stored, computed });
        }
        let (header, header_len) = ChunkHeader::parse(body)?;
        let payload = body.get(header_len..).ok_or(truncated)?;
        Ok(Self { header, payload, bytes })
    }
}

/// Writes a whole chunk with this payload to the start of `out`. Returns its length in bytes, or
/// `None` when `out` is too small, the chunk would be larger than [`MAX_CHUNK`], or no reader would
/// take the header's model.
pub fn emit_chunk(
    out: &mut [u8],
    header: &ChunkHeader,
    payload: &[u8],
    checksum: Checksum,
) -> Option<usize> {
    // A compressed payload may be short and still hold more events than 16 bits count.
    let most = payload.len().saturating_add(crate::format::MAX_HEADER + CRC_LEN);
    let wide = header::is_wide(most) || header.events > u32::from(u16::MAX);
    let header_len = header.emit_uncounted(out, wide)?;
    let body_len = header_len.checked_add(payload.len())?;
    let len = body_len.checked_add(CRC_LEN).filter(|&len| len <= MAX_CHUNK)?;
    let room = out.get_mut(header_len..body_len)?;
    room.copy_from_slice(payload);
    header::set_counts(out, len, header.events, wide)?;
    seal(out, body_len, checksum)
}

/// Puts the checksum behind the body and returns the chunk's length.
pub(crate) fn seal(out: &mut [u8], body_len: usize, checksum: Checksum) -> Option<usize> {
    let (body, rest) = out.split_at_mut_checked(body_len)?;
    *rest.first_chunk_mut()? = checksum(body).to_le_bytes();
    Some(body_len + CRC_LEN)
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use]
pub enum Pushed {
    /// It is in the chunk.
    Written,
    /// The chunk has no room for it: seal the chunk, take it, push again. Nothing changed.
    Full,
    /// No chunk of this storage has room for it, not even an empty one, or the placement is none that
    /// the tables can follow. Nothing changed.
    TooLarge,
}

/// Where a stream of chunks stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StreamPosition {
    /// Which stream.
    pub stream: u32,
    /// How often its recorder had started before.
    pub epoch: u32,
    /// The next chunk's number.
    pub sequence: u32,
    /// The next event's number.
    pub event: u64,
    /// Events that were lost.
    pub losses: Losses,
    /// The heap now.
    pub totals: HeapTotals,
}

/// Collects events in caller's storage and seals them into chunks.
///
/// `B` is the storage: `[u8; N]`, `&mut [u8]` or a `Vec<u8>`; a chunk is never longer than it. `L` is
/// [`Rows`](crate::Rows) or [`Columns`](crate::Columns); `T` the memory of the model.
#[derive(Clone, Debug)]
pub struct Chunker<B, L, T: Tables> {
    storage: B,
    encoder: Encoder<L, T>,
    checksum: Checksum,
    position: StreamPosition,
    /// When the latest event happened.
    time: u64,
    events: u32,
    /// Events that the open chunk may hold at most; 0 while none is open.
    most: u32,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>, L: Lanes, T: Tables> Chunker<B, L, T> {
    /// A chunker at the start of stream 0, with [`crc32`](crate::crc32) as the checksum. More than
    /// [`MAX_CHUNK`] bytes of the storage are never used.
    pub const fn new(storage: B, lanes: L, tables: T, placement: Placement) -> Self {
        Self {
            storage,
            encoder: Encoder::new(lanes, tables, GivenPlacement::new(placement)),
            checksum: crate::crc::crc32,
            position: StreamPosition {
                stream: 0,
                epoch: 0,
                sequence: 0,
                event: 0,
                losses: Losses { full: 0, link: 0 },
                totals: HeapTotals {
                    allocations: 0,
                    frees: 0,
                    failed: 0,
                    bytes_in_use: 0,
                    peak_bytes: 0,
                },
            },
            time: 0,
            events: 0,
            most: 0,
        }
    }

    /// Uses another function for the same checksum.
    #[must_use]
    pub fn with_checksum(mut self, checksum: Checksum) -> Self {
        self.checksum = checksum;
        self
    }

    /// Continues a stream from where it stands; an open chunk is discarded.
    pub fn set_position(&mut self, position: StreamPosition) {
        self.position = position;
        (self.events, self.most) = (0, 0);
    }

    /// Where the stream stands, events of the open chunk included.
    #[must_use]
    pub fn position(&self) -> StreamPosition {
        self.position
    }

    /// Events in the open chunk.
    #[must_use]
    pub fn pending_events(&self) -> u32 {
        self.events
    }

    /// Adds an event to the open chunk. `freed` is the size in bytes of the block that the event
    /// frees or resizes, for the running totals; 0 when not known.
    pub fn push(&mut self, event: &Event, freed: u64) -> Pushed {
        match self.push_all(core::slice::from_ref(event), &[freed]) {
            0 if self.events > 0 => Pushed::Full,
            0 => Pushed::TooLarge,
            _ => Pushed::Written,
        }
    }

    /// Adds events to the open chunk until it has no room for the next, faster than [`push`](Self::push) does one by
    /// one. `freed` has what `push` wants to know of each; what is not there is not known. Returns how many events it
    /// added.
    pub fn push_all(&mut self, events: &[Event], freed: &[u64]) -> usize {
        let (mut rest, mut rest_freed) = (events, freed);
        while let Some(first) = rest.first() {
            if self.events == self.most && (self.events > 0 || self.open(first.time).is_none()) {
                break;
            }
            let pushed = self.push_some(rest, rest_freed);
            if pushed == 0 {
                if self.events == 0 {
                    self.most = 0;
                }
                break;
            }
            self.events = self.events.wrapping_add(pushed as u32);
            self.position.event = self.position.event.wrapping_add(pushed as u64);
            rest = rest.get(pushed..).unwrap_or_default();
            rest_freed = rest_freed.get(pushed..).unwrap_or_default();
        }
        events.len().wrapping_sub(rest.len())
    }

    /// Adds as many events as are sure to fit, or one if that is not sure, and returns how many; does not count them.
    #[inline(never)]
    fn push_some(&mut self, events: &[Event], freed: &[u64]) -> usize {
        let storage = self.storage.as_mut();
        let most = events.len().min((self.most - self.events) as usize);
        let sure = self.encoder.sure(storage, most);
        let freed_by = |number: usize| freed.get(number).map_or(0, |freed| *freed);
        if sure == 0 {
            let Some(event) = events.first() else { return 0 };
            let moment = Moment::new(self.time, event.time, Some(event.thread));
            if !self.encoder.encode(storage, moment, &event.kind) {
                return 0;
            }
            self.time = event.time;
            self.position.totals.count(&event.kind, freed_by(0));
            return 1;
        }
        for (number, event) in events.iter().take(sure).enumerate() {
            self.encoder.encode_surely(storage, self.time, event);
            self.time = event.time;
            self.position.totals.count(&event.kind, freed_by(number));
        }
        sure
    }

    /// Counts an event that could not be recorded, so that totals stay exact and the gap has a
    /// size. Only between chunks: seal first.
    pub fn lose(&mut self, kind: &EventKind, freed: u64) {
        self.position.event = self.position.event.wrapping_add(1);
        self.position.losses.full = self.position.losses.full.saturating_add(1);
        self.position.totals.count(kind, freed);
    }

    /// Counts the events of a sealed chunk that the link refused.
    pub fn lose_link(&mut self, events: u64) {
        self.position.losses.link = self.position.losses.link.saturating_add(events);
    }

    /// Completes the open chunk and returns it; the next event opens another in the same storage.
    /// `None` when no event is pending.
    pub fn seal(&mut self) -> Option<&[u8]> {
        let body_len = self.close()?;
        let len = seal(self.storage.as_mut(), body_len, self.checksum)?;
        self.storage.as_ref().get(..len)
    }

    /// Completes the open chunk but for its checksum; returns its length without it.
    pub(crate) fn close(&mut self) -> Option<usize> {
        if self.events == 0 {
            return None;
        }
        let storage = self.storage.as_mut();
        let body_len = self.encoder.finish(storage);
        let wide = header::is_wide(storage.len().min(MAX_CHUNK));
        header::set_counts(storage, body_len + CRC_LEN, self.events, wide)?;
        self.next_chunk();
        Some(body_len)
    }

    /// Completes a chunk without events, for its header's totals alone, made at `time`. `None` when
    /// events are pending or the storage is too small for a header.
    pub fn seal_totals(&mut self, time: u64) -> Option<&[u8]> {
        if self.events > 0 {
            return None;
        }
        let header = self.header(time);
        let len = emit_chunk(self.storage.as_mut(), &header, &[], self.checksum)?;
        self.next_chunk();
        self.storage.as_ref().get(..len)
    }

    /// Writes a chunk of definitions to `out`; returns its length. `payload` is what
    /// [`put_definition`](crate::put_definition) wrote. Definitions are no part of the stream's
    /// sequence: they are repeated, and losing some loses no event.
    pub fn emit_definitions(&self, out: &mut [u8], time: u64, payload: &[u8]) -> Option<usize> {
        let header =
            ChunkHeader { kind: ChunkKind::Definitions, layout: Layout::Rows, ..self.header(time) };
        emit_chunk(out, &header, payload, self.checksum)
    }

    /// A header for the chunk that begins now.
    fn header(&self, time: u64) -> ChunkHeader {
        let StreamPosition { stream, epoch, sequence, event, losses, totals } = self.position;
        ChunkHeader {
            kind: ChunkKind::Events,
            layout: L::LAYOUT,
            codec: Codec::None,
            events: 0,
            stream,
            epoch,
            sequence,
            time,
            first_event: event,
            losses,
            totals,
            model: self.encoder.spec(),
        }
    }

    #[cold]
    fn open(&mut self, time: u64) -> Option<()> {
        let header = self.header(time);
        if header.model.placement.address_bits > T::Word::BITS {
            return None;
        }
        let storage = self.storage.as_mut();
        let capacity = storage.len().min(MAX_CHUNK);
        let start = header.emit_uncounted(storage, header::is_wide(capacity))?;
        let end = capacity.checked_sub(CRC_LEN).filter(|&end| end > start)?;
        self.encoder.begin(start, end);
        self.time = time;
        self.most = if header::is_wide(capacity) { u32::MAX } else { u16::MAX.into() };
        Some(())
    }

    fn next_chunk(&mut self) {
        self.position.sequence = self.position.sequence.wrapping_add(1);
        (self.events, self.most) = (0, 0);
    }
}
