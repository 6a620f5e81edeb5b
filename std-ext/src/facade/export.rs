//! `BinaryExport`: one line exports everything.

use std::path::Path;
use std::time::Duration;

use super::IntegratedBinaryExporter;
use crate::config::IntegratedConfig;
use crate::error::Result;
use crate::io::selection::CompressionReport;
use crate::monitoring::PerformanceMetrics;
use crate::trace::source::ChunkSource;

/// Exports with the default configuration.
#[derive(Clone, Copy, Debug)]
pub struct BinaryExport;

/// What an export did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExportResult {
    /// The file's length in bytes.
    pub bytes_written: u64,
    /// Events in it.
    pub events: u64,
    /// What its chunks were compressed with, and why; MessagePack has none.
    pub compression: CompressionReport,
    /// How long it took, reading back included.
    pub elapsed: Duration,
    /// What that time was spent on.
    pub performance_metrics: PerformanceMetrics,
    /// The configuration that it was made with: the exporter's, or what the optimiser found.
    pub config: IntegratedConfig,
}

impl BinaryExport {
    /// Exports everything that `tracker` holds to `path`, as
    /// [`IntegratedConfig::balanced`] says. The file appears whole or not at all.
    ///
    /// # Errors
    /// [`NoDataToExport`](crate::BinaryExportError::NoDataToExport) when nothing is recorded; an
    /// old file then stays as it is, as it does with any other error.
    pub fn export_default(
        tracker: &(impl ChunkSource + ?Sized),
        path: impl AsRef<Path>,
    ) -> Result<ExportResult> {
        IntegratedBinaryExporter::new(IntegratedConfig::default()).export(tracker, path)
    }
}
