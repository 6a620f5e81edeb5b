//! Watches one export or one parse: measures it, tells of its progress, and cancels it.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use super::meter::{Meter, Stage, Times};
use super::metrics::{MemoryMetrics, PerformanceMetrics};
use super::progress::{Observer, Phase, Progress};
use super::spans::Spans;
use super::status::resident_memory;
use crate::error::{BinaryExportError, Result};

/// Watches one export or one parse, on the thread that does it.
#[derive(Debug)]
pub(crate) struct Watch {
    started: Instant,
    meter: Meter,
    /// Of other threads than this.
    others: Times,
    observer: Option<Observer>,
    cancellation: Cancellation,
    progress: Progress,
    /// `None` unless monitoring is on and the system tells.
    memory: Option<MemoryMetrics>,
}

impl Watch {
    /// Nobody is told, nothing cancelled; the time is taken all the same.
    pub(crate) fn silent(phase: Phase) -> Self {
        Self {
            started: Instant::now(),
            meter: Meter::default(),
            others: Times::default(),
            observer: None,
            cancellation: Cancellation::default(),
            progress: Progress::begin(phase, None, None),
            memory: None,
        }
    }

    /// Tells this observer.
    pub(crate) fn observed_by(mut self, observer: Option<Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// May be cancelled from elsewhere.
    #[cfg(feature = "async")]
    pub(crate) fn cancelled_by(mut self, cancellation: Cancellation) -> Self {
        self.cancellation = cancellation;
        self
    }

    /// Takes the finer measures as well and opens spans, if monitoring is on. `path` is that of the
    /// file, if it has one.
    pub(crate) fn monitored(mut self, on: bool, path: Option<&Path>) -> Self {
        if on {
            self.meter = Meter::new(Spans::new(self.progress.phase, path));
            self.memory =
                resident_memory().map(|now| MemoryMetrics { before: now, peak: now, after: now });
        }
        self
    }

    /// Measures this thread.
    pub(crate) fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }

    /// Begins a phase with as much of these as is known.
    ///
    /// # Errors
    /// When it is cancelled.
    pub(crate) fn begin(
        &mut self,
        phase: Phase,
        total_bytes: Option<u64>,
        total_events: Option<u64>,
    ) -> Result<()> {
        self.progress = Progress::begin(phase, total_bytes, total_events);
        self.tell()
    }

    /// Says how far the phase has come. Asked after each chunk.
    ///
    /// # Errors
    /// When it is cancelled.
    pub(crate) fn advance(&mut self, bytes: u64, events: u64) -> Result<()> {
        (self.progress.bytes, self.progress.events) = (bytes, events);
        self.measure_memory();
        self.tell()
    }

    /// Says that a phase has come to its end, which is here if its total is not known.
    ///
    /// # Errors
    /// When it is cancelled.
    pub(crate) fn complete(&mut self, bytes: u64, events: u64) -> Result<()> {
        self.advance(self.progress.total_bytes.unwrap_or(bytes), events)
    }

    fn tell(&self) -> Result<()> {
        if self.cancellation.is_cancelled() {
            return Err(BinaryExportError::Cancelled);
        }
        match self.observer.as_ref().map(|observer| observer.tell(&self.progress)) {
            Some(ControlFlow::Break(())) => Err(BinaryExportError::Cancelled),
            _ => Ok(()),
        }
    }

    /// From now on it is too late to cancel.
    ///
    /// # Errors
    /// When it is cancelled.
    pub(crate) fn commit(&self) -> Result<()> {
        if self.cancellation.commit() { Ok(()) } else { Err(BinaryExportError::Cancelled) }
    }

    /// Accounts for what ran within the stage `of`, on this thread and on others: `own` are times of this
    /// thread that were not this stage's, though they passed within it.
    pub(crate) fn account(&mut self, of: Stage, own: &Times, others: &Times) {
        self.meter.settle();
        for stage in [Stage::Compression, Stage::Writing, Stage::Waiting] {
            self.meter.times_mut().reassign(of, stage, own.of(stage));
        }
        let mut others = *others;
        others.reassign(Stage::Decoding, of, others.of(Stage::Decoding));
        self.others.add_all(&others);
    }

    /// Says in the span how much it came to.
    pub(crate) fn record(&self) {
        self.meter.spans().record(self.progress.events, self.progress.bytes);
    }

    /// What was measured, with so many threads.
    pub(crate) fn metrics(mut self, threads: usize, events: u64, bytes: u64) -> PerformanceMetrics {
        self.measure_memory();
        self.record();
        let (own, elapsed) = (self.meter.times(), self.started.elapsed());
        let metrics = PerformanceMetrics::new(elapsed, threads, own, &self.others, events, bytes);
        PerformanceMetrics { memory: self.memory, ..metrics }
    }

    fn measure_memory(&mut self) {
        if let Some(memory) = &mut self.memory
            && let Some(now) = resident_memory()
        {
            memory.after = now;
            memory.peak = memory.peak.max(now);
        }
    }
}

/// Whether something that runs elsewhere shall end early. Copies share the answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancellation(Arc<AtomicU8>);

/// The states of a [`Cancellation`] besides 0, in which neither has happened.
const CANCELLED: u8 = 1;
const COMMITTED: u8 = 2;

impl Cancellation {
    /// Cancels, unless it is too late.
    #[cfg(feature = "async")]
    pub(crate) fn cancel(&self) {
        self.become_state(CANCELLED);
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) == CANCELLED
    }

    /// Makes it too late; false when it is cancelled.
    fn commit(&self) -> bool {
        self.become_state(COMMITTED)
    }

    /// Whichever is first stays.
    fn become_state(&self, state: u8) -> bool {
        let became = self.0.compare_exchange(0, state, Ordering::Relaxed, Ordering::Relaxed);
        became.map_or_else(|was| was == state, |_| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_first_stays_cancelled_or_committed() {
        let cancellation = Cancellation::default();
        assert!(cancellation.commit() && cancellation.commit());
        assert!(!cancellation.become_state(CANCELLED));
        assert!(!cancellation.is_cancelled());

        let cancellation = Cancellation::default();
        let elsewhere = cancellation.clone();
        assert!(elsewhere.become_state(CANCELLED));
        assert!(cancellation.is_cancelled() && !cancellation.commit());
    }

    #[test]
    fn time_within_a_stage_that_goes_on_is_accounted_for() {
        let mut watch = Watch::silent(Phase::Export);
        let begun = watch.meter().begin(Stage::Processing);
        let nap = std::time::Duration::from_millis(4);
        std::thread::sleep(2 * nap);
        let (mut own, mut others) = (Times::default(), Times::default());
        own.add(Stage::Compression, nap);
        others.add(Stage::Decoding, nap);
        watch.account(Stage::Processing, &own, &others);
        watch.meter().end(begun);
        let metrics = watch.metrics(2, 1, 1);
        let times = metrics.component_times;
        assert_eq!(times.compression_time, nap);
        assert!(times.processing_time >= 2 * nap, "{times:?}"); // one of them another thread's
        assert_eq!(times.total(), 2 * metrics.elapsed);
        assert_eq!(metrics.memory, None);
    }
}
