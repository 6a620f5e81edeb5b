//! The doors of programs that run on tokio: the same work, on a thread that may be blocked.

use std::path::Path;

use super::integrated::export_to;
use super::{BinaryDataParser, BinaryExport, ExportResult, IntegratedBinaryExporter, ParseResult};
use crate::config::IntegratedConfig;
use crate::error::Result;
use crate::pipeline::asynchronous::unblocked;
use crate::trace::capture::Trace;
use crate::trace::source::ChunkSource;

impl BinaryExport {
    /// Does what [`export_default`](Self::export_default) does without blocking the runtime: see
    /// [`IntegratedBinaryExporter::export_async`].
    ///
    /// # Errors
    /// As [`export_default`](Self::export_default);
    /// [`NoRuntime`](crate::BinaryExportError::NoRuntime) outside of a tokio runtime.
    pub async fn export_async(
        tracker: &(impl ChunkSource + ?Sized),
        path: impl AsRef<Path>,
    ) -> Result<ExportResult> {
        let mut exporter = IntegratedBinaryExporter::new(IntegratedConfig::default());
        exporter.export_async(tracker, path).await
    }
}

impl IntegratedBinaryExporter {
    /// Does what [`export`](Self::export) does on one of the threads that tokio has for work that blocks,
    /// and on the threads of the configuration. Of heapwire's own trackers not even the snapshot is taken
    /// by the thread that polls; another source may take it there
    /// ([`ChunkSource::snapshot_later`]).
    ///
    /// When the future is dropped, the export ends after the snapshot or the chunks that are being worked on: its threads end,
    /// its file vanishes and an old one stays. It is too late only when the new file is complete and about
    /// to take its place.
    ///
    /// # Errors
    /// As [`export`](Self::export); [`NoRuntime`](crate::BinaryExportError::NoRuntime) outside of a
    /// tokio runtime; [`Cancelled`](crate::BinaryExportError::Cancelled) also when the runtime shuts
    /// down before the export begins.
    pub async fn export_async(
        &mut self,
        tracker: &(impl ChunkSource + ?Sized),
        path: impl AsRef<Path>,
    ) -> Result<ExportResult> {
        let path = path.as_ref().to_owned();
        let (watch, config) = (self.watch(&path), self.config.clone());
        let snapshot = tracker.snapshot_later();
        // As it is if this is dropped before it comes to its end.
        self.counts.cancelled += 1;
        let result = unblocked(move |cancellation| {
            let watch = watch.cancelled_by(cancellation);
            export_to(&path, &config, || snapshot.take(), watch)
        })
        .await;
        self.counts.cancelled -= 1;
        self.count(&result);
        result
    }

    /// Does what [`load`](Self::load) does without blocking the runtime. Dropping the future ends it.
    ///
    /// # Errors
    /// As [`load`](Self::load); [`NoRuntime`](crate::BinaryExportError::NoRuntime) outside of a tokio
    /// runtime.
    pub async fn load_async(&self, path: impl AsRef<Path>) -> Result<Trace> {
        Ok(self.parser().parse_file_async(path).await?.trace)
    }
}

impl BinaryDataParser {
    /// Does what [`parse_file`](Self::parse_file) does without blocking the runtime. Dropping the future
    /// ends it.
    ///
    /// # Errors
    /// As [`parse_file`](Self::parse_file); [`NoRuntime`](crate::BinaryExportError::NoRuntime) outside
    /// of a tokio runtime.
    pub async fn parse_file_async(&self, path: impl AsRef<Path>) -> Result<ParseResult> {
        let (path, parser) = (path.as_ref().to_owned(), self.clone());
        let watch = self.watch(Some(&path));
        unblocked(move |cancellation| {
            parser.parse_watched_file(&path, watch.cancelled_by(cancellation))
        })
        .await
    }
}
