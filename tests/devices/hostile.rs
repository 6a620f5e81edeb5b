//! The firmware's own stream over a line that is as bad as lines get, a thousand times: not one wrong event.

use std::collections::HashMap;

use heapwire::io::capture_reader::Damage;
use heapwire::io::line::{Arrival, LineReader, LineState};
use heapwire::pipeline::parse::CaptureVisitor;
use heapwire::pipeline::receive::{Received, Receiver};
use heapwire::plan::CapturePlan;
use heapwire::trace::Item;
use heapwire::trace::continuity::Follows;
use heapwire::trace::symbols::Symbols;
use heapwire::{IntegratedConfig, Result};
use heapwire_core::{Chunk, ChunkKind, Definition, Event, EventKind, HeapTotals, Name, NameKind};
use heapwire_tests::device::{decode_line, disturb};
use heapwire_tests::sample::Random;

use crate::image::image;

const RUNS: u64 = 1000;

/// What a clean line brings: each event by its epoch and number, and the heap wherever a chunk begins.
#[derive(Default)]
struct Truth {
    events: HashMap<(u32, u64), Event>,
    totals: HashMap<(u32, u64), HeapTotals>,
    /// Events of each epoch.
    counts: HashMap<u32, u64>,
    /// What its numbers stand for.
    names: HashMap<(u32, NameKind, u32), String>,
    epoch: u32,
    /// The number of the next event.
    next: u64,
}

/// What came of a line.
#[derive(Default)]
struct Came {
    events: u64,
    chunks: u64,
    restarts: u64,
    /// By epoch: events seen or known to be missing, of which the last chunk told.
    known: HashMap<u32, u64>,
}

fn receiver() -> Receiver<Vec<u8>> {
    let plan = CapturePlan::try_from(&IntegratedConfig::balanced()).unwrap();
    Receiver::new(Vec::new(), CapturePlan { threads: 1, ..plan }).unwrap()
}

/// Reads a line; `each` gets every chunk that is new, its epoch, and its events.
fn receive(line: &[u8], mut each: impl FnMut(&Chunk<'_>, Received, &[Event], &Receiver<Vec<u8>>)) {
    let mut receiver = receiver();
    let mut reader = LineReader::new(line);
    let mut state = LineState::Active;
    while state != LineState::Closed {
        let polled = reader.poll(|arrival| {
            if let Arrival::Chunk(chunk) = arrival {
                let mut events = Vec::new();
                let received = receiver.chunk(chunk, |event| events.push(*event))?;
                each(chunk, received, &events, &receiver);
            }
            Ok(())
        });
        state = polled.unwrap();
    }
    receiver.finish().unwrap();
}

impl CaptureVisitor for Truth {
    fn chunk(&mut self, chunk: &Chunk<'_>, _: u64, follows: Follows) -> Result<()> {
        assert!(matches!(follows, Follows::Directly | Follows::Restart), "{follows:?}");
        let header = &chunk.header;
        (self.epoch, self.next) = (header.epoch, header.first_event);
        if header.kind == ChunkKind::Events {
            self.totals.insert((header.epoch, header.first_event), header.totals);
            let count = header.first_event + u64::from(header.events);
            self.counts.insert(header.epoch, count);
        }
        Ok(())
    }

    fn item(&mut self, item: Item<'_>) -> Result<()> {
        match item {
            Item::Event(event) => {
                assert!(self.events.insert((self.epoch, self.next), event).is_none());
                self.next += 1;
            }
            Item::Definition(Definition::Name(Name { kind, id, text })) => {
                self.names.insert((self.epoch, kind, id), text.to_owned());
            }
            Item::Definition(_) => {}
        }
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> Result<()> {
        panic!("{damage:?}");
    }
}

impl Truth {
    fn of(line: &[u8]) -> Self {
        let mut truth = Self::default();
        decode_line(line, &mut truth);
        truth
    }

    /// Numbers may be others than the device's, since those of its runs have to be told apart. What they
    /// stand for is the same, or not known since the definition was lost; all else is equal.
    fn is_right(&self, event: &Event, key: (u32, u64), symbols: &Symbols, what: &str) {
        let truth = &self.events[&key];
        let ((thread, site, kind), (true_thread, true_site, _)) = (numbers(event), numbers(truth));
        for (kind, id, true_id) in
            [(NameKind::Thread, thread, true_thread), (kind, site, true_site)]
        {
            let (found, name) = (symbols.name(kind, id), self.names.get(&(key.0, kind, true_id)));
            let is_same = found.is_none() || found == name.map(String::as_str);
            assert!(is_same, "{what}: {kind:?} {id} is {found:?}, expected {name:?}");
        }
        assert_eq!(with_numbers(event, true_thread, true_site), *truth, "{what}");
    }

    /// Compares what comes over a bad line.
    fn judge(&self, line: &[u8], what: &str) -> Came {
        let mut came = Came::default();
        receive(line, |chunk, received, events, receiver| {
            let header = &chunk.header;
            if received == Received::Repeated {
                assert!(events.is_empty());
                return;
            }
            came.restarts += u64::from(matches!(received, Received::Restarted(_)));
            if header.kind != ChunkKind::Events {
                return;
            }
            came.chunks += 1;
            let exact = self.totals[&(header.epoch, header.first_event)];
            assert_eq!(header.totals, exact, "{what}");
            for (event, number) in events.iter().zip(header.first_event..) {
                self.is_right(event, (header.epoch, number), receiver.symbols(), what);
            }
            came.events += events.len() as u64;
            let totals = receiver.replay().totals();
            let at = header.first_event + events.len() as u64;
            came.known.insert(header.epoch, at);
            if let Some(after) = self.totals.get(&(header.epoch, at)) {
                let counts = |of: &HeapTotals| (of.allocations, of.frees, of.failed);
                assert_eq!(counts(&totals), counts(after), "{what}: after event {at}");
                // Sizes of blocks from a gap are told by the next chunk.
                let is_whole = receiver.replay().gaps().count == 0;
                assert!(!is_whole || totals.bytes_in_use == after.bytes_in_use, "{what}: {at}");
            }
        });
        came
    }
}

/// The thread of an event, and its site or gauge.
pub(crate) fn numbers(event: &Event) -> (u32, u32, NameKind) {
    let (number, kind) = match event.kind {
        EventKind::Alloc { site, .. }
        | EventKind::Free { site, .. }
        | EventKind::Realloc { site, .. }
        | EventKind::FailedAlloc { site, .. } => (site, NameKind::Scope),
        EventKind::Gauge { gauge, .. } => (gauge, NameKind::Gauge),
        other => panic!("{other:?}"),
    };
    (event.thread, number, kind)
}

/// The event with other numbers.
pub(crate) fn with_numbers(event: &Event, thread: u32, number: u32) -> Event {
    let mut kind = event.kind;
    match &mut kind {
        EventKind::Alloc { site, .. }
        | EventKind::Free { site, .. }
        | EventKind::Realloc { site, .. }
        | EventKind::FailedAlloc { site, .. }
        | EventKind::Gauge { gauge: site, .. } => *site = number,
        _ => {}
    }
    Event { time: event.time, thread, kind }
}

/// Flips each bit with this chance.
fn flip(line: &mut [u8], rate: f64, random: &mut Random) {
    let bits = line.len() as u64 * 8;
    let flips = (bits as f64 * rate).ceil() as u64;
    for _ in 0..flips {
        let bit = random.below(bits as usize);
        line[bit / 8] ^= 1 << (bit % 8);
    }
}

/// Takes away what a line of 115,200 baud brings in up to two seconds.
fn cut(line: &mut Vec<u8>, random: &mut Random) {
    let from = random.below(line.len());
    let until = (from + random.below(2 * 11_520)).min(line.len());
    line.drain(from..until);
}

#[test]
#[ignore = "ci/devices"]
fn not_one_wrong_event_in_a_thousand_bad_lines() {
    // It is reset on the way: two epochs.
    let clean = image("mps2-an385", "reboot").line();
    let truth = Truth::of(&clean);
    assert_eq!(truth.counts.len(), 2);
    let all: u64 = truth.counts.values().sum();
    assert_eq!(truth.events.len() as u64, all);
    let (mut arrived, mut restarts) = (0, 0);
    for seed in 0..RUNS {
        let mut random = Random(77 + seed);
        let mut line = clean.clone();
        let kind = seed % 6;
        match kind {
            0 => flip(&mut line, 1e-5, &mut random),
            1 => flip(&mut line, 1e-4, &mut random),
            2 => flip(&mut line, 1e-3, &mut random),
            3 => line = disturb(&line, [300, 1000, 5000][random.below(3)], &mut random),
            4 => cut(&mut line, &mut random),
            // Attached late, and with noise.
            _ => {
                line.drain(..random.below(clean.len()));
                flip(&mut line, 1e-4, &mut random);
            }
        }
        let came = truth.judge(&line, &format!("seed {seed}, kind {kind}"));
        arrived += came.events;
        restarts += came.restarts;
        if kind == 0 {
            // A flip costs the chunk that it strikes, or two: the next one is whole.
            assert!(came.events * 100 > all * 85, "seed {seed}: {} of {all}", came.events);
        }
    }
    println!("{arrived} of {} events arrived, {restarts} restarts seen", all * RUNS);
    assert!(arrived * 10 > all * RUNS * 4, "{arrived} events are too few to tell anything");
    assert!(restarts > RUNS / 2);
}
