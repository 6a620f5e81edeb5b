//! Exports the sample with configuration after configuration.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::{Aim, Candidate, Improvement};
use crate::config::IntegratedConfig;
use crate::error::{BinaryExportError, Result};
use crate::facade::IntegratedBinaryExporter;
use crate::measure::{Timing, peak_memory, ratio, timed};
use crate::trace::source::Chunks;

/// Exports the sample to a folder of its own.
pub(super) struct Trials<'a> {
    sample: &'a Chunks,
    aim: Aim,
    folder: TempDir,
}

impl<'a> Trials<'a> {
    pub(super) fn new(sample: &'a Chunks, aim: Aim, parent: Option<&Path>) -> Result<Self> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let mut folder = tempfile::Builder::new();
        let folder = folder.prefix("heapwire-optimization-").tempdir_in(&parent);
        let folder = folder.map_err(BinaryExportError::io("create a folder in", parent))?;
        Ok(Self { sample, aim, folder })
    }

    /// Tries each of the configurations, of which the first is the base; equal ones once.
    pub(super) fn run(
        &mut self,
        configs: &[IntegratedConfig],
        rounds: usize,
    ) -> Result<Vec<Candidate>> {
        let mut entrants: Vec<Entrant> = Vec::new();
        for config in configs {
            if entrants.iter().all(|known| known.config != *config) {
                entrants.push(self.enter(config)?);
            }
        }
        for _ in 0..rounds {
            for entrant in &mut entrants {
                let (time, _) = timed(|| self.export(&entrant.config))?;
                entrant.times.push(time);
            }
        }
        let Some(base) = entrants.first() else { return Ok(Vec::new()) };
        Ok(entrants.iter().map(|entrant| self.candidate(entrant, base)).collect())
    }

    /// A first export, not timed.
    fn enter(&self, config: &IntegratedConfig) -> Result<Entrant> {
        let (memory, bytes) = match self.aim {
            Aim::Memory => {
                let (memory, bytes) = peak_memory(|| self.export(config))?;
                if memory.is_none() {
                    return Err(BinaryExportError::InvalidConfig {
                        field: "optimizer.aim",
                        reason: "is memory, which this system does not tell".to_owned(),
                    });
                }
                (memory, bytes)
            }
            Aim::Balanced | Aim::Speed | Aim::Size => (None, self.export(config)?),
        };
        Ok(Entrant { config: config.clone(), bytes, memory, times: Vec::new() })
    }

    fn export(&self, config: &IntegratedConfig) -> Result<u64> {
        let mut exporter = IntegratedBinaryExporter::new(config.clone());
        Ok(exporter.export(self.sample, self.folder.path().join("trial"))?.bytes_written)
    }

    fn candidate(&self, entrant: &Entrant, base: &Entrant) -> Candidate {
        Candidate {
            config: entrant.config.clone(),
            time: Timing::of(&entrant.times),
            bytes: entrant.bytes,
            memory: entrant.memory,
            improvement: improvement(self.aim, entrant, base),
        }
    }
}

/// A configuration, and what was measured of it.
#[derive(Debug)]
struct Entrant {
    config: IntegratedConfig,
    bytes: u64,
    memory: Option<u64>,
    times: Vec<Duration>,
}

fn improvement(aim: Aim, entrant: &Entrant, base: &Entrant) -> Improvement {
    let speed = speed(&base.times, &entrant.times);
    let size = base.bytes as f64 / entrant.bytes.max(1) as f64;
    let memory =
        base.memory.zip(entrant.memory).map(|(base, own)| base.max(1) as f64 / own.max(1) as f64);
    let overall = match aim {
        Aim::Balanced => (speed * size).sqrt(),
        Aim::Speed => speed,
        Aim::Size => size,
        Aim::Memory => memory.unwrap_or(1.0),
    };
    Improvement {
        overall_improvement: overall,
        speed_improvement: speed,
        size_improvement: size,
        memory_improvement: memory,
    }
}

/// How many times as fast: by the least times, if three of four rounds agree on who is faster, otherwise
/// the same.
fn speed(base: &[Duration], own: &[Duration]) -> f64 {
    let least = |times: &[Duration]| times.iter().min().copied().unwrap_or_default();
    let gain = ratio(least(base), least(own));
    let agree = |(base, own): &(&Duration, &Duration)| (base > own) == (gain > 1.0);
    let rounds = base.len().min(own.len());
    let agreeing = base.iter().zip(own).filter(agree).count();
    if 4 * agreeing >= 3 * rounds { gain } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_is_what_most_rounds_show() {
        let ms = |times: [u64; 4]| times.map(Duration::from_millis);
        let base = ms([20, 22, 21, 40]);
        assert_eq!(speed(&base, &ms([10, 12, 10, 50])), 2.0);
        assert_eq!(speed(&base, &ms([10, 30, 30, 50])), 1.0, "one lucky round");
        assert_eq!(speed(&base, &ms([40, 40, 41, 42])), 0.5);
        assert_eq!(speed(&base, &base), 1.0);
    }
}
