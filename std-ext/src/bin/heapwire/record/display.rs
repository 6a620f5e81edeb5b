//! The live line on a terminal; nothing elsewhere.

use std::time::{Duration, Instant};

use heapwire::io::line::LineStats;
use heapwire::pipeline::receive::Receiver;
use indicatif::{ProgressBar, ProgressStyle};

use crate::units::{bytes_text, counted, grouped};

/// How often the line is drawn, and over how long rates are taken.
const DRAW_EVERY: Duration = Duration::from_millis(200);
const RATES_OVER: Duration = Duration::from_secs(1);

pub(super) struct Display {
    bar: ProgressBar,
    /// Bytes a second that the line can bring.
    capacity: Option<u32>,
    drawn: Option<Instant>,
    since: Point,
    rates: (f64, f64),
}

/// How much there was at a time.
#[derive(Clone, Copy)]
struct Point {
    time: Instant,
    bytes: u64,
    events: u64,
}

impl Display {
    pub(super) fn new(capacity: Option<u32>) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        let since = Point { time: Instant::now(), bytes: 0, events: 0 };
        Self { bar, capacity, drawn: None, since, rates: (0.0, 0.0) }
    }

    /// Draws the line, if it is time to, or in any case.
    pub(super) fn update(
        &mut self,
        line: &LineStats,
        receiver: &Receiver<Vec<u8>>,
        in_any_case: bool,
    ) {
        let now = Instant::now();
        let is_early = |drawn: Instant| now.duration_since(drawn) < DRAW_EVERY;
        if self.bar.is_hidden() || !in_any_case && self.drawn.is_some_and(is_early) {
            return;
        }
        self.drawn = Some(now);
        let replay = receiver.replay();
        let point = Point { time: now, bytes: line.bytes, events: replay.counts().total() };
        let passed = now.duration_since(self.since.time);
        if passed >= RATES_OVER {
            let rate = |now: u64, then: u64| (now - then) as f64 / passed.as_secs_f64();
            self.rates =
                (rate(point.bytes, self.since.bytes), rate(point.events, self.since.events));
            self.since = point;
        }
        let (bytes, events) = self.rates;
        let used = self.capacity.map_or(String::new(), |capacity| {
            format!(", {:.0} % of the link", 100.0 * bytes / f64::from(capacity))
        });
        let totals = replay.totals();
        let gaps = replay.gaps();
        let missing = match gaps.count {
            0 => "no gaps".to_owned(),
            count => format!("{}, {} missing", counted(count, "gap"), grouped(gaps.missing_events)),
        };
        self.bar.set_message(format!(
            "heap {}, peak {} | {}/s, {}/s{used} | {missing} | unfreed {} in {}",
            bytes_text(totals.bytes_in_use),
            bytes_text(totals.peak_bytes),
            counted(events as u64, "event"),
            bytes_text(bytes as u64),
            bytes_text(replay.live_bytes()),
            counted(replay.live_blocks(), "block"),
        ));
        self.bar.tick();
    }

    /// Prints a line of our own, on a terminal.
    pub(super) fn note(&self, words: &str) {
        if !self.bar.is_hidden() {
            self.print(&format!("heapwire: {words}"));
        }
    }

    /// Prints a line above the live one.
    pub(super) fn print(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
