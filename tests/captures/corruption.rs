//! Whatever happens to a capture's bytes: nothing wrong is ever handed out, what is whole is read, and
//! what is not is reported.

use std::ops::Range;

use heapwire::io::capture_reader::{CaptureReader, Completeness, Damage, Part};
use heapwire::pipeline::parse::{CaptureVisitor, parse};
use heapwire::plan::CapturePlan;
use heapwire::trace::Item;
use heapwire::trace::continuity::Follows;
use heapwire::validation::{FindingKind, ValidationReport, validate};
use heapwire::{BinaryDataParser, BinaryExportError, ParserConfig};
use heapwire_core::format::{CAPTURE_HEADER_LEN, CAPTURE_MAGIC};
use heapwire_core::{Chunk, ChunkKind};
use heapwire_tests::sample::{self, Random};
use heapwire_tests::{CODECS, Content, import, plan, uses};

const EVENTS: usize = 500;
const CHUNK_SIZE: usize = 1024;

/// A chunk of events or definitions, as it stands in a capture, and what it holds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Piece {
    bytes: Vec<u8>,
    content: Content,
}

/// All that can be had of a capture.
#[derive(Debug, Default)]
struct Salvaged {
    pieces: Vec<Piece>,
    damage: Vec<Damage>,
    /// The chunk being read.
    current: Piece,
}

impl CaptureVisitor for Salvaged {
    fn chunk(&mut self, stored: &Chunk<'_>, _: u64, follows: Follows) -> heapwire::Result<()> {
        assert_ne!(follows, Follows::Repeated);
        self.current = Piece { bytes: stored.bytes.to_vec(), content: Content::default() };
        Ok(())
    }

    fn item(&mut self, item: Item<'_>) -> heapwire::Result<()> {
        self.current.content.add(&item);
        Ok(())
    }

    fn chunk_end(&mut self, unpacked: &Chunk<'_>) -> heapwire::Result<()> {
        if matches!(unpacked.header.kind, ChunkKind::Events | ChunkKind::Definitions) {
            self.pieces.push(std::mem::take(&mut self.current));
        }
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> heapwire::Result<()> {
        // Nothing comes out of a chunk that turns out to be damaged afterwards.
        assert_eq!(self.current.content, Content::default());
        self.damage.push(*damage);
        Ok(())
    }
}

fn salvage(capture: &[u8]) -> heapwire::Result<(Salvaged, Completeness)> {
    let mut salvaged = Salvaged::default();
    let completeness = parse(capture, &mut salvaged)?;
    Ok((salvaged, completeness))
}

/// A capture as it was written.
struct Original {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
    /// Where its chunks are, index and end included.
    parts: Vec<Range<usize>>,
}

impl Original {
    fn new(plan: CapturePlan) -> Self {
        let text = sample::text(EVENTS);
        let bytes = import(text.as_bytes(), plan).expect("imported");
        assert!(uses(&bytes, plan.compression.codec()), "{plan:?}");
        let (salvaged, completeness) = salvage(&bytes).expect("reads");
        assert!(matches!(completeness, Completeness::Complete(_)));
        assert_eq!(salvaged.damage, []);
        let mut all = Content::default();
        for piece in &salvaged.pieces {
            all.events.extend(&piece.content.events);
            all.definitions.extend(piece.content.definitions.clone());
        }
        assert_eq!(all, Content::of_text(text.as_bytes()));
        assert!(salvaged.pieces.len() > 4, "several chunks");
        let mut parts = Vec::new();
        let mut reader = CaptureReader::new(&bytes[..]).expect("a capture");
        while let Some(part) = reader.next_part().expect("reads") {
            let Part::Chunk(chunk, offset) = part else { panic!("{part:?}") };
            parts.push(offset as usize..offset as usize + chunk.bytes.len());
        }
        Self { bytes, pieces: salvaged.pieces, parts }
    }

    /// The pieces that do not touch byte `at`.
    fn pieces_apart_from(&self, at: usize) -> Vec<&Piece> {
        let apart = |(range, _): &(&Range<usize>, &Piece)| !range.contains(&at);
        let data = self.parts.iter().filter(|range| self.is_piece(range));
        data.zip(&self.pieces).filter(apart).map(|(_, piece)| piece).collect()
    }

    fn is_piece(&self, range: &Range<usize>) -> bool {
        self.pieces.iter().any(|piece| piece.bytes == self.bytes[range.clone()])
    }
}

fn plans() -> impl Iterator<Item = CapturePlan> {
    CODECS.into_iter().flat_map(|compression| {
        [false, true].map(|chunked| CapturePlan { chunked, ..plan(CHUNK_SIZE, compression) })
    })
}

fn originals() -> impl Iterator<Item = Original> {
    plans().map(Original::new)
}

fn load(capture: &[u8]) -> heapwire::Result<heapwire::ParseResult> {
    BinaryDataParser::new(ParserConfig::default()).parse_streaming(capture)
}

fn assert_invalid(report: &ValidationReport, len: usize) {
    assert!(!report.is_valid && !report.errors.is_empty(), "{report:?}");
    for finding in &report.errors {
        assert!(finding.offset <= len as u64, "{finding:?}");
        assert!(finding.message.contains(&finding.offset.to_string()), "{finding:?}");
    }
}

#[test]
fn every_truncation_is_a_cut_and_all_whole_chunks_are_read() {
    for original in originals() {
        for cut in 0..original.bytes.len() {
            check_cut(&original, cut);
        }
    }
}

fn check_cut(original: &Original, cut: usize) {
    let bytes = &original.bytes[..cut];
    let result = salvage(bytes);
    if cut == 0 {
        assert!(matches!(result, Err(BinaryExportError::NotACapture { .. })));
        return;
    }
    let (salvaged, completeness) = result.expect("a capture");
    let whole: Vec<_> = original.parts.iter().filter(|range| range.end <= cut).collect();
    let pieces = whole.iter().filter(|range| original.is_piece(range)).count();
    assert!(salvaged.pieces[..] == original.pieces[..pieces], "cut at {cut}");
    assert_eq!(salvaged.damage, [], "cut at {cut}");
    // The end chunk counts only with its tail, which is what is cut when it is whole.
    let whole = &whole[..whole.len().min(original.parts.len() - 1)];
    let header_end = if cut < CAPTURE_HEADER_LEN { 0 } else { CAPTURE_HEADER_LEN };
    let end = whole.last().map_or(header_end, |range| range.end) as u64;
    assert_eq!(completeness, Completeness::CutOff { offset: end }, "cut at {cut}");

    let error = load(bytes).expect_err("cut off");
    assert!(matches!(error, BinaryExportError::CutOff { offset } if offset == end), "{error}");
    let report = validate(bytes).expect("a capture");
    assert_invalid(&report, cut);
    assert_eq!(report.errors.len(), 1, "cut at {cut}: {:?}", report.errors);
    assert_eq!((report.errors[0].kind, report.errors[0].offset), (FindingKind::CutOff, end));
    assert_eq!(report.chunks, pieces as u64);
}

#[test]
fn every_flipped_bit_is_found_and_all_other_chunks_are_read() {
    for original in originals() {
        let mut bytes = original.bytes.clone();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                check_flip(&original, &bytes, at);
                // Whoever reads all of a capture reads it as above: one bit of each byte is enough.
                if bit == at % 8 {
                    check_reports(&bytes, at);
                }
                bytes[at] ^= 1 << bit;
            }
        }
    }
}

fn check_flip(original: &Original, bytes: &[u8], at: usize) {
    let (salvaged, completeness) = salvage(bytes).expect("still a capture");
    let read: Vec<&Piece> = salvaged.pieces.iter().collect();
    assert!(read == original.pieces_apart_from(at), "flip in byte {at}");
    let covers =
        |damage: &Damage| (damage.offset..damage.offset + damage.length).contains(&(at as u64));
    let cut_before = matches!(completeness, Completeness::CutOff { offset } if offset <= at as u64);
    assert!(salvaged.damage.iter().any(covers) || cut_before, "flip in byte {at}: {salvaged:?}");
    assert!(salvaged.damage.len() <= 1, "flip in byte {at}: {:?}", salvaged.damage);
}

/// What is told of a flip in byte `at`.
fn check_reports(bytes: &[u8], at: usize) {
    let report = validate(bytes).expect("still a capture");
    assert_invalid(&report, bytes.len());
    assert!(report.errors.iter().any(|finding| finding.offset <= at as u64), "{report:?}");
    let error = load(bytes).expect_err("damaged");
    let expected = matches!(error, BinaryExportError::Damaged { offset, .. } | BinaryExportError::CutOff { offset } if offset <= at as u64);
    assert!(expected, "flip in byte {at}: {error}");
}

/// Changes, inserts or removes one byte; returns where.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) -> usize {
    let at = random.below(bytes.len());
    let byte = random.number() as u8;
    match random.below(3) {
        0 => bytes[at] ^= byte.max(1),
        1 => bytes.insert(at, byte),
        _ => drop(bytes.remove(at)),
    }
    at
}

#[test]
fn random_changes_are_found_and_what_is_whole_is_read() {
    let originals: Vec<Original> = originals().collect();
    for seed in 0..1000 {
        let original = &originals[seed % originals.len()];
        let mut random = Random(seed as u64);
        let mut bytes = original.bytes.clone();
        let in_magic = (0..2).filter(|_| mutate(&mut bytes, &mut random) < CAPTURE_MAGIC.len());
        let in_magic = in_magic.count();
        if bytes == original.bytes {
            continue;
        }
        match salvage(&bytes) {
            Ok((salvaged, _)) => {
                let is_whole = |piece: &&Piece| contains(&bytes, &piece.bytes);
                let whole: Vec<&Piece> = original.pieces.iter().filter(is_whole).collect();
                let read: Vec<&Piece> = salvaged.pieces.iter().collect();
                assert!(read == whole, "seed {seed}: {} of {}", read.len(), whole.len());
                assert_invalid(&validate(&bytes[..]).expect("a capture"), bytes.len());
            }
            Err(BinaryExportError::NotACapture { .. }) => assert!(in_magic > 0, "seed {seed}"),
            Err(error) => panic!("seed {seed}: {error}"),
        }
        assert!(load(&bytes).is_err(), "seed {seed}");
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Chunks that stand twice, or in another order, are no new events.
#[test]
fn repeated_chunks_are_known_and_not_read_twice() {
    let original = Original::new(plan(CHUNK_SIZE, heapwire_tests::ZSTD));
    let events: Vec<_> = original
        .parts
        .iter()
        .filter(|range| {
            let chunk = Chunk::parse(&original.bytes[(*range).clone()], heapwire_core::crc32);
            chunk.expect("whole").header.kind == ChunkKind::Events
        })
        .collect();
    let (first, second) = (events[0].clone(), events[1].clone());
    let mut bytes = original.bytes[..second.end].to_vec();
    bytes.extend_from_slice(&original.bytes[first]);
    bytes.extend_from_slice(&original.bytes[second.end..]);
    let mut config = ParserConfig::default();
    config.salvage = true;
    let parsed = BinaryDataParser::new(config).parse_streaming(&bytes[..]).expect("reads");
    let expected: Vec<_> =
        original.pieces.iter().flat_map(|p| &p.content.events).copied().collect();
    assert_eq!(parsed.trace.events().expect("decodes"), expected);
    assert_eq!(parsed.gaps, []);
    let report = validate(&bytes[..]).expect("a capture");
    assert!(report.warnings.iter().any(|finding| finding.kind == FindingKind::Repeated));
    assert!(!report.is_valid, "the index does not list it");
}
