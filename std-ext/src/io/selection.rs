//! What compresses a chunk: what the configuration says, or what samples of the chunk speak for. Only
//! bytes count, never time, so that the same data makes the same file, with any number of threads.

use std::fmt;

use super::codec::Compression;
use super::compressor::Packed;
use crate::error::Result;

/// Levels that are tried below a configured one: the steps between which it gets slower by a half or
/// more.
const LADDER: [i32; 4] = [1, 3, 6, 9];

/// From this level on, size is the aim, and no other level is tried.
const SIZE_IS_THE_AIM: i32 = 16;

/// How much of a lane is a sample: one part of so many, within these bytes.
const SAMPLE_SHARE: usize = 16;
const SAMPLE_BYTES: std::ops::RangeInclusive<usize> = 512..=4096;

/// Lanes that are shorter than one part of so many of a chunk have no say.
const LEAST_LANE: usize = 32;

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
    /// Its samples get much smaller, or so much smaller than with what is cheaper.
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
            Self::Pays => "samples get enough smaller",
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
        _ => bytes / 128,
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
    // In what gets much smaller, the costlier ones find long repetitions, which samples do not show.
    if least <= whole / 2 {
        return Ok(Choice { compression: aim, reason: Reason::Pays });
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

/// Pieces from the middle of the parts, by their share of all.
fn samples<'a>(parts: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let counts = |part: &&&'a [u8]| part.len() >= length / LEAST_LANE;
    let sample = |part: &&'a [u8]| {
        let length = (part.len() / SAMPLE_SHARE).clamp(*SAMPLE_BYTES.start(), *SAMPLE_BYTES.end());
        let start = part.len().saturating_sub(length) / 2;
        part.get(start..).map(|rest| rest.get(..length).unwrap_or(rest)).unwrap_or_default()
    };
    parts.iter().filter(counts).map(sample).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    const LZ4: Compression = Compression::Lz4;
    const fn zstd(level: i32) -> Compression {
        Compression::Zstd { level }
    }

    /// What is chosen for 64 KiB of which each codec leaves so many parts in a thousand.
    fn chosen(aim: Compression, leaves: impl Fn(Compression) -> usize) -> (Compression, Reason) {
        let part = vec![0; 64 << 10];
        let size = |compression, sample: &[u8]| Ok(sample.len() * leaves(compression) / 1000);
        let choice = choose(aim, &candidates(aim), &[&part], size).expect("chooses");
        (choice.compression, choice.reason)
    }

    #[test]
    fn the_level_goes_up_as_long_as_that_pays() {
        let at = |one, three, six| {
            move |compression| match compression {
                Compression::Zstd { level: 1 } => one,
                Compression::Zstd { level: 3 } => three,
                _ => six,
            }
        };
        assert_eq!(chosen(zstd(3), at(700, 650, 0)), (zstd(3), Reason::Pays));
        assert_eq!(chosen(zstd(3), at(700, 698, 0)), (zstd(1), Reason::CheaperDoes));
        assert_eq!(chosen(zstd(6), at(700, 650, 648)), (zstd(3), Reason::CheaperDoes));
        assert_eq!(chosen(zstd(6), at(700, 650, 600)), (zstd(6), Reason::Pays));
        // What gets much smaller may have more than samples show.
        assert_eq!(chosen(zstd(6), at(500, 499, 498)), (zstd(6), Reason::Pays));
        // Nothing costlier than what was asked for.
        assert_eq!(chosen(zstd(1), at(700, 0, 0)), (zstd(1), Reason::Pays));
        // Size is the aim.
        assert_eq!(chosen(zstd(19), at(700, 700, 699)), (zstd(19), Reason::Pays));
    }

    #[test]
    fn what_does_not_get_smaller_is_stored() {
        assert_eq!(chosen(LZ4, |_| 880), (Compression::None, Reason::Incompressible));
        assert_eq!(chosen(LZ4, |_| 870), (LZ4, Reason::Pays));
        // Where the file's size matters, the whole chunk is tried all the same.
        let choice = chosen(zstd(9), |_| 1000);
        assert_eq!(choice, (zstd(1), Reason::Incompressible));
        let choice = Choice { compression: choice.0, reason: choice.1 };
        assert!(choice.pays(6400, 6350) && !choice.pays(6400, 6351));
        assert_eq!(choice.stored().compression, Compression::None);
    }

    #[test]
    fn what_is_short_or_not_to_be_chosen_is_as_configured() {
        let refuse = |_: Compression, _: &[u8]| panic!("nothing is to be tried");
        let long = vec![0; 64 << 10];
        for (aim, candidates, part) in [
            (zstd(3), candidates(zstd(3)), &long[..LEAST_SAMPLED - 1]),
            (zstd(3), Vec::new(), &long[..]),
            (Compression::None, candidates(Compression::None), &long[..]),
        ] {
            let choice = choose(aim, &candidates, &[part], refuse).expect("chooses");
            assert_eq!(choice, Choice { compression: aim, reason: Reason::Configured });
        }
    }

    #[test]
    fn samples_are_of_lanes_that_count() {
        let lanes: Vec<Vec<u8>> =
            [10, 40_000, 0, 8_000, 200_000, 3_000].map(|length| vec![1; length]).into();
        let parts: Vec<&[u8]> = lanes.iter().map(Vec::as_slice).collect();
        let lengths: Vec<usize> = samples(&parts).iter().map(|sample| sample.len()).collect();
        assert_eq!(lengths, [2500, 512, 4096]);
    }

    #[test]
    fn a_report_adds_up() {
        let mut report = CompressionReport::default();
        assert_eq!(report.ratio(), None);
        let payload = vec![0; 40 << 10];
        let header = heapwire_core::ChunkHeader {
            kind: heapwire_core::ChunkKind::Definitions,
            layout: heapwire_core::Layout::Rows,
            codec: heapwire_core::Codec::None,
            events: 0,
            stream: 0,
            epoch: 0,
            sequence: 0,
            time: 0,
            first_event: 0,
            losses: Default::default(),
            totals: Default::default(),
            model: heapwire_core::ModelSpec::DESKTOP,
        };
        let mut compressor =
            super::super::compressor::Compressor::choosing(Compression::None).unwrap();
        for _ in 0..3 {
            report.count(&compressor.pack(&header, &payload).unwrap());
        }
        let [chosen] = report.choices[..] else { panic!("{report:?}") };
        assert_eq!((chosen.chunks, report.bytes_before()), (3, 3 * (40 << 10)));
        assert_eq!(report.bytes_before(), report.bytes_after());
        assert_eq!(
            chosen.to_string(),
            "no codec for 3 chunks, 122880 to 122880 bytes: as configured"
        );
    }
}
