//! Codecs: a chunk's payload made smaller, and back. Each lane of a columns payload is compressed
//! apart, and stays as it is when that does not pay; FORMAT.md draws both forms.

use heapwire_core::format::MAX_CHUNK;
use heapwire_core::{
    COLUMN_COUNT, Chunk, ChunkError, ChunkHeader, ChunkKind, Codec, Layout, varint,
};

use super::steps::{half, join};
use super::varints::{put, take};
use crate::error::{BinaryExportError, Result};

/// Which codec, and how hard it tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// None at all.
    None,
    /// LZ4 blocks.
    Lz4,
    /// Zstandard frames of this level, 1 to 22, without their magic number in captures.
    Zstd {
        /// How hard it tries.
        level: i32,
    },
}

impl Compression {
    /// What a chunk's header calls it.
    #[must_use]
    pub fn codec(self) -> Codec {
        match self {
            Self::None => Codec::None,
            Self::Lz4 => Codec::Lz4,
            Self::Zstd { .. } => Codec::Zstd,
        }
    }
}

impl std::fmt::Display for Compression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("no codec"),
            Self::Lz4 => f.write_str("LZ4"),
            Self::Zstd { level } => write!(f, "Zstd {level}"),
        }
    }
}

#[cfg(any(feature = "zstd", feature = "lz4"))]
pub(super) fn codec_error(
    action: &'static str,
    codec: &'static str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> BinaryExportError {
    BinaryExportError::Codec { action, codec, source: std::io::Error::other(error) }
}

/// Whether this build has the codec.
pub(super) fn available(codec: Codec) -> Result<()> {
    match codec {
        Codec::Lz4 if !cfg!(feature = "lz4") => {
            Err(BinaryExportError::MissingFeature { codec: "LZ4", feature: "lz4" })
        }
        Codec::Zstd if !cfg!(feature = "zstd") => {
            Err(BinaryExportError::MissingFeature { codec: "Zstd", feature: "zstd" })
        }
        _ => Ok(()),
    }
}

pub(super) fn has_lanes(header: &ChunkHeader) -> bool {
    header.kind == ChunkKind::Events && header.layout == Layout::Columns && header.events > 0
}

/// A length that a chunk may have, from the front of `bytes`.
pub(super) fn take_len(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(take(bytes)?).ok().filter(|&len| len <= MAX_CHUNK)
}

/// The lanes of events in columns as codecs take them: the tags and the times of the lane of steps apart, then the
/// others.
pub const PACKED_LANES: usize = COLUMN_COUNT + 1;

/// How much each lane of a chunk's events takes: bytes before compression and as stored. `None` for
/// a chunk without lanes.
#[must_use]
pub fn lane_sizes(chunk: &Chunk<'_>) -> Option<[(usize, usize); PACKED_LANES]> {
    if !has_lanes(&chunk.header) {
        return None;
    }
    let mut rest = chunk.payload;
    let mut sizes = [(0, 0); PACKED_LANES];
    if chunk.header.codec == Codec::None {
        let steps = take_len(&mut rest)?;
        let [tags, times, others @ ..] = &mut sizes;
        (*tags, *times) = ((half(steps), half(steps)), (steps / 2, steps / 2));
        for size in others {
            let length = take_len(&mut rest)?;
            *size = (length, length);
        }
        return Some(sizes);
    }
    for size in &mut sizes {
        *size = (take_len(&mut rest)?, take_len(&mut rest)?);
    }
    Some(sizes)
}

/// How many bytes a chunk's payload has when it is unpacked, as far as it says; it may be one less.
pub(crate) fn unpacked_len(chunk: &Chunk<'_>) -> usize {
    let lane = |raw: usize| raw + varint::len(raw as u64);
    match (chunk.header.codec, lane_sizes(chunk)) {
        (Codec::None, _) => chunk.payload.len(),
        (_, Some([(tags, _), (times, _), others @ ..])) => {
            lane(tags + times) + others.iter().map(|(raw, _)| lane(*raw)).sum::<usize>()
        }
        (_, None) => take_len(&mut &chunk.payload[..]).unwrap_or(0),
    }
}

/// Unpacks chunk after chunk into the same memory.
#[derive(Default)]
pub struct Decompressor {
    payload: Vec<u8>,
    /// Tags and times, one behind the other.
    apart: Vec<u8>,
    #[cfg(feature = "zstd")]
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl std::fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decompressor").finish_non_exhaustive()
    }
}

/// Why a payload cannot be unpacked.
const BAD_TABLE: ChunkError = ChunkError::InvalidPayload {
    what: "the lengths of the compressed lanes do not add up",
    item: 0,
};
const BAD_CODE: ChunkError =
    ChunkError::InvalidPayload { what: "the compressed payload cannot be unpacked", item: 0 };

impl Decompressor {
    /// A decompressor that has not allocated anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The chunk with its payload unpacked; the chunk itself when it was not compressed.
    ///
    /// # Errors
    /// When its codec was not compiled in; or, inside, what is wrong with the payload. No more than
    /// [`MAX_CHUNK`] bytes are ever allocated.
    pub fn unpack<'a>(
        &'a mut self,
        chunk: Chunk<'a>,
    ) -> Result<std::result::Result<Chunk<'a>, ChunkError>> {
        let mut payload = std::mem::take(&mut self.payload);
        let unpacked = self.unpack_into(chunk, &mut payload);
        self.payload = payload;
        Ok(unpacked?.map(|header| match chunk.header.codec {
            Codec::None => chunk,
            _ => Chunk { header, payload: &self.payload, bytes: chunk.bytes },
        }))
    }

    /// Unpacks the chunk's payload into `payload`, and returns the header that it then has. A payload
    /// that was not compressed is not copied.
    ///
    /// # Errors
    /// As [`unpack`](Self::unpack).
    pub(crate) fn unpack_into(
        &mut self,
        chunk: Chunk<'_>,
        payload: &mut Vec<u8>,
    ) -> Result<std::result::Result<ChunkHeader, ChunkError>> {
        let codec = chunk.header.codec;
        payload.clear();
        available(codec)?;
        let unpacked = match codec {
            Codec::None => Ok(()),
            _ if has_lanes(&chunk.header) => self.unpack_lanes(codec, &chunk, payload),
            _ => self.unpack_whole(codec, chunk.payload, payload),
        };
        Ok(unpacked.map(|()| ChunkHeader { codec: Codec::None, ..chunk.header }))
    }

    fn unpack_whole(
        &mut self,
        codec: Codec,
        mut packed: &[u8],
        payload: &mut Vec<u8>,
    ) -> Result<(), ChunkError> {
        let len = take_len(&mut packed).ok_or(BAD_TABLE)?;
        self.decompress(codec, packed, len, payload)
    }

    fn unpack_lanes(
        &mut self,
        codec: Codec,
        chunk: &Chunk<'_>,
        payload: &mut Vec<u8>,
    ) -> Result<(), ChunkError> {
        let sizes = lane_sizes(chunk).ok_or(BAD_TABLE)?;
        let [tags, times, others @ ..] = sizes;
        let steps = chunk.header.events as usize;
        if [tags.0, times.0] != [half(steps); 2] {
            return Err(BAD_TABLE);
        }
        let raw = steps + others.iter().map(|(raw, _)| raw).sum::<usize>();
        if raw > MAX_CHUNK {
            return Err(ChunkError::LengthOverLimit { length: raw, limit: MAX_CHUNK });
        }
        let stored: usize = sizes.iter().map(|(_, stored)| stored).sum();
        let table_len: usize = sizes
            .iter()
            .map(|&(raw, stored)| varint::len(raw as u64) + varint::len(stored as u64))
            .sum();
        if chunk.payload.len().checked_sub(stored) != Some(table_len) {
            return Err(BAD_TABLE);
        }
        // Grown lane by lane it would often get twice the room.
        payload.reserve_exact(table_len + raw);
        put(payload, steps as u64);
        for (raw, _) in others {
            put(payload, raw as u64);
        }
        let mut rest = chunk.payload.get(table_len..).ok_or(BAD_TABLE)?;
        let mut apart = std::mem::take(&mut self.apart);
        apart.clear();
        for size in [tags, times] {
            self.unpack_lane(codec, &mut rest, size, &mut apart)?;
        }
        let start = payload.len();
        payload.resize(start + steps, 0);
        let (tags, times) = apart.split_at(half(steps));
        join(tags, times, payload.get_mut(start..).unwrap_or_default());
        self.apart = apart;
        for size in others {
            self.unpack_lane(codec, &mut rest, size, payload)?;
        }
        Ok(())
    }

    /// Appends what the lane at the front of `rest` unpacks to.
    fn unpack_lane(
        &mut self,
        codec: Codec,
        rest: &mut &[u8],
        (raw, stored): (usize, usize),
        unpacked: &mut Vec<u8>,
    ) -> Result<(), ChunkError> {
        let (lane, after) = rest.split_at_checked(stored).ok_or(BAD_TABLE)?;
        *rest = after;
        match stored.cmp(&raw) {
            std::cmp::Ordering::Equal => unpacked.extend_from_slice(lane),
            std::cmp::Ordering::Less => self.decompress(codec, lane, raw, unpacked)?,
            std::cmp::Ordering::Greater => return Err(BAD_TABLE),
        }
        Ok(())
    }

    /// Appends what `bytes` unpack to, which must be `len` bytes.
    fn decompress(
        &mut self,
        codec: Codec,
        bytes: &[u8],
        len: usize,
        payload: &mut Vec<u8>,
    ) -> Result<(), ChunkError> {
        let start = payload.len();
        payload.resize(start + len, 0);
        let room = payload.get_mut(start..).unwrap_or_default();
        let written = match codec {
            #[cfg(feature = "lz4")]
            Codec::Lz4 => lz4_flex::block::decompress_into(bytes, room).ok(),
            #[cfg(feature = "zstd")]
            Codec::Zstd => {
                if self.zstd.is_none() {
                    self.zstd = new_zstd().ok();
                }
                let zstd = self.zstd.as_mut();
                zstd.and_then(|zstd| zstd.decompress_to_buffer(bytes, room).ok())
            }
            _ => {
                let _ = (bytes, room);
                None
            }
        };
        if written == Some(len) { Ok(()) } else { Err(BAD_CODE) }
    }
}

#[cfg(feature = "zstd")]
fn new_zstd() -> std::io::Result<zstd::bulk::Decompressor<'static>> {
    use zstd::zstd_safe::{DParameter, FrameFormat};

    let mut decompressor = zstd::bulk::Decompressor::new()?;
    decompressor.set_parameter(DParameter::Format(FrameFormat::Magicless))?;
    Ok(decompressor)
}

#[cfg(test)]
mod tests {
    use heapwire_core::{ModelSpec, crc32, emit_chunk};

    use super::*;
    use crate::error::ErrorKind;
    use crate::io::envelope::open;

    /// A chunk that says that it is packed so.
    fn packed(codec: Codec) -> Vec<u8> {
        let header = ChunkHeader {
            kind: ChunkKind::Events,
            layout: Layout::Rows,
            codec,
            events: 1,
            stream: 0,
            epoch: 0,
            sequence: 0,
            time: 0,
            first_event: 0,
            losses: Default::default(),
            totals: Default::default(),
            model: ModelSpec::DESKTOP,
        };
        let mut bytes = vec![0; 300];
        let len = emit_chunk(&mut bytes, &header, b"\x09packed", crc32).unwrap();
        bytes.truncate(len);
        bytes
    }

    /// Runs in ci/features without codecs, too.
    #[test]
    fn what_needs_a_codec_that_is_not_there_says_which() {
        for (codec, frame, name, feature, is_there) in [
            (Codec::Lz4, b"\x04\x22\x4d\x18", "LZ4", "lz4", cfg!(feature = "lz4")),
            (Codec::Zstd, b"\x28\xb5\x2f\xfd", "Zstd", "zstd", cfg!(feature = "zstd")),
        ] {
            let bytes = packed(codec);
            let chunk = Chunk::parse(&bytes, crc32).unwrap();
            let of_a_chunk = Decompressor::new().unpack(chunk).err();
            let of_a_frame = open(&frame[..]).err();
            for error in [of_a_chunk, of_a_frame] {
                let is_missing = matches!(
                    &error,
                    Some(BinaryExportError::MissingFeature { codec, feature: missing })
                        if (*codec, *missing) == (name, feature)
                );
                assert_eq!(is_missing, !is_there, "{error:?}");
                if let Some(error) = error.filter(|_| is_missing) {
                    assert_eq!(error.kind(), ErrorKind::Caller);
                    let message = error.to_string();
                    assert!(message.contains(name) && message.contains(feature), "{message}");
                }
            }
        }
    }
}
