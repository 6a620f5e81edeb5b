//! `cargo bench -p heapwire-bench --bench presets [-- ROUNDS [WORD]]`: whole exports, to a file that is
//! synced, with each preset and with what may be chosen besides: time beside `balanced()` in the same
//! rounds, peak memory, and bytes. Twice: of a tracker's chunks, which are moved as they are, and, with
//! something left out, encoded anew.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use heapwire::convert::text::TextReader;
use heapwire::pipeline::encode::TraceEncoder;
use heapwire::plan::CapturePlan;
use heapwire::trace::capture::Trace;
use heapwire::{
    BinaryDataParser, CompressionAlgorithm, IntegratedBinaryExporter, IntegratedConfig,
    LoadBalancingStrategy, OutputFormat, ParserConfig,
};
use heapwire_bench::memory::peak_bytes;
use heapwire_bench::statistics::{geometric_mean, median};
use heapwire_bench::trace::in_folder;

/// A variant, and what was measured of it, trace by trace.
struct Variant {
    name: String,
    config: IntegratedConfig,
    minimum: Vec<f64>,
    median: Vec<f64>,
    memory: usize,
    bytes: u64,
}

fn variant(name: &str, base: IntegratedConfig, change: impl Fn(&mut IntegratedConfig)) -> Variant {
    let mut config = base;
    change(&mut config);
    let (minimum, median) = (Vec::new(), Vec::new());
    Variant { name: name.into(), config, minimum, median, memory: 0, bytes: 0 }
}

fn variants() -> Vec<Variant> {
    let balanced = IntegratedConfig::balanced;
    let balance = |strategy, stealing| {
        move |config: &mut IntegratedConfig| {
            if let Some(parallel) = &mut config.parallel {
                (parallel.load_balancing, parallel.enable_work_stealing) = (strategy, stealing);
            }
        }
    };
    vec![
        variant("`balanced()`", balanced(), |_| ()),
        variant("`high_performance()`", IntegratedConfig::high_performance(), |_| ()),
        variant("`memory_efficient()`", IntegratedConfig::memory_efficient(), |_| ()),
        variant("balanced, level as configured", balanced(), |c| c.compression.auto_select = false),
        variant("balanced, level 9", balanced(), |c| c.compression.level = 9),
        variant("balanced, level 19", balanced(), |c| c.compression.level = 19),
        variant("balanced, not read back", balanced(), |c| c.processing.validate_data = false),
        variant("the same, level as configured", balanced(), |c| {
            (c.processing.validate_data, c.compression.auto_select) = (false, false);
        }),
        variant("the same, level 1", balanced(), |c| {
            (c.processing.validate_data, c.compression.level) = (false, 1);
        }),
        variant("balanced, 1 thread", balanced(), |c| c.parallel = None),
        variant("balanced, in turn", balanced(), balance(LoadBalancingStrategy::RoundRobin, false)),
        variant(
            "balanced, least loaded",
            balanced(),
            balance(LoadBalancingStrategy::LeastLoaded, false),
        ),
        variant("high performance, no codec", IntegratedConfig::high_performance(), |c| {
            c.compression.algorithm = CompressionAlgorithm::None;
        }),
        variant("high performance, Zstd 1", IntegratedConfig::high_performance(), |c| {
            (c.compression.algorithm, c.compression.level) = (CompressionAlgorithm::Zstd, 1);
        }),
    ]
}

/// A trace in memory in chunks as a tracker's.
fn source(path: &Path) -> Result<Trace> {
    let mut config = IntegratedConfig::balanced();
    config.output_format = OutputFormat::Chunked { chunk_size: 64 << 10 };
    config.compression.algorithm = CompressionAlgorithm::None;
    config.parallel = None;
    let file = File::open(path).with_context(|| format!("cannot open {path:?}"))?;
    let mut reader = TextReader::new(std::io::BufReader::new(zstd::Decoder::new(file)?));
    let mut encoder = TraceEncoder::new(Vec::new(), CapturePlan::try_from(&config)?)?;
    while let Some(item) = reader.next_item()? {
        encoder.push(&item)?;
    }
    let (capture, _) = encoder.finish()?;
    Ok(BinaryDataParser::new(ParserConfig::default()).parse_streaming(&capture[..])?.trace)
}

fn measure(variants: &mut [Variant], trace: &Trace, out: &Path, rounds: usize) -> Result<()> {
    let mut times = vec![Vec::new(); variants.len()];
    for round in 0..=rounds {
        for (variant, times) in variants.iter_mut().zip(&mut times) {
            let mut exporter = IntegratedBinaryExporter::new(variant.config.clone());
            let started = Instant::now();
            let (result, memory) = peak_bytes(|| exporter.export(trace, out));
            let elapsed = started.elapsed();
            let result = result?;
            match round {
                0 => {
                    variant.bytes += result.bytes_written;
                    variant.memory = variant.memory.max(memory);
                }
                _ => times.push(elapsed.max(Duration::from_nanos(1)).as_secs_f64()),
            }
        }
    }
    let minimum = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
    let (least, middle) = (minimum(&times[0]), median(times[0].clone()));
    for (variant, times) in variants.iter_mut().zip(times) {
        variant.minimum.push(minimum(&times) / least);
        variant.median.push(median(times) / middle);
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let rounds = arguments.first().map_or(Ok(7), |rounds| rounds.parse()).context("ROUNDS")?;
    let folder = std::env::var_os("HEAPWIRE_TRACES").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces"));
    let paths: Vec<PathBuf> = in_folder(&folder)?;
    let temporary = tempfile::tempdir().context("cannot make a folder")?;
    let out = temporary.path().join("out.hwcap");
    for (what, is_moved) in [("moved", true), ("encoded anew", false)] {
        let mut variants = variants();
        // No trace has any; but it has to be looked for.
        variants.iter_mut().for_each(|variant| variant.config.collection.marks = is_moved);
        if let Some(word) = arguments.get(1) {
            variants.retain(|v| v.name == "`balanced()`" || v.name.contains(word.as_str()));
        }
        for path in &paths {
            measure(&mut variants, &source(path)?, &out, rounds)?;
        }
        println!(
            "\n| {what} | time, least | median | peak memory, KiB | bytes |\n|---|--:|--:|--:|--:|"
        );
        for Variant { name, minimum, median, memory, bytes, .. } in &variants {
            let least = geometric_mean(minimum.iter().copied());
            let middle = geometric_mean(median.iter().copied());
            println!("| {name} | {least:.2} | {middle:.2} | {} | {bytes} |", memory / 1024);
        }
    }
    Ok(())
}
