//! Plans for forms of a trace that are no captures.

use super::{CapturePlan, ParsePlan, compression, workers};
use crate::config::{
    CollectionConfig, CompressionAlgorithm, IntegratedConfig, OutputFormat, ParallelConfig,
    ParserConfig,
};
use crate::error::{BinaryExportError, Result};
use crate::io::codec::Compression;

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportPlan {
    /// As a capture.
    Capture(CapturePlan),
    /// As a MessagePack file.
    MessagePack(MessagePackPlan),
}

/// How a MessagePack file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessagePackPlan {
    /// The frame around it.
    pub compression: Compression,
    /// Whether to read the file back.
    pub read_back: bool,
    /// What of the source is exported.
    pub collection: CollectionConfig,
}

impl ExportPlan {
    /// Threads that work, the caller's included; at least 1.
    #[must_use]
    pub fn threads(&self) -> usize {
        match self {
            Self::Capture(plan) => plan.threads,
            Self::MessagePack(_) => 1,
        }
    }

    /// Whether to read the file back.
    #[must_use]
    pub fn read_back(&self) -> bool {
        match self {
            Self::Capture(plan) => plan.read_back,
            Self::MessagePack(plan) => plan.read_back,
        }
    }
}

impl TryFrom<&IntegratedConfig> for ExportPlan {
    type Error = BinaryExportError;

    fn try_from(config: &IntegratedConfig) -> Result<Self> {
        if config.output_format != OutputFormat::MessagePack {
            return Ok(Self::Capture(CapturePlan::try_from(config)?));
        }
        with_message_pack()?;
        workers(config.parallel.as_ref())?;
        Ok(Self::MessagePack(MessagePackPlan {
            compression: compression(config)?,
            read_back: config.processing.validate_data,
            collection: config.collection,
        }))
    }
}

fn with_message_pack() -> Result<()> {
    match cfg!(feature = "msgpack") {
        true => Ok(()),
        false => Err(BinaryExportError::InvalidConfig {
            field: "output_format",
            reason: "needs the feature `msgpack`, without which heapwire was built".into(),
        }),
    }
}

/// What a trace is converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A capture.
    Capture(CapturePlan),
    /// MessagePack, in a frame of this codec.
    MessagePack(Compression),
    /// JSON lines, in a frame of this codec. Needs the feature `cli`.
    JsonLines(Compression),
    /// The text form, in a frame of this codec.
    Text(Compression),
}

/// How a trace is converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvertPlan {
    /// How it is read.
    pub parse: ParsePlan,
    /// What it becomes.
    pub target: Target,
}

impl ConvertPlan {
    /// Into this format as [`IntegratedConfig::balanced`] has it; MessagePack is not compressed, nor are
    /// captures where Zstd was not compiled in. Read as `parser` says.
    ///
    /// # Errors
    /// [`InvalidConfig`](BinaryExportError::InvalidConfig) by the field.
    pub fn new(parser: &ParserConfig, to: OutputFormat) -> Result<Self> {
        let mut config = IntegratedConfig { output_format: to, ..IntegratedConfig::balanced() };
        let threads = parser.parallel.clone().map_or(1, |parallel| parallel.worker_threads);
        config.parallel = Some(ParallelConfig { worker_threads: threads, ..Default::default() });
        if to == OutputFormat::MessagePack || !cfg!(feature = "zstd") {
            config.compression.algorithm = CompressionAlgorithm::None;
        }
        let target = match ExportPlan::try_from(&config)? {
            ExportPlan::Capture(plan) => Target::Capture(plan),
            ExportPlan::MessagePack(plan) => Target::MessagePack(plan.compression),
        };
        Ok(Self { parse: ParsePlan::try_from(parser)?, target })
    }
}
