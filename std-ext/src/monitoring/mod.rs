//! Monitoring: how far an export has come, what it spent its time on, and how the process stands.

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
