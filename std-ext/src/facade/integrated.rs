//! `IntegratedBinaryExporter`: exports and loads as a configuration says.

use std::path::Path;
use std::time::Instant;

use super::{BinaryDataParser, ExportResult};
use crate::config::{IntegratedConfig, ParserConfig};
use crate::error::{BinaryExportError, Result};
use crate::io::atomic_file::AtomicFile;
use crate::pipeline::export::export_as;
use crate::plan::ExportPlan;
use crate::trace::capture::Trace;
use crate::trace::source::ChunkSource;
use crate::validation::check_written;

/// Exports and loads as a configuration says.
#[derive(Clone, Debug)]
pub struct IntegratedBinaryExporter {
    config: IntegratedConfig,
}

impl IntegratedBinaryExporter {
    /// An exporter of this configuration, which is checked by the first export.
    #[must_use]
    pub fn new(config: IntegratedConfig) -> Self {
        Self { config }
    }

    /// Exports everything that `tracker` holds to `path`. The file appears whole or not at all.
    ///
    /// # Errors
    /// [`InvalidConfig`](BinaryExportError::InvalidConfig) by the field,
    /// [`NoDataToExport`](BinaryExportError::NoDataToExport) when nothing is recorded, and what the
    /// operating system refuses. An old file then stays as it is.
    pub fn export(
        &mut self,
        tracker: &(impl ChunkSource + ?Sized),
        path: impl AsRef<Path>,
    ) -> Result<ExportResult> {
        let started = Instant::now();
        let path = path.as_ref();
        let plan = ExportPlan::try_from(&self.config)?;
        let chunks = tracker.snapshot();
        let file = AtomicFile::create(path).map_err(BinaryExportError::io("create", path))?;
        let in_file = BinaryExportError::in_file;
        let (mut file, exported) = export_as(&chunks, file, &plan).map_err(in_file(path))?;
        if plan.read_back()
            && let Some(written) =
                file.read_back().map_err(BinaryExportError::io("read back", path))?
        {
            check_written(plan.threads(), written, &exported).map_err(in_file(path))?;
        }
        let bytes_written = file.commit().map_err(BinaryExportError::io("write", path))?;
        Ok(ExportResult { bytes_written, events: exported.events, elapsed: started.elapsed() })
    }

    /// Reads a file whole into memory, a capture or MessagePack, on as many threads as the configuration
    /// has: what it is, the file says.
    ///
    /// # Errors
    /// When the file cannot be read, is neither, is damaged or cut off.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Trace> {
        let parallel = self.config.parallel.clone();
        let config = ParserConfig { parallel, ..ParserConfig::default() };
        Ok(BinaryDataParser::new(config).parse_file(path)?.trace)
    }
}
