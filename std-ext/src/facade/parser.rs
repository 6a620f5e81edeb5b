//! `BinaryDataParser`: captures into memory.

use std::fs::{File, Metadata};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use heapwire_core::{Chunk, ChunkKind};

use crate::config::ParserConfig;
use crate::error::{BinaryExportError, Result};
use crate::io::capture_reader::{Completeness, Damage};
use crate::monitoring::{Observer, Phase, Progress, Stage, Watch};
use crate::pipeline::parse::{CaptureVisitor, damaged};
use crate::pipeline::watched::parse_watched;
use crate::plan::{ParsePlan, Workers};
use crate::trace::Item;
use crate::trace::capture::Trace;
use crate::trace::continuity::{Follows, Gap};

/// Reads captures into memory.
#[derive(Clone, Debug, Default)]
pub struct BinaryDataParser {
    config: ParserConfig,
    observer: Option<Observer>,
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
        Self::observed(config, None)
    }

    pub(super) fn observed(config: ParserConfig, observer: Option<Observer>) -> Self {
        Self { config, observer }
    }

    /// Has `observe` told how far each parse has come, before its first chunk and after each, by the thread
    /// that asked for it. When it answers [`ControlFlow::Break`], the parse ends with
    /// [`Cancelled`](BinaryExportError::Cancelled).
    #[must_use]
    pub fn on_progress(
        mut self,
        observe: impl Fn(&Progress) -> ControlFlow<()> + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Observer::new(observe));
        self
    }

    /// Reads the capture at `path` into memory.
    ///
    /// # Errors
    /// When the file cannot be read or is no capture; when it is damaged or cut off, unless the
    /// parser salvages. [`InvalidConfig`](BinaryExportError::InvalidConfig) for too many threads.
    pub fn parse_file(&self, path: impl AsRef<Path>) -> Result<ParseResult> {
        let path = path.as_ref();
        self.parse_watched_file(path, self.watch(Some(path)))
    }

    pub(super) fn parse_watched_file(&self, path: &Path, mut watch: Watch) -> Result<ParseResult> {
        let file = File::open(path).map_err(BinaryExportError::io("open", path))?;
        // A device or a pipe has no length.
        let metadata = file.metadata().ok().filter(Metadata::is_file);
        watch.begin(Phase::Parse, metadata.map(|metadata| metadata.len()), None)?;
        self.parse(file, watch).map_err(BinaryExportError::in_file(path))
    }

    /// Watches a parse that begins now.
    pub(super) fn watch(&self, path: Option<&Path>) -> Watch {
        Watch::silent(Phase::Parse)
            .observed_by(self.observer.clone())
            .monitored(self.config.enable_monitoring, path)
    }

    /// Reads a capture from any input into memory: a few bytes an event, and a few megabytes for each
    /// thread.
    ///
    /// # Errors
    /// As [`parse_file`](Self::parse_file).
    pub fn parse_streaming(&self, input: impl Read) -> Result<ParseResult> {
        let mut watch = self.watch(None);
        watch.begin(Phase::Parse, None, None)?;
        self.parse(input, watch)
    }

    fn parse(&self, input: impl Read, mut watch: Watch) -> Result<ParseResult> {
        let started = Instant::now();
        let mut collector = Collector {
            plan: ParsePlan::try_from(&self.config)?,
            trace: Trace::default(),
            stats: ParseStats::default(),
            gaps: Vec::new(),
            damage: Vec::new(),
        };
        let workers = Workers::from(&collector.plan);
        let completeness =
            parse_watched(Stage::Parsing, workers, input, &mut collector, &mut watch)?;
        let Collector { plan, mut trace, mut stats, gaps, damage } = collector;
        let positions = match &completeness {
            Completeness::Complete(end) => Some(end.streams.clone()),
            Completeness::CutOff { offset } if !plan.salvage => {
                return Err(BinaryExportError::CutOff { offset: *offset });
            }
            Completeness::CutOff { .. } => None,
        };
        stats.elapsed = started.elapsed();
        watch.record();
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
