//! What a recorder sends besides its events, and what it sends instead of them.
#![cfg(all(feature = "embedded-io", feature = "alloc-hook"))]

mod support;

use std::cell::Cell;

use heapwire_core::{
    ChunkHeader, Detail, Device, Event, EventKind, HeapObserver, HeapTotals, NameKind, Placement,
    Recorder, Session, WhenFull,
};
use support::received::Received;
use support::{Freeing, Line};

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static STARTS: Cell<u32> = const { Cell::new(0) };
    static SEALED: Cell<u32> = const { Cell::new(0) };
}

const SESSION: Session<'static> =
    Session { device: "thermostat", build: "1.4.2", ticks_per_second: 1_000, address_bits: 32 };

/// A device with a clock of 8 bits that stands until it is set.
struct Bench;

impl Device for Bench {
    const PLACEMENT: Placement = Placement::EMBEDDED_32;
    const CLOCK_BITS: u32 = 8;
    const STREAM: u32 = 1;

    fn session() -> Session<'static> {
        SESSION
    }

    fn epoch() -> u32 {
        STARTS.set(STARTS.get() + 1);
        STARTS.get() + 40
    }

    fn ticks() -> u64 {
        NOW.get() & 0xFF
    }

    fn sealed() {
        SEALED.set(SEALED.get() + 1);
    }
}

/// The same, and the oldest chunk gives way.
struct Newest;

impl Device for Newest {
    const PLACEMENT: Placement = Placement::EMBEDDED_32;
    const WHEN_FULL: WhenFull = WhenFull::Overwrite;

    fn session() -> Session<'static> {
        SESSION
    }

    fn ticks() -> u64 {
        NOW.get()
    }
}

fn drained<D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize>(
    recorder: &Recorder<D, SIZE, BUFFERS, NAMES>,
) -> Received {
    let mut line = Line::default();
    recorder.flush();
    recorder.drain(&mut line).expect("the line takes all");
    Received::new(&line.bytes)
}

fn kinds(received: &Received) -> Vec<EventKind> {
    received.events.iter().map(|event| event.kind).collect()
}

fn mark(mark: u32) -> EventKind {
    EventKind::Mark { mark }
}

#[test]
fn chunks_tell_their_stream_and_epoch_which_is_asked_once() {
    let recorder = Recorder::<Bench, 128, 3>::new();
    assert_eq!(STARTS.get(), 0);
    recorder.start();
    recorder.stop();
    recorder.start();
    assert_eq!(STARTS.get(), 1);
    recorder.record(mark(1), 0);
    let mut line = Line::default();
    recorder.flush();
    recorder.drain(&mut line).expect("the line takes all");
    recorder.send_totals(&mut line).expect("the line takes all");
    let received = Received::new(&line.bytes);
    assert_eq!(received.headers.len(), 2);
    assert!(received.headers.iter().all(|header| (header.stream, header.epoch) == (1, 41)));
}

#[test]
fn gauges_marks_and_threads_have_names_beside_those_of_scopes() {
    let recorder = Recorder::<Bench, 200, 3, 6>::new();
    recorder.start();
    {
        let _scope = recorder.scope("net");
        recorder.gauge("largest free block", 1 << 40);
        recorder.mark("booted");
        // The same words for other things.
        recorder.gauge("net", -3);
        recorder.allocated(0x100, 8);
    }
    recorder.gauge("largest free block", 7);
    recorder.name_thread(0, "idle");
    recorder.name_thread(8_000, "radio");
    let received = drained(&recorder);
    let alloc = EventKind::Alloc { address: 0x100, size: 8, site: 1 };
    let gauge = |gauge, value| EventKind::Gauge { gauge, value };
    assert_eq!(kinds(&received), [gauge(2, 1 << 40), mark(3), gauge(4, -3), alloc, gauge(2, 7)]);
    let names = [
        (NameKind::Scope, 1, "net"),
        (NameKind::Gauge, 2, "largest free block"),
        (NameKind::Mark, 3, "booted"),
        (NameKind::Gauge, 4, "net"),
        (NameKind::Thread, 0, "idle"),
        (NameKind::Thread, 8_000, "radio"),
    ];
    assert_eq!(received.names, names.map(|(kind, id, name)| (kind, id, name.to_owned())));
}

#[test]
fn scopes_may_be_entered_and_left_without_a_guard() {
    let recorder = Recorder::<Bench, 128, 3>::new();
    let outermost = recorder.enter_scope("net");
    let outer = recorder.enter_scope("parse");
    assert_eq!((outermost, outer, recorder.site()), (0, 1, 2));
    recorder.leave_scope(outer);
    assert_eq!(recorder.site(), 1);
    recorder.leave_scope(outermost);
    assert_eq!(recorder.site(), 0);
}

#[test]
fn names_without_a_place_are_numbers_and_a_thread_may_be_named_anew() {
    let recorder = Recorder::<Bench, 200, 3, 2>::new();
    recorder.start();
    recorder.name_thread(5, "boot");
    recorder.mark("known");
    recorder.mark("one too many");
    recorder.gauge("another", 1);
    recorder.name_thread(6, "no place");
    recorder.name_thread(u32::MAX, "too large a number");
    let received = drained(&recorder);
    assert_eq!(kinds(&received), [mark(2), mark(0), EventKind::Gauge { gauge: 0, value: 1 }]);
    let known = (NameKind::Mark, 2, "known".to_owned());
    assert_eq!(received.names, [(NameKind::Thread, 5, "boot".to_owned()), known.clone()]);
    recorder.name_thread(5, "shell");
    recorder.mark("known");
    recorder.flush();
    let mut line = Line::default();
    recorder.drain(&mut line).expect("the line takes all");
    let received = Received::from(&line.bytes, 3, 0);
    assert_eq!(received.names, [(NameKind::Thread, 5, "shell".to_owned()), known]);
}

#[test]
fn with_totals_only_the_gaps_have_sizes_and_the_totals_are_exact() {
    let recorder = Recorder::<Bench, 128, 8>::new();
    recorder.start();
    let program: Vec<Freeing> = support::program(77, 4000, Bench::PLACEMENT);
    let (mut line, mut totals, mut time) = (Line::default(), HeapTotals::default(), 0);
    let (mut recorded, mut sent): (Vec<Event>, u64) = (Vec::new(), 0);
    for (part, events) in program.chunks(100).enumerate() {
        let detail = if part % 3 == 0 { Detail::Events } else { Detail::Totals };
        recorder.set_detail(detail);
        for freeing in events {
            // The clock wraps every 256 ticks.
            time += 9;
            NOW.set(time);
            recorder.record(freeing.0.kind, freeing.1);
            support::count(&mut totals, freeing);
            if detail == Detail::Events {
                recorded.push(Event { time, thread: 0, kind: freeing.0.kind });
            }
        }
        recorder.flush();
        sent += recorder.drain(&mut line).expect("the line takes all") as u64;
        if detail == Detail::Totals {
            let received = Received::new(&line.bytes);
            let header = received.last();
            assert_eq!((header.events, header.totals, header.time), (0, totals, time));
            assert_eq!(header.losses.full + recorded.len() as u64, header.first_event);
            assert_eq!(header.first_event as usize, (part + 1) * 100);
        }
    }
    let received = Received::new(&line.bytes);
    assert!(received.events == recorded);
    let (with, without): (Vec<&ChunkHeader>, Vec<_>) =
        received.headers.iter().partition(|header| header.events > 0);
    // A chunk without events for each part of totals, which is not counted as sent.
    assert_eq!((with.len() as u64, without.len()), (sent, 26));
}

#[test]
fn the_detail_may_be_chosen_before_the_start_and_survives_a_stop() {
    let recorder = Recorder::<Bench, 128, 3>::new();
    recorder.set_detail(Detail::Totals);
    recorder.record(mark(1), 0);
    assert!(drained(&recorder).headers.is_empty());
    recorder.start();
    recorder.record(mark(2), 0);
    recorder.stop();
    recorder.record(mark(3), 0);
    recorder.start();
    recorder.record(mark(4), 0);
    let received = drained(&recorder);
    assert_eq!(received.sessions, 1);
    assert_eq!((received.last().events, received.last().losses.full), (0, 2));
    recorder.set_detail(Detail::Events);
    recorder.record(mark(5), 0);
    // A drain that comes late still finds the totals that were asked for.
    let sealed = SEALED.get();
    recorder.set_detail(Detail::Totals);
    recorder.flush();
    assert_eq!(SEALED.get(), sealed + 2);
    let mut line = Line::default();
    assert_eq!(recorder.drain(&mut line), Ok(1));
    let received = Received::from(&line.bytes, 2, 2);
    assert_eq!(kinds(&received), [mark(5)]);
    assert_eq!(received.headers.len(), 2);
}

#[test]
fn totals_that_were_sent_do_not_repeat_definitions() {
    let recorder = Recorder::<Bench, 128, 3>::new();
    recorder.start();
    let mut line = Line::default();
    for at in 0..5 {
        recorder.record(mark(at), 0);
        recorder.flush();
        recorder.drain(&mut line).expect("the line takes all");
        recorder.send_totals(&mut line).expect("the line takes all");
    }
    assert_eq!(Received::new(&line.bytes).sessions, 1);
    // Totals that were refused: then the definitions may not have got through either.
    line.refuses_after = Some(line.bytes.len() + 7);
    assert!(recorder.send_totals(&mut line).is_err());
    let mut line = Line::default();
    recorder.record(mark(5), 0);
    recorder.flush();
    recorder.drain(&mut line).expect("the line takes all");
    assert_eq!(Received::from(&line.bytes, 5, 0).sessions, 1);
}

#[test]
fn the_oldest_chunks_give_way_and_are_counted() {
    let recorder = Recorder::<Newest, 96, 3>::new();
    recorder.start();
    let program: Vec<Freeing> = support::program(78, 5000, Newest::PLACEMENT);
    let (mut line, mut totals, mut recorded) = (Line::default(), HeapTotals::default(), 0);
    // For how long nobody drains.
    for burst in [5, 1000, 3, 400, 1, 1, 90, 800, 7] {
        for freeing in &program[recorded..recorded + burst] {
            NOW.set(freeing.0.time);
            recorder.record(freeing.0.kind, freeing.1);
            support::count(&mut totals, freeing);
        }
        recorded += burst;
        recorder.flush();
        recorder.drain(&mut line).expect("the line takes all");
        let received = Received::new(&line.bytes);
        // What came last has come.
        let newest = program[recorded - 1].0;
        let last = received.events.last().expect("events");
        assert_eq!((last.time, last.kind), (newest.time, newest.kind));
        let (header, events) = (received.last(), received.events.len() as u64);
        assert_eq!(header.first_event + u64::from(header.events), recorded as u64);
        assert_eq!(header.losses.full + events, recorded as u64);
        recorder.send_totals(&mut line).expect("the line takes all");
        let received = Received::new(&line.bytes);
        assert_eq!(received.last().totals, totals);
    }
    let received = Received::new(&line.bytes);
    assert!(received.events.len() < recorded);
    let mut happened = program.iter().map(|(event, _)| (event.time, event.kind));
    assert!(kinds(&received).len() > 100);
    let mut came = received.events.iter().map(|event| (event.time, event.kind));
    assert!(came.all(|event| happened.any(|other| other == event)));
}

#[test]
fn overwriting_without_buffers_or_with_one_counts_everything() {
    let none = Recorder::<Newest, 96, 0>::new();
    none.start();
    none.record(mark(1), 0);
    let mut line = Line::default();
    none.send_totals(&mut line).expect("the line takes all");
    assert_eq!(Received::new(&line.bytes).last().losses.full, 1);
    let one = Recorder::<Newest, 64, 1>::new();
    one.start();
    for at in 0..1000 {
        one.record(mark(at), 0);
    }
    let received = drained(&one);
    assert_eq!(kinds(&received).last(), Some(&mark(999)));
    assert_eq!(received.last().losses.full + received.events.len() as u64, 1000);
}
