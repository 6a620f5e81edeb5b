//! `heapwire info`: what a capture holds.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use heapwire::heapwire_core::{Chunk, ChunkKind};
use heapwire::io::capture_reader::{Completeness, Damage};
use heapwire::io::codec::{PACKED_LANES, lane_sizes};
use heapwire::pipeline::parse::{CaptureVisitor, parse};
use heapwire::trace::Item;
use heapwire::trace::continuity::Follows;
use heapwire::trace::replay::Replay;
use heapwire::trace::symbols::{Symbols, escaped};
use serde::Serialize;

use crate::args::InfoArgs;
use crate::capture_input;
use crate::failure::{Failure, Outcome, is_stdio, told};
use crate::json::{self, Events};
use crate::units::{bytes_text, counted, grouped, time_text};

/// Names of the lanes, in their order.
const LANES: [&str; PACKED_LANES] = [
    "tags",
    "times",
    "further tags",
    "long times",
    "threads",
    "sites",
    "sizes",
    "addresses",
    "depths",
    "ages",
    "others",
];

pub(crate) fn run(args: &InfoArgs) -> Result<Outcome, Failure> {
    let input = capture_input::open(&args.input)?;
    let mut collector = Collector::default();
    let mut input = Counted { input, bytes: 0 };
    let parsed = parse(&mut input, &mut collector);
    let completeness = parsed.map_err(Failure::of(&args.input))?;
    collector.stored = input.bytes;
    if collector.streams.len() > 1
        && !is_stdio(&args.input)
        && let Ok(replay) = capture_input::merged(&args.input)
    {
        (collector.replay, collector.merged) = (replay, true);
    }
    let info = collector.finish(&completeness);
    let mut out = io::stdout().lock();
    let printed = match args.json {
        true => json::print(&mut out, &info),
        false => print_text(&mut out, &info),
    };
    let sound = info.complete && info.damage.is_empty();
    told(printed, if sound { Outcome::Done } else { Outcome::Finding })
}

/// All that is told, in the order in which it is told.
#[derive(Debug, Serialize)]
struct Info {
    complete: bool,
    session: Option<SessionInfo>,
    /// The capture's length.
    bytes: u64,
    chunks: Chunks,
    events: Events,
    bytes_per_event: Option<f64>,
    /// Bytes of coded events and definitions before compression, over the capture's length.
    compression_ratio: Option<f64>,
    definitions: u64,
    streams: usize,
    /// Whether several streams were merged by time. Those of a damaged capture, or of standard input, are
    /// told chunk after chunk as they stand.
    merged: bool,
    /// How often the recorder was started anew. The heap is that of its last run.
    restarts: u64,
    heap: Heap,
    first_time: Option<u64>,
    last_time: Option<u64>,
    seconds: Option<f64>,
    gaps: Vec<Gap>,
    damage: Vec<DamageInfo>,
    lanes: Vec<Lane>,
}

#[derive(Debug, Serialize)]
struct SessionInfo {
    device: String,
    build: String,
    ticks_per_second: u64,
    address_bits: u8,
}

#[derive(Debug, Default, Serialize)]
struct Chunks {
    events: u64,
    definitions: u64,
    index: u64,
}

#[derive(Debug, Serialize)]
struct Heap {
    peak_bytes: u64,
    /// `None` when the peak was in a gap.
    peak_time: Option<u64>,
    live_bytes: u64,
    live_blocks: u64,
    /// As the recorder counted: resizes are in both, and so is what gaps hide.
    allocations: u64,
    frees: u64,
    failed: u64,
    sites: u64,
}

#[derive(Debug, Serialize)]
struct Gap {
    stream: u32,
    time: u64,
    chunks: u32,
    events: u64,
}

#[derive(Debug, Serialize)]
struct DamageInfo {
    offset: u64,
    length: u64,
    error: String,
}

#[derive(Debug, Serialize)]
struct Lane {
    name: &'static str,
    raw_bytes: u64,
    stored_bytes: u64,
}

/// Counts the bytes that are read.
struct Counted<R> {
    input: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

#[derive(Default)]
struct Collector {
    symbols: Symbols,
    replay: Replay,
    chunks: Chunks,
    definitions: u64,
    stored: u64,
    payload: u64,
    lanes: [(u64, u64); PACKED_LANES],
    gaps: Vec<Gap>,
    damage: Vec<DamageInfo>,
    streams: BTreeSet<u32>,
    merged: bool,
    epoch: Option<u32>,
    restarts: u64,
}

impl CaptureVisitor for Collector {
    fn chunk(&mut self, stored: &Chunk<'_>, _: u64, follows: Follows) -> heapwire::Result<()> {
        match stored.header.kind {
            ChunkKind::Events => self.chunks.events += 1,
            ChunkKind::Definitions => self.chunks.definitions += 1,
            ChunkKind::Index => self.chunks.index += 1,
            ChunkKind::End => {}
        }
        for (sum, lane) in self.lanes.iter_mut().zip(lane_sizes(stored).unwrap_or_default()) {
            sum.0 += lane.0 as u64;
            sum.1 += lane.1 as u64;
        }
        let header = &stored.header;
        let has_new_events = header.kind == ChunkKind::Events && follows != Follows::Repeated;
        if has_new_events {
            self.streams.insert(header.stream);
            let latest = self.epoch.map_or(header.epoch, |epoch| epoch.max(header.epoch));
            if self.epoch.replace(latest).is_some_and(|epoch| epoch != latest) {
                self.restarts += 1;
                self.replay.restart();
            }
        }
        match follows {
            Follows::AfterGap(gap) => {
                self.replay.gap(gap.events);
                let (chunks, events) = (gap.chunks, gap.events);
                self.gaps.push(Gap { stream: gap.stream, time: gap.time, chunks, events });
            }
            Follows::Restart | Follows::Directly | Follows::Repeated => {}
        }
        if has_new_events && self.streams.len() == 1 {
            self.replay.recorded(&stored.header.totals);
        }
        Ok(())
    }

    fn item(&mut self, item: Item<'_>) -> heapwire::Result<()> {
        match item {
            Item::Definition(definition) => {
                self.definitions += 1;
                self.symbols.define(&definition);
            }
            Item::Event(event) => {
                self.replay.event(&event);
            }
        }
        Ok(())
    }

    fn chunk_end(&mut self, unpacked: &Chunk<'_>) -> heapwire::Result<()> {
        self.payload += unpacked.payload.len() as u64;
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> heapwire::Result<()> {
        let Damage { offset, length, error } = *damage;
        self.damage.push(DamageInfo { offset, length, error: error.to_string() });
        self.replay.gap(0);
        Ok(())
    }
}

impl Collector {
    fn finish(mut self, completeness: &Completeness) -> Info {
        if let Completeness::Complete(end) = completeness
            && let [stream] = &end.streams[..]
        {
            self.replay.recorded(&stream.totals);
        }
        let Self { symbols, replay, .. } = &self;
        let counts = replay.counts();
        let (total, peak, span) = (counts.total(), replay.peak(), replay.span());
        let exact = replay.totals();
        let live_blocks = match replay.is_corrected() {
            true => exact.allocations.saturating_sub(exact.frees),
            false => replay.live_blocks(),
        };
        let ratio = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let lane = |(name, (raw_bytes, stored_bytes))| Lane { name, raw_bytes, stored_bytes };
        Info {
            complete: matches!(completeness, Completeness::Complete(_)),
            session: symbols.session().map(|session| SessionInfo {
                device: session.device.clone(),
                build: session.build.clone(),
                ticks_per_second: session.ticks_per_second,
                address_bits: session.address_bits,
            }),
            bytes: self.stored,
            events: Events::from(counts),
            bytes_per_event: ratio(self.stored, total),
            compression_ratio: ratio(self.payload, self.stored),
            definitions: self.definitions,
            streams: self.streams.len(),
            merged: self.merged,
            restarts: self.restarts,
            heap: Heap {
                peak_bytes: exact.peak_bytes,
                peak_time: (exact.peak_bytes == peak.bytes).then_some(peak.time),
                live_bytes: exact.bytes_in_use,
                live_blocks,
                allocations: exact.allocations,
                frees: exact.frees,
                failed: exact.failed,
                sites: replay.sites().count() as u64,
            },
            first_time: span.map(|(first, _)| first),
            last_time: span.map(|(_, last)| last),
            seconds: span.and_then(|(first, last)| symbols.ticks_to_seconds(last - first)),
            lanes: LANES.into_iter().zip(self.lanes).map(lane).collect(),
            chunks: self.chunks,
            gaps: self.gaps,
            damage: self.damage,
        }
    }
}

fn print_text(out: &mut impl Write, info: &Info) -> io::Result<()> {
    if let Some(session) = &info.session {
        let name = if session.device.is_empty() { "unnamed" } else { &session.device };
        write!(out, "session       {}", escaped(name))?;
        if !session.build.is_empty() {
            write!(out, ", build {}", escaped(&session.build))?;
        }
        let (ticks, bits) = (grouped(session.ticks_per_second), session.address_bits);
        writeln!(out, ", {ticks} ticks a second, {bits}-bit addresses")?;
    }
    let state = if info.complete { "complete" } else { "CUT OFF: no end mark" };
    writeln!(out, "state         {state}")?;
    for damage in &info.damage {
        let DamageInfo { offset, length, error } = damage;
        writeln!(out, "damage        {length} bytes at offset {offset}: {error}")?;
    }
    let Chunks { events, definitions, index } = info.chunks;
    let chunks = counted(events, "chunk");
    writeln!(
        out,
        "chunks        {chunks} of events, {definitions} of definitions, {index} of index"
    )?;
    let Events { total, allocs, frees, reallocs, failed, names, gauges, marks } = info.events;
    writeln!(out, "events        {}", grouped(total))?;
    for (name, count) in [
        ("allocations", allocs),
        ("frees", frees),
        ("reallocations", reallocs),
        ("failed", failed),
        ("names", names),
        ("gauges", gauges),
        ("marks", marks),
    ] {
        if count > 0 {
            writeln!(out, "  {name:<13} {:>13}", grouped(count))?;
        }
    }
    writeln!(out, "definitions   {}", grouped(info.definitions))?;
    if info.streams > 1 {
        let order = if info.merged { "merged by time" } else { "not merged: as they stand" };
        writeln!(out, "streams       {}, {order}", grouped(info.streams as u64))?;
    }
    if info.restarts > 0 {
        writeln!(
            out,
            "restarts      {}; the heap is that of the last run",
            grouped(info.restarts)
        )?;
    }
    let seconds = |time: u64| match &info.session {
        Some(session) => time_text(time, Some(session.ticks_per_second)),
        None => time_text(time, None),
    };
    if let (Some(first), Some(last)) = (info.first_time, info.last_time) {
        writeln!(out, "time span     {}", seconds(last.saturating_sub(first)))?;
    }
    let Heap { peak_bytes, peak_time, live_bytes, live_blocks, sites, .. } = info.heap;
    let when = peak_time.map_or("in a gap".to_owned(), |time| format!("at {}", seconds(time)));
    writeln!(out, "peak          {} {when}", bytes_text(peak_bytes))?;
    let blocks = counted(live_blocks, "block");
    writeln!(out, "at the end    {} in {blocks}", bytes_text(live_bytes))?;
    writeln!(out, "sites         {}", grouped(sites))?;
    let missing: u64 = info.gaps.iter().map(|gap| gap.events).sum();
    match info.gaps.len() as u64 {
        0 => writeln!(out, "gaps          none")?,
        gaps => writeln!(
            out,
            "gaps          {}, {} missing",
            counted(gaps, "gap"),
            counted(missing, "event")
        )?,
    }
    writeln!(out, "size          {}", bytes_text(info.bytes))?;
    if let (Some(bytes), Some(ratio)) = (info.bytes_per_event, info.compression_ratio) {
        let percent = 100.0 / ratio;
        writeln!(
            out,
            "              {bytes:.3} bytes an event, {percent:.0} % of the coded events"
        )?;
    }
    if info.lanes.iter().any(|lane| lane.raw_bytes > 0) {
        writeln!(out, "\nlane               raw bytes        stored  share")?;
    }
    let stored: u64 = info.lanes.iter().map(|lane| lane.stored_bytes).sum();
    for Lane { name, raw_bytes, stored_bytes } in &info.lanes {
        if *raw_bytes > 0 {
            let share = *stored_bytes as f64 / stored.max(1) as f64 * 100.0;
            let (raw, stored) = (grouped(*raw_bytes), grouped(*stored_bytes));
            writeln!(out, "{name:<13} {raw:>14} {stored:>13} {share:>5.1} %")?;
        }
    }
    Ok(())
}
