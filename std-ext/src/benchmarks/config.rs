//! What to measure.

use std::path::PathBuf;

use crate::config::IntegratedConfig;
use crate::trace::source::{ChunkSource, Chunks};

/// What to measure. [`Default`] takes some ten seconds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BenchmarkConfig {
    /// How often everything is measured. At least 1.
    pub rounds: usize,
    /// The sizes of the made-up data, in events. May be empty when there are sources.
    pub event_counts: Vec<u64>,
    /// Data of your own.
    pub sources: Vec<BenchmarkSource>,
    /// The configurations that are measured, [`balanced`](IntegratedConfig::balanced) first. The first is
    /// the one that is compared with JSON.
    pub presets: Vec<BenchmarkPreset>,
    /// Where files are written; the folder for temporary files unless told. All are removed.
    pub folder: Option<PathBuf>,
}

/// Data of your own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BenchmarkSource {
    /// What the results call it.
    pub name: String,
    /// The data.
    pub chunks: Chunks,
}

/// A configuration to measure.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BenchmarkPreset {
    /// What the results call it.
    pub name: String,
    /// The configuration.
    pub config: IntegratedConfig,
}

impl BenchmarkConfig {
    /// Only the default configuration, on 100,000 made-up events.
    #[must_use]
    pub fn quick() -> Self {
        let presets = vec![BenchmarkPreset::new("balanced", IntegratedConfig::balanced())];
        Self { rounds: 3, event_counts: vec![100_000], presets, ..Self::default() }
    }

    /// Measures on what `tracker` holds now, too: a tracker, a loaded capture, anything that can be
    /// exported.
    #[must_use]
    pub fn with_source(
        mut self,
        name: impl Into<String>,
        tracker: &(impl ChunkSource + ?Sized),
    ) -> Self {
        self.sources.push(BenchmarkSource { name: name.into(), chunks: tracker.snapshot() });
        self
    }
}

impl BenchmarkPreset {
    /// A configuration and what the results call it.
    pub fn new(name: impl Into<String>, config: IntegratedConfig) -> Self {
        Self { name: name.into(), config }
    }
}

impl Default for BenchmarkConfig {
    /// All three presets, on 20,000 and 300,000 made-up events, five rounds.
    fn default() -> Self {
        Self {
            rounds: 5,
            event_counts: vec![20_000, 300_000],
            sources: Vec::new(),
            presets: vec![
                BenchmarkPreset::new("balanced", IntegratedConfig::balanced()),
                BenchmarkPreset::new("high_performance", IntegratedConfig::high_performance()),
                BenchmarkPreset::new("memory_efficient", IntegratedConfig::memory_efficient()),
            ],
            folder: None,
        }
    }
}
