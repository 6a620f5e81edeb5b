//! `IntegratedBinaryExporter`: exports and loads as a configuration says.

use std::ops::ControlFlow;
use std::path::Path;

use super::{BinaryDataParser, ExportResult};
use crate::config::{IntegratedConfig, ParserConfig};
use crate::error::{BinaryExportError, Result};
use crate::io::atomic_file::AtomicFile;
use crate::monitoring::{
    ExportCounts, ExportOutcome, Observer, PerformanceMetrics, Phase, Progress, Stage,
    SystemStatus, Watch,
};
use crate::optimization::Optimizer;
use crate::pipeline::export::{Exported, export_as};
use crate::pipeline::memory::plan_within_memory;
use crate::pipeline::read_back::read_back;
use crate::plan::ExportPlan;
use crate::trace::capture::Trace;
use crate::trace::source::{ChunkSource, Chunks};
use crate::validation::check_written;

/// Exports and loads as a configuration says.
#[derive(Clone, Debug)]
pub struct IntegratedBinaryExporter {
    pub(super) config: IntegratedConfig,
    observer: Option<Observer>,
    pub(super) counts: ExportCounts,
    last: Option<PerformanceMetrics>,
}

impl IntegratedBinaryExporter {
    /// An exporter of this configuration, which is checked by the first export.
    #[must_use]
    pub fn new(config: IntegratedConfig) -> Self {
        Self { config, observer: None, counts: ExportCounts::default(), last: None }
    }

    /// Has `observe` told how far each export and each load has come, before its first chunk and after
    /// each, by the thread that does it; the snapshot is taken before. When it answers
    /// [`ControlFlow::Break`], the export or load ends with
    /// [`Cancelled`](BinaryExportError::Cancelled), and no file of it stays.
    #[must_use]
    pub fn on_progress(
        mut self,
        observe: impl Fn(&Progress) -> ControlFlow<()> + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Observer::new(observe));
        self
    }

    /// Exports everything that `tracker` holds to `path`. The file appears whole or not at all.
    ///
    /// # Errors
    /// [`InvalidConfig`](BinaryExportError::InvalidConfig) by the field,
    /// [`NoDataToExport`](BinaryExportError::NoDataToExport) when nothing is recorded,
    /// [`OutOfMemory`](BinaryExportError::OutOfMemory) when a capture would take more memory than
    /// [`max_memory_usage`](crate::ProcessingConfig::max_memory_usage) or the system has, and what the
    /// operating system refuses. An old file then stays as it is.
    pub fn export(
        &mut self,
        tracker: &(impl ChunkSource + ?Sized),
        path: impl AsRef<Path>,
    ) -> Result<ExportResult> {
        let path = path.as_ref();
        let watch = self.watch(path);
        let result = export_to(path, &self.config, || tracker.snapshot(), watch);
        self.count(&result);
        result
    }

    /// How the process stands, and what this exporter did so far.
    #[must_use]
    pub fn get_system_status(&self) -> SystemStatus {
        SystemStatus::new(self.counts, self.last.clone())
    }

    /// Reads a file whole into memory, a capture or MessagePack, on as many threads as the configuration
    /// has: what it is, the file says.
    ///
    /// # Errors
    /// When the file cannot be read, is neither, is damaged or cut off.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Trace> {
        Ok(self.parser().parse_file(path)?.trace)
    }

    /// What loads.
    pub(super) fn parser(&self) -> BinaryDataParser {
        let config = ParserConfig {
            parallel: self.config.parallel.clone(),
            enable_monitoring: self.config.enable_monitoring,
            ..ParserConfig::default()
        };
        BinaryDataParser::observed(config, self.observer.clone())
    }

    /// Watches an export that begins now.
    pub(super) fn watch(&self, path: &Path) -> Watch {
        Watch::silent(Phase::Export)
            .observed_by(self.observer.clone())
            .monitored(self.config.enable_monitoring, Some(path))
    }

    pub(super) fn count(&mut self, result: &Result<ExportResult>) {
        if let Ok(result) = result {
            self.last = Some(result.performance_metrics.clone());
        }
        self.counts.count(result.as_ref().map(|result| ExportOutcome {
            events: result.events,
            bytes_written: result.bytes_written,
            elapsed: result.elapsed,
        }));
    }
}

/// Exports to `path` what `snapshot` takes.
pub(super) fn export_to(
    path: &Path,
    config: &IntegratedConfig,
    snapshot: impl FnOnce() -> Chunks,
    mut watch: Watch,
) -> Result<ExportResult> {
    let failed = |action| BinaryExportError::io(action, path);
    let in_file = BinaryExportError::in_file;
    let chunks = watch.meter().within(Stage::Collection, snapshot);
    let config = match config.auto_optimize {
        true => watch.meter().within(Stage::Optimization, || {
            let optimizer = Optimizer::new().base(config.clone());
            optimizer.optimize(&chunks).map(|result| result.optimized_config)
        })?,
        false => config.clone(),
    };
    let plan = plan_within_memory(ExportPlan::try_from(&config)?, &chunks)?;
    let file = watch.meter().within(Stage::Writing, || AtomicFile::create(path));
    let file = file.map_err(failed("create"))?;
    let (mut file, exported) =
        export_as(&chunks, file, &plan, &mut watch).map_err(in_file(path))?;
    if plan.read_back()
        && let Some(written) = file.read_back().map_err(failed("read back"))?
    {
        match &plan {
            ExportPlan::Capture(_) => read_back(written, &exported, &mut watch),
            ExportPlan::MessagePack(_) => check_written(written, &exported, &mut watch),
        }
        .map_err(in_file(path))?;
    }
    let begun = watch.meter().begin(Stage::Writing);
    // Before it is too late to cancel, since a slow disk may take long.
    file.sync().map_err(failed("write"))?;
    watch.commit()?;
    let bytes_written = file.commit().map_err(failed("write"))?;
    watch.meter().end(begun);
    let Exported { events, compression, .. } = exported;
    let performance_metrics = watch.metrics(plan.threads(), events, bytes_written);
    let elapsed = performance_metrics.elapsed;
    Ok(ExportResult { bytes_written, events, compression, elapsed, performance_metrics, config })
}
