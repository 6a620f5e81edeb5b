//! What is tried: small changes of a configuration, in stages.

use super::Aim;
use crate::config::{CompressionAlgorithm, IntegratedConfig, ModelSize, OutputFormat};

/// Makes another configuration of the best so far.
pub(super) type Change = Box<dyn Fn(&IntegratedConfig) -> IntegratedConfig>;

/// The stages, each tried with the best of those before.
pub(super) fn variants(aim: Aim) -> Vec<Vec<Change>> {
    vec![codecs(aim), models_and_chunks(), threads()]
}

fn codecs(aim: Aim) -> Vec<Change> {
    let mut codecs = vec![(CompressionAlgorithm::None, 1)];
    if cfg!(feature = "lz4") {
        codecs.push((CompressionAlgorithm::Lz4, 1));
    }
    if cfg!(feature = "zstd") {
        let levels: &[i32] = match aim {
            Aim::Size => &[3, 9, 19, 22],
            Aim::Balanced | Aim::Speed | Aim::Memory => &[1, 3, 6, 9],
        };
        codecs.extend(levels.iter().map(|level| (CompressionAlgorithm::Zstd, *level)));
    }
    let change = |(algorithm, level)| -> Change {
        Box::new(move |best| {
            let mut config = best.clone();
            config.compression.algorithm = algorithm;
            config.compression.level = level;
            config
        })
    };
    codecs.into_iter().map(change).collect()
}

fn models_and_chunks() -> Vec<Change> {
    let model = |model| -> Change {
        Box::new(move |best| {
            let mut config = best.clone();
            config.processing.model = model;
            config
        })
    };
    let chunk_size = |size| -> Change {
        Box::new(move |best| {
            let mut config = best.clone();
            config.processing.chunk_size = size;
            if let OutputFormat::Chunked { chunk_size } = &mut config.output_format {
                *chunk_size = size;
            }
            config
        })
    };
    vec![
        model(ModelSize::Fast),
        model(ModelSize::Dense),
        chunk_size(32 * 1024),
        chunk_size(128 * 1024),
        chunk_size(1024 * 1024),
    ]
}

fn threads() -> Vec<Change> {
    if !cfg!(feature = "parallel") {
        return Vec::new();
    }
    let one: Change = Box::new(|best| IntegratedConfig { parallel: None, ..best.clone() });
    let threads = |threads| -> Change {
        Box::new(move |best| {
            let mut config = best.clone();
            config.parallel.get_or_insert_default().worker_threads = threads;
            config
        })
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut changes = vec![one];
    changes.extend([2, processors].into_iter().filter(|n| *n <= processors).map(threads));
    changes
}
