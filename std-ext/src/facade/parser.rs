//! `BinaryDataParser`: files into memory, or into a callback; and from one form into another.

use std::fs::{File, Metadata};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use heapwire_core::{Chunk, ChunkKind};

use crate::config::{OutputFormat, ParserConfig};
use crate::error::{BinaryExportError, Result};
use crate::io::capture_reader::{Completeness, Damage};
use crate::io::envelope::{Form, open};
use crate::monitoring::{Observer, Phase, Progress, Stage, Watch};
use crate::pipeline::convert::{convert, into_capture};
use crate::pipeline::entries::read_entries;
use crate::pipeline::parse::{CaptureVisitor, damaged};
use crate::pipeline::watched::parse_watched;
use crate::plan::{ConvertPlan, ParsePlan, Workers};
use crate::trace::Item;
use crate::trace::capture::Trace;
use crate::trace::continuity::{Follows, Gap};
use crate::trace::entry::{Entry, Standing};
use crate::trace::record::{Record, Records};
use crate::trace::symbols::Symbols;

/// Reads captures and MessagePack files: into memory, into a callback, from one format into another.
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

    /// Reads the file at `path` into memory: a capture or MessagePack, in a Zstd or LZ4 frame or not.
    ///
    /// # Errors
    /// When the file cannot be read or is nothing that is known; when it is damaged or cut off, unless
    /// it is a capture and the parser salvages. When it passes the parser's limits.
    /// [`InvalidConfig`](BinaryExportError::InvalidConfig) for too many threads.
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

    /// Reads from any input into memory: a few bytes an event, and a few megabytes for each thread. What
    /// the input is, its first bytes say.
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
        let plan = ParsePlan::try_from(&self.config)?;
        let opened = open(input)?;
        let mut result = match opened.form {
            Form::MessagePack => {
                let to = ConvertPlan::new(&self.config, OutputFormat::CustomBinary)?;
                let capture = into_capture(opened, &to)?;
                collect(&capture[..], plan, &mut watch)?
            }
            _ => collect(opened.input, plan, &mut watch)?,
        };
        result.parse_stats.elapsed = started.elapsed();
        watch.record();
        Ok(result)
    }

    /// Hands out every definition and event, in memory that grows with no capture. Takes every form that [`convert_format`](Self::convert_format) does and, with the feature `cli`,
    /// JSON lines; and the text form.
    ///
    /// # Errors
    /// As [`parse_file`](Self::parse_file), and the first error of `each`.
    pub fn for_each_item(
        &self,
        input: impl Read,
        mut each: impl FnMut(Item<'_>) -> Result<()>,
    ) -> Result<()> {
        self.tell(input, Standing::without_totals(), |entry| match entry {
            Entry::Item(item) => each(item),
            Entry::Position(_) => Ok(()),
        })
    }

    /// As [`for_each_item`](Self::for_each_item), with gaps, restarts and totals, in memory bounded by the
    /// blocks that are live at one time.
    ///
    /// # Errors
    /// As [`for_each_item`](Self::for_each_item).
    pub fn for_each_entry(
        &self,
        input: impl Read,
        each: impl FnMut(Entry<'_>) -> Result<()>,
    ) -> Result<()> {
        self.tell(input, Standing::new(), each)
    }

    /// Hands out what is in `input` and where its streams stand, which `standing` follows.
    pub(crate) fn tell(
        &self,
        input: impl Read,
        standing: Standing,
        each: impl FnMut(Entry<'_>) -> Result<()>,
    ) -> Result<()> {
        read_entries(open(input)?, &ParsePlan::try_from(&self.config)?, standing, each)
    }

    /// Hands out the record of every block when it ends, those that do not at the end of the input, with
    /// what is known by then of what its numbers stand for. Memory is bounded by the blocks that are
    /// live at one time.
    ///
    /// # Errors
    /// As [`for_each_item`](Self::for_each_item);
    /// [`NotCarried`](BinaryExportError::NotCarried) for several streams, whose events have to be merged
    /// first: [`parse_streaming`](Self::parse_streaming) and [`Trace::records`] do that.
    pub fn for_each_record(
        &self,
        input: impl Read,
        mut each: impl FnMut(Record, &Symbols) -> Result<()>,
    ) -> Result<()> {
        let plan = ParsePlan::try_from(&self.config)?;
        let (mut records, mut symbols) = (Records::new(), Symbols::new());
        read_entries(open(input)?, &plan, Standing::without_totals(), |entry| {
            if let Entry::Item(Item::Definition(definition)) = &entry {
                symbols.define(definition);
            }
            records.entry(&entry, |record| each(record, &symbols))?;
            plan.limits.check_live_blocks(records.live_blocks())
        })?;
        records.finish(|record| each(record, &symbols))
    }

    /// Turns a file's bytes from one format into another: captures as
    /// [`IntegratedConfig::balanced`](crate::IntegratedConfig::balanced) writes them, MessagePack
    /// without a frame. The bytes may be in a Zstd or LZ4 frame.
    ///
    /// # Errors
    /// [`OtherForm`](BinaryExportError::OtherForm) when the bytes are not in the format `from`;
    /// [`NotCarried`](BinaryExportError::NotCarried) when `to` cannot carry something in them; and as
    /// [`parse_file`](Self::parse_file).
    pub fn convert_format(
        &self,
        data: &[u8],
        from: OutputFormat,
        to: OutputFormat,
    ) -> Result<Vec<u8>> {
        let plan = ConvertPlan::new(&self.config, to)?;
        let opened = open(data)?;
        let expected = match from {
            OutputFormat::MessagePack => Form::MessagePack,
            OutputFormat::CustomBinary => Form::Capture { chunked: false },
            OutputFormat::Chunked { .. } => Form::Capture { chunked: true },
        };
        if opened.form != expected {
            let (found, expected) = (opened.form.name(), expected.name());
            return Err(BinaryExportError::OtherForm { found, expected });
        }
        Ok(convert(opened, Vec::new(), &plan)?.0)
    }
}

/// Reads a capture into memory.
fn collect(input: impl Read, plan: ParsePlan, watch: &mut Watch) -> Result<ParseResult> {
    let mut collector = Collector {
        plan,
        trace: Trace::default(),
        stats: ParseStats::default(),
        gaps: Vec::new(),
        damage: Vec::new(),
        memory: 0,
    };
    let workers = Workers::from(&collector.plan);
    let completeness = parse_watched(Stage::Parsing, workers, input, &mut collector, watch)?;
    let Collector { plan, mut trace, stats, gaps, damage, .. } = collector;
    let positions = match &completeness {
        Completeness::Complete(end) => Some(end.streams.clone()),
        Completeness::CutOff { offset } if !plan.salvage => {
            return Err(BinaryExportError::CutOff { offset: *offset });
        }
        Completeness::CutOff { .. } => None,
    };
    trace.set_positions(positions);
    Ok(ParseResult { trace, parse_stats: stats, completeness, gaps, damage })
}

/// Collects what a capture holds.
struct Collector {
    plan: ParsePlan,
    trace: Trace,
    stats: ParseStats,
    gaps: Vec<Gap>,
    damage: Vec<Damage>,
    /// Bytes of the chunks that were collected.
    memory: usize,
}

impl CaptureVisitor for Collector {
    fn chunk(&mut self, stored: &Chunk<'_>, _: u64, follows: Follows) -> Result<()> {
        if let Follows::AfterGap(gap) = follows {
            self.gaps.push(gap);
        }
        match follows {
            Follows::Repeated => Ok(()),
            _ => {
                let events = self.trace.event_count() + u64::from(stored.header.events);
                self.plan.limits.check_events(events)
            }
        }
    }

    /// They are decoded to be checked; the chunk is kept.
    fn wants_events(&self) -> bool {
        false
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
            self.stats.structures_parsed += u64::from(unpacked.header.events);
            self.plan.limits.check_memory(self.memory, unpacked.bytes.len())?;
            self.memory += unpacked.bytes.len();
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
