//! A line that flips, drops, inserts and doubles bytes: what comes out is right, what is missing is
//! counted, and the totals are exact wherever a chunk begins.

use heapwire::Result;
use heapwire::io::capture_reader::Damage;
use heapwire::pipeline::parse::CaptureVisitor;
use heapwire::trace::Item;
use heapwire::trace::continuity::Follows;
use heapwire::trace::replay::Replay;
use heapwire_core::Chunk;
use heapwire_tests::device::{EVENTS, Sent, decode_line, device, disturb};
use heapwire_tests::sample::Random;

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
    decode_line(line, &mut judge);
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
