//! Measures what the configuration says.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::config::{BenchmarkConfig, BenchmarkSource};
use super::contender::Contender;
use super::data::{Content, Data, Seen, take_all};
use super::json::JsonForm;
use super::results::{BenchmarkResults, Comparison, ContenderResult, DataResult, Machine};
use super::workload;
use crate::error::{BinaryExportError, Result};
use crate::io::atomic_file::AtomicFile;
use crate::measure::{Timing, peak_memory, timed};
use crate::plan::CapturePlan;
use crate::trace::source::Chunks;

/// The most events that are made up: read, they take 48 bytes of memory each, and records more.
const MAX_EVENTS: u64 = 100_000_000;

/// What heapwire is compared with: the first above all.
const JSON_FORMS: [(&str, JsonForm); 3] = [
    ("json", JsonForm::Objects),
    ("json_arrays", JsonForm::Arrays),
    ("json_records", JsonForm::Records),
];

/// Measures what its configuration says.
#[derive(Clone, Debug)]
pub struct BenchmarkRunner {
    config: BenchmarkConfig,
}

impl BenchmarkRunner {
    /// A runner of this configuration.
    ///
    /// # Errors
    /// [`InvalidConfig`](BinaryExportError::InvalidConfig) by the field: for no rounds, no data, no or
    /// more than a hundred million events, no preset, or a preset that cannot be.
    pub fn new(config: BenchmarkConfig) -> Result<Self> {
        let invalid = |field, reason: &str| {
            Err(BinaryExportError::InvalidConfig { field, reason: reason.into() })
        };
        if config.rounds == 0 {
            return invalid("rounds", "is 0, expected at least 1");
        }
        if config.presets.is_empty() {
            return invalid("presets", "is empty, expected at least one");
        }
        if config.event_counts.is_empty() && config.sources.is_empty() {
            return invalid("event_counts", "is empty, expected at least one, or sources");
        }
        if let Some(count) = config.event_counts.iter().find(|n| !(1..=MAX_EVENTS).contains(*n)) {
            let reason = format!("has {count}, expected 1 to {MAX_EVENTS}");
            return invalid("event_counts", &reason);
        }
        for preset in &config.presets {
            CapturePlan::try_from(&preset.config)?;
        }
        Ok(Self { config })
    }

    /// Measures everything.
    ///
    /// # Errors
    /// When a file cannot be written or read, when a source has no data, or when what was read is not
    /// what was written.
    pub fn run_all_benchmarks(&self) -> Result<BenchmarkResults> {
        let mut data = Vec::new();
        for &events in &self.config.event_counts {
            let chunks = workload::chunks(events)?;
            data.push(self.run(&format!("{events} made-up events"), &chunks)?);
        }
        for BenchmarkSource { name, chunks } in &self.config.sources {
            data.push(self.run(name, chunks)?);
        }
        let comparison = Comparison::of(&data);
        Ok(BenchmarkResults {
            machine: Machine::this(),
            rounds: self.config.rounds,
            data,
            comparison,
        })
    }

    /// Saves `results` as JSON. The file appears whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_results(&self, results: &BenchmarkResults, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let write = || {
            let mut file = AtomicFile::create(path)?;
            serde_json::to_writer_pretty(&mut file, results)?;
            file.write_all(b"\n")?;
            file.commit()
        };
        write().map(drop).map_err(BinaryExportError::io("write", path))
    }

    fn run(&self, name: &str, chunks: &Chunks) -> Result<DataResult> {
        let mut folder = tempfile::Builder::new();
        folder.prefix("heapwire-benchmark-");
        let folder = match &self.config.folder {
            Some(parent) => folder
                .tempdir_in(parent)
                .map_err(BinaryExportError::io("create a folder in", parent))?,
            None => folder
                .tempdir()
                .map_err(BinaryExportError::io("create a folder in", std::env::temp_dir()))?,
        };
        let path = |number: usize| folder.path().join(number.to_string());
        let mut measured: Vec<Measured<'_>> = Vec::new();
        for content in [Content::Events, Content::Records] {
            for preset in &self.config.presets {
                let contender = Contender::Heapwire(&preset.config, content);
                measured.push(Measured::new(&preset.name, contender, chunks, path(measured.len())));
            }
        }
        for (name, form) in JSON_FORMS {
            let contender = Contender::Json(form);
            measured.push(Measured::new(name, contender, chunks, path(measured.len())));
        }
        let mut records = 0;
        for content in [Content::Events, Content::Records] {
            let (mut data, mut seen) = (Data::default(), Seen::default());
            take_all(chunks, content, &mut data)?;
            take_all(chunks, content, &mut seen)?;
            records += data.records.len() as u64;
            let same = |measured: &&mut Measured<'_>| measured.contender.content() == content;
            for measured in measured.iter_mut().filter(same) {
                measured.expected = seen;
                if measured.warm_up()? != data {
                    return Err(measured.unequal());
                }
            }
        }
        for _ in 0..self.config.rounds {
            measured.iter_mut().try_for_each(Measured::write)?;
            measured.iter_mut().try_for_each(Measured::read)?;
            measured.iter_mut().try_for_each(Measured::load)?;
        }
        let mut results: Vec<_> = measured.iter().map(Measured::result).collect();
        let json = results.split_off(2 * self.config.presets.len());
        Ok(DataResult {
            name: name.to_owned(),
            events: chunks.event_count(),
            records,
            presets: results,
            json,
        })
    }
}

/// A contender, its file, and what was measured.
struct Measured<'a> {
    name: &'a str,
    contender: Contender<'a>,
    chunks: &'a Chunks,
    path: PathBuf,
    /// What each reading has to see.
    expected: Seen,
    bytes: u64,
    /// Of writing, reading, loading.
    memory: [Option<u64>; 3],
    times: [Vec<Duration>; 3],
}

impl<'a> Measured<'a> {
    fn new(name: &'a str, contender: Contender<'a>, chunks: &'a Chunks, path: PathBuf) -> Self {
        let (expected, bytes) = (Seen::default(), 0);
        let (memory, times) = ([None; 3], Default::default());
        Self { name, contender, chunks, path, expected, bytes, memory, times }
    }

    /// What it reads into memory.
    fn data(&self) -> Result<Data> {
        let mut data = Data::default();
        self.contender.read(self.chunks, &self.path, &mut data)?;
        Ok(data)
    }

    /// What it reads when nothing is kept.
    fn seen(&self) -> Result<Seen> {
        let mut seen = Seen::default();
        self.contender.read(self.chunks, &self.path, &mut seen)?;
        Ok(seen)
    }

    fn unequal(&self) -> BinaryExportError {
        let what = format!("{} read something else than was written", self.name);
        let source = std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        BinaryExportError::stream("benchmark")(source)
    }

    /// A first time, without taking it, but the memory. Returns what was read.
    fn warm_up(&mut self) -> Result<Data> {
        let (written, bytes) = peak_memory(|| self.contender.write(self.chunks, &self.path))?;
        let (read, _) = peak_memory(|| self.seen())?;
        let (loaded, data) = peak_memory(|| self.data())?;
        (self.bytes, self.memory) = (bytes, [written, read, loaded]);
        Ok(data)
    }

    fn write(&mut self) -> Result<()> {
        let (time, _) = timed(|| self.contender.write(self.chunks, &self.path))?;
        self.times[0].push(time);
        Ok(())
    }

    fn read(&mut self) -> Result<()> {
        let (time, seen) = timed(|| self.seen())?;
        self.times[1].push(time);
        if seen == self.expected { Ok(()) } else { Err(self.unequal()) }
    }

    fn load(&mut self) -> Result<()> {
        // What was loaded is given back behind the clock.
        let (time, _) = timed(|| self.data())?;
        self.times[2].push(time);
        Ok(())
    }

    fn result(&self) -> ContenderResult {
        let [write_memory, read_memory, load_memory] = self.memory;
        let [write, read, load] = [0, 1, 2].map(|which: usize| Timing::of(&self.times[which]));
        ContenderResult {
            name: self.name.to_owned(),
            content: self.contender.content(),
            bytes: self.bytes,
            write,
            read,
            load,
            write_memory,
            read_memory,
            load_memory,
        }
    }
}
