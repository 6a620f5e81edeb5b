//! A plan: a configuration checked once, with nothing left to decide.

use heapwire_core::Shape;
use heapwire_core::format::MAX_CHUNK;

use crate::config::{
    CollectionConfig, CompressionAlgorithm, IntegratedConfig, LoadBalancingStrategy, ModelSize,
    OutputFormat, ParallelConfig, ParserConfig,
};
use crate::error::{BinaryExportError, Result};
use crate::io::codec::Compression;
use crate::io::compressor::Compressor;
use crate::tables::shape_for_chunk;
use crate::trace::limits::Limits;

mod forms;

pub use forms::{ConvertPlan, ExportPlan, MessagePackPlan, Target};

/// The smallest chunk of a capture, in bytes: columns need about a kilobyte to be worth their table.
pub const MIN_CAPTURE_CHUNK: usize = 1024;

/// The most worker threads.
const MAX_THREADS: usize = 256;

/// The most worker threads that are used unasked: each holds up to 6 MB of events.
const MAX_UNASKED_THREADS: usize = 16;

/// How a capture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapturePlan {
    /// The largest chunk in bytes, before compression.
    pub chunk_size: usize,
    /// Whether the user asked for chunks of this size.
    pub chunked: bool,
    /// How much of the past predicts the next event.
    pub model: ModelSize,
    /// What makes chunks smaller.
    pub compression: Compression,
    /// Whether samples of each chunk may choose something cheaper.
    pub auto_select: bool,
    /// Threads that encode and compress, the caller's included; at least 1.
    pub threads: usize,
    /// Which of them gets what.
    pub balancing: Balancing,
    /// Whether to read the file back.
    pub read_back: bool,
    /// What of the source is exported.
    pub collection: CollectionConfig,
    /// How much memory that may take.
    pub memory: MemoryPlan,
}

/// How much memory an export may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The most bytes of all.
    pub most: usize,
    /// The most bytes for what is known of live blocks.
    pub live_blocks: usize,
    /// Whether fewer threads may work where there is not enough for so many.
    pub fewer_threads: bool,
}

impl Default for MemoryPlan {
    /// As much as there is.
    fn default() -> Self {
        Self { most: usize::MAX, live_blocks: usize::MAX, fewer_threads: false }
    }
}

/// Which thread gets which piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balancing {
    /// Which one gets the next.
    pub strategy: LoadBalancingStrategy,
    /// Whether a thread with nothing to do takes work that was given to another.
    pub stealing: bool,
}

/// Threads that work together, and who of them gets what. A number of threads alone leaves that to
/// whichever is idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workers {
    /// How many, the caller's included; at least 1.
    pub threads: usize,
    /// Which of them gets what.
    pub balancing: Balancing,
}

impl From<usize> for Workers {
    fn from(threads: usize) -> Self {
        Self { threads, balancing: Balancing::default() }
    }
}

impl Default for Balancing {
    /// Whichever is idle.
    fn default() -> Self {
        Self { strategy: LoadBalancingStrategy::WorkStealing, stealing: true }
    }
}

impl CapturePlan {
    /// The model's tables: those of its size, but of no more than small chunks can fill.
    #[must_use]
    pub fn shape(&self) -> Shape {
        let most = shape_for_chunk(self.chunk_size);
        match self.model {
            ModelSize::Tiny => Shape::TINY,
            ModelSize::Fast => Shape {
                blocks: Shape::FAST.blocks.min(most.blocks),
                contexts: Shape::FAST.contexts.min(most.contexts),
                sizes: Shape::FAST.sizes.min(most.sizes),
                lists: Shape::FAST.lists.min(most.lists),
                ..Shape::FAST
            },
            ModelSize::Dense => most,
        }
    }

    /// What compresses chunks.
    pub(crate) fn compressor(&self) -> Result<Compressor> {
        match self.auto_select {
            true => Compressor::choosing(self.compression),
            false => Compressor::new(self.compression),
        }
    }
}

impl TryFrom<&IntegratedConfig> for CapturePlan {
    type Error = BinaryExportError;

    fn try_from(config: &IntegratedConfig) -> Result<Self> {
        let (chunk_size, chunked, field) = match config.output_format {
            OutputFormat::CustomBinary => {
                (config.processing.chunk_size, false, "processing.chunk_size")
            }
            OutputFormat::Chunked { chunk_size } => (chunk_size, true, "output_format.chunk_size"),
            OutputFormat::MessagePack => {
                return Err(BinaryExportError::InvalidConfig {
                    field: "output_format",
                    reason: "is MessagePack, expected that of a capture".into(),
                });
            }
        };
        if !(MIN_CAPTURE_CHUNK..=MAX_CHUNK).contains(&chunk_size) {
            return Err(BinaryExportError::InvalidConfig {
                field,
                reason: format!(
                    "is {chunk_size} bytes, expected {MIN_CAPTURE_CHUNK} to {MAX_CHUNK}"
                ),
            });
        }
        let (threads, balancing) = workers(config.parallel.as_ref())?;
        Ok(Self {
            chunk_size,
            chunked,
            model: config.processing.model,
            compression: compression(config)?,
            auto_select: config.compression.auto_select,
            threads,
            balancing,
            read_back: config.processing.validate_data,
            collection: config.collection,
            memory: MemoryPlan {
                most: config.processing.max_memory_usage,
                fewer_threads: config.parallel.as_ref().is_some_and(|p| p.worker_threads == 0),
                ..MemoryPlan::default()
            },
        })
    }
}

fn compression(config: &IntegratedConfig) -> Result<Compression> {
    let level = config.compression.level;
    match config.compression.algorithm {
        CompressionAlgorithm::None => Ok(Compression::None),
        CompressionAlgorithm::Lz4 if cfg!(feature = "lz4") => Ok(Compression::Lz4),
        CompressionAlgorithm::Zstd if cfg!(feature = "zstd") && (1..=22).contains(&level) => {
            Ok(Compression::Zstd { level })
        }
        CompressionAlgorithm::Zstd if cfg!(feature = "zstd") => {
            Err(BinaryExportError::InvalidConfig {
                field: "compression.level",
                reason: format!("is {level}, expected 1 to 22 for Zstd"),
            })
        }
        missing => {
            let feature = if missing == CompressionAlgorithm::Lz4 { "lz4" } else { "zstd" };
            Err(BinaryExportError::InvalidConfig {
                field: "compression.algorithm",
                reason: format!("needs the feature `{feature}`, without which heapwire was built"),
            })
        }
    }
}

/// How many threads work, the caller's included, and which of them gets what.
fn workers(parallel: Option<&ParallelConfig>) -> Result<(usize, Balancing)> {
    let Some(parallel) = parallel else { return Ok((1, Balancing::default())) };
    let balancing =
        Balancing { strategy: parallel.load_balancing, stealing: parallel.enable_work_stealing };
    if balancing.strategy == LoadBalancingStrategy::WorkStealing && !balancing.stealing {
        return Err(BinaryExportError::InvalidConfig {
            field: "parallel.load_balancing",
            reason: "is WorkStealing, but parallel.enable_work_stealing is false, \
                     expected RoundRobin or LeastLoaded"
                .to_owned(),
        });
    }
    Ok((resolve_threads(parallel.worker_threads)?, balancing))
}

fn resolve_threads(threads: usize) -> Result<usize> {
    if threads > MAX_THREADS {
        return Err(BinaryExportError::InvalidConfig {
            field: "parallel.worker_threads",
            reason: format!("is {threads}, expected at most {MAX_THREADS}"),
        });
    }
    if !cfg!(feature = "parallel") {
        return Ok(1);
    }
    Ok(if threads == 0 { unasked_threads() } else { threads })
}

/// Threads for whoever did not say how many.
pub(crate) fn unasked_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MAX_UNASKED_THREADS)
}

/// How a capture is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsePlan {
    /// Whether damage is reported rather than an error.
    pub salvage: bool,
    /// Threads that decode, the caller's included; at least 1.
    pub threads: usize,
    /// Which of them gets what.
    pub balancing: Balancing,
    /// How much is read at most.
    pub limits: Limits,
}

impl From<&CapturePlan> for Workers {
    fn from(plan: &CapturePlan) -> Self {
        Self { threads: plan.threads, balancing: plan.balancing }
    }
}

impl From<&ParsePlan> for Workers {
    fn from(plan: &ParsePlan) -> Self {
        Self { threads: plan.threads, balancing: plan.balancing }
    }
}

impl TryFrom<&ParserConfig> for ParsePlan {
    type Error = BinaryExportError;

    fn try_from(config: &ParserConfig) -> Result<Self> {
        let (threads, balancing) = workers(config.parallel.as_ref())?;
        let limits = Limits {
            max_events: config.max_events,
            max_live_blocks: config.max_live_blocks,
            max_memory: config.max_memory_usage,
        };
        Ok(Self { salvage: config.salvage, threads, balancing, limits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CompressionConfig;

    fn refused(config: &IntegratedConfig) -> String {
        CapturePlan::try_from(config).expect_err("refused").to_string()
    }

    #[test]
    fn presets_are_valid_plans() {
        for config in [
            IntegratedConfig::balanced(),
            IntegratedConfig::high_performance(),
            IntegratedConfig::memory_efficient(),
        ] {
            let plan = CapturePlan::try_from(&config).expect("valid");
            assert!(plan.threads >= 1);
        }
    }

    #[test]
    fn each_bad_field_is_named() {
        let mut config = IntegratedConfig::balanced();
        config.processing.chunk_size = 10;
        assert_eq!(
            refused(&config),
            "invalid configuration: processing.chunk_size is 10 bytes, expected 1024 to 16777216"
        );
        let mut config = IntegratedConfig::balanced();
        config.output_format = OutputFormat::Chunked { chunk_size: usize::MAX };
        assert!(refused(&config).contains("output_format.chunk_size"));
        let mut config = IntegratedConfig::balanced();
        config.compression = CompressionConfig { level: 23, ..CompressionConfig::balanced() };
        #[cfg(feature = "zstd")]
        assert!(refused(&config).contains("compression.level is 23"));
        let mut config = IntegratedConfig::balanced();
        config.parallel =
            Some(ParallelConfig { enable_work_stealing: false, ..ParallelConfig::default() });
        config.compression.algorithm = CompressionAlgorithm::None;
        assert_eq!(
            refused(&config),
            "invalid configuration: parallel.load_balancing is WorkStealing, but \
             parallel.enable_work_stealing is false, expected RoundRobin or LeastLoaded"
        );
    }

    #[test]
    fn a_codec_that_is_not_there_is_named_by_its_feature() {
        for (algorithm, feature, is_there) in [
            (CompressionAlgorithm::Lz4, "lz4", cfg!(feature = "lz4")),
            (CompressionAlgorithm::Zstd, "zstd", cfg!(feature = "zstd")),
            (CompressionAlgorithm::None, "", true),
        ] {
            let mut config = IntegratedConfig::balanced();
            config.compression.algorithm = algorithm;
            let refusal = CapturePlan::try_from(&config).err().map(|error| error.to_string());
            let missing = format!(
                "invalid configuration: compression.algorithm needs the feature `{feature}`, \
                 without which heapwire was built"
            );
            assert_eq!(refusal, (!is_there).then_some(missing));
        }
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn every_level_of_zstd_is_one() {
        for level in -1..25 {
            let mut config = IntegratedConfig::balanced();
            config.compression.level = level;
            let is_valid = CapturePlan::try_from(&config).is_ok();
            assert_eq!(is_valid, (1..=22).contains(&level), "{level}");
        }
    }
}
