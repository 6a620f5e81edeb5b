//! What an export spent its time on.

use std::time::Duration;

use super::meter::{Stage, Times};

/// What an export spent its time on, and how well. All of it is measured, whether monitoring is on or
/// not, but for what says that it needs monitoring.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PerformanceMetrics {
    /// From the call to the file in its place, as a clock on the wall shows it.
    pub elapsed: Duration,
    /// Threads that the export had, the caller's included.
    pub threads: usize,
    /// What these threads spent their time on.
    pub component_times: ComponentTimes,
    /// How well they used it.
    pub efficiency: Efficiency,
    /// Events over the elapsed time in seconds.
    pub events_per_second: f64,
    /// Bytes of the file over the elapsed time in seconds.
    pub bytes_per_second: f64,
    /// The process's memory during the export; `None` unless monitoring is on and the system tells.
    pub memory: Option<MemoryMetrics>,
}

/// Time by component, of all threads together. A thread is in one component at a time, so
///
/// ```text
/// collection + optimization + processing + compression + writing + validation + waiting
///     + unaccounted = elapsed × threads
/// ```
///
/// Times are those of a clock on the wall: what a thread spends in a component includes what the
/// system took from it for others, or for a disk to answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComponentTimes {
    /// Taking a snapshot of the source.
    pub collection_time: Duration,
    /// Finding the best configuration, if the configuration asks for that: of the caller's thread, since
    /// what the trials' own threads do is not told apart.
    pub optimization_time: Duration,
    /// Reading the snapshot's chunks, merging streams, encoding.
    pub processing_time: Duration,
    /// Compressing.
    pub compression_time: Duration,
    /// Creating the file, writing it, through to the disk, and moving it to its place.
    pub writing_time: Duration,
    /// Reading back what was written and comparing it, if the configuration asks for that.
    pub validation_time: Duration,
    /// In which the caller's thread waited for others, and others had nothing to do or were not
    /// started yet: the sequential parts of an export leave them idle.
    pub waiting_time: Duration,
    /// Of the caller's thread, between all these: checking the configuration, starting threads.
    pub unaccounted: Duration,
}

/// How well an export used its threads.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Efficiency {
    /// The share of all threads' time in which they worked: collection, optimization, processing,
    /// compression, writing and validation, over `elapsed × threads`. From 0 to 1, the bound: no thread
    /// ever waited.
    /// One thread is close to it; several are not when there is less to do than they could.
    pub overall_efficiency: f64,
    /// The same of the threads besides the caller's; `None` when there are none.
    pub parallel_efficiency: Option<f64>,
}

/// The process's resident memory in bytes, as the operating system counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryMetrics {
    /// When the export began.
    pub before: u64,
    /// The most of all measurements, of which there is one after each chunk.
    pub peak: u64,
    /// When it was done.
    pub after: u64,
}

impl ComponentTimes {
    /// `own` are those of the caller's thread, `others` those of the others.
    pub(super) fn new(elapsed: Duration, threads: usize, own: &Times, others: &Times) -> Self {
        let of = |stage| own.of(stage) + others.of(stage);
        let idle = others_time(elapsed, threads).saturating_sub(others.sum());
        Self {
            collection_time: of(Stage::Collection),
            optimization_time: of(Stage::Optimization),
            processing_time: of(Stage::Processing),
            compression_time: of(Stage::Compression),
            writing_time: of(Stage::Writing),
            validation_time: of(Stage::Validation),
            waiting_time: of(Stage::Waiting) + idle,
            unaccounted: elapsed.saturating_sub(own.sum()),
        }
    }

    /// The sum of all: the elapsed time times the number of threads.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.at_work() + self.waiting_time + self.unaccounted
    }

    /// The sum of those in which something was done.
    #[must_use]
    pub fn at_work(&self) -> Duration {
        self.collection_time
            + self.optimization_time
            + self.processing_time
            + self.compression_time
            + self.writing_time
            + self.validation_time
    }
}

impl PerformanceMetrics {
    pub(super) fn new(
        elapsed: Duration,
        threads: usize,
        own: &Times,
        others: &Times,
        events: u64,
        bytes: u64,
    ) -> Self {
        let component_times = ComponentTimes::new(elapsed, threads, own, others);
        let share = |part: Duration, whole: Duration| {
            if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
        };
        let others_time = others_time(elapsed, threads);
        let per_second = |count: u64| count as f64 / elapsed.as_secs_f64().max(1e-9);
        Self {
            elapsed,
            threads,
            component_times,
            efficiency: Efficiency {
                overall_efficiency: share(component_times.at_work(), component_times.total()),
                parallel_efficiency: (threads > 1).then(|| share(others.sum(), others_time)),
            },
            events_per_second: per_second(events),
            bytes_per_second: per_second(bytes),
            memory: None,
        }
    }
}

/// All time of the threads besides the caller's.
fn others_time(elapsed: Duration, threads: usize) -> Duration {
    elapsed.saturating_mul(u32::try_from(threads.saturating_sub(1)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(of: &[(Stage, u64)]) -> Times {
        let mut times = Times::default();
        of.iter().for_each(|&(stage, ms)| times.add(stage, Duration::from_millis(ms)));
        times
    }

    #[test]
    fn components_add_up_to_the_time_of_all_threads() {
        let own = times(&[
            (Stage::Collection, 5),
            (Stage::Optimization, 10),
            (Stage::Processing, 30),
            (Stage::Writing, 15),
            (Stage::Validation, 20),
            (Stage::Waiting, 10),
        ]);
        let others = times(&[(Stage::Compression, 60), (Stage::Validation, 30)]);
        let elapsed = Duration::from_millis(100);
        let metrics = PerformanceMetrics::new(elapsed, 3, &own, &others, 1000, 500);
        let components = metrics.component_times;
        assert_eq!(components.total(), 3 * elapsed);
        assert_eq!(components.unaccounted, Duration::from_millis(10));
        assert_eq!(components.waiting_time, Duration::from_millis(10 + 200 - 90));
        assert_eq!(components.validation_time, Duration::from_millis(50));
        let about = |share: f64, expected: f64| (share - expected).abs() < 1e-9;
        assert!(about(metrics.efficiency.overall_efficiency, 170.0 / 300.0));
        assert!(about(metrics.efficiency.parallel_efficiency.unwrap(), 90.0 / 200.0));
        assert_eq!((metrics.events_per_second, metrics.bytes_per_second), (10_000.0, 5_000.0));
    }

    #[test]
    fn one_thread_waits_for_nobody() {
        let own = times(&[(Stage::Processing, 3), (Stage::Writing, 1)]);
        let elapsed = Duration::from_millis(4);
        let metrics = PerformanceMetrics::new(elapsed, 1, &own, &Times::default(), 0, 0);
        assert_eq!(metrics.efficiency.overall_efficiency, 1.0);
        assert_eq!(metrics.efficiency.parallel_efficiency, None);
        assert_eq!(metrics.component_times.total(), elapsed);
    }
}
