//! `heapwire optimize`: what was tried on a capture's data, and the best of it as flags of `import`.

use std::io::{self, Write};

use heapwire::optimization::{Aim, Candidate, Improvement, OptimizationResult, Optimizer};
use heapwire::trace::source::ChunkSource;
use heapwire::{
    BinaryDataParser, CompressionAlgorithm, IntegratedConfig, ModelSize, OutputFormat, ParserConfig,
};
use serde::Serialize;

use crate::args::{self, OptimizeArgs};
use crate::capture_input;
use crate::failure::{Failure, Outcome, told};
use crate::json;
use crate::units::{bytes_text, counted, grouped};

pub(crate) fn run(args: &OptimizeArgs) -> Result<Outcome, Failure> {
    let input = capture_input::open(&args.input)?;
    let parser = BinaryDataParser::new(ParserConfig::default());
    let trace = parser.parse_streaming(input).map_err(Failure::of(&args.input))?.trace;
    let aim = match args.aim {
        args::Aim::Balanced => Aim::Balanced,
        args::Aim::Speed => Aim::Speed,
        args::Aim::Size => Aim::Size,
        args::Aim::Memory => Aim::Memory,
    };
    let rounds = usize::try_from(args.rounds).unwrap_or(usize::MAX);
    let optimizer = Optimizer::new().aim(aim).sample_events(args.events).rounds(rounds);
    // Without them events are encoded anew, as `import` does, and not moved as the capture has them.
    let mut chunks = trace.snapshot();
    chunks.set_positions(None);
    let found = optimizer.optimize(&chunks).map_err(Failure::of(&args.input))?;
    let mut out = io::stdout().lock();
    let printed = match args.json {
        true => print_json(&mut out, &found),
        false => print_text(&mut out, &found),
    };
    told(printed, Outcome::Done)
}

fn print_text(out: &mut impl Write, found: &OptimizationResult) -> io::Result<()> {
    let (sampled, events) = (grouped(found.sampled_events), counted(found.events, "event"));
    writeln!(out, "tried on {sampled} of {events}, each beside the default settings")?;
    writeln!(out, "      time       size     memory    gain  settings")?;
    for Candidate { config, time, bytes, memory, improvement, .. } in &found.candidates {
        writeln!(
            out,
            "{:>7.1} ms {:>10} {:>10} {:>6.2}x  {}",
            time.least.as_secs_f64() * 1e3,
            bytes_text(*bytes),
            memory.map_or_else(|| "-".to_owned(), bytes_text),
            improvement.overall_improvement,
            flags(config),
        )?;
    }
    let Improvement { overall_improvement, speed_improvement, size_improvement, .. } =
        found.improvement;
    let gain = format!("{overall_improvement:.2}x");
    if found.optimized_config == IntegratedConfig::default() {
        writeln!(out, "best: the default settings ({gain})")
    } else {
        let times = format!("{speed_improvement:.2}x as fast, {size_improvement:.2}x smaller");
        writeln!(out, "best: {} ({gain}: {times})", flags(&found.optimized_config))
    }
}

/// A configuration as flags of `heapwire import`.
fn flags(config: &IntegratedConfig) -> String {
    let mut flags = String::from(match config.compression.algorithm {
        CompressionAlgorithm::None => "--compression none",
        CompressionAlgorithm::Lz4 => "--compression lz4",
        CompressionAlgorithm::Zstd => "--compression zstd",
        _ => "",
    });
    if config.compression.algorithm == CompressionAlgorithm::Zstd {
        flags.push_str(&format!(" --level {}", config.compression.level));
    }
    flags.push_str(match config.processing.model {
        ModelSize::Tiny => " --model tiny",
        ModelSize::Fast => " --model fast",
        ModelSize::Dense => " --model dense",
        _ => "",
    });
    let chunk_size = match config.output_format {
        OutputFormat::Chunked { chunk_size } => chunk_size,
        _ => config.processing.chunk_size,
    };
    flags.push_str(&match chunk_size % 1024 {
        0 => format!(" --chunk-size {}K", chunk_size / 1024),
        _ => format!(" --chunk-size {chunk_size}"),
    });
    let threads = config.parallel.as_ref().map_or(1, |parallel| parallel.worker_threads);
    flags.push_str(&format!(" --threads {threads}"));
    flags
}

#[derive(Serialize)]
struct ResultJson {
    aim: Aim,
    events: u64,
    sampled_events: u64,
    is_default: bool,
    flags: String,
    improvement: Improvement,
    candidates: Vec<CandidateJson>,
}

#[derive(Serialize)]
struct CandidateJson {
    flags: String,
    seconds_median: f64,
    seconds_least: f64,
    seconds_spread: f64,
    bytes: u64,
    memory: Option<u64>,
    improvement: Improvement,
}

fn print_json(out: &mut impl Write, found: &OptimizationResult) -> io::Result<()> {
    let candidate = |candidate: &Candidate| CandidateJson {
        flags: flags(&candidate.config),
        seconds_median: candidate.time.median.as_secs_f64(),
        seconds_least: candidate.time.least.as_secs_f64(),
        seconds_spread: candidate.time.spread.as_secs_f64(),
        bytes: candidate.bytes,
        memory: candidate.memory,
        improvement: candidate.improvement,
    };
    let result = ResultJson {
        aim: found.aim,
        events: found.events,
        sampled_events: found.sampled_events,
        is_default: found.optimized_config == IntegratedConfig::default(),
        flags: flags(&found.optimized_config),
        improvement: found.improvement,
        candidates: found.candidates.iter().map(candidate).collect(),
    };
    json::print(out, &result)
}
