//! What compresses a chunk: what the configuration says, or what samples of the chunk speak for. Only
//! bytes count, never time, so that the same data makes the same file, with any number of threads.

use std::fmt;

use super::codec::{Compression, Packed};
use crate::error::Result;

/// Levels that are tried below a configured one: the steps between which it gets slower by a half or
/// more.
const LADDER: [i32; 4] = [1, 3, 6, 9];

/// From this level on, size is the aim, and no other level is tried.
const SIZE_IS_THE_AIM: i32 = 16;

/// Of how many lanes samples are taken, the longest ones: they make most of a chunk.
const SAMPLED_LANES: usize = 3;

/// How much of a lane is a sample: one part of so many, within these bytes.
const SAMPLE_SHARE: usize = 16;
const SAMPLE_BYTES: std::ops::RangeInclusive<usize> = 1024..=4096;

/// Chunks below this size in bytes are compressed sooner than sampled.
const LEAST_SAMPLED: usize = 16 * 1024;

/// What compresses a chunk, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Choice {
    /// The codec and its level.
    pub compression: Compression,
    /// Why.
    pub reason: Reason,
}

/// Why a chunk is compressed as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The configuration says so, or the chunk is too short to be sampled.
    Configured,
    /// Its samples take so much less than with what is cheaper.
    Pays,
    /// Its samples take hardly less with what costs more.
    CheaperDoes,
    /// No codec makes it enough smaller.
    Incompressible,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configured => "as configured",
            Self::Pays => "cheaper codecs leave more",
            Self::CheaperDoes => "costlier codecs take hardly more off",
            Self::Incompressible => "no codec takes enough off",
        })
    }
}

impl Choice {
    /// Whether the codec made a chunk of `before` bytes enough smaller.
    pub(super) fn pays(self, before: usize, after: usize) -> bool {
        let least = match self.reason {
            Reason::Incompressible => least_saving(self.compression, before),
            _ => 1,
        };
        after + least <= before
    }

    /// The same when the codec did not pay: the chunk is stored as it is.
    pub(super) fn stored(self) -> Self {
        match self.compression {
            Compression::None => self,
            _ => Self { compression: Compression::None, reason: Reason::Incompressible },
        }
    }
}

/// What a compressor that aims at `aim` decides between, the cheapest first; empty when nothing is to
/// be decided.
pub(super) fn candidates(aim: Compression) -> Vec<Compression> {
    match aim {
        Compression::None => Vec::new(),
        Compression::Zstd { level: most @ ..SIZE_IS_THE_AIM } => {
            let below = LADDER.into_iter().filter(|&level| level < most);
            below.chain([most]).map(|level| Compression::Zstd { level }).collect()
        }
        aim => vec![aim],
    }
}

/// What a costlier codec has to take off so many bytes.
fn least_saving(compression: Compression, bytes: usize) -> usize {
    match compression {
        Compression::Lz4 => bytes / 8,
        _ => bytes / 64,
    }
}

/// Decides what compresses a chunk of these parts, each compressed apart. `try_on` returns how many
/// bytes a sample takes.
pub(super) fn choose(
    aim: Compression,
    candidates: &[Compression],
    parts: &[&[u8]],
    mut try_on: impl FnMut(Compression, &[u8]) -> Result<usize>,
) -> Result<Choice> {
    let configured = Choice { compression: aim, reason: Reason::Configured };
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let Some((&cheapest, costlier)) = candidates.split_first() else { return Ok(configured) };
    if length < LEAST_SAMPLED {
        return Ok(configured);
    }
    let samples = samples(parts);
    let mut size = |compression| -> Result<usize> {
        samples.iter().map(|sample| try_on(compression, sample)).sum()
    };
    let whole: usize = samples.iter().map(|sample| sample.len()).sum();
    let mut least = size(cheapest)?;
    let mut compression = cheapest;
    if least + least_saving(cheapest, whole) > whole {
        // Not what a sample can show, such as long repetitions, may still be there. Where speed is the
        // aim, they are not worth the search.
        let compression = if cheapest == Compression::Lz4 { Compression::None } else { cheapest };
        return Ok(Choice { compression, reason: Reason::Incompressible });
    }
    for &next in costlier {
        let bytes = size(next)?;
        if bytes + least_saving(next, least) > least {
            return Ok(Choice { compression, reason: Reason::CheaperDoes });
        }
        (compression, least) = (next, bytes);
    }
    Ok(Choice { compression, reason: Reason::Pays })
}

/// Pieces from the middle of the longest parts.
fn samples<'a>(parts: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let mut longest = parts.to_vec();
    longest.sort_by_key(|part| std::cmp::Reverse(part.len()));
    longest.truncate(SAMPLED_LANES);
    let sample = |part: &'a [u8]| {
        let length = (part.len() / SAMPLE_SHARE).clamp(*SAMPLE_BYTES.start(), *SAMPLE_BYTES.end());
        let start = part.len().saturating_sub(length) / 2;
        part.get(start..).map(|rest| rest.get(..length).unwrap_or(rest)).unwrap_or_default()
    };
    longest.into_iter().map(sample).collect()
}

/// How the chunks of a file were compressed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompressionReport {
    /// What was chosen for how many chunks: one of each kind, the cheapest first.
    pub choices: Vec<ChosenCompression>,
}

/// Chunks that are compressed alike, for the same reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChosenCompression {
    /// The codec and its level.
    pub compression: Compression,
    /// Why.
    pub reason: Reason,
    /// How many chunks.
    pub chunks: u64,
    /// Bytes of their payloads before compression.
    pub bytes_before: u64,
    /// Bytes of their payloads as stored.
    pub bytes_after: u64,
}

impl CompressionReport {
    /// Bytes of all payloads before compression.
    #[must_use]
    pub fn bytes_before(&self) -> u64 {
        self.choices.iter().map(|chosen| chosen.bytes_before).sum()
    }

    /// Bytes of all payloads as stored.
    #[must_use]
    pub fn bytes_after(&self) -> u64 {
        self.choices.iter().map(|chosen| chosen.bytes_after).sum()
    }

    /// How many times smaller the codecs made them; `None` when there is nothing.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let after = self.bytes_after();
        (after > 0).then(|| self.bytes_before() as f64 / after as f64)
    }

    /// Counts a chunk.
    pub(crate) fn count(&mut self, packed: &Packed) {
        let Choice { compression, reason } = packed.choice;
        let at = self.choices.binary_search_by_key(&packed.choice, |chosen| Choice {
            compression: chosen.compression,
            reason: chosen.reason,
        });
        let at = at.unwrap_or_else(|at| {
            let none = ChosenCompression {
                compression,
                reason,
                chunks: 0,
                bytes_before: 0,
                bytes_after: 0,
            };
            self.choices.insert(at, none);
            at
        });
        if let Some(chosen) = self.choices.get_mut(at) {
            chosen.chunks += 1;
            chosen.bytes_before += packed.uncompressed as u64;
            chosen.bytes_after += packed.payload.len() as u64;
        }
    }
}

impl fmt::Display for ChosenCompression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { compression, reason, chunks, bytes_before, bytes_after } = self;
        let plural = if *chunks == 1 { "" } else { "s" };
        write!(
            f,
            "{compression} for {chunks} chunk{plural}, {bytes_before} to {bytes_after} bytes: {reason}"
        )
    }
}
