//! Blocking, asynchronous and interrupt-driven drains send the same, and what a drain takes and does not
//! send, for whatever reason, is counted.
#![cfg(all(feature = "embedded-io", feature = "alloc-hook", feature = "async"))]

mod support;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use embedded_io::{ErrorKind, ErrorType, Write};
use heapwire_core::{
    Detail, Device, EventKind, FrameSender, HeapObserver, HeapTotals, Placement, Recorder, Session,
    WhenFull,
};
use support::received::Received;
use support::{Freeing, Line, Random};

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// What devices of a test have in common.
macro_rules! bench {
    () => {
        const PLACEMENT: Placement = Placement::EMBEDDED_32;

        fn session() -> Session<'static> {
            Session { device: "thermostat", build: "1", ticks_per_second: 1, address_bits: 32 }
        }
    };
}

struct Bench;

impl Device for Bench {
    bench!();

    fn ticks() -> u64 {
        NOW.get()
    }
}

type BenchRecorder = Recorder<Bench, 300, 8>;

fn mark(mark: u32) -> EventKind {
    EventKind::Mark { mark }
}

/// A device and what it did since: a recorder with chunks to send.
fn recorded(program: &[Freeing], scope: &'static str, recorder: &BenchRecorder) {
    let _scope = recorder.scope(scope);
    for (event, freed) in program {
        NOW.set(event.time);
        recorder.record(event.kind, *freed);
    }
    recorder.flush();
}

/// What a program's stream looks like when `drain` is called after every part of it.
fn line_of(mut drain: impl FnMut(&BenchRecorder, &mut Line)) -> Vec<u8> {
    let recorder = BenchRecorder::new();
    let mut line = Line::default();
    recorder.start();
    let program = support::program(91, 4000, Bench::PLACEMENT);
    for (part, events) in program.chunks(100).enumerate() {
        recorded(events, ["net", "ui", "log"][part % 3], &recorder);
        drain(&recorder, &mut line);
    }
    let received = Received::new(&line.bytes);
    assert_eq!(received.events.len(), program.len());
    line.bytes
}

/// Polls a future until it is done, or so many times.
fn poll<F: Future>(future: F, times: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..times).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}

/// An asynchronous line, which takes a few bytes and then makes its writer wait.
struct Slow<'a> {
    line: &'a mut Line,
    random: Random,
    waits: bool,
}

impl<'a> Slow<'a> {
    fn new(line: &'a mut Line, seed: u64) -> Self {
        Self { line, random: Random(seed), waits: false }
    }
}

impl ErrorType for Slow<'_> {
    type Error = ErrorKind;
}

impl embedded_io_async::Write for Slow<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        std::future::poll_fn(|_| {
            self.waits = !self.waits;
            if self.waits { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        let most = 1 + self.random.below(100) as usize;
        self.line.write(&bytes[..bytes.len().min(most)])
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[test]
fn all_drains_send_the_same() {
    let blocking = line_of(|recorder, line| {
        recorder.drain(line).expect("the line takes all");
    });
    let asynchronous = line_of(|recorder, line| {
        let drained = poll(recorder.drain_async(&mut Slow::new(line, 5)), usize::MAX);
        drained.expect("in the end").expect("the line takes all");
    });
    assert!(blocking == asynchronous);
    for most in [1, 2, 7, 64, 1000] {
        let mut random = Random(most as u64);
        let interrupt_driven = line_of(|recorder, line| {
            let (mut sender, mut bytes) = (FrameSender::new(recorder), vec![0; most]);
            loop {
                let wanted = 1 + random.below(most as u64) as usize;
                let filled = sender.fill(&mut bytes[..wanted]);
                if filled == 0 {
                    break;
                }
                line.bytes.extend_from_slice(&bytes[..filled]);
            }
        });
        assert!(blocking == interrupt_driven, "up to {most} bytes at once");
    }
}

#[test]
fn frames_of_chunks_with_zeros_and_without_are_the_same_by_bytes() {
    // Lengths around those of a piece of a frame, and many zeros.
    let stream = |by_bytes: bool| {
        let recorder = Recorder::<Bench, 1200, 2>::new();
        let mut line = Line::default();
        recorder.start();
        for events in 1..250 {
            for at in 0..events {
                let zeros = if events % 3 == 0 { 0 } else { u32::MAX };
                recorder.record(mark(at ^ zeros), 0);
            }
            recorder.flush();
            if by_bytes {
                let (mut sender, mut byte) = (FrameSender::new(&recorder), [0]);
                while sender.fill(&mut byte) > 0 {
                    line.bytes.push(byte[0]);
                }
            } else {
                recorder.drain(&mut line).expect("the line takes all");
            }
        }
        line.bytes
    };
    let whole = stream(false);
    assert_eq!(Received::new(&whole).events.len(), 249 * 250 / 2);
    assert!(whole == stream(true));
}

#[test]
fn a_cancelled_drain_loses_one_chunk_at_most_and_counts_it() {
    let recorder = Recorder::<Bench, 100, 8>::new();
    recorder.start();
    let _scope = recorder.scope("net");
    let (mut line, mut seed, mut happened) = (Line::default(), 0, 0);
    let mut cancelled = 0;
    for _ in 0..60 {
        for _ in 0..3 {
            happened += 1;
            NOW.set(happened.into());
            recorder.record(mark(happened), 0);
            recorder.flush();
        }
        seed += 1;
        let polls = 1 + Random(seed).below(12) as usize;
        let before = Received::from(&line.bytes, 0, 0).events.len();
        let done = poll(recorder.drain_async(&mut Slow::new(&mut line, seed)), polls);
        let losses = u64::from(done.is_none());
        cancelled += losses;
        recorder.drain(&mut line).expect("the line takes all");
        recorder.send_totals(&mut line).expect("the line takes all");
        let received = Received::from(&line.bytes, 0, 0);
        // All but one chunk of one event, and that one is counted though it may have come.
        assert!(received.events.len() - before >= 3 - losses as usize);
        assert_eq!(received.last().first_event, u64::from(happened));
        assert!(received.last().losses.link <= cancelled);
        let came = received.events.len() as u64 - received.came_yet;
        assert_eq!(came + received.last().losses.link, u64::from(happened));
        let times = received.events.iter().map(|event| event.time);
        assert!(times.is_sorted_by(|one, other| one < other));
    }
    assert!(cancelled > 20);
}

/// A device that does something whenever its clock is read.
struct Eager;

thread_local! {
    static ON_TICK: Cell<Option<fn()>> = const { Cell::new(None) };
}

impl Device for Eager {
    bench!();

    fn ticks() -> u64 {
        if let Some(act) = ON_TICK.take() {
            act();
        }
        7
    }
}

/// A line whose driver panics after so many bytes.
struct Fragile<'a>(&'a mut Line, usize);

impl ErrorType for Fragile<'_> {
    type Error = ErrorKind;
}

impl Write for Fragile<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let room = self.1.checked_sub(self.0.bytes.len()).expect("not negative");
        assert!(room > 0, "the driver panics");
        self.0.write(&bytes[..bytes.len().min(room)])
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[test]
fn last_words_bring_everything_wherever_a_drain_panics() {
    let scenario = |line: &mut Line, breaks_after: usize| {
        let recorder = Recorder::<Bench, 100, 4>::new();
        recorder.start();
        let _scope = recorder.scope("net");
        for at in 0..3 {
            recorder.record(mark(at), 0);
            recorder.flush();
        }
        recorder.record(mark(3), 0);
        let mut link = Fragile(line, breaks_after);
        let broken = catch_unwind(AssertUnwindSafe(|| recorder.drain(&mut link))).is_err();
        recorder.failed(12_345);
        assert_eq!(recorder.last_words(line), Ok(true));
        // It stopped recording.
        recorder.record(mark(4), 0);
        assert_eq!(recorder.last_words(line), Ok(true));
        broken
    };
    let mut whole = Line::default();
    assert!(!scenario(&mut whole, usize::MAX));
    let failed = EventKind::FailedAlloc { size: 12_345, site: 1 };
    let mut broken = 0;
    for breaks_after in 0..whole.bytes.len() {
        let mut line = Line::default();
        broken += u32::from(scenario(&mut line, breaks_after));
        let received = Received::from(&line.bytes, 0, 0);
        let last_words: Vec<EventKind> = received.events.iter().map(|event| event.kind).collect();
        assert_eq!(last_words[last_words.len() - 2..], [mark(3), failed]);
        let header = received.last();
        assert_eq!((header.events, header.first_event, header.totals.failed), (0, 5, 1));
        assert!(header.losses.link <= 1);
        let came = last_words.len() as u64 - received.came_yet;
        assert_eq!(came + header.losses.link, 5);
        assert!(received.names.iter().any(|(_, _, name)| name == "net"));
    }
    assert!(broken > 50);
}

#[test]
fn a_failed_allocation_finds_room_when_all_buffers_are_full() {
    let recorder = Recorder::<Bench, 64, 3>::new();
    recorder.start();
    for at in 0..1000 {
        recorder.record(mark(at), 0);
    }
    recorder.failed(1 << 20);
    let mut line = Line::default();
    assert_eq!(recorder.last_words(&mut line), Ok(true));
    let received = Received::new(&line.bytes);
    let last = received.events.last().expect("events").kind;
    assert_eq!(last, EventKind::FailedAlloc { size: 1 << 20, site: 0 });
    let header = received.last();
    assert_eq!((header.first_event, header.totals.failed), (1001, 1));
    assert_eq!(header.losses.full + received.events.len() as u64, 1001);
}

#[test]
fn a_panic_within_the_hook_leaves_a_recorder_that_works() {
    static RECORDER: Recorder<Eager, 100, 3> = Recorder::new();
    RECORDER.start();
    RECORDER.record(mark(1), 0);
    // As a panic handler is called, before anything is unwound; then unwound, which devices do not.
    ON_TICK.set(Some(|| {
        let mut line = Line::default();
        assert_eq!(RECORDER.last_words(&mut line), Ok(false));
        assert!(line.bytes.is_empty());
        panic!("the clock is not set up");
    }));
    assert!(catch_unwind(|| RECORDER.record(mark(2), 0)).is_err());
    RECORDER.record(mark(3), 0);
    let mut line = Line::default();
    assert_eq!(RECORDER.last_words(&mut line), Ok(true));
    let received = Received::new(&line.bytes);
    let marks: Vec<EventKind> = received.events.iter().map(|event| event.kind).collect();
    assert_eq!(marks, [mark(1), mark(3)]);
    assert_eq!(received.last().first_event, 2);
}

#[test]
fn a_panic_while_the_hook_waits_for_room_costs_that_event() {
    struct Waiting;

    impl Device for Waiting {
        bench!();
        const WHEN_FULL: WhenFull =
            WhenFull::Wait { attempts: 3, relax: || panic!("the scheduler is not running") };

        fn ticks() -> u64 {
            0
        }
    }

    let recorder = Recorder::<Waiting, 64, 2>::new();
    recorder.start();
    let record = |at| catch_unwind(AssertUnwindSafe(|| recorder.record(mark(at), 0))).is_ok();
    let recorded = (0..1000).take_while(|at| record(*at)).count();
    assert!(recorded > 5 && recorded < 100);
    let mut line = Line::default();
    assert_eq!(recorder.last_words(&mut line), Ok(true));
    let received = Received::new(&line.bytes);
    assert_eq!(received.events.len(), recorded);
    assert_eq!(received.last().first_event, recorded as u64);
}

/// Sends all there is, or as much as a drain of some kind does before it is given up.
fn drain_somehow<D: Device>(recorder: &Recorder<D, 80, 4>, line: &mut Line, random: &mut Random) {
    match random.below(4) {
        0 => {
            line.refuses_after = Some(line.bytes.len() + random.below(300) as usize);
            let _ = recorder.drain(line);
            line.refuses_after = None;
        }
        1 => {
            let polls = 1 + random.below(20) as usize;
            let _ = poll(recorder.drain_async(&mut Slow::new(line, random.next())), polls);
        }
        2 => {
            let (mut sender, mut bytes) = (FrameSender::new(recorder), [0; 7]);
            for _ in 0..random.below(60) {
                let filled = sender.fill(&mut bytes);
                line.bytes.extend_from_slice(&bytes[..filled]);
            }
        }
        _ => {
            recorder.drain(line).expect("the line takes all");
        }
    }
}

#[test]
fn whatever_is_done_the_numbers_add_up() {
    struct Newest;

    impl Device for Newest {
        bench!();
        const WHEN_FULL: WhenFull = WhenFull::Overwrite;

        fn ticks() -> u64 {
            NOW.get()
        }
    }

    fn life<D: Device>(seed: u64) -> (usize, u64) {
        let recorder = Recorder::<D, 80, 4>::new();
        let (mut random, mut line) = (Random(seed), Line::default());
        let (mut totals, mut happened) = (HeapTotals::default(), 0);
        recorder.start();
        for freeing in support::program(seed, 600, D::PLACEMENT) {
            NOW.set(freeing.0.time);
            let _scope = recorder.scope(["net", "ui"][random.below(2) as usize]);
            recorder.record(freeing.0.kind, freeing.1);
            support::count(&mut totals, &freeing);
            happened += 1;
            match random.below(60) {
                0 => recorder.set_detail(Detail::Totals),
                1 | 2 => recorder.set_detail(Detail::Events),
                3 => recorder.flush(),
                4..7 => drain_somehow(&recorder, &mut line, &mut random),
                7 => recorder.start(),
                _ => {}
            }
        }
        assert_eq!(recorder.last_words(&mut line), Ok(true));
        let received = Received::from(&line.bytes, 0, 0);
        let header = received.last();
        assert_eq!((header.first_event, header.totals), (happened, totals), "seed {seed}");
        let came = received.events.len() as u64 - received.came_yet;
        assert_eq!(came + header.losses.full + header.losses.link, happened, "seed {seed}");
        (received.events.len(), header.losses.link)
    }

    let (mut came, mut refused) = (0, 0);
    for seed in 0..150 {
        for (events, link) in [life::<Bench>(seed), life::<Newest>(seed)] {
            came += events;
            refused += link;
        }
    }
    assert!(came > 25_000 && refused > 500, "{came} {refused}");
}
