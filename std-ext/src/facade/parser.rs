//! `BinaryDataParser`: captures into memory.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use heapwire_core::{Chunk, ChunkKind};

use crate::config::ParserConfig;
use crate::error::{BinaryExportError, Result};
use crate::io::capture_reader::{Completeness, Damage};
use crate::pipeline::parse::{CaptureVisitor, damaged, parse_on};
use crate::plan::{ParsePlan, Workers};
use crate::trace::Item;
use crate::trace::capture::Trace;
use crate::trace::continuity::{Follows, Gap};

/// Reads captures into memory.
#[derive(Clone, Debug, Default)]
pub struct BinaryDataParser {
    config: ParserConfig,
}

/// What a capture held.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ParseResult {
    /// Its definitions and events.
    pub trace: Trace,
    /// How much that was, and how long it took.
    pub parse_stats: ParseStats,
    /// Whether it has its end mark.
    pub completeness: Completeness,
    /// What its recorder or a line lost.
    pub gaps: Vec<Gap>,
    /// What cannot be read of it; empty unless the parser salvages.
    pub damage: Vec<Damage>,
}

/// How much was parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseStats {
    /// Definitions and events.
    pub structures_parsed: u64,
    /// Chunks of definitions and events.
    pub chunks: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl BinaryDataParser {
    /// A parser of this configuration.
    #[must_use]
    pub fn new(config: ParserConfig) -> Self {
        Self { config }
    }

    /// Reads the capture at `path` into memory.
    ///
    /// # Errors
    /// When the file cannot be read or is no capture; when it is damaged or cut off, unless the
    /// parser salvages. [`InvalidConfig`](BinaryExportError::InvalidConfig) for too many threads.
    pub fn parse_file(&self, path: impl AsRef<Path>) -> Result<ParseResult> {
        let path = path.as_ref();
        let file = File::open(path).map_err(BinaryExportError::io("open", path))?;
        self.parse_streaming(file).map_err(BinaryExportError::in_file(path))
    }

    /// Reads a capture from any input into memory: a few bytes an event, and a few megabytes for each
    /// thread.
    ///
    /// # Errors
    /// As [`parse_file`](Self::parse_file).
    pub fn parse_streaming(&self, input: impl Read) -> Result<ParseResult> {
        let started = Instant::now();
        let mut collector = Collector {
            plan: ParsePlan::try_from(&self.config)?,
            trace: Trace::default(),
            stats: ParseStats::default(),
            gaps: Vec::new(),
            damage: Vec::new(),
        };
        let workers = Workers::from(&collector.plan);
        let completeness = parse_on(workers, input, &mut collector)?;
        let Collector { plan, mut trace, mut stats, gaps, damage } = collector;
        let positions = match &completeness {
            Completeness::Complete(end) => Some(end.streams.clone()),
            Completeness::CutOff { offset } if !plan.salvage => {
                return Err(BinaryExportError::CutOff { offset: *offset });
            }
            Completeness::CutOff { .. } => None,
        };
        stats.elapsed = started.elapsed();
        trace.set_positions(positions);
        Ok(ParseResult { trace, parse_stats: stats, completeness, gaps, damage })
    }
}

/// Collects what a capture holds.
struct Collector {
    plan: ParsePlan,
    trace: Trace,
    stats: ParseStats,
    gaps: Vec<Gap>,
    damage: Vec<Damage>,
}

impl CaptureVisitor for Collector {
    fn chunk(&mut self, _: &Chunk<'_>, _: u64, follows: Follows) -> Result<()> {
        if let Follows::AfterGap(gap) = follows {
            self.gaps.push(gap);
        }
        Ok(())
    }

    fn item(&mut self, item: Item<'_>) -> Result<()> {
        self.stats.structures_parsed += 1;
        if let Item::Definition(definition) = item {
            self.trace.define(&definition);
        }
        Ok(())
    }

    fn chunk_end(&mut self, unpacked: &Chunk<'_>) -> Result<()> {
        if matches!(unpacked.header.kind, ChunkKind::Events | ChunkKind::Definitions) {
            self.stats.chunks += 1;
            self.trace.push(unpacked);
        }
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> Result<()> {
        if !self.plan.salvage {
            return Err(damaged(damage));
        }
        self.damage.push(*damage);
        Ok(())
    }
}
