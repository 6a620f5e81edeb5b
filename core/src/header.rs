//! A chunk's header, as FORMAT.md describes it.

use crate::error::ChunkError;
use crate::event::HeapTotals;
use crate::format::{CHUNK_MAGIC, CRC_LEN, MAX_CHUNK, MAX_NARROW, OLDEST_VERSION, VERSION};
use crate::shape::ModelSpec;
use crate::varint;
use crate::writer::Writer;

/// What a chunk carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ChunkKind {
    /// Events; none at all when only the header's totals matter.
    Events,
    /// [`Definition`](crate::Definition)s.
    Definitions,
    /// Where the chunks before it are in a capture.
    Index,
    /// The end mark of a capture.
    End,
}

/// Who compressed the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Codec {
    /// Nobody.
    None,
    /// LZ4 blocks.
    Lz4,
    /// Zstandard frames.
    Zstd,
}

/// How the fields of events are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Layout {
    /// One stream of bits, event after event: smallest when nothing compresses it.
    Rows,
    /// Each field's bytes apart: smallest when something does.
    Columns,
}

/// Events that never reached a chunk, by cause, since the recorder began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Losses {
    /// All buffers were full, or only totals were wanted.
    pub full: u64,
    /// The link refused the chunk that held them.
    pub link: u64,
}

/// Everything a chunk says about itself. Totals and counts are as they stood before the chunk's
/// first event, so that what lies between two chunks is known exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ChunkHeader {
    /// What it carries.
    pub kind: ChunkKind,
    /// How its events are laid out.
    pub layout: Layout,
    /// How its payload is compressed.
    pub codec: Codec,
    /// Events in it.
    pub events: u32,
    /// Which core's or thread's.
    pub stream: u32,
    /// How often the recorder had started before.
    pub epoch: u32,
    /// Its number in the stream's epoch, from 0. Only chunks of events count.
    pub sequence: u32,
    /// The first event's time, or the time it was made; in ticks.
    pub time: u64,
    /// Events of the stream's epoch before its first, recorded or lost.
    pub first_event: u64,
    /// Of these, the lost ones.
    pub losses: Losses,
    /// The heap before its first event.
    pub totals: HeapTotals,
    /// The model that coded its events.
    pub model: ModelSpec,
}

/// Fixed positions of a header with lengths of 2 (`false`) or 4 (`true`) bytes.
const fn fixed_len(wide: bool) -> usize {
    if wide { 10 } else { 6 }
}

/// Fields that a header has only when they are not 0, each with a bit that says so.
const RARE_FIELDS: usize = 6;

/// A header being written, but for the chunk's length and its number of events, which
/// [`set_counts`] sets. Its numbers come in the order of the format: the rare ones, the usual ones, the
/// model.
pub(crate) struct HeaderWriter<'a> {
    writer: Writer<'a>,
    present_at: usize,
    present: u8,
    /// That of the next rare number in `present`.
    bit: u8,
}

impl<'a> HeaderWriter<'a> {
    // Inlined, as a device knows most of it when it is compiled.
    #[inline(always)]
    pub(crate) fn new(
        out: &'a mut [u8],
        kind: ChunkKind,
        layout: Layout,
        codec: Codec,
        wide: bool,
    ) -> Self {
        let kind = match kind {
            ChunkKind::Events => 0,
            ChunkKind::Definitions => 1,
            ChunkKind::Index => 2,
            ChunkKind::End => 3,
        };
        let codec = match codec {
            Codec::None => 0,
            Codec::Lz4 => 1,
            Codec::Zstd => 2,
        };
        let mut writer = Writer::new(out);
        writer.byte(CHUNK_MAGIC | VERSION);
        writer.byte(
            kind | u8::from(layout == Layout::Columns) << 3 | codec << 4 | u8::from(wide) << 6,
        );
        let present_at = fixed_len(wide);
        writer.skip_to(present_at + 1);
        Self { writer, present_at, present: 0, bit: 1 }
    }

    /// A number that is left out when it is 0.
    #[inline(never)]
    pub(crate) fn rare(&mut self, value: u64) {
        if value != 0 {
            self.present |= self.bit;
            self.writer.number(value);
        }
        self.bit <<= 1;
    }

    #[inline(always)]
    pub(crate) fn usual(&mut self, value: u64) {
        self.writer.number(value);
    }

    /// The model of a chunk of events; `None` when no reader would take it.
    #[inline(always)]
    pub(crate) fn model(&mut self, model: &ModelSpec) -> Option<()> {
        model.write(&mut self.writer)
    }

    /// The header's length, or `None` when it had no room.
    #[inline(always)]
    pub(crate) fn finish(mut self) -> Option<usize> {
        self.writer.set(self.present_at, self.present);
        self.writer.finish()
    }
}

impl ChunkHeader {
    /// Writes the header of a chunk of `len` bytes at the start of `out`, with 4-byte lengths if
    /// `wide`. Returns the header's length, or `None` without room, when a count needs a wide
    /// header, or when no reader would take the model.
    pub fn emit(&self, out: &mut [u8], len: usize, wide: bool) -> Option<usize> {
        let header_len = self.emit_uncounted(out, wide)?;
        set_counts(out, len, self.events, wide)?;
        Some(header_len)
    }

    /// [`emit`](Self::emit) but for what [`set_counts`] sets.
    pub(crate) fn emit_uncounted(&self, out: &mut [u8], wide: bool) -> Option<usize> {
        let Self { stream, epoch, sequence, time, first_event, losses, totals, .. } = *self;
        let HeapTotals { allocations, frees, failed, bytes_in_use, peak_bytes } = totals;
        let surplus = varint::zigzag(first_event.wrapping_sub(totals.events()).cast_signed());
        let (live, above) =
            (allocations.wrapping_sub(frees), peak_bytes.wrapping_sub(bytes_in_use));
        let mut writer = HeaderWriter::new(out, self.kind, self.layout, self.codec, wide);
        for value in [stream.into(), epoch.into(), losses.full, losses.link, failed, surplus] {
            writer.rare(value);
        }
        for value in [sequence.into(), time, allocations, live, bytes_in_use, above] {
            writer.usual(value);
        }
        if self.kind == ChunkKind::Events {
            writer.model(&self.model)?;
        }
        writer.finish()
    }

    /// Reads the header at the start of `chunk`, and its length in bytes. The checksum is not
    /// looked at: [`Chunk::parse`](crate::Chunk::parse) does that first.
    ///
    /// # Errors
    /// When a field holds what the format does not know, or the bytes end early.
    pub fn parse(chunk: &[u8]) -> Result<(Self, usize), ChunkError> {
        let fixed = Fixed::parse(chunk)?;
        let mut at = fixed_len(fixed.wide);
        let present =
            *chunk.get(at).ok_or(ChunkError::Truncated { needed: at + 1, found: chunk.len() })?;
        if present >> RARE_FIELDS != 0 {
            return Err(ChunkError::InvalidField {
                field: "present fields",
                found: present.into(),
            });
        }
        at += 1;
        let mut next = || {
            let rest = chunk.get(at..).unwrap_or_default();
            let (value, used) = varint::take(rest)
                .ok_or(ChunkError::InvalidField { field: "varint", found: at as u64 })?;
            at += used;
            Ok(value)
        };
        let small = |field, value: u64| {
            u32::try_from(value).map_err(|_| ChunkError::InvalidField { field, found: value })
        };
        let mut rare = [0; RARE_FIELDS];
        for (bit, value) in rare.iter_mut().enumerate() {
            if present >> bit & 1 != 0 {
                *value = next()?;
            }
        }
        let [stream, epoch, full, link, failed, surplus] = rare;
        let (sequence, time, allocations, live) = (next()?, next()?, next()?, next()?);
        let (bytes_in_use, above) = (next()?, next()?);
        let totals = HeapTotals {
            allocations,
            frees: allocations.wrapping_sub(live),
            failed,
            bytes_in_use,
            peak_bytes: bytes_in_use.wrapping_add(above),
        };
        let mut header = Self {
            kind: fixed.kind,
            layout: fixed.layout,
            codec: fixed.codec,
            events: fixed.events,
            stream: small("stream", stream)?,
            epoch: small("epoch", epoch)?,
            sequence: small("sequence", sequence)?,
            time,
            first_event: totals.events().wrapping_add_signed(varint::unzigzag(surplus)),
            losses: Losses { full, link },
            totals,
            model: ModelSpec::EMBEDDED,
        };
        if header.kind == ChunkKind::Events {
            let (model, used) = ModelSpec::parse(chunk.get(at..).unwrap_or_default())?;
            header.model = model;
            at += used;
        }
        Ok((header, at))
    }
}

/// Patches a chunk's length in bytes and its number of events into an emitted header. `None` when
/// they do not fit.
#[inline(always)]
pub(crate) fn set_counts(out: &mut [u8], len: usize, events: u32, wide: bool) -> Option<()> {
    let (_, counts) = out.split_at_mut_checked(2)?;
    if wide {
        *counts.first_chunk_mut()? = u32::try_from(len).ok()?.to_le_bytes();
        *counts.get_mut(4..)?.first_chunk_mut()? = events.to_le_bytes();
    } else {
        *counts.first_chunk_mut()? = u16::try_from(len).ok()?.to_le_bytes();
        *counts.get_mut(2..)?.first_chunk_mut()? = u16::try_from(events).ok()?.to_le_bytes();
    }
    Some(())
}

/// The part of a header at fixed positions.
pub(crate) struct Fixed {
    kind: ChunkKind,
    layout: Layout,
    codec: Codec,
    wide: bool,
    events: u32,
    /// The whole chunk's length in bytes.
    pub(crate) len: usize,
}

impl Fixed {
    /// The longest fixed part: with this many bytes any chunk's length is known.
    pub(crate) const MAX: usize = fixed_len(true);

    pub(crate) fn parse(chunk: &[u8]) -> Result<Self, ChunkError> {
        let truncated = |needed| ChunkError::Truncated { needed, found: chunk.len() };
        let [magic, flags] = *chunk.first_chunk::<2>().ok_or(truncated(Self::MAX))?;
        if magic & 0xF0 != CHUNK_MAGIC {
            return Err(ChunkError::NotAChunk { found: magic });
        }
        let version = magic & 0x0F;
        if !(OLDEST_VERSION..=VERSION).contains(&version) {
            return Err(ChunkError::UnsupportedVersion { found: version });
        }
        let unknown = ChunkError::InvalidField { field: "flags", found: u64::from(flags) };
        let kind = match flags & 7 {
            0 => ChunkKind::Events,
            1 => ChunkKind::Definitions,
            2 => ChunkKind::Index,
            3 => ChunkKind::End,
            _ => return Err(unknown),
        };
        let layout = if flags & 8 == 0 { Layout::Rows } else { Layout::Columns };
        let codec = match flags >> 4 & 3 {
            0 => Codec::None,
            1 => Codec::Lz4,
            2 => Codec::Zstd,
            _ => return Err(unknown),
        };
        if flags & 0x80 != 0 {
            return Err(unknown);
        }
        let wide = flags & 0x40 != 0;
        let counts = chunk.get(2..).unwrap_or_default();
        let (len, events) = if wide {
            let [a, b, c, d, e, f, g, h] =
                *counts.first_chunk::<8>().ok_or(truncated(fixed_len(true)))?;
            (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
        } else {
            let [a, b, c, d] = *counts.first_chunk::<4>().ok_or(truncated(fixed_len(false)))?;
            (u16::from_le_bytes([a, b]).into(), u16::from_le_bytes([c, d]).into())
        };
        let len = len as usize;
        if len > MAX_CHUNK {
            return Err(ChunkError::LengthOverLimit { length: len, limit: MAX_CHUNK });
        }
        if len < fixed_len(wide) + CRC_LEN {
            return Err(ChunkError::InvalidField { field: "length", found: len as u64 });
        }
        Ok(Self { kind, layout, codec, wide, events, len })
    }
}

/// Whether a chunk in storage of `capacity` bytes has 4-byte lengths.
pub(crate) const fn is_wide(capacity: usize) -> bool {
    capacity > MAX_NARROW
}
