//! How far an export or a parse has come.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Events are encoded, compressed and written.
    Export,
    /// What was written is read back.
    Validation,
    /// A capture is read.
    Parse,
}

/// How far a phase has come.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use heapwire::{IntegratedBinaryExporter, IntegratedConfig, MemoryTracker};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("output.bin");
/// let tracker = MemoryTracker::new();
/// tracker.track_allocation(0x5000, 64);
/// let mut exporter = IntegratedBinaryExporter::new(IntegratedConfig::balanced())
///     .on_progress(|progress| {
///         println!("{:?}: {} events, {} bytes", progress.phase, progress.events, progress.bytes);
///         ControlFlow::Continue(()) // `Break` cancels
///     });
/// exporter.export(&tracker, &path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is under way.
    pub phase: Phase,
    /// Bytes of the file so far, written or read.
    pub bytes: u64,
    /// The file's length in bytes; not known in [`Phase::Export`], nor of a stream.
    pub total_bytes: Option<u64>,
    /// Events so far.
    pub events: u64,
    /// All events; not known in [`Phase::Parse`].
    pub total_events: Option<u64>,
}

impl Progress {
    pub(crate) fn begin(phase: Phase, total_bytes: Option<u64>, total_events: Option<u64>) -> Self {
        Self { phase, bytes: 0, total_bytes, events: 0, total_events }
    }

    /// How much of the phase is done, from 0 to 1: of its bytes, or else of its events; `None` when
    /// no total is known.
    #[must_use]
    pub fn fraction(&self) -> Option<f64> {
        let (done, total) = match (self.total_bytes, self.total_events) {
            (Some(total), _) => (self.bytes, total),
            (None, Some(total)) => (self.events, total),
            (None, None) => return None,
        };
        Some(if total == 0 { 1.0 } else { (done as f64 / total as f64).min(1.0) })
    }
}

/// Who is told of progress, and may cancel.
#[derive(Clone)]
pub(crate) struct Observer(Arc<Observe>);

type Observe = dyn Fn(&Progress) -> ControlFlow<()> + Send + Sync;

impl Observer {
    pub(crate) fn new(
        observe: impl Fn(&Progress) -> ControlFlow<()> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(observe))
    }

    pub(super) fn tell(&self, progress: &Progress) -> ControlFlow<()> {
        (self.0)(progress)
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_tell_more_than_events_and_both_more_than_nothing() {
        let mut progress = Progress::begin(Phase::Validation, Some(200), Some(10));
        (progress.bytes, progress.events) = (50, 9);
        assert_eq!(progress.fraction(), Some(0.25));
        progress.total_bytes = None;
        assert_eq!(progress.fraction(), Some(0.9));
        progress.events = 11;
        assert_eq!(progress.fraction(), Some(1.0));
        progress.total_events = None;
        assert_eq!(progress.fraction(), None);
        assert_eq!(Progress::begin(Phase::Parse, Some(0), None).fraction(), Some(1.0));
    }
}
