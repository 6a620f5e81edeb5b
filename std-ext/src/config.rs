//! Configuration: plain data, as the user says it. [`plan`](crate::plan) makes sense of it.

use crate::trace::limits::Limits;

/// How to export. [`Default`] is [`balanced`](Self::balanced).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct IntegratedConfig {
    /// What of a source is exported.
    pub collection: CollectionConfig,
    /// How events become chunks.
    pub processing: ProcessingConfig,
    /// How chunks become smaller.
    pub compression: CompressionConfig,
    /// Several threads, or `None` for one.
    pub parallel: Option<ParallelConfig>,
    /// What is written.
    pub output_format: OutputFormat,
    /// Take the finer measures of [`PerformanceMetrics`](crate::monitoring::PerformanceMetrics), and open
    /// a `tracing` span for each stage of each chunk or batch, within one for the whole, of exports and
    /// loads (with the feature `tracing`).
    pub enable_monitoring: bool,
    /// Let the [optimiser](crate::optimization) find what is best for the data first, on a sample of it:
    /// as fast and as small as it gets. [`ExportResult::config`](crate::ExportResult::config) says what
    /// it was.
    pub auto_optimize: bool,
}

/// What of a source is exported besides allocations, reallocations, frees and failures, which always
/// are. Everything by default: what a tracker holds is then moved as it is; with something left out it
/// is encoded anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CollectionConfig {
    /// Which variable, of which type, is in a block.
    pub names: bool,
    /// The tree of call stacks. Without it sites keep their numbers, so that blocks of one site can
    /// still be told from those of others.
    pub call_stacks: bool,
    /// Gauges: numbers over time.
    pub gauges: bool,
    /// Marks: moments that the program named.
    pub marks: bool,
}

/// How events become chunks.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProcessingConfig {
    /// How much of the past predicts the next event.
    pub model: ModelSize,
    /// The largest chunk of [`OutputFormat::CustomBinary`], in bytes before compression.
    pub chunk_size: usize,
    /// Read the file back, before it takes its place: unpack every chunk and compare it with what was
    /// exported. [`validate_binary_file`](crate::validate_binary_file) decodes every event as well.
    pub validate_data: bool,
    /// The most memory in bytes that an export may allocate, beyond what its source holds already.
    /// It is worked out before anything is allocated, and so is what the system has left for this
    /// process, where it tells (Linux): an export that needs more than either is
    /// [`OutOfMemory`](crate::BinaryExportError::OutOfMemory). By default only the system's counts.
    /// Captures are held to it; MessagePack, which takes a few buffers, 8 MiB to sort in and what is known
    /// of live blocks, is not. Stacks of threads are not counted, nor is the copy that a
    /// [`GlobalTracker`](crate::GlobalTracker) makes of its events to be exported: about two bytes each,
    /// and for a moment four.
    pub max_memory_usage: usize,
}

/// How much of the past predicts the next event: the more, the fewer bytes it takes, and the more
/// memory whoever reads it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ModelSize {
    /// As a microcontroller: a few blocks, in less than a kilobyte.
    Tiny,
    /// A thousand blocks, in 90 kilobytes: the quickest.
    Fast,
    /// 16 thousand blocks, in 0.7 megabytes: the smallest file. The recommended default.
    #[default]
    Dense,
}

/// How chunks become smaller.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CompressionConfig {
    /// Which algorithm.
    pub algorithm: CompressionAlgorithm,
    /// How hard it tries: 1 to 22 for Zstd; LZ4 and none have no levels.
    pub level: i32,
    /// Choose for each chunk by samples of it: no codec where none makes it smaller, and a cheaper one
    /// where it does about as well. Never a costlier one: algorithm and level say how much effort
    /// compression is worth at most. [`ExportResult::compression`](crate::ExportResult::compression)
    /// says what was chosen and why. The choice depends on the data alone, so the same data makes the
    /// same file.
    ///
    /// - With LZ4 the aim is speed: it is used where it takes an eighth off the sample.
    /// - With Zstd up to level 15 the aim is a balance: where level 1 leaves more than half of the sample, the
    ///   level goes up, from 1 over 3, 6 and 9, only as long as the next takes off another one in 128
    ///   bytes of it.
    /// - With Zstd from level 16 on the aim is size: the level stays.
    pub auto_select: bool,
}

/// Compression algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CompressionAlgorithm {
    /// None at all.
    None,
    /// LZ4: quick.
    Lz4,
    /// Zstandard: small. The recommended default.
    Zstd,
}

/// Several threads.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ParallelConfig {
    /// How many threads work, the caller's included; 0 for as many as there are processors, up to 16,
    /// and an export takes fewer, but 2, where there is not enough memory for so many.
    pub worker_threads: usize,
    /// Whether a thread with nothing to do takes work that was given to another.
    pub enable_work_stealing: bool,
    /// Which thread gets the next batch of events, or the next chunk to be read.
    pub load_balancing: LoadBalancingStrategy,
}

/// Which thread gets the next piece of work. Any of them gives the same bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoadBalancingStrategy {
    /// None in particular: whichever is idle first takes the oldest piece there is. The best when
    /// pieces differ or when processors have other work too; the recommended default. Needs
    /// [`ParallelConfig::enable_work_stealing`].
    #[default]
    WorkStealing,
    /// Each in turn. Without work stealing, which thread does what is the same in every run: for
    /// measuring and for finding faults. One slow piece or busy processor delays the others.
    RoundRobin,
    /// The one with the fewest pieces to do. Without work stealing it is better than in turn when pieces
    /// differ.
    LeastLoaded,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutputFormat {
    /// One MessagePack map of records, which every language reads; compressed, it is inside one Zstd or
    /// LZ4 frame.
    MessagePack,
    /// A capture of large chunks: the smallest file.
    CustomBinary,
    /// A capture of chunks of this size: little memory, quick to resume after damage.
    Chunked {
        /// The largest chunk, in bytes before compression.
        chunk_size: usize,
    },
}

impl IntegratedConfig {
    /// Speed first: the fast model, LZ4 where it pays, all processors, no reading back.
    #[must_use]
    pub fn high_performance() -> Self {
        Self {
            collection: CollectionConfig::default(),
            processing: ProcessingConfig {
                model: ModelSize::Fast,
                validate_data: false,
                ..ProcessingConfig::default()
            },
            compression: CompressionConfig::fast(),
            parallel: Some(ParallelConfig::default()),
            output_format: OutputFormat::CustomBinary,
            enable_monitoring: false,
            auto_optimize: false,
        }
    }

    /// Little memory: chunks of 64 KiB, one thread, a small model, Zstd at the level that takes the least,
    /// no reading back: how much it takes does not depend on how much there is to export. It takes the
    /// least of the three, but where a tracker's chunks are only compressed and moved: there LZ4 takes
    /// less than any Zstd, and both take a fraction of a megabyte.
    #[must_use]
    pub fn memory_efficient() -> Self {
        let chunk_size = 64 * 1024;
        Self {
            collection: CollectionConfig::default(),
            processing: ProcessingConfig {
                model: ModelSize::Fast,
                chunk_size,
                validate_data: false,
                ..ProcessingConfig::default()
            },
            compression: CompressionConfig { level: 1, ..CompressionConfig::balanced() },
            parallel: None,
            output_format: OutputFormat::Chunked { chunk_size },
            enable_monitoring: false,
            auto_optimize: false,
        }
    }

    /// Between the two: Zstd, chunks of 256 KiB, all processors, read back after writing.
    #[must_use]
    pub fn balanced() -> Self {
        Self {
            collection: CollectionConfig::default(),
            processing: ProcessingConfig::default(),
            compression: CompressionConfig::balanced(),
            parallel: Some(ParallelConfig::default()),
            output_format: OutputFormat::CustomBinary,
            enable_monitoring: false,
            auto_optimize: false,
        }
    }
}

impl Default for IntegratedConfig {
    fn default() -> Self {
        Self::balanced()
    }
}

impl Default for CollectionConfig {
    /// Everything.
    fn default() -> Self {
        Self { names: true, call_stacks: true, gauges: true, marks: true }
    }
}

impl Default for ProcessingConfig {
    /// The dense model, chunks of 256 KiB, read back after writing, as much memory as there is.
    fn default() -> Self {
        Self {
            model: ModelSize::Dense,
            chunk_size: 256 * 1024,
            validate_data: true,
            max_memory_usage: usize::MAX,
        }
    }
}

impl CompressionConfig {
    /// LZ4, where it pays.
    #[must_use]
    pub fn fast() -> Self {
        Self { algorithm: CompressionAlgorithm::Lz4, level: 1, auto_select: true }
    }

    /// Zstd, up to level 3.
    #[must_use]
    pub fn balanced() -> Self {
        Self { algorithm: CompressionAlgorithm::Zstd, level: 3, auto_select: true }
    }

    /// Zstd, level 19.
    #[must_use]
    pub fn max_compression() -> Self {
        Self { algorithm: CompressionAlgorithm::Zstd, level: 19, auto_select: false }
    }
}

impl Default for CompressionConfig {
    fn default() -> Self {
        Self::balanced()
    }
}

impl Default for ParallelConfig {
    /// As many threads as there are processors; whichever is idle takes the next piece of work.
    fn default() -> Self {
        Self {
            worker_threads: 0,
            enable_work_stealing: true,
            load_balancing: LoadBalancingStrategy::WorkStealing,
        }
    }
}

/// How to read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ParserConfig {
    /// Read what can be read of a damaged or cut capture and report the rest, rather than fail.
    pub salvage: bool,
    /// Several threads, or `None` for one.
    pub parallel: Option<ParallelConfig>,
    /// The most events that are read.
    pub max_events: u64,
    /// The most blocks that may be live at one time, where they are followed: for records, totals, and other
    /// forms.
    pub max_live_blocks: usize,
    /// The most memory, in bytes, for what is collected or waits for its turn.
    pub max_memory_usage: usize,
    /// Open `tracing` spans, as [`IntegratedConfig::enable_monitoring`] does.
    pub enable_monitoring: bool,
}

impl Default for ParserConfig {
    /// No salvage; as many threads as there are processors; 2³⁶ events, 2²⁵ live blocks and 4 GiB, or
    /// half the address space where that is less; no monitoring.
    fn default() -> Self {
        let Limits { max_events, max_live_blocks, max_memory } = Limits::default();
        Self {
            salvage: false,
            parallel: Some(ParallelConfig::default()),
            max_events,
            max_live_blocks,
            max_memory_usage: max_memory,
            enable_monitoring: false,
        }
    }
}
