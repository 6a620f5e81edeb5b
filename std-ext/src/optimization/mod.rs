//! The optimiser: tries configurations on a sample of the real data and says which is the best, and by
//! how much. It changes nothing but what it returns.
//!
//! Every candidate exports the sample to a real file, several times in turn with the others, so that a
//! busy moment of the machine meets all of them. The settings are tried one after the other: first the
//! codec, then the model and the size of chunks, then the number of threads, each with the best so far.
//! In the end the winner and the base are measured anew, side by side: what is reported is this second
//! measurement, since the winner of many was lucky as well. A gain that three of four rounds do not show,
//! or of less than 2 %, is none: then the base is returned and the improvement is 1.
//!
//! What an export promises is not up for trial: the format, the reading back and everything else stays
//! as the base has it.

mod candidates;
mod trial;

use std::path::PathBuf;

use serde::Serialize;

use crate::config::IntegratedConfig;
use crate::error::{BinaryExportError, Result};
pub use crate::measure::Timing;
use crate::trace::sample::beginning;
use crate::trace::source::ChunkSource;
use candidates::variants;
use trial::Trials;

/// Events that are tried at most, unless told.
const SAMPLE_EVENTS: u64 = 300_000;

/// What is gained at least; less is not worth another configuration.
const LEAST_GAIN: f64 = 1.02;

/// What to make better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Aim {
    /// Time and size alike: the geometric mean of both improvements. The recommended default.
    #[default]
    Balanced,
    /// The time that an export takes.
    Speed,
    /// The file's length.
    Size,
    /// The memory that an export takes beyond the data itself.
    Memory,
}

/// What the optimiser found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OptimizationResult {
    /// The best configuration found; the base when none is better. It does not ask for optimising again.
    pub optimized_config: IntegratedConfig,
    /// How much better it is.
    pub improvement: Improvement,
    /// What was to be made better.
    pub aim: Aim,
    /// All configurations that were tried, the base first.
    pub candidates: Vec<Candidate>,
    /// Events of the sample.
    pub sampled_events: u64,
    /// Events of the data.
    pub events: u64,
}

/// How many times better a configuration is than the base; all is 1 when it is the base. Times are the
/// least of several rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Improvement {
    /// In what was to be made better.
    pub overall_improvement: f64,
    /// How many times as fast an export is.
    pub speed_improvement: f64,
    /// How many times smaller the file is.
    pub size_improvement: f64,
    /// How many times less memory an export takes; measured only when that is the aim.
    pub memory_improvement: Option<f64>,
}

/// A configuration that was tried.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Candidate {
    /// The configuration.
    pub config: IntegratedConfig,
    /// How long it took to export the sample.
    pub time: Timing,
    /// The file's length in bytes.
    pub bytes: u64,
    /// The most bytes resident meanwhile, beyond those before; measured only when that is the aim.
    pub memory: Option<u64>,
    /// How much better than the base it was, beside which it was measured.
    pub improvement: Improvement,
}

/// Finds the best configuration for what `tracker` holds, as [`Optimizer::new`] does: time and size alike,
/// beside [`IntegratedConfig::default`]. Takes some seconds.
///
/// ```no_run
/// use heapwire::optimization::optimize_system_performance;
/// use heapwire::{IntegratedBinaryExporter, MemoryTracker};
///
/// let tracker = MemoryTracker::new();
/// tracker.track_allocation(0x5000, 64);
/// let optimization_result = optimize_system_performance(&tracker)?;
/// println!("improvement: {:.2}x", optimization_result.improvement.overall_improvement);
/// let mut exporter = IntegratedBinaryExporter::new(optimization_result.optimized_config);
/// # Ok::<(), heapwire::BinaryExportError>(())
/// ```
///
/// # Errors
/// As [`Optimizer::optimize`].
pub fn optimize_system_performance(
    tracker: &(impl ChunkSource + ?Sized),
) -> Result<OptimizationResult> {
    Optimizer::new().optimize(tracker)
}

/// Finds the best configuration.
///
/// ```no_run
/// use heapwire::optimization::{Aim, Optimizer};
/// # let tracker = heapwire::MemoryTracker::new();
/// let found = Optimizer::new().aim(Aim::Size).optimize(&tracker)?;
/// println!("{:.2}x smaller", found.improvement.size_improvement);
/// # Ok::<(), heapwire::BinaryExportError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Optimizer {
    aim: Aim,
    base: IntegratedConfig,
    sample_events: u64,
    rounds: usize,
    folder: Option<PathBuf>,
}

impl Optimizer {
    /// Time and size alike, beside [`IntegratedConfig::default`], on up to 300,000 events.
    pub fn new() -> Self {
        Self {
            aim: Aim::Balanced,
            base: IntegratedConfig::default(),
            sample_events: SAMPLE_EVENTS,
            rounds: 5,
            folder: None,
        }
    }

    /// What to make better.
    pub fn aim(mut self, aim: Aim) -> Self {
        self.aim = aim;
        self
    }

    /// The configuration to make better.
    pub fn base(mut self, base: IntegratedConfig) -> Self {
        self.base = base;
        self
    }

    /// Events to try at most. More make the result more certain and take longer. At least 1.
    pub fn sample_events(mut self, events: u64) -> Self {
        self.sample_events = events;
        self
    }

    /// How often each configuration is tried, and the last two twice as often. At least 1.
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    /// Where files are written to try; the folder for temporary files unless told. All are removed.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Finds the best configuration for what `tracker` holds.
    ///
    /// # Errors
    /// [`NoDataToExport`](BinaryExportError::NoDataToExport) when nothing is recorded,
    /// [`InvalidConfig`](BinaryExportError::InvalidConfig) for a base that cannot be, no rounds, no
    /// events, or where memory is the aim and the system does not tell; and what an export fails with.
    pub fn optimize(&self, tracker: &(impl ChunkSource + ?Sized)) -> Result<OptimizationResult> {
        let invalid =
            |field, reason: &str| BinaryExportError::InvalidConfig { field, reason: reason.into() };
        if self.rounds == 0 {
            return Err(invalid("optimizer.rounds", "is 0, expected at least 1"));
        }
        if self.sample_events == 0 {
            return Err(invalid("optimizer.sample_events", "is 0, expected at least 1"));
        }
        let chunks = tracker.snapshot();
        let sample = beginning(&chunks, self.sample_events)?;
        let base = IntegratedConfig { auto_optimize: false, ..self.base.clone() };
        let mut trials = Trials::new(&sample, self.aim, self.folder.as_deref())?;

        let mut candidates: Vec<Candidate> = Vec::new();
        let mut best = base.clone();
        for stage in variants(self.aim) {
            let mut configs = vec![base.clone(), best.clone()];
            configs.extend(stage.iter().map(|change| change(&best)));
            let tried = trials.run(&configs, self.rounds)?;
            if let Some(winner) = winner(&tried, &best) {
                best = winner.config.clone();
            }
            for candidate in tried {
                if candidates.iter().all(|known| known.config != candidate.config) {
                    candidates.push(candidate);
                }
            }
        }

        let last = trials.run(&[base.clone(), best], 2 * self.rounds)?;
        let confirmed = last.last().filter(|best| is_better(best) && best.config != base);
        let (optimized_config, improvement) = match confirmed {
            Some(best) => (best.config.clone(), best.improvement),
            None => (base, Improvement::NONE),
        };
        Ok(OptimizationResult {
            optimized_config,
            improvement,
            aim: self.aim,
            candidates,
            sampled_events: sample.event_count(),
            events: chunks.event_count(),
        })
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::new()
    }
}

impl Improvement {
    /// That of the base.
    const NONE: Self = Self {
        overall_improvement: 1.0,
        speed_improvement: 1.0,
        size_improvement: 1.0,
        memory_improvement: None,
    };
}

fn is_better(candidate: &Candidate) -> bool {
    candidate.improvement.overall_improvement >= LEAST_GAIN
}

/// The candidate that is clearly better than the best so far, `best`, which is among them.
fn winner<'a>(tried: &'a [Candidate], best: &IntegratedConfig) -> Option<&'a Candidate> {
    let overall = |candidate: &Candidate| candidate.improvement.overall_improvement;
    let so_far = tried.iter().find(|candidate| candidate.config == *best).map_or(1.0, overall);
    let first = tried.iter().max_by(|a, b| overall(a).total_cmp(&overall(b)))?;
    (overall(first) >= so_far * LEAST_GAIN).then_some(first)
}

#[cfg(test)]
mod tests;
