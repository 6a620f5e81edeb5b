//! heapwire: memory-tracker data on the desktop. Trackers record what a program does with its heap;
//! exports store it in small, checked files; replay answers who allocates, how much, and what was
//! never freed. The `heapwire` command is made of nothing but this crate's public names.
//!
//! The coding is [`heapwire_core`]'s, the same that microcontrollers use, and so is the
//! [format](heapwire_core::format). This crate adds files, compression, threads and answers.
//!
//! ```
//! use heapwire::trace::Item;
//! use heapwire::trace::replay::Replay;
//! use heapwire::{BinaryExport, IntegratedBinaryExporter, IntegratedConfig, MemoryTracker};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("output.bin");
//! // Record.
//! let tracker = MemoryTracker::new();
//! let scope = tracker.scope("parse");
//! tracker.track_allocation(0x5000, 64);
//! tracker.track_allocation(0x6000, 1024);
//! drop(scope);
//! tracker.track_deallocation(0x5000);
//!
//! // Store.
//! BinaryExport::export_default(&tracker, &path)?;
//!
//! // Load, and ask.
//! let trace = IntegratedBinaryExporter::new(IntegratedConfig::default()).load(&path)?;
//! let mut replay = Replay::new();
//! trace.for_each(|item| {
//!     if let Item::Event(event) = item {
//!         replay.event(&event);
//!     }
//!     Ok(())
//! })?;
//! let leak = replay.unfreed()[0];
//! assert_eq!((leak.bytes, trace.symbols().site(leak.site).to_string()), (1024, "parse".into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to look
//!
//! | you want to | see |
//! |---|---|
//! | begin | the [`handbook`] |
//! | record by hand, or a whole program | [`MemoryTracker`], [`GlobalTracker`] with [`TrackedHeap`] |
//! | write a tracker of your own | [`trace::builder`], [`trace::source`] |
//! | export | [`BinaryExport`], [`IntegratedBinaryExporter`], [`IntegratedConfig`] |
//! | load, and salvage what is damaged | [`BinaryDataParser`], [`ParserConfig`] |
//! | have a record of each allocation | [`trace::record`] |
//! | turn one form into another | [`BinaryDataParser::convert_format`], [`pipeline::convert`] |
//! | check a file | [`validate_binary_file`] |
//! | let the optimiser choose a configuration | [`optimization`] |
//! | measure beside JSON, on your own data | `benchmarks` |
//! | try again, and fall back | [`ErrorRecovery`] |
//! | watch, measure and cancel an export or a load | [`monitoring`] |
//! | read captures of any length in constant memory | [`pipeline::parse`] |
//! | ask who allocates | [`trace::replay`], [`trace::symbols`] |
//! | read frames from a serial line | [`io::line`] |
//! | read and write text traces | [`convert::text`] |
//! | read MessagePack with other tools | [`OutputFormat::MessagePack`] |
//!
//! # Features
//!
//! All by default: `zstd` and `lz4` (codecs; without one, its captures are refused by name),
//! `msgpack` (MessagePack files), `parallel` (encoding on several threads), `tracing` (spans, when
//! monitoring is on), `serial` (the demo's pseudo-terminal), `benchmarks` (the module of that name),
//! `cli` (the command, and JSON lines).
//!
//! Not by default: `async` (`export_async` and `load_async`, for programs that run on tokio).

#[cfg(feature = "benchmarks")]
pub mod benchmarks;
mod config;
pub mod convert;
mod error;
mod facade;
#[doc = include_str!("../HANDBOOK.md")]
pub mod handbook {}
pub mod io;
mod measure;
pub mod monitoring;
pub mod optimization;
pub mod pipeline;
pub mod plan;
pub mod recovery;
pub mod tables;
pub mod trace;
mod tracker;
pub mod validation;

pub use config::{
    CollectionConfig, CompressionAlgorithm, CompressionConfig, IntegratedConfig,
    LoadBalancingStrategy, ModelSize, OutputFormat, ParallelConfig, ParserConfig, ProcessingConfig,
};
pub use error::{BinaryExportError, ErrorKind, MessagePackError, Result};
pub use facade::{
    BinaryDataParser, BinaryExport, ExportResult, IntegratedBinaryExporter, ParseResult, ParseStats,
};
pub use heapwire_core;
pub use heapwire_core::TrackedHeap;
pub use io::selection::{ChosenCompression, CompressionReport};
pub use monitoring::{
    ComponentTimes, Efficiency, ExportCounts, MemoryMetrics, PerformanceMetrics, Phase, Progress,
    SystemStatus,
};
pub use recovery::ErrorRecovery;
pub use tracker::global::{GlobalScope, GlobalTracker};
pub use tracker::memory::{MemoryScope, MemoryTracker};
pub use validation::validate_binary_file;
