//! What is told when a recording ends.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use heapwire::io::line::LineStats;
use heapwire::trace::replay::{Fate, Replay};
use heapwire::trace::symbols::Symbols;
use serde::Serialize;

use super::Recording;
use crate::args::RecordArgs;
use crate::capture_input::merged;
use crate::failure::Failure;
use crate::json::{self, Events};
use crate::report::print_answer;
use crate::units::{bytes_text, counted, grouped};

/// Sites in each table.
const TOP_SITES: usize = 10;

pub(super) struct Summary {
    replay: Replay,
    symbols: Symbols,
    told: Told,
}

/// What JSON tells, in the order in which it is told.
#[derive(Debug, Serialize)]
struct Told {
    source: String,
    seconds: f64,
    line: Line,
    capture: Capture,
    streams: usize,
    restarts: u64,
    events: Events,
    gaps: Gaps,
    heap: Heap,
    largest_failed: Option<Failed>,
    unfreed: Vec<Unfreed>,
}

#[derive(Debug, Serialize)]
struct Line {
    bytes: u64,
    chunks: u64,
    damaged_frames: u64,
    stray_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Capture {
    path: PathBuf,
    bytes: u64,
}

/// What is missing, and of that what the recorder knew to be lost.
#[derive(Debug, Serialize)]
struct Gaps {
    count: u64,
    events: u64,
    lost_full: u64,
    lost_link: u64,
}

/// As the recorder counted; resizes are in both allocations and frees.
#[derive(Debug, Serialize)]
struct Heap {
    bytes_in_use: u64,
    peak_bytes: u64,
    allocations: u64,
    frees: u64,
    failed: u64,
}

#[derive(Debug, Serialize)]
struct Failed {
    size: u64,
    site: String,
    time: u64,
}

#[derive(Debug, Serialize)]
struct Unfreed {
    site: String,
    fate: Fate,
    blocks: u64,
    bytes: u64,
}

impl Summary {
    pub(super) fn new(
        args: &RecordArgs,
        recording: &Recording,
        line: &LineStats,
    ) -> Result<Self, Failure> {
        let receiver = &recording.receiver;
        let symbols = receiver.symbols().clone();
        let replay = match receiver.streams() {
            // Only the whole capture tells what happened in which order.
            2.. => merged(&args.output).map_err(Failure::of(&args.output))?,
            _ => receiver.replay().clone(),
        };
        let totals = replay.totals();
        let gaps = receiver.replay().gaps();
        let site = |site| symbols.site(site).to_string();
        let unfreed = |group: heapwire::trace::replay::Unfreed| Unfreed {
            site: site(group.site),
            fate: group.fate,
            blocks: group.blocks,
            bytes: group.bytes,
        };
        let told = Told {
            source: args.source.to_string(),
            seconds: recording.begun.elapsed().as_secs_f64(),
            line: Line {
                bytes: line.bytes,
                chunks: line.chunks,
                damaged_frames: line.damaged_frames,
                stray_bytes: line.stray_bytes,
            },
            capture: Capture {
                path: recording.file.path().to_owned(),
                bytes: recording.file.len(),
            },
            streams: receiver.streams(),
            restarts: receiver.restarts(),
            events: Events::from(replay.counts()),
            gaps: Gaps {
                count: gaps.count,
                events: gaps.missing_events,
                lost_full: receiver.lost().full,
                lost_link: receiver.lost().link,
            },
            heap: Heap {
                bytes_in_use: totals.bytes_in_use,
                peak_bytes: totals.peak_bytes,
                allocations: totals.allocations,
                frees: totals.frees,
                failed: totals.failed,
            },
            largest_failed: replay.largest_failed().map(|failed| Failed {
                size: failed.size,
                site: site(failed.site),
                time: failed.time,
            }),
            unfreed: replay.unfreed().into_iter().map(unfreed).collect(),
        };
        Ok(Self { replay, symbols, told })
    }

    pub(super) fn print(&self, out: &mut impl Write, as_json: bool) -> io::Result<()> {
        if as_json {
            return json::print(out, &self.told);
        }
        let Told { seconds, line, capture, events, gaps, restarts, .. } = &self.told;
        let each = |bytes: u64| bytes as f64 / events.total.max(1) as f64;
        writeln!(
            out,
            "Over the line in {:?}\n  {} in {}: {:.2} bytes an event, frames, checksums and names included",
            Duration::from_millis((seconds * 1000.0) as u64),
            counted(events.total, "event"),
            bytes_text(line.bytes),
            each(line.bytes),
        )?;
        writeln!(
            out,
            "  {} arrived whole, {} damaged, {} in no frame; {}, {} missing, {} of them lost by the device",
            counted(line.chunks, "chunk"),
            counted(line.damaged_frames, "frame"),
            counted(line.stray_bytes, "byte"),
            counted(gaps.count, "gap"),
            counted(gaps.events, "event"),
            grouped(gaps.lost_full.saturating_add(gaps.lost_link)),
        )?;
        if *restarts > 0 {
            writeln!(
                out,
                "  started anew {}: what follows about the heap is of the last run",
                counted(*restarts, "time")
            )?;
        }
        writeln!(
            out,
            "On disk, as {:?}\n  {}: {:.2} bytes an event\n",
            capture.path,
            bytes_text(capture.bytes),
            each(capture.bytes)
        )?;
        print_answer(out, &self.replay, &self.symbols, TOP_SITES)
    }
}
