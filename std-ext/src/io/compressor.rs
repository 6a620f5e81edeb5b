//! What makes chunks smaller.

use heapwire_core::{COLUMN_COUNT, ChunkHeader, Codec};
#[cfg(feature = "zstd")]
use zstd::zstd_safe::{CParameter, FrameFormat};

#[cfg(any(feature = "zstd", feature = "lz4"))]
use super::codec::codec_error;
use super::codec::{Compression, PACKED_LANES, available, has_lanes, take_len};
use super::selection::{Choice, candidates, choose};
use super::steps::Apart;
use super::varints::put;
use crate::error::Result;

/// A chunk ready to be written: its header says how the payload is compressed.
#[derive(Clone, Debug)]
pub struct Packed {
    /// What the chunk says about itself.
    pub header: ChunkHeader,
    /// Its payload as stored.
    pub payload: Vec<u8>,
    /// Bytes of the payload before compression.
    pub uncompressed: usize,
    /// And its CRC-32.
    pub checksum: u32,
    /// What it is compressed with, and why.
    pub choice: Choice,
}

/// Compresses chunk after chunk with the same contexts.
pub struct Compressor {
    aim: Compression,
    /// What is in use.
    compression: Compression,
    /// What samples decide between, the cheapest first; empty when nothing is to be decided.
    candidates: Vec<Compression>,
    #[cfg(feature = "zstd")]
    zstd: zstd::bulk::Compressor<'static>,
    #[cfg(feature = "zstd")]
    zstd_level: i32,
    /// The tags and times of a payload.
    apart: Apart,
    /// What the parts of a payload became, one behind the other.
    stored: Vec<u8>,
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor").field("compression", &self.compression).finish_non_exhaustive()
    }
}

impl Compressor {
    /// A compressor of this kind.
    ///
    /// # Errors
    /// When the codec was not compiled in, or refuses the level.
    pub fn new(compression: Compression) -> Result<Self> {
        available(compression.codec())?;
        Ok(Self {
            aim: compression,
            compression,
            candidates: Vec::new(),
            #[cfg(feature = "zstd")]
            zstd: new_zstd(zstd_level(compression))?,
            #[cfg(feature = "zstd")]
            zstd_level: zstd_level(compression),
            apart: Apart::default(),
            stored: Vec::new(),
        })
    }

    /// A compressor that chooses for each chunk, by samples of it, something that costs no more than
    /// `aim`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn choosing(aim: Compression) -> Result<Self> {
        Ok(Self { candidates: candidates(aim), ..Self::new(aim)? })
    }

    /// Compresses the payload of a chunk that is not compressed yet.
    ///
    /// # Errors
    /// When the codec fails.
    pub fn pack(&mut self, header: &ChunkHeader, payload: &[u8]) -> Result<Packed> {
        let mut apart = std::mem::take(&mut self.apart);
        let lanes = lanes(header, payload, &mut apart);
        let whole = [payload];
        let parts = lanes.as_ref().map_or(&whole[..], |lanes| &lanes[..]);
        let candidates = std::mem::take(&mut self.candidates);
        let choice = choose(self.aim, &candidates, parts, |compression, sample| {
            self.set(compression)?;
            self.stored.clear();
            Ok(self.compress(sample)?.unwrap_or(sample.len()))
        });
        self.candidates = candidates;
        let choice = choice?;
        self.set(choice.compression)?;
        let codec = choice.compression.codec();
        self.stored.clear();
        let packed = match (codec, lanes) {
            (Codec::None, _) => None,
            (_, Some(lanes)) => Some(self.pack_lanes(&lanes)?),
            (_, None) => self.compress(payload)?.map(|len| {
                let mut packed = Vec::with_capacity(len + 4);
                put(&mut packed, payload.len() as u64);
                packed.extend_from_slice(&self.stored);
                packed
            }),
        };
        self.apart = apart;
        let (uncompressed, checksum) = (payload.len(), crc32fast::hash(payload));
        Ok(match packed.filter(|packed| choice.pays(uncompressed, packed.len())) {
            Some(payload) => {
                let header = ChunkHeader { codec, ..*header };
                Packed { header, payload, uncompressed, checksum, choice }
            }
            None => Packed {
                header: *header,
                payload: payload.to_vec(),
                uncompressed,
                checksum,
                choice: choice.stored(),
            },
        })
    }

    /// Uses this from now on: the aim, or something cheaper.
    fn set(&mut self, compression: Compression) -> Result<()> {
        #[cfg(feature = "zstd")]
        if let Compression::Zstd { level } = compression
            && self.zstd_level != level
        {
            let parameter = CParameter::CompressionLevel(level);
            let set = self.zstd.set_parameter(parameter);
            set.map_err(|error| codec_error("compress", "Zstd", error))?;
            self.zstd_level = level;
        }
        self.compression = compression;
        Ok(())
    }

    fn pack_lanes(&mut self, lanes: &[&[u8]; PACKED_LANES]) -> Result<Vec<u8>> {
        let mut table = Vec::with_capacity(PACKED_LANES * 6);
        for lane in lanes {
            let len = self.compress(lane)?;
            if len.is_none() {
                self.stored.extend_from_slice(lane);
            }
            put(&mut table, lane.len() as u64);
            put(&mut table, len.unwrap_or(lane.len()) as u64);
        }
        table.reserve_exact(self.stored.len());
        table.extend_from_slice(&self.stored);
        Ok(table)
    }

    /// Compresses to the end of `stored`; returns how many bytes it took, or `None`, and nothing is added,
    /// when they are not fewer.
    fn compress(&mut self, bytes: &[u8]) -> Result<Option<usize>> {
        if bytes.is_empty() {
            return Ok(None);
        }
        match self.compression {
            Compression::None => Ok(None),
            #[cfg(feature = "lz4")]
            Compression::Lz4 => {
                let most = lz4_flex::block::get_maximum_output_size(bytes.len());
                add(&mut self.stored, most, bytes.len(), |room| {
                    lz4_flex::block::compress_into(bytes, room)
                        .map_err(|error| codec_error("compress", "LZ4", error))
                })
            }
            #[cfg(feature = "zstd")]
            Compression::Zstd { .. } => {
                let most = zstd::zstd_safe::compress_bound(bytes.len());
                add(&mut self.stored, most, bytes.len(), |room| {
                    self.zstd
                        .compress_to_buffer(bytes, room)
                        .map_err(|error| codec_error("compress", "Zstd", error))
                })
            }
            #[allow(unreachable_patterns, reason = "reached when a codec is not compiled in")]
            missing => available(missing.codec()).map(|()| None),
        }
    }
}

/// Adds what `compress` writes, `most` bytes, to a buffer, if it is shorter than the `length` bytes that it
/// was made of. Returns how long it is then.
#[cfg(any(feature = "zstd", feature = "lz4"))]
fn add(
    buffer: &mut Vec<u8>,
    most: usize,
    length: usize,
    compress: impl FnOnce(&mut [u8]) -> Result<usize>,
) -> Result<Option<usize>> {
    let before = buffer.len();
    buffer.reserve_exact(most);
    buffer.resize(before + most, 0);
    let written = compress(buffer.get_mut(before..).unwrap_or_default())?;
    let shorter = (written < length).then_some(written);
    buffer.truncate(before + shorter.unwrap_or(0));
    Ok(shorter)
}

#[cfg(feature = "zstd")]
fn zstd_level(compression: Compression) -> i32 {
    match compression {
        Compression::Zstd { level } => level,
        _ => zstd::DEFAULT_COMPRESSION_LEVEL,
    }
}

#[cfg(feature = "zstd")]
fn new_zstd(level: i32) -> Result<zstd::bulk::Compressor<'static>> {
    let prepare = || {
        let mut compressor = zstd::bulk::Compressor::new(level)?;
        // The lane table has the length, the chunk its own checksum, and its header says that it is Zstd.
        compressor.set_parameter(CParameter::Format(FrameFormat::Magicless))?;
        compressor.include_contentsize(false)?;
        compressor.include_checksum(false)?;
        Ok::<_, std::io::Error>(compressor)
    };
    prepare().map_err(|error| codec_error("compress", "Zstd", error))
}

/// The lanes of an uncompressed payload of events in columns, as codecs take them; `None` for any other.
fn lanes<'a>(
    header: &ChunkHeader,
    payload: &'a [u8],
    apart: &'a mut Apart,
) -> Option<[&'a [u8]; PACKED_LANES]> {
    if !has_lanes(header) {
        return None;
    }
    let mut rest = payload;
    let mut lengths = [0usize; COLUMN_COUNT];
    for length in &mut lengths {
        *length = take_len(&mut rest)?;
    }
    let [length, lengths @ ..] = lengths;
    let (steps, mut rest) = rest.split_at_checked(length)?;
    apart.split(steps);
    let mut lanes = [&[][..]; PACKED_LANES];
    let [tags, times, others @ ..] = &mut lanes;
    (*tags, *times) = (&apart.tags, &apart.times);
    for (lane, length) in others.iter_mut().zip(lengths) {
        (*lane, rest) = rest.split_at_checked(length)?;
    }
    Some(lanes)
}
