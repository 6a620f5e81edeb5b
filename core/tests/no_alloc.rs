//! Nothing in this crate allocates. A binary of its own, for the allocator that counts.
#![allow(unsafe_code, reason = "`GlobalAlloc` is an unsafe trait")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use heapwire_core::{
    Chunk, Chunker, Columns, Decoder, Definition, Definitions, Deframed, Deframer, Lanes, Name,
    NameKind, Placement, Pushed, Rows, TinyTables, crc32, put_definition, write_frame,
};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's heap; it counts what each thread asks for.
struct Counting;

// SAFETY: every call goes to the system's allocator with the caller's own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises for this call are the inner call's conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        unsafe { System.dealloc(block, layout) };
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

/// Runs `work`, which must not allocate.
fn without_allocating<R>(what: &str, work: impl FnOnce() -> R) -> R {
    let before = ALLOCATIONS.get();
    let result = work();
    assert_eq!(ALLOCATIONS.get() - before, 0, "{what}");
    result
}

const PLACEMENT: Placement = Placement::EMBEDDED_32;

/// One chunk's way from events to events: sealed, framed, deframed, parsed, decoded.
fn whole_way<L: Lanes>(lanes: L, events: &[support::Freeing], line: &mut [u8]) -> usize {
    let mut chunker = Chunker::new([0; 256], lanes, TinyTables::new(), PLACEMENT);
    let mut deframer = Deframer::new([0; 300]);
    let mut chunks = 0;
    let mut rest = events;
    while let Some(((event, freed), after)) = rest.split_first() {
        let full = chunker.push(event, *freed) != Pushed::Written;
        if !full {
            rest = after;
        }
        if !full && !rest.is_empty() {
            continue;
        }
        let sealed = chunker.seal().expect("events");
        let mut len = 0;
        let framed: Result<(), ()> = write_frame(sealed, |bytes| {
            line[len..len + bytes.len()].copy_from_slice(bytes);
            len += bytes.len();
            Ok(())
        });
        framed.expect("written");
        let (_, found) = deframer.push(&line[..len]);
        let Deframed::Frame(content) = found else { panic!("no frame") };
        let chunk = Chunk::parse(content, crc32).expect("a chunk");
        let decoder = Decoder::new(&chunk, TinyTables::new()).expect("events");
        assert!(decoder.fold(0, |count, event| count + usize::from(event.is_ok())) > 0);
        chunks += 1;
    }
    assert!(chunker.seal_totals(5).is_some());
    chunks
}

#[test]
fn from_events_to_events_nothing_is_allocated() {
    let events = support::program(41, 400, PLACEMENT);
    let mut line = [0; 400];
    let mut way = |what, lanes: &dyn Fn(&mut [u8]) -> usize| {
        let chunks = without_allocating(what, || lanes(&mut line));
        assert!(chunks > 5);
    };
    way("rows", &|line| whole_way(Rows::new(), &events, line));
    way("columns", &|line| whole_way(Columns::new(), &events, line));
}

#[test]
fn definitions_allocate_nothing() {
    without_allocating("definitions", || {
        let chunker = Chunker::new([0; 0], Rows::new(), TinyTables::new(), PLACEMENT);
        let name = Definition::Name(Name { kind: NameKind::Thread, id: 3, text: "idle" });
        let (mut payload, mut chunk) = ([0; 64], [0; 128]);
        let len = put_definition(&mut payload, &name).expect("fits");
        let len = chunker.emit_definitions(&mut chunk, 1, &payload[..len]).expect("fits");
        let chunk = Chunk::parse(&chunk[..len], crc32).expect("a chunk");
        assert!(Definitions::new(&chunk).expect("definitions").eq([Ok(name)]));
    });
}

#[test]
fn errors_allocate_nothing() {
    let event = support::program(42, 1, PLACEMENT)[0];
    without_allocating("errors", || {
        assert!(Chunk::parse(&[0xB1; 40], crc32).is_err());
        let mut chunker = Chunker::new([0; 8], Columns::new(), TinyTables::new(), PLACEMENT);
        assert_eq!(chunker.push(&event.0, 0), Pushed::TooLarge);
        chunker.lose(&event.0.kind, 0);
        assert_eq!(Deframer::new([0; 2]).push(b"text"), (2, Deframed::Stray(b"te")));
    });
}

#[cfg(feature = "embedded-io")]
#[test]
fn a_recorder_allocates_nothing() {
    use heapwire_core::{Device, Event, FrameSender, Recorder, Session};

    struct Bench;

    impl Device for Bench {
        const PLACEMENT: Placement = PLACEMENT;

        fn session() -> Session<'static> {
            Session { device: "d", build: "b", ticks_per_second: 1, address_bits: 32 }
        }

        fn ticks() -> u64 {
            0
        }
    }

    let events: Vec<Event> =
        support::program(43, 300, PLACEMENT).into_iter().map(|(event, _)| event).collect();
    let mut line = vec![0; 1 << 16];
    // The standard library's critical section may set itself up on first use.
    let warm_up = Recorder::<Bench, 128, 3>::new();
    warm_up.flush();
    without_allocating("recorder", || {
        let recorder = Recorder::<Bench, 128, 3>::new();
        let mut link = &mut line[..];
        recorder.start();
        for (at, event) in events.iter().enumerate() {
            let _scope = recorder.scope(["net", "ui"][at % 2]);
            recorder.record(event.kind, 8);
            if at % 50 == 0 {
                recorder.drain(&mut link).expect("room");
            }
        }
        recorder.flush();
        assert!(recorder.drain(&mut link).expect("room") > 0);
        // An interrupt's drain, and a panic handler's.
        recorder.gauge("queue", 3);
        recorder.mark("booted");
        recorder.name_thread(1, "idle");
        recorder.flush();
        assert!(FrameSender::new(&recorder).fill(&mut [0; 40]) > 0);
        assert_eq!(recorder.last_words(&mut link), Ok(true));
        recorder.start();
        // A link that refuses.
        recorder.record(events[0].kind, 0);
        recorder.flush();
        assert!(recorder.drain(&mut &mut [0; 3][..]).is_err());
    });
}
