//! How the process and an exporter stand.

use std::time::Duration;

use crate::error::{BinaryExportError, Result};
use crate::monitoring::PerformanceMetrics;

/// How the process and an exporter stand, as measured when it was asked for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SystemStatus {
    /// The process's resident memory in bytes, as the operating system counts it; 0, which no
    /// process has, on a system that does not tell.
    pub memory_usage: u64,
    /// The most that it ever was, in bytes; `None` but on Linux.
    pub peak_memory_usage: Option<u64>,
    /// Threads of the process; `None` but on Linux.
    pub threads: Option<u64>,
    /// Processors that the process may use.
    pub processors: usize,
    /// What the exporter did so far.
    pub exports: ExportCounts,
    /// The metrics of its last export that succeeded.
    pub last_export: Option<PerformanceMetrics>,
}

/// What an exporter did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportCounts {
    /// Exports that succeeded.
    pub succeeded: u64,
    /// Exports that failed.
    pub failed: u64,
    /// Exports that were cancelled.
    pub cancelled: u64,
    /// Events in the files of those that succeeded.
    pub events: u64,
    /// Bytes of these files.
    pub bytes_written: u64,
    /// How long these exports took, together.
    pub elapsed: Duration,
}

/// What there is to count of an export that succeeded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExportOutcome {
    pub(crate) events: u64,
    pub(crate) bytes_written: u64,
    pub(crate) elapsed: Duration,
}

impl ExportCounts {
    pub(crate) fn count(&mut self, outcome: Result<ExportOutcome, &BinaryExportError>) {
        match outcome {
            Ok(done) => {
                self.succeeded += 1;
                self.events += done.events;
                self.bytes_written += done.bytes_written;
                self.elapsed += done.elapsed;
            }
            Err(BinaryExportError::Cancelled) => self.cancelled += 1,
            Err(_) => self.failed += 1,
        }
    }
}

impl SystemStatus {
    pub(crate) fn new(exports: ExportCounts, last_export: Option<PerformanceMetrics>) -> Self {
        let process = ProcessStatus::read();
        Self {
            memory_usage: resident_memory().unwrap_or(0),
            peak_memory_usage: process.peak_memory,
            threads: process.threads,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            exports,
            last_export,
        }
    }
}

/// The process's resident memory in bytes, if the system tells.
pub(super) fn resident_memory() -> Option<u64> {
    Some(memory_stats::memory_stats()?.physical_mem as u64)
}

/// What Linux says of the process besides.
#[derive(Debug, Default, PartialEq)]
struct ProcessStatus {
    peak_memory: Option<u64>,
    threads: Option<u64>,
}

impl ProcessStatus {
    #[cfg(target_os = "linux")]
    fn read() -> Self {
        std::fs::read_to_string("/proc/self/status")
            .map_or_else(|_| Self::default(), |text| Self::parse(&text))
    }

    #[cfg(not(target_os = "linux"))]
    fn read() -> Self {
        Self::default()
    }

    #[cfg(any(target_os = "linux", test))]
    fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        // In units of 1024 bytes, which the kernel calls kB.
        let peak_memory = field("VmHWM").and_then(|kib| kib.checked_mul(1024));
        Self { peak_memory, threads: field("Threads") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_does_not_say_is_absent() {
        let text = "Name:\tVmHWM\nVmPeak:\t  9 kB\nVmHWM:\t    1234 kB\nThreads:\t7\n";
        let status = ProcessStatus::parse(text);
        assert_eq!(status, ProcessStatus { peak_memory: Some(1234 * 1024), threads: Some(7) });
        assert_eq!(ProcessStatus::parse("VmHWM:\nThreads:\tmany\n"), ProcessStatus::default());
    }
}
