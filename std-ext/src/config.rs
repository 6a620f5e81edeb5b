//! Configuration: plain data, as the user says it. [`plan`](crate::plan) makes sense of it.

/// How to export. [`Default`] is [`balanced`](Self::balanced).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct IntegratedConfig {
    /// How events become chunks.
    pub processing: ProcessingConfig,
    /// How chunks become smaller.
    pub compression: CompressionConfig,
    /// Several threads, or `None` for one.
    pub parallel: Option<ParallelConfig>,
    /// What is written.
    pub output_format: OutputFormat,
    /// Let the [optimiser](crate::optimization) find what is best for the data first, on a sample of it:
    /// as fast and as small as it gets. [`ExportResult::config`](crate::ExportResult::config) says what
    /// it was.
    pub auto_optimize: bool,
}

/// How events become chunks.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ProcessingConfig {
    /// How much of the past predicts the next event.
    pub model: ModelSize,
    /// The largest chunk of [`OutputFormat::CustomBinary`], in bytes before compression.
    pub chunk_size: usize,
    /// Read the file back, before it takes its place, and compare it with what was exported.
    pub validate_data: bool,
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
    /// How many threads work, the caller's included; 0 for as many as there are processors, up to 16.
    pub worker_threads: usize,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutputFormat {
    /// A capture of large chunks: the smallest file.
    CustomBinary,
    /// A capture of chunks of this size: little memory, quick to resume after damage.
    Chunked {
        /// The largest chunk, in bytes before compression.
        chunk_size: usize,
    },
}

impl IntegratedConfig {
    /// Speed first: the fast model, LZ4, all processors, no reading back.
    #[must_use]
    pub fn high_performance() -> Self {
        Self {
            processing: ProcessingConfig {
                model: ModelSize::Fast,
                validate_data: false,
                ..ProcessingConfig::default()
            },
            compression: CompressionConfig::fast(),
            parallel: Some(ParallelConfig::default()),
            output_format: OutputFormat::CustomBinary,
            auto_optimize: false,
        }
    }

    /// Little memory: chunks of 64 KiB, one thread.
    #[must_use]
    pub fn memory_efficient() -> Self {
        let chunk_size = 64 * 1024;
        Self {
            processing: ProcessingConfig { chunk_size, ..ProcessingConfig::default() },
            compression: CompressionConfig::balanced(),
            parallel: None,
            output_format: OutputFormat::Chunked { chunk_size },
            auto_optimize: false,
        }
    }

    /// Between the two: Zstd, chunks of 256 KiB, all processors, read back after writing.
    #[must_use]
    pub fn balanced() -> Self {
        Self {
            processing: ProcessingConfig::default(),
            compression: CompressionConfig::balanced(),
            parallel: Some(ParallelConfig::default()),
            output_format: OutputFormat::CustomBinary,
            auto_optimize: false,
        }
    }
}

impl Default for IntegratedConfig {
    fn default() -> Self {
        Self::balanced()
    }
}

impl Default for ProcessingConfig {
    /// The dense model, chunks of 256 KiB, read back after writing.
    fn default() -> Self {
        Self { model: ModelSize::Dense, chunk_size: 256 * 1024, validate_data: true }
    }
}

impl CompressionConfig {
    /// LZ4.
    #[must_use]
    pub fn fast() -> Self {
        Self { algorithm: CompressionAlgorithm::Lz4, level: 1 }
    }

    /// Zstd, level 3.
    #[must_use]
    pub fn balanced() -> Self {
        Self { algorithm: CompressionAlgorithm::Zstd, level: 3 }
    }

    /// Zstd, level 19.
    #[must_use]
    pub fn max_compression() -> Self {
        Self { algorithm: CompressionAlgorithm::Zstd, level: 19 }
    }
}

impl Default for CompressionConfig {
    fn default() -> Self {
        Self::balanced()
    }
}

impl Default for ParallelConfig {
    /// As many threads as there are processors.
    fn default() -> Self {
        Self { worker_threads: 0 }
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
}

impl Default for ParserConfig {
    /// No salvage; as many threads as there are processors.
    fn default() -> Self {
        Self { salvage: false, parallel: Some(ParallelConfig::default()) }
    }
}
