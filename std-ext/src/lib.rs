//! heapwire: memory-tracker data on disk, small and checked.

mod config;
pub mod convert;
mod error;
mod facade;
pub mod io;
pub mod pipeline;
pub mod plan;
pub mod tables;
pub mod trace;
mod tracker;
pub mod validation;

pub use config::{
    CompressionAlgorithm, CompressionConfig, IntegratedConfig, OutputFormat, ParallelConfig,
    ParserConfig, ProcessingConfig,
};
pub use error::{BinaryExportError, Result};
pub use facade::{
    BinaryDataParser, BinaryExport, ExportResult, IntegratedBinaryExporter, ParseResult, ParseStats,
};
pub use heapwire_core;
pub use heapwire_core::TrackedHeap;
pub use tracker::global::{GlobalScope, GlobalTracker};
pub use tracker::memory::{MemoryScope, MemoryTracker};
pub use validation::validate_binary_file;
