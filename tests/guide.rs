//! The contract: each snippet of the user guide, named after its section and unchanged but for what it
//! needs around it: a tracker with data, a configuration, a folder to write to.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use heapwire::{
    BinaryDataParser, BinaryExport, BinaryExportError, CompressionAlgorithm, CompressionConfig,
    ErrorRecovery, IntegratedBinaryExporter, IntegratedConfig, LoadBalancingStrategy,
    MemoryTracker, OutputFormat, ParserConfig,
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
        parallel.enable_work_stealing = true;
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

    config.output_format = OutputFormat::MessagePack;
    let for_other_tools = exports_of(&tracker, &config)?;
    config.output_format = OutputFormat::CustomBinary;
    let smallest = exports_of(&tracker, &config)?;
    config.output_format = OutputFormat::Chunked { chunk_size: 1024 * 1024 };
    exports_of(&tracker, &config)?;

    config.output_format = OutputFormat::Chunked { chunk_size: 4 * 1024 };
    assert!(exports_of(&tracker, &config)? > smallest, "small chunks make a larger file");
    assert!(for_other_tools > smallest, "maps with names make a larger file");
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
    config.compression.auto_select = true; // choose by itself
    assert!(exports_of(&tracker, &config)? < fast);

    config.compression.algorithm = CompressionAlgorithm::None;
    assert!(exports(&config)? > fast);
    Ok(())
}

#[test]
fn asynchronous_export() -> Outcome {
    let tracker = tracker_with_data();
    let _folder = CurrentFolder::new()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let result = BinaryExport::export_async(&tracker, "async_output.bin").await?;

        assert_eq!(result.events, EVENTS);

        let config = IntegratedConfig::high_performance();
        let mut exporter = IntegratedBinaryExporter::new(config);
        let result = exporter.export_async(&tracker, "custom_async.bin").await?;

        assert_eq!(result.events, EVENTS);
        let both = ["async_output.bin", "custom_async.bin"];
        let [first, second] = both.map(|name| exporter.load(name)?.events());
        assert_eq!(first?, second?);
        Ok(())
    })
}

#[test]
fn monitoring() -> Outcome {
    let tracker = tracker_with_data();
    let config = IntegratedConfig::balanced();
    let _folder = CurrentFolder::new()?;

    let mut exporter = IntegratedBinaryExporter::new(config);

    let status = exporter.get_system_status();
    println!("memory in use: {} MB", status.memory_usage / 1_000_000);

    let result = exporter.export(&tracker, "monitored_output.bin")?;
    println!(
        "efficiency: {:.1}%",
        result.performance_metrics.efficiency.overall_efficiency * 100.0
    );

    assert!(status.memory_usage > 1_000_000);
    let efficiency = result.performance_metrics.efficiency.overall_efficiency;
    assert!(efficiency > 0.0 && efficiency < 1.0, "{efficiency}");
    assert_eq!(exporter.get_system_status().exports.succeeded, 1);
    Ok(())
}

#[test]
fn diagnosis() -> Outcome {
    let tracker = tracker_with_data();
    let _folder = CurrentFolder::new()?;

    let mut config = IntegratedConfig::balanced();
    config.enable_monitoring = true;

    let mut exporter = IntegratedBinaryExporter::new(config);
    let result = exporter.export(&tracker, "debug_output.bin")?;

    println!("  collection:  {:?}", result.performance_metrics.component_times.collection_time);
    println!("  processing:  {:?}", result.performance_metrics.component_times.processing_time);
    println!("  compression: {:?}", result.performance_metrics.component_times.compression_time);

    let times = result.performance_metrics.component_times;
    for time in [times.collection_time, times.processing_time, times.compression_time] {
        assert!(!time.is_zero(), "{times:?}");
    }
    assert_eq!(times.total(), result.elapsed * result.performance_metrics.threads as u32);
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

#[test]
fn conversion() -> Outcome {
    let tracker = tracker_with_data();
    let _folder = CurrentFolder::new()?;
    let mut config = IntegratedConfig::balanced();
    config.output_format = OutputFormat::MessagePack;
    IntegratedBinaryExporter::new(config.clone()).export(&tracker, "data.msgpack")?;

    let parser = BinaryDataParser::new(ParserConfig::default());
    let msgpack_data = std::fs::read("data.msgpack")?;
    let binary_data = parser.convert_format(
        &msgpack_data,
        OutputFormat::MessagePack,
        OutputFormat::CustomBinary,
    )?;
    std::fs::write("data.bin", binary_data)?;

    // Every format is read by what the file says, and all have the same events.
    let exporter = IntegratedBinaryExporter::new(config);
    let [data, converted] = ["data.msgpack", "data.bin"].map(|path| exporter.load(path));
    assert_eq!(data?.events()?, converted?.events()?);
    assert!(heapwire::validate_binary_file("data.bin")?.is_valid);
    Ok(())
}

#[test]
fn optimisation_by_hand() -> Outcome {
    let mut config = IntegratedConfig::balanced();

    config.processing.chunk_size = 64 * 1024; // small data
    exports(&config)?;
    config.processing.chunk_size = 1024 * 1024; // large data
    exports(&config)?;

    if let Some(ref mut parallel) = config.parallel {
        parallel.worker_threads = num_cpus::get() * 2;
        parallel.load_balancing = LoadBalancingStrategy::WorkStealing;
    }

    config.processing.max_memory_usage = 512 * 1024 * 1024;
    config.enable_monitoring = true;
    exports(&config)?;

    config.processing.max_memory_usage = 512 * 1024;
    let error = exports(&config).unwrap_err();
    assert!(error.to_string().starts_with("out of memory: "), "{error}");
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

/// The snippet's arm for `OutOfMemory`, in a process that the system leaves too little memory for the
/// default configuration, and enough for the fallback.
#[cfg(target_os = "linux")]
#[test]
fn errors_where_memory_is_short() -> Outcome {
    let folder = TempDir::new()?;
    let child = std::process::Command::new("sh")
        .args(["-c", "ulimit -v 600000 && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe()?)
        .args(["--exact", "out_of_memory_in_this_process", "--ignored", "--nocapture"])
        .current_dir(folder.path())
        .output()?;
    let printed = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{printed}{}", String::from_utf8_lossy(&child.stderr));
    assert!(printed.contains("1 passed"), "{printed}");
    let line = printed.lines().find(|line| line.contains("out of memory: ")).unwrap_or_default();
    println!("{line}");
    let numbers: Vec<usize> =
        line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(matches!(numbers[..], [wanted, available] if wanted > available), "{printed}");
    let data = IntegratedBinaryExporter::new(IntegratedConfig::default())
        .load(folder.path().join("fallback_output.bin"))?;
    assert_eq!(data.event_count(), EVENTS);
    assert!(!folder.path().join("output.bin").exists());
    Ok(())
}

/// Run by the test before in a process of its own, whose address space is limited.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "takes all the memory that its process may have"]
fn out_of_memory_in_this_process() -> Outcome {
    use heapwire::io::available_memory::available_memory;

    let tracker = tracker_with_data();
    let wanted = |mut config: IntegratedConfig| {
        config.processing.max_memory_usage = 0;
        match IntegratedBinaryExporter::new(config).export(&tracker, "none.bin") {
            Err(BinaryExportError::OutOfMemory { requested, .. }) => requested,
            other => panic!("{other:?}"),
        }
    };
    let (most, least) =
        (wanted(IntegratedConfig::default()), wanted(IntegratedConfig::memory_efficient()));
    assert!(least < most, "{least} bytes, {most}");
    let left = usize::try_from(available_memory().expect("the system tells"))?;
    let taken = Vec::<u8>::with_capacity(left - (least + most) / 2);
    assert_eq!(errors_snippet(tracker)?, ["out of memory"]);
    drop(taken);
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
        let [json, arrays, records] = &data.json[..] else { panic!("{data:?}") };
        assert!(arrays.bytes < json.bytes, "{data:?}");
        assert!(10 * ours.bytes < arrays.bytes.min(records.bytes), "{data:?}");
        for contender in [ours, json, arrays, records] {
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
