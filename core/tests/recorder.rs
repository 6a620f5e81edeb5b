//! The recorder: what hooks report is what a reader of the line gets, and what is lost is counted.
#![cfg(all(feature = "embedded-io", feature = "alloc-hook"))]
#![allow(unsafe_code, reason = "an allocator's methods are called as a program calls them")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use heapwire_core::{
    Chunk, ChunkKind, Decoder, Definition, Definitions, Device, Event, EventKind, HeapTotals,
    NO_SITE, Name, NameKind, Placement, Recorder, Session, TinyTables, TrackedHeap, WhenFull,
    crc32,
};
use support::{Freeing, Line};

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static NAME: Cell<&'static str> = const { Cell::new(SESSION.device) };
    static RELAXED: Cell<u32> = const { Cell::new(0) };
}

/// A device whose clock stands until it is set. Each test has its own, since each has its own thread.
struct Bench<const CLOCK_BITS: u32 = 64>;

impl<const CLOCK_BITS: u32> Device for Bench<CLOCK_BITS> {
    const PLACEMENT: Placement = PLACEMENT;
    const CLOCK_BITS: u32 = CLOCK_BITS;

    fn session() -> Session<'static> {
        Session { device: NAME.get(), ..SESSION }
    }

    fn ticks() -> u64 {
        NOW.get()
    }
}

/// What devices of a test have in common with `Bench`.
macro_rules! like_bench {
    () => {
        fn session() -> Session<'static> {
            SESSION
        }

        fn ticks() -> u64 {
            NOW.get()
        }
    };
}

const SESSION: Session<'static> =
    Session { device: "thermostat", build: "1.4.2", ticks_per_second: 1_000_000, address_bits: 32 };
const PLACEMENT: Placement = Placement::EMBEDDED_32;

fn mark(mark: u32) -> EventKind {
    EventKind::Mark { mark }
}

/// The chunks on a line; every frame on it must be one unless it was cut off.
fn chunks(line: &Line) -> Vec<Vec<u8>> {
    let mut frames = support::deframe(&line.bytes, std::iter::empty(), 1000);
    let all = frames.len();
    frames.retain(|frame| Chunk::parse(frame, crc32).is_ok());
    assert!(line.refused || frames.len() == all);
    frames
}

/// The chunks of a line that hold events.
fn event_chunks(line: &Line) -> Vec<Vec<u8>> {
    let events = |chunk: &Vec<u8>| {
        Chunk::parse(chunk, crc32).expect("a chunk").header.kind == ChunkKind::Events
    };
    chunks(line).into_iter().filter(events).collect()
}

fn events(line: &Line) -> Vec<Event> {
    let mut events = Vec::new();
    for bytes in event_chunks(line) {
        let chunk = Chunk::parse(&bytes, crc32).expect("a chunk");
        let decoder = Decoder::new(&chunk, TinyTables::<u64>::empty()).expect("a chunk of events");
        events.extend(decoder.map(|event| event.expect("an event")));
    }
    events
}

fn names(chunk: &Chunk<'_>) -> Vec<String> {
    let definitions = Definitions::new(chunk).expect("definitions");
    let text = |definition| match definition {
        Ok(Definition::Session(session)) => {
            assert_eq!(session, SESSION);
            "session".to_owned()
        }
        Ok(Definition::Name(Name { kind: NameKind::Scope, id, text })) => format!("{id} {text}"),
        other => panic!("{other:?}"),
    };
    definitions.map(text).collect()
}

/// Each chunk of a line in a word: its number of events, or what it defines.
fn table_of_contents(line: &Line) -> Vec<String> {
    let content = |bytes: &Vec<u8>| {
        let chunk = Chunk::parse(bytes, crc32).expect("a chunk");
        match chunk.header.kind {
            ChunkKind::Events => chunk.header.events.to_string(),
            _ => names(&chunk).join(", "),
        }
    };
    chunks(line).iter().map(content).collect()
}

#[test]
fn what_a_heap_did_is_what_the_line_brings() {
    struct Host;

    impl Device for Host {
        const PLACEMENT: Placement = Placement::GLIBC_64;

        fn thread() -> Option<u32> {
            Some(7)
        }

        like_bench!();
    }

    let recorder = Recorder::<Host, 236, 4>::new();
    let heap = TrackedHeap::new(System, &recorder);
    let layout = |size| Layout::from_size_align(size, 8).expect("valid");
    recorder.start();
    let mut line = Line::default();
    let mut expected = Vec::new();
    let mut expect = |time, kind| expected.push(Event { time, thread: 7, kind });
    // SAFETY: sizes are not zero, and each block is used with the layout it was allocated with.
    unsafe {
        for round in 1..=30 {
            NOW.set(round * 100);
            let time = round * 100;
            let first = heap.alloc(layout(40));
            let address = first.addr() as u64;
            expect(time, EventKind::Alloc { address, size: 40, site: NO_SITE });
            let (second, moved) = {
                let _scope = recorder.scope("parse");
                let second = heap.alloc_zeroed(layout(400));
                expect(
                    time,
                    EventKind::Alloc { address: second.addr() as u64, size: 400, site: 1 },
                );
                let old = second.addr() as u64;
                let moved = heap.realloc(second, layout(400), 40_000);
                let address = moved.addr() as u64;
                expect(time, EventKind::Realloc { old, address, size: 40_000, site: 1 });
                (old, moved)
            };
            assert_ne!(second, 0);
            heap.dealloc(first, layout(40));
            expect(time, EventKind::Free { address, site: NO_SITE });
            heap.dealloc(moved, layout(40_000));
            expect(time, EventKind::Free { address: moved.addr() as u64, site: NO_SITE });
            recorder.drain(&mut line).expect("the line takes all");
        }
    }
    recorder.flush();
    recorder.drain(&mut line).expect("the line takes all");
    assert_eq!(events(&line), expected);
    let last = event_chunks(&line).pop().expect("chunks");
    let header = Chunk::parse(&last, crc32).expect("a chunk").header;
    assert_eq!(header.losses, Default::default());
    assert!(header.totals.peak_bytes >= 40_040);
}

#[test]
fn nothing_is_recorded_before_start_and_after_stop() {
    let recorder = Recorder::<Bench, 128, 3>::new();
    let mut line = Line::default();
    recorder.record(mark(1), 0);
    recorder.flush();
    assert_eq!(recorder.drain(&mut line), Ok(0));
    recorder.start();
    recorder.record(mark(2), 0);
    recorder.stop();
    recorder.record(mark(3), 0);
    recorder.flush();
    assert_eq!(recorder.drain(&mut line), Ok(1));
    assert_eq!(events(&line), [Event { time: 0, thread: 0, kind: mark(2) }]);
}

#[test]
fn events_lost_to_full_buffers_are_counted_and_totals_stay_exact() {
    let recorder = Recorder::<Bench, 128, 3>::new();
    recorder.start();
    let program: Vec<Freeing> = support::program(31, 3000, PLACEMENT);
    let (mut line, mut totals, mut recorded) = (Line::default(), HeapTotals::default(), 0);
    // For how long nobody drains.
    for burst in [5, 1000, 3, 400, 1, 1, 900] {
        for freeing in &program[recorded..recorded + burst] {
            NOW.set(freeing.0.time);
            recorder.record(freeing.0.kind, freeing.1);
            support::count(&mut totals, freeing);
        }
        recorded += burst;
        recorder.flush();
        while recorder.drain(&mut line).expect("the line takes all") > 0 {
            recorder.flush();
        }
        // The next chunk tells where everything stands, whatever was lost.
        let next = &program[recorded];
        NOW.set(next.0.time);
        recorder.record(next.0.kind, next.1);
        recorder.flush();
        recorder.drain(&mut line).expect("the line takes all");
        let chunks = event_chunks(&line);
        let last = Chunk::parse(chunks.last().expect("chunks"), crc32).expect("a chunk").header;
        assert_eq!((last.first_event, last.totals), (recorded as u64, totals));
        let received = events(&line).len() as u64 - u64::from(last.events);
        assert_eq!(last.losses.full, recorded as u64 - received);
        assert_eq!(last.losses.link, 0);
        assert_eq!(last.sequence as usize, chunks.len() - 1);
        support::count(&mut totals, next);
        recorded += 1;
    }
    let received = events(&line);
    assert!(received.len() < recorded);
    // Each event that came is one that happened, in order.
    let mut happened = program.iter().map(|(event, _)| (event.time, event.kind));
    assert!(received.iter().all(|event| happened.any(|other| other == (event.time, event.kind))));
}

#[test]
fn chunks_that_the_link_refuses_are_counted_wherever_it_breaks() {
    let mut whole = Line::default();
    let scenario = |line: &mut Line| {
        let recorder = Recorder::<Bench, 128, 4>::new();
        recorder.start();
        let _scope = recorder.scope("sensors");
        for at in 0..3 {
            recorder.record(mark(at), 0);
            recorder.flush();
        }
        let sent = recorder.drain(line);
        let refused = line.refuses_after.take();
        assert_eq!(sent.is_err(), refused.is_some());
        // The link is back.
        let back = line.bytes.len();
        while recorder.drain(line).expect("the line takes all") > 0 {}
        recorder.record(mark(3), 0);
        recorder.flush();
        recorder.drain(line).expect("the line takes all");
        back
    };
    let all = scenario(&mut whole);
    assert_eq!(table_of_contents(&whole), ["session, 1 sensors", "1", "1", "1", "1"]);
    let defined = whole.bytes.iter().skip(1).position(|byte| *byte == 0).expect("a frame's end");
    let first_chunk = defined + 2;
    for refuses_after in 0..all {
        let mut line = Line { refuses_after: Some(refuses_after), ..Line::default() };
        let back = scenario(&mut line);
        assert_eq!(back, refuses_after);
        let got = event_chunks(&line);
        let last = Chunk::parse(got.last().expect("chunks"), crc32).expect("a chunk").header;
        assert_eq!((last.first_event, last.sequence), (3, 3));
        // None while definitions were sent, or one chunk of one event; it may have come whole but for the
        // delimiter.
        let lost = last.losses.link as usize;
        let while_defining = refuses_after < first_chunk;
        assert_eq!(lost, usize::from(!while_defining), "refused after {refuses_after} bytes");
        assert!([4 - lost, 4].contains(&got.len()), "refused after {refuses_after} bytes");
        let defined = |entry: &String| entry == "session, 1 sensors";
        assert!(table_of_contents(&line).iter().any(defined), "after {refuses_after} bytes");
    }
}

#[test]
fn clocks_wrap_and_step_back() {
    fn clock_of<const BITS: u32>() {
        let mask = u64::MAX >> (64 - BITS);
        for start in [0, mask / 2, mask - mask / 4, mask] {
            let recorder = Recorder::<Bench<BITS>, 256, 9>::new();
            NOW.set(start);
            recorder.start();
            let (mut time, mut expected) = (start, Vec::new());
            for at in 0..40 {
                // Less than half the clock's range each; sometimes an interrupt reports late.
                let step = [0, 1, mask / 4, 7 & (mask / 4), mask / 3][at % 5];
                time = time.wrapping_add(step);
                let late = if at % 7 == 6 { step.min(time).min(1) } else { 0 };
                time -= late;
                NOW.set(time & mask);
                recorder.record(mark(at as u32), 0);
                expected.push(time);
            }
            recorder.flush();
            let mut line = Line::default();
            recorder.drain(&mut line).expect("the line takes all");
            let times: Vec<u64> = events(&line).iter().map(|event| event.time).collect();
            assert_eq!(times, expected, "{BITS} bits from {start}");
        }
    }
    clock_of::<2>();
    clock_of::<8>();
    clock_of::<24>();
    clock_of::<32>();
    clock_of::<33>();
    clock_of::<63>();
    clock_of::<64>();
}

#[test]
fn a_clock_of_impossible_bits_is_one_of_the_nearest_possible() {
    fn clock_of<const BITS: u32>() {
        let recorder = Recorder::<Bench<BITS>, 128, 3>::new();
        recorder.start();
        NOW.set(1);
        recorder.record(mark(1), 0);
        recorder.flush();
        let mut line = Line::default();
        recorder.drain(&mut line).expect("the line takes all");
        assert_eq!(events(&line), [Event { time: 1, thread: 0, kind: mark(1) }]);
    }
    clock_of::<0>();
    clock_of::<1>();
    clock_of::<65>();
    clock_of::<{ u32::MAX }>();
}

#[test]
fn scopes_nest_and_too_many_names_have_no_site() {
    let recorder = Recorder::<Bench, 128, 3, 2>::new();
    assert_eq!(recorder.site(), NO_SITE);
    {
        let _outer = recorder.scope("outer");
        assert_eq!(recorder.site(), 1);
        {
            let _inner = recorder.scope("inner");
            assert_eq!(recorder.site(), 2);
            {
                let _again = recorder.scope("outer");
                assert_eq!(recorder.site(), 1);
                let _third = recorder.scope("one too many");
                assert_eq!(recorder.site(), NO_SITE);
            }
            assert_eq!(recorder.site(), 2);
        }
        assert_eq!(recorder.site(), 1);
    }
    assert_eq!(recorder.site(), NO_SITE);
}

#[test]
fn definitions_come_first_and_new_scopes_alone_and_all_again_after_32_chunks_for_each_of_theirs() {
    // No two of them have room in a chunk.
    const FIRST: &str = "first of the scopes, by a name that is long";
    const SECOND: &str = "second of the scopes, by a name that is long";
    let recorder = Recorder::<Bench, 64, 2>::new();
    recorder.start();
    let mut line = Line::default();
    let mut send = |times: usize| {
        for at in 0..times {
            recorder.record(mark(at as u32), 0);
            recorder.flush();
            recorder.drain(&mut line).expect("the line takes all");
        }
    };
    send(33);
    for name in [FIRST, SECOND] {
        drop(recorder.scope(name));
    }
    // New ones took a chunk more than one, and all take three: so after 32 more, and after 96.
    send(63 + 96 + 1);
    let (first, second) = (&*format!("1 {FIRST}"), &*format!("2 {SECOND}"));
    let mut expected = vec!["session"];
    expected.extend(["1"; 32]);
    expected.extend(["session", "1", first, second]);
    expected.extend(["1"; 63]);
    expected.extend(["session", first, second]);
    expected.extend(["1"; 96]);
    expected.extend(["session", first, second, "1"]);
    assert_eq!(table_of_contents(&line), expected);
}

#[test]
fn names_take_as_many_chunks_as_they_need_and_too_long_ones_are_left_out() {
    let recorder = Recorder::<Bench, 96, 3, 40>::new();
    recorder.start();
    let long = "x".repeat(91).leak();
    let names: Vec<&'static str> =
        (0..30).map(|at| &*format!("scope number {at}").leak()).collect();
    for name in names.iter().chain([&&*long, &"last"]) {
        drop(recorder.scope(name));
    }
    recorder.record(mark(1), 0);
    recorder.flush();
    let mut line = Line::default();
    assert_eq!(recorder.drain(&mut line), Ok(1));
    let contents = table_of_contents(&line);
    let (last, definitions) = contents.split_last().expect("chunks");
    assert_eq!(last, "1");
    let mut expected = vec!["session".to_owned()];
    expected.extend(names.iter().enumerate().map(|(at, name)| format!("{} {name}", at + 1)));
    expected.push("32 last".to_owned());
    assert_eq!(definitions.join(", "), expected.join(", "));
    assert!(definitions.len() > 5);
}

#[test]
fn definitions_that_fit_a_buffer_are_sent() {
    for len in 0..130 {
        NAME.set("d".repeat(len).leak());
        let recorder = Recorder::<Bench, 128, 3>::new();
        NOW.set(1 << 63);
        recorder.start();
        recorder.record(EventKind::Alloc { address: 8, size: u64::MAX, site: 0 }, 0);
        recorder.flush();
        let mut line = Line::default();
        recorder.drain(&mut line).expect("the line takes all");
        let kinds: Vec<_> = chunks(&line)
            .iter()
            .map(|bytes| Chunk::parse(bytes, crc32).expect("a chunk").header.kind)
            .collect();
        match len {
            // The session's other fields take 12 bytes.
            0..=116 => assert_eq!(kinds, [ChunkKind::Definitions, ChunkKind::Events], "{len}"),
            _ => assert_eq!(kinds, [ChunkKind::Events], "{len}"),
        }
    }
}

#[test]
fn without_buffers_everything_is_counted() {
    let recorder = Recorder::<Bench, 100, 0>::new();
    recorder.start();
    recorder.record(mark(1), 0);
    let mut line = Line::default();
    recorder.send_totals(&mut line).expect("the line takes all");
    let totals = chunks(&line).pop().expect("a chunk");
    assert_eq!(Chunk::parse(&totals, crc32).expect("a chunk").header.losses.full, 1);
}

#[test]
fn waiting_loses_nothing_while_somebody_drains() {
    struct Patient;

    impl Device for Patient {
        const PLACEMENT: Placement = PLACEMENT;
        const WHEN_FULL: WhenFull =
            WhenFull::Wait { attempts: u32::MAX, relax: std::thread::yield_now };

        like_bench!();
    }

    static RECORDER: Recorder<Patient, 128, 2> = Recorder::new();
    RECORDER.start();
    let done = AtomicBool::new(false);
    let line = std::thread::scope(|scope| {
        let drain = scope.spawn(|| {
            let mut line = Line::default();
            loop {
                let last = done.load(Ordering::Acquire);
                RECORDER.drain(&mut line).expect("the line takes all");
                if last {
                    return line;
                }
                std::thread::yield_now();
            }
        });
        for at in 0..5000 {
            RECORDER.record(mark(at), 0);
        }
        // The last chunk may have to wait for a place as well.
        RECORDER.flush();
        std::thread::sleep(std::time::Duration::from_millis(20));
        done.store(true, Ordering::Release);
        drain.join().expect("the drain ends")
    });
    let marks: Vec<EventKind> = events(&line).iter().map(|event| event.kind).collect();
    assert!(marks.into_iter().eq((0..5000).map(mark)));
}

#[test]
fn waiting_in_vain_ends_after_so_many_looks() {
    struct Relaxed;

    impl Device for Relaxed {
        const PLACEMENT: Placement = PLACEMENT;
        const WHEN_FULL: WhenFull =
            WhenFull::Wait { attempts: 5, relax: || RELAXED.set(RELAXED.get() + 1) };

        like_bench!();
    }

    let recorder = Recorder::<Relaxed, 64, 2>::new();
    recorder.start();
    let mut accepted = 0;
    while RELAXED.get() == 0 {
        recorder.record(mark(accepted), 0);
        accepted += 1;
    }
    assert_eq!(RELAXED.get(), 5);
    recorder.record(mark(accepted), 0);
    assert_eq!(RELAXED.get(), 10);
    let mut line = Line::default();
    recorder.drain(&mut line).expect("the line takes all");
    recorder.record(mark(0), 0);
    recorder.flush();
    recorder.drain(&mut line).expect("the line takes all");
    assert_eq!(RELAXED.get(), 10);
    let last = event_chunks(&line).pop().expect("chunks");
    let header = Chunk::parse(&last, crc32).expect("a chunk").header;
    assert_eq!((header.losses.full, header.first_event), (2, u64::from(accepted) + 1));
}

#[test]
fn what_happens_within_the_recorder_is_not_recorded() {
    struct Recursive;

    impl Device for Recursive {
        const PLACEMENT: Placement = PLACEMENT;
        const CLOCK_BITS: u32 = 32;

        fn session() -> Session<'static> {
            SESSION
        }

        // A clock whose driver allocates.
        fn ticks() -> u64 {
            RECORDER.record(mark(99), 0);
            assert_eq!(RECORDER.site(), NO_SITE);
            5
        }
    }

    static RECORDER: Recorder<Recursive, 128, 2> = Recorder::new();
    RECORDER.start();
    RECORDER.record(mark(1), 0);
    RECORDER.flush();
    let mut line = Line::default();
    RECORDER.drain(&mut line).expect("the line takes all");
    assert_eq!(events(&line), [Event { time: 5, thread: 0, kind: mark(1) }]);
}
