//! The recorder: what hooks report is what a reader of the line gets, and what is lost is counted.
#![cfg(all(feature = "embedded-io", feature = "alloc-hook"))]
#![allow(unsafe_code, reason = "an allocator's methods are called as a program calls them")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use heapwire_core::{
    Chunk, ChunkKind, Clock, Decoder, Definition, Definitions, Event, EventKind, HeapTotals,
    NO_SITE, Name, NameKind, Placement, Recorder, Session, TinyTables, TrackedHeap, WhenFull,
    crc32,
};
use support::{Freeing, Line};

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static RELAXED: Cell<u32> = const { Cell::new(0) };
}

/// A clock that stands until it is set. Each test has its own, since each has its own thread.
fn ticks() -> u64 {
    NOW.get()
}

const CLOCK: Clock = Clock::new(ticks, 64);
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
    let recorder = Recorder::<256, 3>::new(CLOCK, Placement::GLIBC_64).with_thread(|| 7);
    let heap = TrackedHeap::new(System, &recorder);
    let layout = |size| Layout::from_size_align(size, 8).expect("valid");
    recorder.start(SESSION);
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
    let recorder = Recorder::<128, 2>::new(CLOCK, PLACEMENT);
    let mut line = Line::default();
    recorder.record(mark(1), 0);
    recorder.flush();
    assert_eq!(recorder.drain(&mut line), Ok(0));
    recorder.start(SESSION);
    recorder.record(mark(2), 0);
    recorder.stop();
    recorder.record(mark(3), 0);
    recorder.flush();
    assert_eq!(recorder.drain(&mut line), Ok(1));
    assert_eq!(events(&line), [Event { time: 0, thread: 0, kind: mark(2) }]);
}

#[test]
fn events_lost_to_full_buffers_are_counted_and_totals_stay_exact() {
    let recorder = Recorder::<128, 2>::new(CLOCK, PLACEMENT);
    recorder.start(SESSION);
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
        let recorder = Recorder::<128, 3>::new(CLOCK, PLACEMENT);
        recorder.start(SESSION);
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
    for refuses_after in 0..all {
        let mut line = Line { refuses_after: Some(refuses_after), ..Line::default() };
        let back = scenario(&mut line);
        assert_eq!(back, refuses_after);
        let got = event_chunks(&line);
        let last = Chunk::parse(got.last().expect("chunks"), crc32).expect("a chunk").header;
        assert_eq!((last.first_event, last.sequence), (3, 3));
        // One chunk of one event; it may have come whole but for the delimiter.
        assert_eq!(last.losses.link, 1, "refused after {refuses_after} bytes");
        assert!(got.len() == 3 || got.len() == 4, "refused after {refuses_after} bytes");
        let defined = |entry: &String| entry == "session, 1 sensors";
        assert!(table_of_contents(&line).iter().any(defined), "after {refuses_after} bytes");
    }
}

#[test]
fn clocks_wrap_and_step_back() {
    for bits in [2, 8, 24, 32, 63, 64] {
        let mask = u64::MAX >> (64 - bits);
        for start in [0, mask / 2, mask - mask / 4, mask] {
            let recorder = Recorder::<256, 8>::new(Clock::new(ticks, bits), PLACEMENT);
            NOW.set(start);
            recorder.start(SESSION);
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
            assert_eq!(times, expected, "{bits} bits from {start}");
        }
    }
}

#[test]
fn a_clock_of_impossible_bits_is_one_of_the_nearest_possible() {
    for bits in [0, 1, 65, u32::MAX] {
        let recorder = Recorder::<128, 2>::new(Clock::new(ticks, bits), PLACEMENT);
        recorder.start(SESSION);
        NOW.set(1);
        recorder.record(mark(1), 0);
        recorder.flush();
        let mut line = Line::default();
        recorder.drain(&mut line).expect("the line takes all");
        assert_eq!(events(&line), [Event { time: 1, thread: 0, kind: mark(1) }]);
    }
}

#[test]
fn scopes_nest_and_too_many_names_have_no_site() {
    let recorder = Recorder::<128, 2, 2>::new(CLOCK, PLACEMENT);
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
fn definitions_come_first_with_new_scopes_and_every_eight_chunks() {
    let recorder = Recorder::<128, 2>::new(CLOCK, PLACEMENT);
    recorder.start(SESSION);
    let mut line = Line::default();
    let mut send = |kind| {
        recorder.record(kind, 0);
        recorder.flush();
        recorder.drain(&mut line).expect("the line takes all");
    };
    for at in 0..10 {
        send(mark(at));
    }
    let scope = recorder.scope("late");
    for at in 0..2 {
        send(mark(at));
    }
    drop(scope);
    let eight = ["1"; 8];
    let mut expected = vec!["session"];
    expected.extend(eight);
    expected.extend(["session", "1", "1"]);
    expected.extend(["session, 1 late", "1", "1"]);
    assert_eq!(table_of_contents(&line), expected);
}

#[test]
fn names_take_as_many_chunks_as_they_need_and_too_long_ones_are_left_out() {
    let recorder = Recorder::<96, 2, 40>::new(CLOCK, PLACEMENT);
    recorder.start(SESSION);
    let long = "x".repeat(90).leak();
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
fn definitions_find_room_beside_the_longest_counters() {
    for len in 0..90 {
        let device: &'static str = "d".repeat(len).leak();
        let recorder = Recorder::<128, 2>::new(CLOCK, PLACEMENT);
        NOW.set(1 << 63);
        recorder.start(Session { device, ..SESSION });
        recorder.record(EventKind::Alloc { address: 8, size: u64::MAX, site: 0 }, 0);
        recorder.flush();
        let mut line = Line::default();
        recorder.drain(&mut line).expect("the line takes all");
        let kinds: Vec<_> = chunks(&line)
            .iter()
            .map(|bytes| Chunk::parse(bytes, crc32).expect("a chunk").header.kind)
            .collect();
        match len {
            // Header and checksum take 45 bytes, the session's other fields 11.
            0..=72 => assert_eq!(kinds, [ChunkKind::Definitions, ChunkKind::Events], "{len}"),
            _ => assert_eq!(kinds, [ChunkKind::Events], "{len}"),
        }
    }
}

#[test]
fn buffers_too_small_for_anything_lose_everything_and_nothing_else() {
    fn lose_all<const SIZE: usize>() {
        let recorder = Recorder::<SIZE, 1>::new(CLOCK, PLACEMENT);
        recorder.start(SESSION);
        for at in 0..5 {
            let _scope = recorder.scope("scope");
            recorder.record(mark(at), 0);
        }
        recorder.flush();
        let mut line = Line::default();
        assert_eq!(recorder.drain(&mut line), Ok(0));
        assert!(line.bytes.is_empty());
    }
    lose_all::<0>();
    lose_all::<1>();
    lose_all::<7>();
    lose_all::<17>();
    lose_all::<19>();
}

#[test]
fn waiting_loses_nothing_while_somebody_drains() {
    static RECORDER: Recorder<128, 1> = Recorder::new(CLOCK, PLACEMENT)
        .with_when_full(WhenFull::Wait { attempts: u32::MAX, relax: std::thread::yield_now });
    RECORDER.start(SESSION);
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
    let wait = WhenFull::Wait { attempts: 5, relax: || RELAXED.set(RELAXED.get() + 1) };
    let recorder = Recorder::<64, 1>::new(CLOCK, PLACEMENT).with_when_full(wait);
    recorder.start(SESSION);
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
    static RECORDER: Recorder<128, 1> = Recorder::new(
        Clock::new(
            || {
                // A clock whose driver allocates.
                RECORDER.record(mark(99), 0);
                assert_eq!(RECORDER.site(), NO_SITE);
                5
            },
            32,
        ),
        PLACEMENT,
    );
    RECORDER.start(SESSION);
    RECORDER.record(mark(1), 0);
    RECORDER.flush();
    let mut line = Line::default();
    RECORDER.drain(&mut line).expect("the line takes all");
    assert_eq!(events(&line), [Event { time: 5, thread: 0, kind: mark(1) }]);
}
