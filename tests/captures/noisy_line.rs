//! A line that flips, drops, inserts and doubles bytes: what comes out is right, what is missing is
//! counted, and the totals are exact wherever a chunk begins.

use std::collections::BTreeMap;

use heapwire::Result;
use heapwire::io::capture_reader::Damage;
use heapwire::io::line::{Arrival, LineReader, LineState};
use heapwire::pipeline::parse::{CaptureVisitor, PartDecoder};
use heapwire::trace::Item;
use heapwire::trace::continuity::Follows;
use heapwire::trace::replay::Replay;
use heapwire_core::{
    Chunk, Chunker, Event, EventKind, HeapTotals, Placement, Pushed, Rows, TinyTables, write_frame,
};
use heapwire_tests::sample::Random;

const EVENTS: usize = 1500;

/// What a device did, and what it sent.
struct Sent {
    events: Vec<Event>,
    /// The heap before each event, and after the last.
    totals: Vec<HeapTotals>,
    line: Vec<u8>,
}

fn frame(line: &mut Vec<u8>, chunk: Option<&[u8]>) {
    let written: std::result::Result<(), ()> =
        write_frame(chunk.expect("a chunk is ready"), |bytes| {
            line.extend_from_slice(bytes);
            Ok(())
        });
    written.expect("a vector takes every write");
}

/// A heap at work, recorded in chunks of 256 bytes; now and then some events are lost to full buffers.
fn device(seed: u64) -> Sent {
    let mut random = Random(seed);
    let mut sent = Sent { events: Vec::new(), totals: Vec::new(), line: Vec::new() };
    let mut chunker =
        Chunker::new([0; 256], Rows::new(), TinyTables::new(), Placement::EMBEDDED_32);
    let mut live: BTreeMap<u64, u64> = BTreeMap::new();
    let mut losing = 0;
    for number in 0..EVENTS as u64 {
        let address = 0x2000_0000 + 64 * number;
        let size = 1 + random.below(300) as u64;
        let site = 1 + random.below(20) as u32;
        let old = live.keys().nth(random.below(live.len().max(1))).copied();
        let (kind, freed) = match (old, random.below(10)) {
            (Some(old), 0..4) => {
                (EventKind::Free { address: old, site }, live.remove(&old).expect("live"))
            }
            (Some(old), 4) => {
                let freed = live.remove(&old).expect("live");
                live.insert(address, size);
                (EventKind::Realloc { old, address, size, site }, freed)
            }
            (_, 5) => (EventKind::FailedAlloc { size: 1 << 20, site }, 0),
            _ => {
                live.insert(address, size);
                (EventKind::Alloc { address, size, site }, 0)
            }
        };
        let event = Event { time: 17 * number, thread: 0, kind };
        sent.totals.push(chunker.position().totals);
        sent.events.push(event);
        if losing == 0 && chunker.push(&event, freed) == Pushed::Full {
            frame(&mut sent.line, chunker.seal());
            losing = if random.below(8) == 0 { random.below(40) } else { 0 };
            if losing == 0 {
                assert_eq!(chunker.push(&event, freed), Pushed::Written);
                continue;
            }
        }
        if losing > 0 {
            chunker.lose(&kind, freed);
            losing -= 1;
        }
    }
    if chunker.pending_events() > 0 {
        frame(&mut sent.line, chunker.seal());
    }
    sent.totals.push(chunker.position().totals);
    frame(&mut sent.line, chunker.seal_totals(17 * EVENTS as u64));
    sent
}

/// Flips, drops, inserts and doubles bytes, about one place in so many.
fn disturb(line: &[u8], every: usize, random: &mut Random) -> Vec<u8> {
    let mut noisy = Vec::with_capacity(line.len());
    for (at, &byte) in line.iter().enumerate() {
        match if random.below(every) == 0 { random.below(5) } else { 5 } {
            0 => noisy.push(byte ^ 1 << random.below(8)),
            1 => {}
            2 => noisy.extend([byte, random.number() as u8]),
            3 => noisy.extend([byte, byte]),
            // A whole stretch twice, as a modem that sends again.
            4 => noisy.extend_from_slice(&line[at.saturating_sub(random.below(600))..=at]),
            _ => noisy.push(byte),
        }
    }
    noisy
}

/// Compares what comes out of a line with what was sent.
struct Judge<'a> {
    sent: &'a Sent,
    replay: Replay,
    /// The number of the next event.
    next: u64,
    seen: u64,
    missing: u64,
}

impl CaptureVisitor for Judge<'_> {
    fn chunk(&mut self, chunk: &Chunk<'_>, _: u64, follows: Follows) -> Result<()> {
        let header = &chunk.header;
        match follows {
            Follows::Directly => assert_eq!(header.first_event, self.next),
            Follows::AfterGap(gap) => {
                assert_eq!(header.first_event, self.next + gap.events);
                self.missing += gap.events;
                self.replay.gap(gap.events);
            }
            Follows::Repeated => return Ok(()),
            Follows::Restart => panic!("the device was not started anew"),
        }
        self.next = header.first_event;
        let exact = self.sent.totals[header.first_event as usize];
        assert_eq!(header.totals, exact);
        self.replay.recorded(&header.totals);
        let told = self.replay.totals();
        assert_eq!(
            (told.allocations, told.frees, told.failed, told.bytes_in_use),
            (exact.allocations, exact.frees, exact.failed, exact.bytes_in_use)
        );
        Ok(())
    }

    fn item(&mut self, item: Item<'_>) -> Result<()> {
        if let Item::Event(event) = item {
            assert_eq!(event, self.sent.events[self.next as usize]);
            self.replay.event(&event);
            self.next += 1;
            self.seen += 1;
        }
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> Result<()> {
        panic!("a chunk with a right checksum does not decode: {damage:?}");
    }
}

/// Reads the line; returns events seen and missing, and the number behind the last event known of.
fn receive(sent: &Sent, line: &[u8]) -> (u64, u64, u64) {
    let mut judge = Judge { sent, replay: Replay::new(), next: 0, seen: 0, missing: 0 };
    let mut reader = LineReader::new(line);
    let mut decoder = PartDecoder::default();
    let mut state = LineState::Active;
    while state != LineState::Closed {
        let polled = reader.poll(|arrival| match arrival {
            Arrival::Chunk(chunk) => decoder.decode(chunk, 0, &mut judge),
            Arrival::Text(_) | Arrival::Other(_) => Ok(()),
        });
        state = polled.expect("a slice can be read");
    }
    (judge.seen, judge.missing, judge.next)
}

#[test]
fn nothing_wrong_comes_out_and_every_gap_is_counted() {
    let mut seen_in_all = 0;
    for seed in 0..1000 {
        let sent = device(seed % 20);
        let mut random = Random(1000 + seed);
        let every = [100, 300, 1000, 5000][seed as usize % 4];
        let noisy = disturb(&sent.line, every, &mut random);
        let (seen, missing, next) = receive(&sent, &noisy);
        assert_eq!(seen + missing, next, "seed {seed}");
        seen_in_all += seen;
    }
    assert!(seen_in_all > 100 * EVENTS as u64, "{seen_in_all} events are too few to tell anything");
}

#[test]
fn attaching_anywhere_works_from_the_next_whole_chunk() {
    let sent = device(3);
    let (all, lost, end) = receive(&sent, &sent.line);
    assert!(all + lost == EVENTS as u64 && end == EVENTS as u64 && lost > 0);
    for start in (0..sent.line.len()).step_by(7) {
        let (seen, missing, next) = receive(&sent, &sent.line[start..]);
        assert_eq!(seen + missing, next);
        // A frame that begins behind the attaching point arrives, and the last one tells of the end.
        let delimiters = sent.line[start..].iter().filter(|byte| **byte == 0).count();
        assert!(delimiters < 2 || next == EVENTS as u64, "attached at {start}");
    }
}
