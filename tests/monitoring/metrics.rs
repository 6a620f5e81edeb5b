//! Metrics: measured, and adding up.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use heapwire::trace::source::{ChunkSource, Chunks};
use heapwire::{
    BinaryExportError, ExportResult, IntegratedBinaryExporter, MemoryTracker, OutputFormat, Phase,
};

use super::{EVENTS, Folder, config, configs, tracker};

fn check(result: &ExportResult, threads: usize) {
    let metrics = &result.performance_metrics;
    let times = metrics.component_times;
    assert_eq!((metrics.elapsed, metrics.threads), (result.elapsed, threads));
    assert_eq!(times.total(), result.elapsed * threads as u32, "{metrics:?}");
    let sum = times.collection_time
        + times.optimization_time
        + times.processing_time
        + times.compression_time
        + times.writing_time
        + times.validation_time
        + times.waiting_time
        + times.unaccounted;
    assert_eq!(sum, times.total());
    for time in [
        times.collection_time,
        times.processing_time,
        times.compression_time,
        times.writing_time,
        times.validation_time,
        times.unaccounted,
    ] {
        assert!(!time.is_zero(), "{times:?}");
    }
    let at_work = times.at_work().as_secs_f64() / times.total().as_secs_f64();
    assert_eq!(metrics.efficiency.overall_efficiency, at_work);
    assert!(at_work > 0.0 && at_work < 1.0);
    match metrics.efficiency.parallel_efficiency {
        None => assert!(threads == 1 && times.waiting_time.is_zero()),
        // The caller may have been quicker than any other.
        Some(efficiency) => assert!(threads > 1 && (0.0..=1.0).contains(&efficiency)),
    }
    let seconds = result.elapsed.as_secs_f64();
    assert_eq!(metrics.events_per_second, result.events as f64 / seconds);
    assert_eq!(metrics.bytes_per_second, result.bytes_written as f64 / seconds);
}

#[test]
fn components_add_up_to_the_time_of_all_threads() {
    let (folder, tracker) = (Folder::new(), tracker());
    for monitoring in [false, true] {
        for mut config in configs() {
            config.enable_monitoring = monitoring;
            let threads = config.parallel.as_ref().map_or(1, |parallel| parallel.worker_threads);
            let mut exporter = IntegratedBinaryExporter::new(config);
            let result = exporter.export(&tracker, folder.path()).unwrap();
            check(&result, threads);
            let memory = result.performance_metrics.memory;
            assert_eq!(memory.is_some(), monitoring && cfg!(target_os = "linux"));
            if let Some(memory) = memory {
                assert!(memory.before > 1 << 20 && memory.after > 1 << 20, "{memory:?}");
                assert!(memory.peak >= memory.before.max(memory.after), "{memory:?}");
            }
        }
    }
}

#[test]
fn the_time_to_find_the_best_configuration_is_one_component() {
    let (folder, tracker) = (Folder::new(), tracker());
    let mut config = config(2, 256 << 10);
    config.auto_optimize = true;
    let result = IntegratedBinaryExporter::new(config).export(&tracker, folder.path()).unwrap();
    let metrics = &result.performance_metrics;
    check(&result, metrics.threads);
    let times = metrics.component_times;
    // Candidates are exported again and again, each a sample.
    assert!(times.optimization_time > times.writing_time, "{times:?}");
}

#[test]
fn reading_back_messagepack_is_measured_and_told() {
    let (folder, tracker) = (Folder::new(), tracker());
    let mut config = config(1, 256 << 10);
    config.output_format = OutputFormat::MessagePack;
    let told = Arc::new(Mutex::new(0));
    let events = Arc::clone(&told);
    let mut exporter = IntegratedBinaryExporter::new(config).on_progress(move |progress| {
        if progress.phase == Phase::Validation {
            *events.lock().unwrap() = progress.events;
        }
        ControlFlow::Continue(())
    });
    let result = exporter.export(&tracker, folder.path()).unwrap();
    let times = result.performance_metrics.component_times;
    assert!(!times.validation_time.is_zero(), "{times:?}");
    assert_eq!(times.total(), result.elapsed);
    assert_eq!(*told.lock().unwrap(), EVENTS);
}

#[test]
fn what_is_not_done_takes_no_time() {
    let folder = Folder::new();
    for threads in [1, 2] {
        let mut config = config(threads, 256 << 10);
        config.processing.validate_data = false;
        let mut exporter = IntegratedBinaryExporter::new(config);
        let metrics = exporter.export(&tracker(), folder.path()).unwrap().performance_metrics;
        let times = metrics.component_times;
        assert_eq!([times.validation_time, times.optimization_time], [Duration::ZERO; 2]);
        if threads == 1 {
            assert_eq!(times.waiting_time, Duration::ZERO);
            assert_eq!(metrics.efficiency.parallel_efficiency, None);
        }
    }
}

/// Takes its time.
struct Slow(MemoryTracker);

const SLOWNESS: Duration = Duration::from_millis(60);

impl ChunkSource for Slow {
    fn snapshot(&self) -> Chunks {
        std::thread::sleep(SLOWNESS);
        self.0.snapshot()
    }
}

#[test]
fn a_slow_source_shows_in_the_collection_and_nowhere_else() {
    let folder = Folder::new();
    let mut exporter = IntegratedBinaryExporter::new(config(1, 256 << 10));
    let result = exporter.export(&Slow(tracker()), folder.path()).unwrap();
    let times = result.performance_metrics.component_times;
    assert!(times.collection_time >= SLOWNESS);
    assert!(times.total() - times.collection_time <= result.elapsed - SLOWNESS);
}

#[test]
fn the_status_counts_what_the_exporter_did() {
    let (folder, tracker) = (Folder::new(), tracker());
    let mut exporter = IntegratedBinaryExporter::new(config(1, 256 << 10));
    let status = exporter.get_system_status();
    assert_eq!((status.exports.succeeded, status.last_export), (0, None));

    let first = exporter.export(&tracker, folder.path()).unwrap();
    let second = exporter.export(&tracker, folder.path()).unwrap();
    let nothing = MemoryTracker::new();
    let refused = exporter.export(&nothing, folder.path());
    assert!(matches!(refused, Err(BinaryExportError::NoDataToExport)));
    let mut exporter = exporter.on_progress(|_| ControlFlow::Break(()));
    let cancelled = exporter.export(&tracker, folder.path());
    assert!(matches!(cancelled, Err(BinaryExportError::Cancelled)));

    let status = exporter.get_system_status();
    let exports = status.exports;
    assert_eq!((exports.succeeded, exports.failed, exports.cancelled), (2, 1, 1));
    assert_eq!(exports.events, 2 * EVENTS);
    assert_eq!(exports.bytes_written, first.bytes_written + second.bytes_written);
    assert_eq!(exports.elapsed, first.elapsed + second.elapsed);
    assert_eq!(status.last_export, Some(second.performance_metrics));
    assert_eq!(status.processors, std::thread::available_parallelism().unwrap().get());
}

#[cfg(target_os = "linux")]
#[test]
fn memory_in_use_is_what_the_system_says() {
    let exporter = IntegratedBinaryExporter::new(config(1, 256 << 10));
    let before = exporter.get_system_status().memory_usage;
    // More than all other tests here together.
    let block = vec![7_u8; 256 << 20];
    let during = exporter.get_system_status();
    assert!(during.memory_usage >= before + (128 << 20), "{before}, {during:?}");
    assert!(during.peak_memory_usage.unwrap() >= 256 << 20);
    assert!(during.threads.unwrap() >= 1);
    drop(std::hint::black_box(block));
    let after = exporter.get_system_status().memory_usage;
    assert!(after + (128 << 20) <= during.memory_usage, "{during:?}, {after}");
}
