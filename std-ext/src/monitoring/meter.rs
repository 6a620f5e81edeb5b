//! What a thread spends its time on.

use std::time::{Duration, Instant};

use super::spans::{Span, Spans};

/// What a thread may be doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Takes a snapshot of the source.
    Collection,
    /// Tries configurations.
    Optimization,
    /// Reads the source's chunks, merges streams, encodes.
    Processing,
    /// Compresses.
    Compression,
    /// Writes the file, and through to the disk.
    Writing,
    /// Reads back what was written.
    Validation,
    /// Reads a capture.
    Parsing,
    /// Decodes ahead of the thread that validates or parses.
    Decoding,
    /// Has nothing to do before another thread is done.
    Waiting,
}

/// Time by stage.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times([Duration; Stage::Waiting as usize + 1]);

impl Times {
    pub(crate) fn of(&self, stage: Stage) -> Duration {
        self.0[stage as usize]
    }

    pub(crate) fn sum(&self) -> Duration {
        self.0.iter().sum()
    }

    pub(crate) fn add(&mut self, stage: Stage, time: Duration) {
        self.0[stage as usize] += time;
    }

    pub(crate) fn add_all(&mut self, times: &Self) {
        for (sum, time) in self.0.iter_mut().zip(times.0) {
            *sum += time;
        }
    }

    /// Says that so much of one stage's time was another's.
    pub(crate) fn reassign(&mut self, from: Stage, to: Stage, time: Duration) {
        let moved = time.min(self.of(from));
        self.0[from as usize] -= moved;
        self.0[to as usize] += moved;
    }
}

/// Measures one thread, stage by stage, each in its span when that is wanted. It asks for the time twice
/// a stage, so a stage is a chunk's or a batch's and never an event's.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    spans: Spans,
    times: Times,
    /// The stage that it is in, and since when.
    current: Option<(Stage, Instant)>,
}

/// A stage that was begun.
#[must_use]
pub(crate) struct Begun {
    former: Option<Stage>,
    _span: Span,
}

impl Meter {
    pub(crate) fn new(spans: Spans) -> Self {
        Self { spans, times: Times::default(), current: None }
    }

    /// A meter for something else, perhaps on another thread, whose spans belong to the same.
    pub(crate) fn another(&self) -> Self {
        Self::new(self.spans.clone())
    }

    /// What was measured in the stages that have ended.
    pub(crate) fn times(&self) -> &Times {
        &self.times
    }

    pub(super) fn times_mut(&mut self) -> &mut Times {
        &mut self.times
    }

    pub(super) fn spans(&self) -> &Spans {
        &self.spans
    }

    /// Begins a stage; the one around it pauses.
    pub(crate) fn begin(&mut self, stage: Stage) -> Begun {
        let span = self.spans.enter(stage);
        Begun { former: self.switch(Some(stage)), _span: span }
    }

    /// Ends the stage that was begun last.
    pub(crate) fn end(&mut self, begun: Begun) {
        self.switch(begun.former);
    }

    /// Does something as a stage.
    pub(crate) fn within<R>(&mut self, stage: Stage, action: impl FnOnce() -> R) -> R {
        let begun = self.begin(stage);
        let done = action();
        self.end(begun);
        done
    }

    /// Counts what the stage that it is in took so far.
    pub(super) fn settle(&mut self) {
        let current = self.current.map(|(stage, _)| stage);
        self.switch(current);
    }

    fn switch(&mut self, to: Option<Stage>) -> Option<Stage> {
        let now = Instant::now();
        let former = self.current.take();
        if let Some((stage, since)) = former {
            self.times.add(stage, now - since);
        }
        self.current = to.map(|stage| (stage, now));
        former.map(|(stage, _)| stage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAP: Duration = Duration::from_millis(2);

    #[test]
    fn a_stage_within_another_pauses_it() {
        let started = Instant::now();
        let mut meter = Meter::default();
        let outer = meter.begin(Stage::Processing);
        meter.within(Stage::Compression, || std::thread::sleep(NAP));
        std::thread::sleep(NAP);
        meter.end(outer);
        let elapsed = started.elapsed();
        let times = meter.times();
        assert!(times.of(Stage::Compression) >= NAP && times.of(Stage::Processing) >= NAP);
        assert!(times.sum() <= elapsed, "{times:?}, {elapsed:?}");
    }

    #[test]
    fn reassigned_time_is_neither_lost_nor_made() {
        let mut times = Times::default();
        times.add(Stage::Processing, NAP);
        times.reassign(Stage::Processing, Stage::Waiting, NAP / 2);
        times.reassign(Stage::Processing, Stage::Writing, NAP);
        assert_eq!(times.sum(), NAP);
        assert_eq!(times.of(Stage::Processing), Duration::ZERO);
        assert_eq!(times.of(Stage::Writing), NAP / 2);
    }
}
