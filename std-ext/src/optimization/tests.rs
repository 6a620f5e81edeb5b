//! Times differ from run to run, sizes do not: what is compared here is sizes.

use super::*;
use crate::config::{CompressionAlgorithm, OutputFormat};
use crate::{IntegratedBinaryExporter, MemoryTracker};

fn tracker(events: usize) -> MemoryTracker {
    let tracker = MemoryTracker::new();
    let mut random = fastrand::Rng::with_seed(7);
    let mut live = vec![false; 400];
    for _ in 0..events {
        let slot = random.usize(0..live.len());
        let ptr = 0x5000_0000 + 256 * slot;
        let _scope = tracker.scope(["parse", "index", "sort"][slot % 3]);
        if live[slot] {
            tracker.track_deallocation(ptr);
        } else {
            tracker.track_allocation(ptr, 16 + 8 * random.usize(0..25));
        }
        live[slot] = !live[slot];
    }
    tracker
}

#[cfg(feature = "zstd")]
#[test]
fn a_smaller_file_is_as_much_smaller_in_a_full_export() -> Result<()> {
    let tracker = tracker(15_000);
    let mut base = IntegratedConfig::balanced();
    base.compression.algorithm = CompressionAlgorithm::None;
    let found = Optimizer::new()
        .aim(Aim::Size)
        .base(base.clone())
        .sample_events(9_000)
        .rounds(1)
        .optimize(&tracker)?;
    assert!(found.sampled_events < found.events && found.events == 15_000, "{found:?}");
    let gain = found.improvement.overall_improvement;
    assert_eq!(gain, found.improvement.size_improvement);
    assert_eq!(found.optimized_config.compression.algorithm, CompressionAlgorithm::Zstd);

    let folder = tempfile::tempdir().map_err(BinaryExportError::io("create", "a folder"))?;
    let bytes = |config: &IntegratedConfig| {
        let mut exporter = IntegratedBinaryExporter::new(config.clone());
        Ok::<_, BinaryExportError>(
            exporter.export(&tracker, folder.path().join("x"))?.bytes_written,
        )
    };
    let full = bytes(&base)? as f64 / bytes(&found.optimized_config)? as f64;
    assert!((0.8..1.25).contains(&(full / gain)), "{gain} on the sample, {full} in full");

    // The base comes first, and no candidate promises another file than it.
    assert_eq!((&found.candidates[0].config, found.candidates[0].bytes > 0), (&base, true));
    assert_eq!(found.candidates[0].improvement.overall_improvement, 1.0);
    for candidate in &found.candidates {
        assert_eq!(candidate.config.output_format, OutputFormat::CustomBinary);
        assert!(candidate.config.processing.validate_data);
    }
    Ok(())
}

#[cfg(feature = "zstd")]
#[test]
fn when_nothing_is_better_the_base_is() -> Result<()> {
    let tracker = tracker(4_000);
    let mut base = IntegratedConfig::balanced();
    base.compression.algorithm = CompressionAlgorithm::None;
    let optimize = |base| Optimizer::new().aim(Aim::Size).base(base).rounds(1).optimize(&tracker);
    let best = optimize(base)?.optimized_config;
    let found = optimize(best.clone())?;
    assert_eq!(found.optimized_config, best);
    assert_eq!(found.improvement, Improvement::NONE);
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_measured_where_it_is_the_aim() -> Result<()> {
    let found = Optimizer::new().aim(Aim::Memory).rounds(1).optimize(&tracker(4_000))?;
    assert!(found.candidates.iter().all(|candidate| candidate.memory.is_some()));
    Ok(())
}

#[test]
fn what_cannot_be_optimised_is_an_error() {
    let empty = optimize_system_performance(&MemoryTracker::new());
    assert!(matches!(empty, Err(BinaryExportError::NoDataToExport)), "{empty:?}");
    let refused = |optimizer: Optimizer| optimizer.optimize(&tracker(10)).unwrap_err().to_string();
    assert!(refused(Optimizer::new().rounds(0)).contains("optimizer.rounds is 0"));
    assert!(refused(Optimizer::new().sample_events(0)).contains("optimizer.sample_events is 0"));
    let mut bad = IntegratedConfig::balanced();
    bad.processing.chunk_size = 1;
    assert!(refused(Optimizer::new().base(bad)).contains("processing.chunk_size is 1"));
}
