//! A made-up device at the other end of a line, and what a bad line does to its bytes.

use std::collections::BTreeMap;

use heapwire::io::line::{Arrival, LineReader, LineState};
use heapwire::pipeline::parse::{CaptureVisitor, PartDecoder};
use heapwire_core::{
    Chunker, Event, EventKind, HeapTotals, Placement, Pushed, Rows, TinyTables, write_frame,
};

use crate::sample::Random;

/// Events of a device.
pub const EVENTS: usize = 1500;

/// What a device did, and what it sent.
#[derive(Debug)]
pub struct Sent {
    /// All events.
    pub events: Vec<Event>,
    /// The heap before each event, and after the last.
    pub totals: Vec<HeapTotals>,
    /// The bytes of its line.
    pub line: Vec<u8>,
}

fn frame(line: &mut Vec<u8>, chunk: Option<&[u8]>) {
    let written: Result<(), ()> = write_frame(chunk.expect("a chunk is ready"), |bytes| {
        line.extend_from_slice(bytes);
        Ok(())
    });
    written.expect("a vector takes every write");
}

/// A heap at work, recorded in chunks of 256 bytes; now and then some events are lost to full buffers.
#[must_use]
pub fn device(seed: u64) -> Sent {
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

/// Reads a line to its end and shows `visitor` what is in its chunks.
pub fn decode_line(line: &[u8], visitor: &mut impl CaptureVisitor) {
    let (mut reader, mut decoder) = (LineReader::new(line), PartDecoder::default());
    let mut state = LineState::Active;
    while state != LineState::Closed {
        let polled = reader.poll(|arrival| match arrival {
            Arrival::Chunk(chunk) => decoder.decode(chunk, 0, visitor),
            Arrival::Text { .. } | Arrival::Other(_) => Ok(()),
        });
        state = polled.expect("a slice can be read");
    }
}

/// Flips, drops, inserts and doubles bytes, about one place in so many.
#[must_use]
pub fn disturb(line: &[u8], every: usize, random: &mut Random) -> Vec<u8> {
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
