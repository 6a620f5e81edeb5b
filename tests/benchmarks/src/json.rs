//! The results as JSON for machines: every number, and where they were measured.

use serde::Serialize;

use crate::Args;
use crate::machine::Machine;
use crate::means::{Mean, means};
use crate::measure::{Direction, Measurement, TraceResult};

/// All results.
#[derive(Debug, Serialize)]
pub struct Report {
    heapwire: &'static str,
    machine: Machine,
    most_events: usize,
    rounds: usize,
    traces: Vec<TraceJson>,
    geometric_means: Vec<Mean>,
}

#[derive(Debug, Serialize)]
struct TraceJson {
    name: String,
    events: usize,
    contenders: Vec<ContenderJson>,
}

#[derive(Debug, Serialize)]
struct ContenderJson {
    name: String,
    ours: bool,
    variant: bool,
    bytes: usize,
    bytes_per_event: f64,
    encode: DirectionJson,
    decode: DirectionJson,
}

#[derive(Debug, Serialize)]
struct DirectionJson {
    median_ns: f64,
    minimum_ns: f64,
    spread_ns: f64,
    times_faster_than_serde_json: f64,
    times_faster_than_serde_json_zstd: Option<f64>,
    peak_memory: usize,
    rounds_ns: Vec<f64>,
}

impl Report {
    /// The report of these results.
    #[must_use]
    pub fn new(args: &Args, results: &[TraceResult]) -> Self {
        Self {
            heapwire: env!("CARGO_PKG_VERSION"),
            machine: Machine::this(),
            most_events: args.events,
            rounds: args.rounds,
            traces: results.iter().map(trace).collect(),
            geometric_means: means(results),
        }
    }
}

fn trace(result: &TraceResult) -> TraceJson {
    let contender = |measurement: &Measurement| ContenderJson {
        name: measurement.contender.clone(),
        ours: measurement.is_ours,
        variant: measurement.is_variant,
        bytes: measurement.bytes,
        bytes_per_event: measurement.bytes as f64 / result.events as f64,
        encode: direction(&measurement.encode),
        decode: direction(&measurement.decode),
    };
    TraceJson {
        name: result.trace.clone(),
        events: result.events,
        contenders: result.measurements.iter().map(contender).collect(),
    }
}

fn direction(direction: &Direction) -> DirectionJson {
    let summary = direction.summary();
    DirectionJson {
        median_ns: summary.median,
        minimum_ns: summary.minimum,
        spread_ns: summary.spread,
        times_faster_than_serde_json: direction.than_json,
        times_faster_than_serde_json_zstd: direction.than_json_zstd,
        peak_memory: direction.peak_memory,
        rounds_ns: direction.rounds.clone(),
    }
}
