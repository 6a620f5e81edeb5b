//! Monitoring: how far an export has come, what it spent its time on, and how the process stands.
//!
//! - Each export measures itself: [`ExportResult`](crate::ExportResult) has its [`PerformanceMetrics`].
//! - [`get_system_status`](crate::IntegratedBinaryExporter::get_system_status) tells how the process stands.
//! - [`on_progress`](crate::IntegratedBinaryExporter::on_progress) tells how far it has come, and cancels.
//! - With [`enable_monitoring`](crate::IntegratedConfig::enable_monitoring), memory is measured as well, and
//!   there are spans of `tracing`, for whichever subscriber the caller has:
//!
//! | span | level | fields | for |
//! |---|---|---|---|
//! | `export` | info | `path`, `events`, `bytes` | an export |
//! | `parse` | info | `path`, `events`, `bytes` | a load or a parse |
//! | `collection` | debug | | the snapshot of the source |
//! | `processing` | debug | | the caller's encoding, and each batch of another thread |
//! | `compression`, `writing` | debug | | each chunk, and each batch of chunks |
//! | `validation`, `parsing` | debug | | reading back, reading |
//! | `decoding` | debug | | each chunk that is decoded ahead |
//!
//! Those of level debug have that of level info for their parent, on whatever thread they are.

mod meter;
mod metrics;
mod progress;
mod spans;
mod status;
mod watch;

pub(crate) use meter::{Meter, Stage, Times};
pub use metrics::{ComponentTimes, Efficiency, MemoryMetrics, PerformanceMetrics};
pub(crate) use progress::Observer;
pub use progress::{Phase, Progress};
pub(crate) use status::ExportOutcome;
pub use status::{ExportCounts, SystemStatus};
#[cfg(feature = "async")]
pub(crate) use watch::Cancellation;
pub(crate) use watch::Watch;
