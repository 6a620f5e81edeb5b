//! Is a capture what it should be? Every byte is read, every checksum and count compared, every event
//! decoded.

#[cfg(feature = "msgpack")]
mod messagepack;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use heapwire_core::format::INDEX_EVERY;
use heapwire_core::{Chunk, ChunkKind, EventKind, StreamPosition};

use crate::error::{BinaryExportError, Result};
use crate::io::capture_reader::{Completeness, Damage};
#[cfg(feature = "msgpack")]
use crate::io::envelope::Form;
use crate::io::envelope::open;
use crate::io::index::{EndMark, Index, IndexEntry};
use crate::monitoring::{Phase, Stage, Watch};
use crate::pipeline::export::Exported;
use crate::pipeline::parse::CaptureVisitor;
use crate::pipeline::watched::parse_watched;
use crate::plan::{Workers, unasked_threads};
use crate::trace::Item;
use crate::trace::continuity::Follows;
use crate::trace::position::Positions;
use crate::trace::replay::LiveBlocks;

/// The most findings that are kept; a hostile file could have one for every few bytes.
const MAX_FINDINGS: usize = 1000;

/// Totals are recounted while no more blocks are live than this, and [`BLOCKS_PER_BYTE`] more for each
/// byte read: a kilobyte of a hostile file could otherwise be a gigabyte of live blocks.
const FREE_BLOCKS: u64 = 1 << 19;
const BLOCKS_PER_BYTE: u64 = 4;

/// What a capture is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValidationReport {
    /// Whether the capture is complete and nothing in it is wrong.
    pub is_valid: bool,
    /// What is wrong.
    pub errors: Vec<Finding>,
    /// What is worth knowing and no fault of the file: data that never reached it.
    pub warnings: Vec<Finding>,
    /// Findings beyond the first thousand.
    pub further_findings: u64,
    /// Chunks of definitions and events that are right.
    pub chunks: u64,
    /// Events in them.
    pub events: u64,
}

/// Something found in a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// How bad it is.
    pub severity: Severity,
    /// Where, in bytes from the capture's start.
    pub offset: u64,
    /// In which chunk: how many chunks of any kind come before it that can be told apart. MessagePack
    /// has none.
    pub chunk: Option<u64>,
    /// A sentence for people.
    pub message: String,
}

/// Kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// Bytes that cannot be read.
    Damage,
    /// The capture ends early.
    CutOff,
    /// Counts or totals that contradict the events.
    Contradiction,
    /// Events that never reached the capture.
    Gap,
    /// A chunk that was there before.
    Repeated,
    /// Not the beginning of a capture.
    NotACapture,
    /// A capture of a version that this crate does not read.
    UnsupportedVersion,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// The capture is as it was written, but something never reached it.
    Warning,
    /// Part of the capture is wrong or missing; the rest can be read.
    Error,
    /// Nothing can be read.
    Fatal,
}

impl FindingKind {
    /// How bad findings of this kind are.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Gap | Self::Repeated => Severity::Warning,
            Self::Damage | Self::CutOff | Self::Contradiction => Severity::Error,
            Self::NotACapture | Self::UnsupportedVersion => Severity::Fatal,
        }
    }
}

/// Reads the file at `path`, a capture or MessagePack, and says what is wrong with it.
///
/// # Errors
/// When the file cannot be read, or needs a codec that was not compiled in. A bad file is a report,
/// not an error, even one that is nothing that is known.
pub fn validate_binary_file(path: impl AsRef<Path>) -> Result<ValidationReport> {
    let path = path.as_ref();
    let file = File::open(path).map_err(BinaryExportError::io("open", path))?;
    let watch = &mut Watch::silent(Phase::Validation);
    validate_on(unasked_threads(), file, watch).map_err(BinaryExportError::in_file(path))
}

/// Reads a capture from any input and says what is wrong with it.
///
/// # Errors
/// As [`validate_binary_file`].
pub fn validate(input: impl Read) -> Result<ValidationReport> {
    validate_on(1, input, &mut Watch::silent(Phase::Validation))
}

/// The same with these threads, which decode ahead.
fn validate_on(
    workers: impl Into<Workers>,
    input: impl Read,
    watch: &mut Watch,
) -> Result<ValidationReport> {
    let opened = open(input)?;
    #[cfg(feature = "msgpack")]
    if opened.form == Form::MessagePack {
        return messagepack::validate(opened.input);
    }
    let input = opened.input;
    let mut validator = Validator { exact: true, ..Validator::default() };
    match parse_watched(Stage::Validation, workers, input, &mut validator, watch) {
        Ok(completeness) => validator.end(&completeness),
        Err(error @ BinaryExportError::NotACapture { .. }) => {
            validator.add(FindingKind::NotACapture, 0, error.to_string());
        }
        Err(error @ BinaryExportError::UnsupportedVersion { .. }) => {
            validator.add(FindingKind::UnsupportedVersion, 0, error.to_string());
        }
        Err(error) => return Err(error),
    }
    let mut report = validator.report;
    report.is_valid = report.errors.is_empty();
    Ok(report)
}

/// Whether a MessagePack file that was just written reads back as what was exported.
pub(crate) fn check_written(
    input: impl Read,
    exported: &Exported,
    watch: &mut Watch,
) -> Result<()> {
    watch.begin(Phase::Validation, Some(exported.bytes_written), Some(exported.events))?;
    let begun = watch.meter().begin(Stage::Validation);
    let report = validate_on(1, input, watch)?;
    watch.meter().end(begun);
    if report.is_valid && report.events == exported.events {
        return watch.complete(exported.bytes_written, report.events);
    }
    let what = report.errors.first().map_or_else(
        || format!("found {} events, expected {}", report.events, exported.events),
        |error| error.message.clone(),
    );
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, what);
    Err(BinaryExportError::stream("read back what was written")(source))
}

#[derive(Debug, Default)]
struct Validator {
    report: ValidationReport,
    positions: Positions,
    live: LiveBlocks,
    /// Whether every block so far was seen allocated before it was freed, and freed before it was
    /// allocated again: only then are totals to be recounted.
    exact: bool,
    /// Chunks since the last index chunk.
    unindexed: Vec<IndexEntry>,
    last_index: u64,
    /// Where the chunk is that began last.
    offset: u64,
    /// Chunks of any kind.
    begun: u64,
    /// Chunks of definitions and events.
    chunks: u64,
    events: u64,
    /// Whether something was unreadable, so that counts of the whole cannot be compared.
    damaged: bool,
}

impl Validator {
    fn add(&mut self, kind: FindingKind, offset: u64, message: String) {
        // What is not in the chunk that began last is where the next one should be.
        let chunk = if offset == self.offset { self.begun.saturating_sub(1) } else { self.begun };
        let (chunk, severity) = (Some(chunk), kind.severity());
        let findings = match severity {
            Severity::Warning => &mut self.report.warnings,
            Severity::Error | Severity::Fatal => &mut self.report.errors,
        };
        if findings.len() < MAX_FINDINGS {
            findings.push(Finding { kind, severity, offset, chunk, message });
        } else {
            self.report.further_findings += 1;
        }
    }

    fn contradiction(&mut self, offset: u64, what: &str, found: &str, expected: &str) {
        let message = format!("at offset {offset}: {what}: found {found}, expected {expected}");
        self.add(FindingKind::Contradiction, offset, message);
    }

    fn check_events(&mut self, chunk: &Chunk<'_>, offset: u64, follows: Follows) {
        match follows {
            Follows::Directly => {
                let stood = self.positions.begin(&chunk.header);
                if let Some(stood) = stood
                    && self.exact
                    && stood.totals != chunk.header.totals
                {
                    let found = format!("{:?}", chunk.header.totals);
                    let expected = format!("{:?}", stood.totals);
                    self.contradiction(offset, "the header's heap totals", &found, &expected);
                }
            }
            Follows::AfterGap(gap) => {
                self.exact = false;
                self.positions.begin(&chunk.header);
                let message = format!(
                    "before offset {offset}: {} events in {} chunks of stream {} are missing",
                    gap.events, gap.chunks, gap.stream
                );
                self.add(FindingKind::Gap, offset, message);
            }
            Follows::Restart => {
                self.live = LiveBlocks::new();
                self.positions.begin(&chunk.header);
            }
            Follows::Repeated => {
                let message = format!("at offset {offset}: a chunk that was there before");
                self.add(FindingKind::Repeated, offset, message);
            }
        }
    }

    fn check_index(&mut self, chunk: &Chunk<'_>) {
        let offset = self.offset;
        let expected =
            Index { previous: self.last_index, entries: std::mem::take(&mut self.unindexed) };
        self.last_index = offset;
        if !self.damaged && Index::from_payload(chunk.payload).as_ref() != Some(&expected) {
            let what = "the index does not list the chunks before it";
            let chunks = format!("those {} chunks", expected.entries.len());
            self.contradiction(offset, what, "others", &chunks);
        }
    }

    fn end(&mut self, completeness: &Completeness) {
        match completeness {
            Completeness::Complete(end) => self.check_end(end),
            Completeness::CutOff { offset } => {
                let message = format!("cut off at offset {offset}: the end mark is missing");
                self.add(FindingKind::CutOff, *offset, message);
            }
        }
    }

    fn check_end(&mut self, end: &EndMark) {
        if self.damaged {
            return;
        }
        let counts = [
            ("the offset of the last index", end.last_index, self.last_index),
            ("the number of chunks", end.chunks, self.chunks),
            ("the number of events", end.events, self.events),
        ];
        for (what, found, expected) in counts {
            if found != expected {
                let what = format!("{what} in the end mark");
                self.contradiction(self.offset, &what, &found.to_string(), &expected.to_string());
            }
        }
        let counted = self.positions.all();
        if self.exact && end.streams != counted {
            let differs =
                |(found, expected): &(&StreamPosition, &StreamPosition)| found != expected;
            let (found, expected) = match end.streams.iter().zip(&counted).find(differs) {
                Some((found, expected)) => (format!("{found:?}"), format!("{expected:?}")),
                None => (end.streams.len().to_string(), format!("{} streams", counted.len())),
            };
            self.contradiction(self.offset, "a stream in the end mark", &found, &expected);
        }
    }
}

impl CaptureVisitor for Validator {
    fn chunk(&mut self, stored: &Chunk<'_>, offset: u64, follows: Follows) -> Result<()> {
        self.offset = offset;
        self.begun += 1;
        match stored.header.kind {
            ChunkKind::Events => self.check_events(stored, offset, follows),
            ChunkKind::Definitions | ChunkKind::Index | ChunkKind::End => {}
        }
        if matches!(stored.header.kind, ChunkKind::Events | ChunkKind::Definitions) {
            // One more than an index lists is enough to contradict any.
            if self.unindexed.len() <= INDEX_EVERY {
                self.unindexed.push(IndexEntry::new(&stored.header, stored.bytes.len() as u64));
            }
            self.chunks += 1;
            self.events += u64::from(stored.header.events);
        }
        Ok(())
    }

    fn item(&mut self, item: Item<'_>) -> Result<()> {
        if let Item::Event(event) = item {
            let mut freed = 0;
            if self.exact {
                let before = self.live.blocks();
                freed = self.live.apply(&event);
                let after = self.live.blocks();
                let most = FREE_BLOCKS.saturating_add(self.offset.saturating_mul(BLOCKS_PER_BYTE));
                self.exact = is_consistent(&event.kind, before, after) && after as u64 <= most;
                if !self.exact {
                    self.live = LiveBlocks::new();
                }
            }
            self.positions.count(&event, freed);
        }
        Ok(())
    }

    fn chunk_end(&mut self, unpacked: &Chunk<'_>) -> Result<()> {
        match unpacked.header.kind {
            ChunkKind::Index => self.check_index(unpacked),
            ChunkKind::End => {}
            ChunkKind::Events | ChunkKind::Definitions => {
                self.report.chunks += 1;
                self.report.events += u64::from(unpacked.header.events);
            }
        }
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> Result<()> {
        let Damage { offset, length, error } = *damage;
        self.damaged = true;
        self.exact = false;
        let message = format!("at offset {offset}: {length} bytes cannot be read: {error}");
        self.add(FindingKind::Damage, offset, message);
        Ok(())
    }
}

/// Whether an event fits the live blocks: `before` it and `after` it there were so many.
fn is_consistent(kind: &EventKind, before: usize, after: usize) -> bool {
    match kind {
        EventKind::Alloc { .. } => after > before,
        EventKind::Free { .. } => after < before,
        EventKind::Realloc { .. } => after == before,
        _ => true,
    }
}
