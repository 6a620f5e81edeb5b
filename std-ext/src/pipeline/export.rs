//! A source's chunks into a capture: compressed and moved as they are; or encoded anew when they are
//! larger than the plan's, and several streams then become one.

use std::io::Write;

use heapwire_core::ChunkHeader;

use super::collection::Collection;
use super::convert::Sink;
use super::encode::TraceEncoder;
use super::moved::move_chunks;
use super::output::Written;
use crate::config::CollectionConfig;
use crate::error::{BinaryExportError, Result};
use crate::io::digest::Digest;
use crate::io::selection::CompressionReport;
use crate::monitoring::{Phase, Stage, Watch};
use crate::plan::{CapturePlan, ExportPlan, MessagePackPlan, Target};
use crate::trace::Item;
use crate::trace::continuity::{Continuity, Follows};
use crate::trace::entry::{Entry, for_each_entry};
use crate::trace::merge::{Part, for_each_part};
use crate::trace::source::Chunks;

/// How often an observer is told where there are no chunks.
const EVENTS_PER_TELL: u64 = 1 << 16;

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Events in the capture.
    pub events: u64,
    /// The capture's length in bytes.
    pub bytes_written: u64,
    /// How its chunks were compressed.
    pub compression: CompressionReport,
    /// What they hold; of captures only.
    pub(crate) digest: Option<Digest>,
}

/// Writes all chunks to `out`, in the plan's form.
///
/// # Errors
/// As [`export`]; or [`Cancelled`](BinaryExportError::Cancelled).
pub(crate) fn export_as<W: Write>(
    chunks: &Chunks,
    out: W,
    plan: &ExportPlan,
    watch: &mut Watch,
) -> Result<(W, Exported)> {
    match plan {
        ExportPlan::Capture(plan) => export_watched(chunks, out, plan, watch),
        ExportPlan::MessagePack(plan) => export_messagepack(chunks, out, plan, watch),
    }
}

fn export_messagepack<W: Write>(
    chunks: &Chunks,
    out: W,
    plan: &MessagePackPlan,
    watch: &mut Watch,
) -> Result<(W, Exported)> {
    watch.begin(Phase::Export, None, Some(chunks.event_count()))?;
    let begun = watch.meter().begin(Stage::Processing);
    let mut sink = Sink::new(out, &Target::MessagePack(plan.compression))?;
    let (mut collection, mut events, mut told) = (Collection::new(plan.collection), 0, 0);
    for_each_entry(chunks, |entry| {
        let Some(entry) = collection.entry(entry) else { return Ok(()) };
        events += u64::from(matches!(entry, Entry::Item(Item::Event(_))));
        if events - told >= EVENTS_PER_TELL {
            told = events;
            watch.advance(0, events)?;
        }
        sink.entry(&entry)
    })?;
    if events == 0 {
        return Err(BinaryExportError::NoDataToExport);
    }
    let (out, bytes_written) = sink.finish()?;
    watch.meter().end(begun);
    watch.advance(bytes_written, events)?;
    Ok((out, Exported { events, bytes_written, ..Exported::default() }))
}

/// Writes all chunks to `out`.
///
/// # Errors
/// [`NoDataToExport`](BinaryExportError::NoDataToExport) when there is no event to collect, and whatever a codec
/// or `out` fails with.
pub fn export<W: Write>(chunks: &Chunks, out: W, plan: &CapturePlan) -> Result<(W, Exported)> {
    export_watched(chunks, out, plan, &mut Watch::silent(Phase::Export))
}

/// As [`export`], watched.
///
/// # Errors
/// As [`export`]; or [`Cancelled`](BinaryExportError::Cancelled).
pub(crate) fn export_watched<W: Write>(
    chunks: &Chunks,
    out: W,
    plan: &CapturePlan,
    watch: &mut Watch,
) -> Result<(W, Exported)> {
    let events = chunks.event_count();
    if events == 0 {
        return Err(BinaryExportError::NoDataToExport);
    }
    watch.begin(Phase::Export, None, Some(events))?;
    let begun = watch.meter().begin(Stage::Processing);
    let (out, exported) = match chunks.positions() {
        Some(positions) if moves(chunks, plan) => move_chunks(chunks, positions, out, plan, watch)?,
        _ => encode_anew(chunks, out, plan, watch)?,
    };
    watch.meter().end(begun);
    watch.advance(exported.bytes_written, events)?;
    Ok((out, exported))
}

/// Whether chunks are moved as they are.
pub(super) fn moves(chunks: &Chunks, plan: &CapturePlan) -> bool {
    let is_known = chunks.positions().is_some();
    is_known
        && chunks.longest() <= plan.chunk_size
        && plan.collection == CollectionConfig::default()
}

fn encode_anew<W: Write>(
    chunks: &Chunks,
    out: W,
    plan: &CapturePlan,
    watch: &mut Watch,
) -> Result<(W, Exported)> {
    let mut encoder = TraceEncoder::measured(out, *plan, watch.meter().another())?;
    let mut continuity = Continuity::new();
    // Events of the chunks before.
    let mut begun = 0;
    let is_merged = chunks.has_several_streams();
    let (mut collection, mut events) = (Collection::new(plan.collection), 0);
    for_each_part(chunks, |part| match part {
        Part::Definition(definition) => {
            let item = Item::Definition(definition);
            if collection.collects(&item) { encoder.push(&item) } else { Ok(()) }
        }
        Part::Event(event) => {
            let item = Item::Event(event);
            if !collection.collects(&item) {
                return Ok(());
            }
            events += 1;
            encoder.push(&item)
        }
        Part::Chunk(header) => {
            watch.advance(encoder.bytes_written(), begun)?;
            begun += u64::from(header.events);
            let follows = continuity.follow(header);
            let first_event = collection.number(header.first_event, follows == Follows::Restart);
            let header = &ChunkHeader { first_event, ..*header };
            match follows {
                Follows::AfterGap(gap) if is_merged => encoder.miss(header.epoch, &gap),
                Follows::Restart if is_merged => encoder.restart(header.epoch),
                Follows::AfterGap(gap) => encoder.resume(header, gap.chunks),
                Follows::Restart => encoder.resume(header, 0),
                Follows::Directly | Follows::Repeated => {
                    // Totals are those of the stream, not of the heap, when there are several.
                    if !is_merged {
                        encoder.stand(header.totals);
                    }
                    Ok(())
                }
            }
        }
    })?;
    if events == 0 {
        return Err(BinaryExportError::NoDataToExport);
    }
    if let Some([position]) = chunks.positions() {
        encoder.stand(position.totals);
    }
    let (written, [own, others]) = encoder.finish_measured()?;
    watch.account(Stage::Processing, &own, &others);
    Ok(exported(written, events))
}

/// What the export of so many events did.
pub(super) fn exported<W>(written: Written<W>, events: u64) -> (W, Exported) {
    let Written { out, length, compression, digest } = written;
    (out, Exported { events, bytes_written: length, compression, digest: Some(digest) })
}
