//! The contract: each snippet of the user guide, named after its section and unchanged but for what it
//! needs around it: a tracker with data, a configuration, a folder to write to.
//!
//! Not there yet, and so not in here:
//!
//! - Custom configuration: `enable_work_stealing`
//! - Formats: `OutputFormat::MessagePack`
//! - Compression: `auto_select`
//! - Asynchronous export: `export_async`
//! - Monitoring: `get_system_status`, `performance_metrics`
//! - Reading: conversion with `convert_format`
//! - Optimisation: `load_balancing`, `max_memory_usage`, `enable_monitoring`
//! - Diagnosis: `enable_monitoring`, `component_times`

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use heapwire::{
    BinaryDataParser, BinaryExport, BinaryExportError, CompressionAlgorithm, CompressionConfig,
    ErrorRecovery, IntegratedBinaryExporter, IntegratedConfig, MemoryTracker, OutputFormat,
    ParserConfig,
};
use tempfile::TempDir;

type Outcome = Result<(), Box<dyn Error>>;

/// A folder of its own as the current one, for snippets that name files. A process has one current
/// folder, so one test at a time has it.
struct CurrentFolder {
    former: PathBuf,
    _folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl CurrentFolder {
    fn new() -> std::io::Result<Self> {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let former = std::env::current_dir()?;
        let folder = TempDir::new()?;
        std::env::set_current_dir(folder.path())?;
        Ok(Self { former, _folder: folder, _turn: turn })
    }
}

impl Drop for CurrentFolder {
    fn drop(&mut self) {
        // The temporary folder is removed after this.
        let _ = std::env::set_current_dir(&self.former);
    }
}

const EVENTS: u64 = 30_000;

/// A tracker with that many events: of blocks with sizes, lifetimes and scopes as irregular as a
/// program's.
fn tracker_with_data() -> MemoryTracker {
    let tracker = MemoryTracker::new();
    let mut random = 88_172_645_463_325_252_u64;
    let mut live = vec![false; 500];
    for _ in 0..EVENTS {
        // Marsaglia's xorshift: the same numbers on every machine.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let [slot, size, scope] = [500, 97, 3].map(|below| (random >> 20) as usize % below);
        let ptr = 0x5000_0000 + 128 * slot;
        let _scope = tracker.scope(["parse", "index", "sort"][scope]);
        if live[slot] {
            tracker.track_deallocation(ptr);
        } else {
            tracker.track_allocation(ptr, 16 + size);
        }
        live[slot] = !live[slot];
    }
    tracker
}

/// Exports, and reads back equal; returns the file's length.
fn exports(config: &IntegratedConfig) -> Result<u64, Box<dyn Error>> {
    exports_of(&tracker_with_data(), config)
}

/// As [`exports`], of a tracker whose times stay the same from one export to the next.
fn exports_of(tracker: &MemoryTracker, config: &IntegratedConfig) -> Result<u64, Box<dyn Error>> {
    let _folder = CurrentFolder::new()?;
    let mut exporter = IntegratedBinaryExporter::new(config.clone());
    let result = exporter.export(tracker, "output.bin")?;
    assert_eq!(result.bytes_written, std::fs::metadata("output.bin")?.len());
    assert!(heapwire::validate_binary_file("output.bin")?.is_valid);
    let data = exporter.load("output.bin")?;
    assert_eq!(data.event_count(), EVENTS);

    // What was loaded is a tracker as well, with the same events.
    let again = exporter.export(&data, "again.bin")?;
    assert_eq!(again.events, EVENTS);
    assert_eq!(exporter.load("again.bin")?.events()?, data.events()?);
    Ok(result.bytes_written)
}

#[test]
fn quick_start() -> Outcome {
    let tracker = tracker_with_data();
    let _folder = CurrentFolder::new()?;

    use heapwire::BinaryExport;

    // one line exports everything
    let result = BinaryExport::export_default(&tracker, "output.bin")?;
    println!("exported: {} bytes", result.bytes_written);

    assert_eq!(result.bytes_written, std::fs::metadata("output.bin")?.len());
    Ok(())
}

#[test]
fn presets() -> Outcome {
    let config = IntegratedConfig::high_performance(); // the most speed
    exports(&config)?;
    let config = IntegratedConfig::memory_efficient(); // the least memory
    exports(&config)?;
    let config = IntegratedConfig::balanced(); // between the two
    exports(&config)?;

    assert_eq!(config, IntegratedConfig::default());
    Ok(())
}

/// But for its line on `enable_work_stealing`.
#[test]
fn custom_configuration() -> Outcome {
    let tracker = tracker_with_data();
    let _folder = CurrentFolder::new()?;

    let mut config = IntegratedConfig::balanced();

    config.compression.algorithm = CompressionAlgorithm::Zstd;
    config.compression.level = 9; // high ratio

    config.output_format = OutputFormat::CustomBinary;

    config.processing.chunk_size = 128 * 1024; // 128 KiB chunks
    config.processing.validate_data = true;

    if let Some(ref mut parallel) = config.parallel {
        parallel.worker_threads = num_cpus::get();
    }

    let mut exporter = IntegratedBinaryExporter::new(config);

    exporter.export(&tracker, "output.bin")?;
    assert_eq!(exporter.load("output.bin")?.event_count(), EVENTS);
    Ok(())
}

#[test]
fn formats() -> Outcome {
    let tracker = tracker_with_data();
    let mut config = IntegratedConfig::balanced();

    config.output_format = OutputFormat::CustomBinary;
    let smallest = exports_of(&tracker, &config)?;
    config.output_format = OutputFormat::Chunked { chunk_size: 1024 * 1024 };
    exports_of(&tracker, &config)?;

    config.output_format = OutputFormat::Chunked { chunk_size: 4 * 1024 };
    assert!(exports_of(&tracker, &config)? > smallest, "small chunks make a larger file");
    Ok(())
}

#[test]
fn compression() -> Outcome {
    let tracker = tracker_with_data();
    let mut config = IntegratedConfig::balanced();

    config.compression = CompressionConfig::fast();
    let fast = exports_of(&tracker, &config)?;
    config.compression = CompressionConfig::balanced();
    let balanced = exports_of(&tracker, &config)?;
    config.compression = CompressionConfig::max_compression();
    let smallest = exports_of(&tracker, &config)?;
    assert!(smallest <= balanced && balanced < fast, "{smallest} {balanced} {fast}");

    config.compression.algorithm = CompressionAlgorithm::Zstd;
    config.compression.level = 6;
    exports(&config)?;

    config.compression.algorithm = CompressionAlgorithm::None;
    assert!(exports(&config)? > fast);
    Ok(())
}

#[test]
fn reading() -> Outcome {
    let tracker = tracker_with_data();
    let _folder = CurrentFolder::new()?;
    BinaryExport::export_default(&tracker, "output.bin")?;

    // through the exporter
    let exporter = IntegratedBinaryExporter::new(IntegratedConfig::default());
    let data = exporter.load("output.bin")?;

    // through the parser
    let parser = BinaryDataParser::new(ParserConfig::default());
    let parse_result = parser.parse_file("output.bin")?;

    assert_eq!(data.event_count(), EVENTS);
    assert_eq!(parse_result.trace.events()?, data.events()?);
    Ok(())
}

#[test]
fn reading_as_a_stream() -> Outcome {
    let tracker = tracker_with_data();
    let _folder = CurrentFolder::new()?;
    let mut exporter = IntegratedBinaryExporter::new(IntegratedConfig::memory_efficient());
    exporter.export(&tracker, "large_file.bin")?;

    let parser = BinaryDataParser::new(ParserConfig::default());
    let file = std::fs::File::open("large_file.bin")?;
    let parse_result = parser.parse_streaming(file)?;
    println!("parsed: {} structures", parse_result.parse_stats.structures_parsed);

    // The events, the session, and the names of three scopes.
    assert_eq!(parse_result.parse_stats.structures_parsed, EVENTS + 4);
    Ok(())
}

#[test]
fn optimisation() -> Outcome {
    let tracker = tracker_with_data();
    let _folder = CurrentFolder::new()?;

    use heapwire::optimization::optimize_system_performance;

    let optimization_result = optimize_system_performance(&tracker)?;
    println!("improvement: {:.2}x", optimization_result.improvement.overall_improvement);
    let found = optimization_result.clone();
    let mut exporter = IntegratedBinaryExporter::new(optimization_result.optimized_config);

    let result = exporter.export(&tracker, "output.bin")?;
    assert_eq!((result.events, &result.config), (EVENTS, &found.optimized_config));
    assert!(found.improvement.overall_improvement >= 1.0);
    assert_eq!(found.candidates[0].config, IntegratedConfig::default());
    if found.improvement.overall_improvement == 1.0 {
        assert_eq!(found.optimized_config, IntegratedConfig::default());
    }

    // "Let the optimiser tune."
    let mut config = IntegratedConfig::balanced();
    config.auto_optimize = true;
    let result = IntegratedBinaryExporter::new(config).export(&tracker, "output.bin")?;
    assert!(!result.config.auto_optimize && result.config.processing.validate_data);
    assert_eq!(exporter.load("output.bin")?.event_count(), EVENTS);
    Ok(())
}

/// The section's lines on the size of chunks.
#[test]
fn optimisation_by_hand() -> Outcome {
    let mut config = IntegratedConfig::balanced();

    config.processing.chunk_size = 64 * 1024; // small data
    exports(&config)?;
    config.processing.chunk_size = 1024 * 1024; // large data
    exports(&config)?;

    if let Some(ref mut parallel) = config.parallel {
        parallel.worker_threads = num_cpus::get() * 2;
    }
    exports(&config)?;
    Ok(())
}

/// The snippet; says which arms were taken: one.
fn errors_snippet(tracker: MemoryTracker) -> Result<Vec<&'static str>, BinaryExportError> {
    let mut arms = Vec::new();
    match BinaryExport::export_default(&tracker, "output.bin") {
        Ok(result) => {
            println!("exported: {} bytes", result.bytes_written);
            arms.push("ok");
        }
        Err(BinaryExportError::NoDataToExport) => {
            println!("nothing to export");
            arms.push("no data");
        }
        Err(BinaryExportError::OutOfMemory { requested, available }) => {
            println!("out of memory: {} bytes wanted, {} available", requested, available);
            let config = IntegratedConfig::memory_efficient();
            let mut exporter = IntegratedBinaryExporter::new(config);
            exporter.export(&tracker, "fallback_output.bin")?;
            arms.push("out of memory");
        }
        Err(e) => {
            eprintln!("export failed: {:?}", e);
            arms.push("other");
        }
    }
    Ok(arms)
}

#[test]
fn errors() -> Outcome {
    let _folder = CurrentFolder::new()?;
    assert_eq!(errors_snippet(tracker_with_data())?, ["ok"]);
    let old = std::fs::read("output.bin")?;
    assert_eq!(errors_snippet(MemoryTracker::new())?, ["no data"]);
    assert_eq!(std::fs::read("output.bin")?, old, "an error leaves the old file");

    std::fs::remove_file("output.bin")?;
    std::fs::create_dir("output.bin")?;
    assert_eq!(errors_snippet(tracker_with_data())?, ["other"]);
    Ok(())
}

#[test]
fn recovery() -> Outcome {
    let tracker = tracker_with_data();
    let _folder = CurrentFolder::new()?;

    let recovery = ErrorRecovery::new();

    let result = recovery.execute_with_recovery(
        || BinaryExport::export_default(&tracker, "output.bin"),
        "binary_export",
    )?;

    assert_eq!(result.bytes_written, std::fs::metadata("output.bin")?.len());
    let empty = MemoryTracker::new();
    let nothing = recovery.execute_with_recovery(
        || BinaryExport::export_default(&empty, "output.bin"),
        "binary_export",
    );
    assert!(matches!(nothing, Err(BinaryExportError::NoDataToExport)));
    assert_eq!(recovery.history().len(), 2, "it is not tried again");
    Ok(())
}

/// The snippet; says what it would print.
fn integrity_snippet() -> Result<Vec<String>, Box<dyn Error>> {
    let mut messages = Vec::new();

    use heapwire::validation::validate_binary_file;

    let validation_report = validate_binary_file("output.bin")?;
    if validation_report.is_valid {
        println!("the file is valid");
    } else {
        println!("the file is damaged:");
        for error in &validation_report.errors {
            println!("  - {}", error.message);
            messages.push(error.message.clone());
        }
    }

    Ok(messages)
}

#[test]
fn integrity() -> Outcome {
    let _folder = CurrentFolder::new()?;
    BinaryExport::export_default(&tracker_with_data(), "output.bin")?;
    assert_eq!(integrity_snippet()?, [""; 0]);

    let whole = std::fs::read("output.bin")?;
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    std::fs::write("output.bin", damaged)?;
    let messages = integrity_snippet()?;
    assert!(messages[0].contains("cannot be read"), "{messages:?}");

    std::fs::write("output.bin", &whole[..whole.len() / 2])?;
    let messages = integrity_snippet()?;
    assert!(messages.iter().any(|message| message.starts_with("cut off")), "{messages:?}");

    // "The right format? Complete? A known version?"
    std::fs::write("output.bin", "{\"events\": []}")?;
    let messages = integrity_snippet()?;
    assert!(messages[0].starts_with("not a heapwire capture"), "{messages:?}");

    std::fs::remove_file("output.bin")?;
    let error = integrity_snippet().unwrap_err();
    assert_eq!(error.to_string(), "cannot open \"output.bin\"");
    Ok(())
}

#[test]
fn benchmarks() -> Outcome {
    let _folder = CurrentFolder::new()?;

    use heapwire::benchmarks;

    let results = benchmarks::run_quick_benchmark()?;
    println!("improvement: {:.2}x", results.comparison.avg_speed_improvement);
    let quick = results;

    let config = benchmarks::BenchmarkConfig::default();
    let runner = benchmarks::BenchmarkRunner::new(config)?;
    let results = runner.run_all_benchmarks()?;
    runner.save_results(&results, Path::new("benchmark_results.json"))?;

    assert_eq!((quick.data.len(), results.data.len()), (1, 2));
    let saved: serde_json::Value =
        serde_json::from_slice(&std::fs::read("benchmark_results.json")?)?;
    let speed = &saved["comparison"]["avg_speed_improvement"];
    assert_eq!(speed.as_f64(), Some(results.comparison.avg_speed_improvement));
    for data in results.data.iter().chain(&quick.data) {
        let ours = &data.presets[0];
        let [json, arrays, with_stacks] = &data.json[..] else { panic!("{data:?}") };
        assert!(arrays.bytes < json.bytes && json.bytes < with_stacks.bytes, "{data:?}");
        assert!(10 * ours.bytes < arrays.bytes, "{data:?}");
        for contender in [ours, json, arrays, with_stacks] {
            assert!(!contender.write.median.is_zero() && !contender.read.least.is_zero());
        }
    }
    Ok(())
}

/// "*The smallest file?* Zstd at `level = 19`."
#[test]
fn questions_that_users_ask() -> Outcome {
    let tracker = tracker_with_data();
    let mut config = IntegratedConfig::balanced();
    config.compression.level = 19;
    let smallest = exports_of(&tracker, &config)?;
    for level in [1, 3, 9] {
        config.compression.level = level;
        let length = exports_of(&tracker, &config)?;
        assert!(smallest <= length, "level {level}: {length} bytes, level 19: {smallest}");
    }
    Ok(())
}
