//! The measuring: every contender in turn, round after round, so that whatever else the machine does
//! hits all of them alike.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::contenders::{Coder, Contender, REFERENCE, ZSTD_REFERENCE};
use crate::memory::peak_bytes;
use crate::statistics::{Summary, median};
use crate::trace::{Events, Trace};

/// What was measured of one contender on one trace.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// The contender's name.
    pub contender: String,
    /// Whether it is heapwire's.
    pub is_ours: bool,
    /// Whether it differs from another contender in threads or chunk size only.
    pub is_variant: bool,
    /// Whether it compresses with Zstd, and is compared with what does so too.
    pub uses_zstd: bool,
    /// Bytes of the encoded trace.
    pub bytes: usize,
    /// Encoding.
    pub encode: Direction,
    /// Decoding.
    pub decode: Direction,
}

/// What was measured in one direction.
#[derive(Clone, Debug, Default)]
pub struct Direction {
    /// Nanoseconds an event, of each round.
    pub rounds: Vec<f64>,
    /// The most bytes allocated at once, beyond input and output.
    pub peak_memory: usize,
    /// How many times faster it is than serde_json in the same round; the median of all rounds.
    pub than_json: f64,
    /// How many times faster than serde_json with Zstd, of contenders that use Zstd.
    pub than_json_zstd: Option<f64>,
}

impl Direction {
    /// Its times in short.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::of(&self.rounds)
    }
}

/// All contenders on one trace.
#[derive(Clone, Debug)]
pub struct TraceResult {
    /// The trace's name.
    pub trace: String,
    /// How many events of it took part.
    pub events: usize,
    /// In the contenders' order.
    pub measurements: Vec<Measurement>,
}

/// A contender at work.
struct Runner {
    coder: Box<dyn Coder>,
    encoded: Vec<u8>,
    measurement: Measurement,
}

/// Measures all contenders on `trace`.
///
/// # Errors
/// When a contender fails, or what it decodes is not what it encoded.
pub fn measure(trace: &Trace, contenders: &[&Contender], rounds: usize) -> Result<TraceResult> {
    let events = trace.input.events.len();
    let mut decoded = Events::with_capacity(events);
    let mut runners = Vec::new();
    for contender in contenders {
        let name = &contender.name;
        let failed = || format!("{name} failed on the trace {}", trace.name);
        runners.push(Runner::new(contender, trace, &mut decoded).with_context(failed)?);
    }
    for _ in 0..rounds {
        for runner in &mut runners {
            runner.round(trace, &mut decoded)?;
        }
    }
    let measurements = runners.into_iter().map(|runner| runner.measurement).collect();
    Ok(TraceResult { trace: trace.name.clone(), events, measurements: compared(measurements) })
}

impl Runner {
    /// Measures memory, and checks that the decoded trace equals the input.
    fn new(contender: &Contender, trace: &Trace, decoded: &mut Events) -> Result<Self> {
        let mut encoded = Vec::new();
        contender.coder()?.encode(trace, &mut encoded)?;
        let bytes = encoded.len();

        // Now the output has room enough, so only the coder itself allocates.
        encoded.clear();
        let (outcome, encode_memory) =
            peak_bytes(|| contender.coder()?.encode(trace, &mut encoded));
        outcome?;
        ensure!(encoded.len() == bytes, "it encodes the same events into different lengths");

        decoded.clear();
        let (outcome, decode_memory) = peak_bytes(|| contender.coder()?.decode(&encoded, decoded));
        outcome?;
        ensure!(
            decoded.are_those_of(&trace.input),
            "the decoded events are not those that were encoded"
        );
        Ok(Self {
            coder: contender.coder()?,
            encoded,
            measurement: Measurement {
                contender: contender.name.clone(),
                is_ours: contender.is_ours,
                is_variant: contender.is_variant,
                uses_zstd: contender.uses_zstd(),
                bytes,
                encode: Direction { peak_memory: encode_memory, ..Direction::default() },
                decode: Direction { peak_memory: decode_memory, ..Direction::default() },
            },
        })
    }

    /// Encodes and decodes once, by the clock.
    fn round(&mut self, trace: &Trace, decoded: &mut Events) -> Result<()> {
        let events = trace.input.events.len() as f64;
        let Self { coder, encoded, measurement } = self;
        encoded.clear();
        let start = Instant::now();
        coder.encode(black_box(trace), encoded)?;
        measurement.encode.rounds.push(start.elapsed().as_nanos() as f64 / events);

        decoded.clear();
        let start = Instant::now();
        coder.decode(black_box(encoded), decoded)?;
        measurement.decode.rounds.push(start.elapsed().as_nanos() as f64 / events);
        black_box(decoded);
        Ok(())
    }
}

/// Puts in how much faster each is than the references, round by round.
fn compared(mut measurements: Vec<Measurement>) -> Vec<Measurement> {
    let rounds_of = |name: &str| {
        let found = measurements.iter().find(|measurement| measurement.contender == name);
        let rounds = found.map(|one| [one.encode.rounds.clone(), one.decode.rounds.clone()]);
        rounds.unwrap_or_default()
    };
    let (json, json_zstd) = (rounds_of(REFERENCE), rounds_of(ZSTD_REFERENCE));
    for Measurement { encode, decode, uses_zstd, .. } in &mut measurements {
        for (at, direction) in [encode, decode].into_iter().enumerate() {
            direction.than_json = speed_up(&json[at], &direction.rounds);
            direction.than_json_zstd =
                uses_zstd.then(|| speed_up(&json_zstd[at], &direction.rounds));
        }
    }
    measurements
}

/// The median of the ratios of times in the same round.
fn speed_up(reference: &[f64], rounds: &[f64]) -> f64 {
    median(reference.iter().zip(rounds).map(|(reference, time)| reference / time).collect())
}
