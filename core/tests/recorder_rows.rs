//! The hook has a way of its own to write events, short and quick. What it writes is what all others write.
#![cfg(feature = "embedded-io")]

mod support;

use std::cell::Cell;

use heapwire_core::{
    Chunk, ChunkKind, Chunker, Device, Event, EventKind, Placement, Pushed, Recorder, Rows,
    Session, TinyTables, crc32,
};
use support::{Line, Random};

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static THREAD: Cell<u32> = const { Cell::new(0) };
}

/// A device that tells threads apart and has a clock of 64 bits.
struct Busy;

impl Device for Busy {
    const PLACEMENT: Placement = Placement::EMBEDDED_32;

    fn session() -> Session<'static> {
        Session { device: "busy", build: "1", ticks_per_second: 1_000, address_bits: 32 }
    }

    fn ticks() -> u64 {
        NOW.get()
    }

    fn thread() -> Option<u32> {
        Some(THREAD.get())
    }
}

/// Events of all kinds, some of them about the same blocks, with steps of time and changes of threads between them.
struct Events {
    random: Random,
    blocks: Vec<u64>,
}

impl Events {
    fn new(seed: u64) -> Self {
        Self { random: Random(seed), blocks: vec![0x2000_0000] }
    }

    /// What happens next; the clock and the thread go on to there.
    fn next(&mut self) -> EventKind {
        let Self { random, blocks } = self;
        let near = blocks[random.below(blocks.len() as u64) as usize];
        let any = [near, near + 8 * random.below(40), random.below(1 << 32), 0];
        let address = any[random.below(20).min(3) as usize];
        let (size, site) = (random.below(300), random.below(4) as u32);
        let old = blocks[random.below(blocks.len() as u64) as usize];
        blocks.push(address);
        let step = random.below(2000) << (33 * (random.below(50) / 49));
        let forward = random.below(20) > 0;
        NOW.set(if forward { NOW.get() + step } else { NOW.get().saturating_sub(step) });
        THREAD.set(THREAD.get() ^ u32::from(random.below(9) == 0));
        match random.below(15) {
            0..5 => EventKind::Alloc { address, size, site },
            5..9 => EventKind::Free { address: old, site },
            9 => EventKind::Realloc { old, address: old, size, site },
            10 => EventKind::Realloc { old, address, size, site },
            11 => EventKind::FailedAlloc { size: size << random.below(50), site },
            12 => EventKind::Gauge { gauge: site, value: address.cast_signed() - (1 << 31) },
            13 => EventKind::Mark { mark: site },
            _ => EventKind::Name { address, variable: site, type_name: 3 },
        }
    }
}

#[test]
fn the_hook_writes_what_a_chunker_writes() {
    let placement = Placement::EMBEDDED_32;
    for seed in 1..100 {
        let recorder: Recorder<Busy, 8000, 1> = Recorder::new();
        NOW.set(seed << 33);
        recorder.start();
        let mut chunker =
            Chunker::new(vec![0; 9000], Rows::new(), TinyTables::<u64>::empty(), placement);
        let mut events = Events::new(seed);
        for _ in 0..200 {
            let kind = events.next();
            recorder.record(kind, 0);
            let event = Event { time: NOW.get(), thread: THREAD.get(), kind };
            assert_eq!(chunker.push(&event, 0), Pushed::Written);
        }
        let mut line = Line::default();
        recorder.flush();
        recorder.drain(&mut line).expect("the line takes all");
        let sealed = chunker.seal().expect("events").to_vec();
        let expected = Chunk::parse(&sealed, crc32).expect("a chunk").payload;
        let frames = support::deframe(&line.bytes, std::iter::empty(), 9000);
        let chunks = frames.iter().map(|frame| Chunk::parse(frame, crc32).expect("a chunk"));
        let events = chunks.filter(|chunk| chunk.header.kind == ChunkKind::Events);
        assert_eq!(events.map(|chunk| chunk.payload).collect::<Vec<_>>(), [expected]);
    }
}

/// Records events in buffers of `SIZE` bytes. How many are lost.
fn lost_in_buffers<const SIZE: usize>(count: usize) -> u64 {
    let recorder: Recorder<Busy, SIZE, 4> = Recorder::new();
    recorder.start();
    let (mut events, mut told, mut line) = (Events::new(6), Vec::new(), Line::default());
    for _ in 0..count {
        let kind = events.next();
        recorder.record(kind, 0);
        told.push(Event { time: NOW.get(), thread: THREAD.get(), kind });
        recorder.drain(&mut line).expect("the line takes all");
    }
    recorder.flush();
    recorder.send_totals(&mut line).expect("the line takes all");
    let (mut came, mut lost) = (0, 0);
    for frame in support::deframe(&line.bytes, std::iter::empty(), SIZE + 100) {
        let header = Chunk::parse(&frame, crc32).expect("a chunk").header;
        if header.kind == ChunkKind::Events {
            let events = support::decode(&frame);
            let first = header.first_event as usize;
            assert_eq!(events, told[first..first + events.len()]);
            came += events.len();
            lost = header.losses.full;
        }
    }
    assert_eq!(came as u64 + lost, count as u64);
    lost
}

#[test]
fn at_the_end_of_a_chunk_events_go_to_the_next() {
    assert_eq!(lost_in_buffers::<64>(5000), 0);
    assert_eq!(lost_in_buffers::<100>(5000), 0);
    assert_eq!(lost_in_buffers::<216>(5000), 0);
}
