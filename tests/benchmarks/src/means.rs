//! Contenders over several traces: geometric means.

use serde::Serialize;

use crate::measure::{Direction, TraceResult};
use crate::statistics::geometric_mean;

/// One contender over some traces.
#[derive(Clone, Debug, Serialize)]
pub struct Mean {
    /// The contender's name.
    #[serde(rename = "name")]
    pub contender: String,
    /// Whether it is heapwire's.
    #[serde(rename = "ours")]
    pub is_ours: bool,
    /// Whether it differs from another contender in threads or chunk size only.
    #[serde(rename = "variant")]
    pub is_variant: bool,
    /// Bytes an event.
    pub bytes_per_event: f64,
    /// Encoding.
    pub encode: DirectionMean,
    /// Decoding.
    pub decode: DirectionMean,
}

/// One direction of a [`Mean`].
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DirectionMean {
    /// Of the medians: nanoseconds an event.
    #[serde(rename = "median_ns")]
    pub median: f64,
    /// Of the fastest rounds: nanoseconds an event.
    #[serde(rename = "minimum_ns")]
    pub minimum: f64,
    /// Of the distances between the quartiles: nanoseconds an event.
    #[serde(rename = "spread_ns")]
    pub spread: f64,
    /// How many times faster than serde_json.
    #[serde(rename = "times_faster_than_serde_json")]
    pub than_json: f64,
    /// How many times faster than serde_json with Zstd.
    #[serde(rename = "times_faster_than_serde_json_zstd")]
    pub than_json_zstd: Option<f64>,
    /// The most bytes allocated at once, beyond input and output: the arithmetic mean, since it may
    /// be 0.
    pub peak_memory: f64,
}

/// The means of all contenders, in their order. Every result has the same ones.
#[must_use]
pub fn means(results: &[TraceResult]) -> Vec<Mean> {
    let Some(first) = results.first() else { return Vec::new() };
    let mean = |at: usize| {
        let all = || results.iter().map(move |result| &result.measurements[at]);
        let events = results.iter().map(|result| result.events as f64);
        let one = &first.measurements[at];
        Mean {
            contender: one.contender.clone(),
            is_ours: one.is_ours,
            is_variant: one.is_variant,
            bytes_per_event: geometric_mean(all().zip(events).map(|(m, n)| m.bytes as f64 / n)),
            encode: DirectionMean::of(&all().map(|m| &m.encode).collect::<Vec<_>>()),
            decode: DirectionMean::of(&all().map(|m| &m.decode).collect::<Vec<_>>()),
        }
    };
    (0..first.measurements.len()).map(mean).collect()
}

impl DirectionMean {
    fn of(directions: &[&Direction]) -> Self {
        let mean = |of: fn(&Direction) -> f64| geometric_mean(directions.iter().map(|d| of(d)));
        let than_json_zstd: Option<Vec<f64>> =
            directions.iter().map(|direction| direction.than_json_zstd).collect();
        let memory: f64 = directions.iter().map(|direction| direction.peak_memory as f64).sum();
        Self {
            median: mean(|direction| direction.summary().median),
            minimum: mean(|direction| direction.summary().minimum),
            spread: mean(|direction| direction.summary().spread),
            than_json: mean(|direction| direction.than_json),
            than_json_zstd: than_json_zstd.map(geometric_mean),
            peak_memory: memory / directions.len() as f64,
        }
    }
}
