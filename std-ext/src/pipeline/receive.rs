//! Chunks of a line into a capture, as they come: stored, replayed, and complete on disk as often as the
//! caller wants. Memory grows with the live blocks and the names.

use std::collections::BTreeSet;
use std::io::Write;

use heapwire_core::{Chunk, ChunkHeader, ChunkKind, Event, HeapTotals, Losses};

use super::encode::TraceEncoder;
use super::parse::{CaptureVisitor, PartDecoder};
use crate::error::Result;
use crate::io::capture_reader::Damage;
use crate::plan::CapturePlan;
use crate::trace::Item;
use crate::trace::continuity::{Follows, Gap};
use crate::trace::entry::Standing;
use crate::trace::numbering::Numbering;
use crate::trace::replay::Replay;
use crate::trace::runs::Runs;
use crate::trace::symbols::Symbols;

/// What a chunk was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The next of its stream.
    Next,
    /// After a gap, which is noted.
    AfterGap(Gap),
    /// The first of a device that was started anew, after whatever is missing of it. So the heap stood
    /// before, as far as it is known.
    Restarted(HeapTotals),
    /// One that was there before: a line doubled it. It is left out.
    Repeated,
}

/// Takes the chunks of a line.
#[derive(Debug)]
pub struct Receiver<W: Write> {
    decoder: PartDecoder,
    runs: Runs,
    desk: Desk<W>,
}

/// What is done with what is in a chunk.
#[derive(Debug)]
struct Desk<W: Write> {
    encoder: TraceEncoder<W>,
    standing: Standing,
    numbering: Numbering,
    replay: Replay,
    symbols: Symbols,
    /// Streams seen, and the epoch they are in.
    streams: BTreeSet<u32>,
    epoch: Option<u32>,
    restarts: u64,
    lost: Losses,
    received: Received,
}

impl<W: Write> Receiver<W> {
    /// Begins a capture.
    ///
    /// # Errors
    /// When `out` refuses the file header, or the operating system threads that the plan asks for.
    pub fn new(out: W, plan: CapturePlan) -> Result<Self> {
        let desk = Desk {
            encoder: TraceEncoder::new(out, plan)?,
            standing: Standing::new(),
            numbering: Numbering::new(),
            replay: Replay::new(),
            symbols: Symbols::new(),
            streams: BTreeSet::new(),
            epoch: None,
            restarts: 0,
            lost: Losses::default(),
            received: Received::Next,
        };
        Ok(Self { decoder: PartDecoder::default(), runs: Runs::new(), desk })
    }

    /// Takes a chunk of events or definitions, of any stream, and shows each event to `each`. Events keep
    /// their numbers of sites and names but where another stream, or an earlier run, has the same number for
    /// something else.
    ///
    /// # Errors
    /// When the capture cannot be written, or a codec is missing. A chunk whose events make no sense is a
    /// gap.
    pub fn chunk(&mut self, chunk: &Chunk<'_>, each: impl FnMut(&Event)) -> Result<Received> {
        if !matches!(chunk.header.kind, ChunkKind::Events | ChunkKind::Definitions) {
            return Ok(Received::Repeated); // parts of a file have no place on a line
        }
        // The last four bytes, which Chunk::parse has compared.
        let checksum = chunk.bytes.last_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let Some(epoch) = self.runs.assign(&chunk.header, checksum) else {
            return Ok(Received::Repeated);
        };
        let chunk = Chunk { header: ChunkHeader { epoch, ..chunk.header }, ..*chunk };
        self.desk.begin(&chunk.header);
        self.decoder.decode(&chunk, 0, &mut Taking { desk: &mut self.desk, each })?;
        Ok(self.desk.received)
    }

    /// Makes what is written a complete capture, which goes on with the next chunk.
    ///
    /// # Errors
    /// When the capture cannot be written.
    pub fn checkpoint(&mut self) -> Result<()> {
        self.desk.encoder.checkpoint()
    }

    /// What the capture is written to. All is there up to the last checkpoint.
    pub fn out_mut(&mut self) -> &mut W {
        self.desk.encoder.out_mut()
    }

    /// What happened on the heap. Of several streams it takes chunk after chunk, so frees may come before
    /// the allocations that another stream tells of.
    #[must_use]
    pub fn replay(&self) -> &Replay {
        &self.desk.replay
    }

    /// What its numbers stand for.
    #[must_use]
    pub fn symbols(&self) -> &Symbols {
        &self.desk.symbols
    }

    /// How many streams came.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.desk.streams.len()
    }

    /// How often the device was started anew.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.desk.restarts
    }

    /// Events in the gaps that the device knew to be lost.
    #[must_use]
    pub fn lost(&self) -> Losses {
        self.desk.lost
    }

    /// Completes the capture. Returns what it was written to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> Result<W> {
        Ok(self.desk.encoder.finish()?.0)
    }
}

impl<W: Write> Desk<W> {
    /// A chunk begins, of events or definitions.
    fn begin(&mut self, header: &ChunkHeader) {
        self.numbering.begin(header.stream, header.epoch);
        self.streams.insert(header.stream);
        self.received = Received::Next;
        if self.epoch.replace(header.epoch).is_some_and(|epoch| epoch != header.epoch) {
            self.restarts += 1;
            self.received = Received::Restarted(self.replay.totals());
            self.replay.restart();
        }
    }
}

/// One chunk is taken.
struct Taking<'a, W: Write, F> {
    desk: &'a mut Desk<W>,
    each: F,
}

impl<W: Write, F: FnMut(&Event)> CaptureVisitor for Taking<'_, W, F> {
    fn chunk(&mut self, stored: &Chunk<'_>, _: u64, follows: Follows) -> Result<()> {
        let (desk, header) = (&mut *self.desk, &stored.header);
        if header.kind != ChunkKind::Events {
            return Ok(());
        }
        match follows {
            Follows::Repeated => {
                desk.received = Received::Repeated;
                return Ok(());
            }
            Follows::AfterGap(gap) => {
                desk.replay.gap(gap.events);
                desk.lost.full = desk.lost.full.saturating_add(gap.losses.full);
                desk.lost.link = desk.lost.link.saturating_add(gap.losses.link);
                if desk.received == Received::Next {
                    desk.received = Received::AfterGap(gap);
                }
            }
            Follows::Directly | Follows::Restart => {}
        }
        if desk.streams.len() == 1 {
            desk.replay.recorded(&header.totals);
        }
        let position = desk.standing.begin(header);
        position.map_or(Ok(()), |position| desk.encoder.position(&position))
    }

    fn item(&mut self, item: Item<'_>) -> Result<()> {
        let desk = &mut *self.desk;
        match item {
            Item::Event(event) => {
                let event = desk.numbering.event(&event);
                desk.replay.event(&event);
                desk.standing.count(&event);
                (self.each)(&event);
                desk.encoder.push(&Item::Event(event))
            }
            // A device repeats its definitions; a capture needs each once.
            Item::Definition(definition) => {
                let definition = desk.numbering.definition(&definition);
                match desk.symbols.define(&definition) {
                    true => desk.encoder.push(&Item::Definition(definition)),
                    false => Ok(()),
                }
            }
        }
    }

    fn damage(&mut self, _: &Damage) -> Result<()> {
        // A chunk whose checksum was right and whose events make no sense: its sequence number is
        // taken, so nothing else will tell that its events are missing.
        self.desk.replay.gap(0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::IntegratedConfig;
    use crate::pipeline::parse::parse;
    use heapwire_core::{
        Chunker, Definition, EventKind, Name, NameKind, Placement, Pushed, Rows, StreamPosition,
        TinyTables, crc32, put_definition,
    };

    type Device = Chunker<[u8; 256], Rows, TinyTables>;

    fn device() -> Device {
        Chunker::new([0; 256], Rows::new(), TinyTables::new(), Placement::EMBEDDED_32)
    }

    fn receiver() -> Receiver<Vec<u8>> {
        let plan = CapturePlan::try_from(&IntegratedConfig::balanced()).unwrap();
        Receiver::new(Vec::new(), CapturePlan { threads: 1, ..plan }).unwrap()
    }

    fn event(time: u64, kind: EventKind) -> Event {
        Event { time, thread: 0, kind }
    }

    fn alloc(address: u64, site: u32) -> EventKind {
        EventKind::Alloc { address, size: 16, site }
    }

    /// Sends events as one chunk.
    fn send(
        receiver: &mut Receiver<Vec<u8>>,
        device: &mut Device,
        kinds: &[EventKind],
    ) -> (Vec<u8>, Received) {
        for (&kind, time) in kinds.iter().zip(0..) {
            assert_eq!(device.push(&event(time, kind), 0), Pushed::Written);
        }
        let chunk = device.seal().unwrap().to_vec();
        let received = receiver.chunk(&Chunk::parse(&chunk, crc32).unwrap(), |_| {}).unwrap();
        (chunk, received)
    }

    fn name_site(receiver: &mut Receiver<Vec<u8>>, epoch: u32, id: u32, text: &str) {
        let mut payload = [0; 64];
        let name = Name { kind: NameKind::Scope, id, text };
        let len = put_definition(&mut payload, &Definition::Name(name)).unwrap();
        let mut chunker = device();
        assert_eq!(chunker.push(&event(0, EventKind::Mark { mark: 1 }), 0), Pushed::Written);
        let model = Chunk::parse(chunker.seal().unwrap(), crc32).unwrap().header;
        let header = ChunkHeader { kind: ChunkKind::Definitions, events: 0, epoch, ..model };
        let mut bytes = [0; 256];
        let len = heapwire_core::emit_chunk(&mut bytes, &header, &payload[..len], crc32).unwrap();
        let chunk = Chunk::parse(&bytes[..len], crc32).unwrap();
        receiver.chunk(&chunk, |_| {}).unwrap();
    }

    /// All that a capture holds.
    #[derive(Default)]
    struct Held {
        events: Vec<Event>,
        symbols: Symbols,
        gaps: Vec<Gap>,
        restarts: usize,
    }

    impl CaptureVisitor for Held {
        fn chunk(&mut self, _: &Chunk<'_>, _: u64, follows: Follows) -> Result<()> {
            match follows {
                Follows::AfterGap(gap) => self.gaps.push(gap),
                Follows::Restart => self.restarts += 1,
                Follows::Directly | Follows::Repeated => {}
            }
            Ok(())
        }

        fn item(&mut self, item: Item<'_>) -> Result<()> {
            match item {
                Item::Event(event) => self.events.push(event),
                Item::Definition(definition) => drop(self.symbols.define(&definition)),
            }
            Ok(())
        }

        fn damage(&mut self, damage: &Damage) -> Result<()> {
            panic!("{damage:?}");
        }
    }

    fn held(capture: &[u8]) -> Held {
        let mut held = Held::default();
        let completeness = parse(capture, &mut held).unwrap();
        assert!(
            matches!(completeness, crate::io::capture_reader::Completeness::Complete(_)),
            "{completeness:?}"
        );
        held
    }

    #[test]
    fn every_checkpoint_leaves_a_complete_capture() {
        let (mut receiver, mut device) = (receiver(), device());
        for chunk in 0..6 {
            let kinds: Vec<_> = (0..5).map(|at| alloc(32 * (5 * chunk + at), 1)).collect();
            assert_eq!(send(&mut receiver, &mut device, &kinds).1, Received::Next);
            receiver.checkpoint().unwrap();
            let capture = receiver.out_mut().clone();
            assert_eq!(held(&capture).events.len(), 5 * (chunk as usize + 1));
            assert_eq!(held(&capture).gaps.len(), 0);
        }
        assert_eq!(held(&receiver.finish().unwrap()).events.len(), 30);
    }

    #[test]
    fn a_loss_that_left_the_heap_as_it_was_is_a_gap_in_the_capture_too() {
        let (mut receiver, mut device) = (receiver(), device());
        let gauge = |value| EventKind::Gauge { gauge: 1, value };
        for value in 0..2 {
            send(&mut receiver, &mut device, &[gauge(value)]);
            device.lose(&gauge(9), 0);
        }
        let held = held(&receiver.finish().unwrap());
        assert_eq!(
            held.gaps.iter().map(|gap| (gap.chunks, gap.events)).collect::<Vec<_>>(),
            [(0, 1)]
        );
    }

    #[test]
    fn a_device_that_was_started_anew_has_an_empty_heap_and_names_of_its_own() {
        let (mut receiver, mut first) = (receiver(), device());
        name_site(&mut receiver, 0, 1, "net");
        send(&mut receiver, &mut first, &[alloc(32, 1), alloc(64, 1)]);
        send(&mut receiver, &mut first, &[EventKind::Free { address: 32, site: 1 }]);
        // It does not count its starts.
        let mut second = device();
        name_site(&mut receiver, 0, 1, "json");
        let (_, received) = send(&mut receiver, &mut second, &[alloc(64, 1)]);
        assert_eq!(received, Received::Next, "the definitions told it");
        assert_eq!((receiver.replay().live_blocks(), receiver.replay().live_bytes()), (1, 16));
        assert_eq!(receiver.replay().double_allocations(), 0);

        let held = held(&receiver.finish().unwrap());
        assert_eq!((held.events.len(), held.gaps.len(), held.restarts), (4, 0, 1));
        let sites = held.events.iter().map(|event| match event.kind {
            EventKind::Alloc { site, .. } | EventKind::Free { site, .. } => {
                held.symbols.site(site).to_string()
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(sites.collect::<Vec<_>>(), ["net", "net", "net", "json"]);
    }

    #[test]
    fn what_is_lost_before_the_first_chunk_after_a_restart_counts() {
        let (mut receiver, mut first, mut second) = (receiver(), device(), device());
        send(&mut receiver, &mut first, &[alloc(32, 1)]);
        second.lose(&alloc(64, 1), 0);
        let (_, received) = send(&mut receiver, &mut second, &[alloc(96, 1)]);
        assert!(matches!(received, Received::Restarted(_)), "{received:?}");
        assert_eq!((receiver.restarts(), receiver.lost()), (1, Losses { full: 1, link: 0 }));
        assert_eq!(receiver.replay().gaps().missing_events, 1);
    }

    #[test]
    fn what_a_line_brings_twice_counts_once() {
        let (mut receiver, mut device) = (receiver(), device());
        let (chunk, _) = send(&mut receiver, &mut device, &[alloc(32, 1)]);
        let chunk = Chunk::parse(&chunk, crc32).unwrap();
        assert_eq!(receiver.chunk(&chunk, |_| panic!()).unwrap(), Received::Repeated);
        assert_eq!(held(&receiver.finish().unwrap()).events.len(), 1);
    }

    #[test]
    fn two_streams_are_told_apart_and_cut_chunks_are_gaps() {
        let mut receiver = receiver();
        let mut cores = [0, 1].map(|stream| {
            let mut core = device();
            core.set_position(StreamPosition { stream, ..StreamPosition::default() });
            core
        });
        for round in 0..4 {
            for (core, device) in (0..).zip(&mut cores) {
                let kind = alloc(0x1000 * (core + 1) + 32 * round, 1);
                assert_eq!(device.push(&event(round, kind), 0), Pushed::Written);
                let chunk = device.seal().unwrap();
                if (core, round) != (1, 2) {
                    let chunk = Chunk::parse(chunk, crc32).unwrap();
                    let received = receiver.chunk(&chunk, |_| {}).unwrap();
                    let after_gap = matches!(received, Received::AfterGap(gap) if gap.events == 1);
                    assert_eq!(after_gap, (core, round) == (1, 3), "{received:?}");
                }
            }
        }
        assert_eq!(receiver.streams(), 2);
        let held = held(&receiver.finish().unwrap());
        assert_eq!((held.events.len(), held.gaps.len()), (7, 1));
        assert_eq!((held.gaps[0].stream, held.gaps[0].chunks), (1, 1));
    }

    #[test]
    fn headers_that_make_no_sense_leave_a_complete_capture() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..300 {
            let (mut receiver, mut device) = (receiver(), device());
            for round in 0..8 {
                let kinds = [alloc(32 * round, 1), EventKind::Free { address: 32, site: 2 }];
                for kind in kinds {
                    assert_eq!(device.push(&event(round, kind), 16), Pushed::Written);
                }
                let chunk = Chunk::parse(device.seal().unwrap(), crc32).unwrap();
                let mut header = chunk.header;
                let mut any = |number: u64| match random.u32(0..12) {
                    0 => random.u64(..),
                    1 => u64::MAX,
                    2 => 0,
                    _ => number,
                };
                header.stream = any(header.stream.into()) as u32;
                header.epoch = any(header.epoch.into()) as u32;
                header.sequence = any(header.sequence.into()) as u32;
                header.time = any(header.time);
                header.first_event = any(header.first_event);
                header.losses.full = any(header.losses.full);
                header.losses.link = any(header.losses.link);
                header.totals.allocations = any(header.totals.allocations);
                header.totals.frees = any(header.totals.frees);
                header.totals.bytes_in_use = any(header.totals.bytes_in_use);
                header.totals.peak_bytes = any(header.totals.peak_bytes);
                let mut bytes = [0; 512];
                let len = heapwire_core::emit_chunk(&mut bytes, &header, chunk.payload, crc32);
                let chunk = Chunk::parse(&bytes[..len.unwrap()], crc32).unwrap();
                receiver.chunk(&chunk, |_| {}).unwrap();
                receiver.checkpoint().unwrap();
            }
            held(&receiver.finish().unwrap());
        }
    }
}
