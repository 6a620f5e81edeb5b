//! A source's chunks into a capture: compressed and moved as they are; or encoded anew when they are
//! larger than the plan's, and several streams then become one.

use std::io::Write;

use heapwire_core::{ChunkHeader, Definition, EventKind, NameKind, StreamPosition};

use super::encode::TraceEncoder;
use crate::config::CollectionConfig;
use crate::error::{BinaryExportError, Result};
use crate::io::capture_writer::CaptureWriter;
use crate::io::codec::Packed;
use crate::io::selection::CompressionReport;
use crate::plan::CapturePlan;
use crate::trace::Item;
use crate::trace::continuity::{Continuity, Follows};
use crate::trace::merge::{Part, for_each_part};
use crate::trace::source::Chunks;

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Events in the capture.
    pub events: u64,
    /// The capture's length in bytes.
    pub bytes_written: u64,
    /// How its chunks were compressed.
    pub compression: CompressionReport,
}

/// Writes all chunks to `out`.
///
/// # Errors
/// [`NoDataToExport`](BinaryExportError::NoDataToExport) when there is no event to collect, and whatever a codec
/// or `out` fails with.
pub fn export<W: Write>(chunks: &Chunks, out: W, plan: &CapturePlan) -> Result<(W, Exported)> {
    if chunks.event_count() == 0 {
        return Err(BinaryExportError::NoDataToExport);
    }
    match chunks.positions() {
        Some(positions) if moves(chunks, plan) => move_chunks(chunks, positions, out, plan),
        _ => encode_anew(chunks, out, plan),
    }
}

/// Whether an item is exported.
fn collects(collection: CollectionConfig, item: &Item<'_>) -> bool {
    let CollectionConfig { names, call_stacks, gauges, marks } = collection;
    match item {
        Item::Definition(Definition::Node(_)) => call_stacks,
        Item::Definition(Definition::Name(name)) => match name.kind {
            NameKind::Variable | NameKind::Type => names,
            NameKind::Gauge => gauges,
            NameKind::Mark => marks,
            NameKind::Scope | NameKind::Thread => true,
        },
        Item::Definition(Definition::Session(_) | Definition::Region(_)) => true,
        Item::Event(event) => match event.kind {
            EventKind::Name { .. } => names,
            EventKind::Gauge { .. } => gauges,
            EventKind::Mark { .. } => marks,
            EventKind::Alloc { .. }
            | EventKind::Free { .. }
            | EventKind::Realloc { .. }
            | EventKind::FailedAlloc { .. } => true,
        },
    }
}

/// Whether chunks are moved as they are.
pub(super) fn moves(chunks: &Chunks, plan: &CapturePlan) -> bool {
    let is_known = chunks.positions().is_some();
    is_known
        && chunks.longest() <= plan.chunk_size
        && plan.collection == CollectionConfig::default()
}

fn move_chunks<W: Write>(
    chunks: &Chunks,
    positions: &[StreamPosition],
    out: W,
    plan: &CapturePlan,
) -> Result<(W, Exported)> {
    let writing = || BinaryExportError::stream("write the capture");
    let mut writer = CaptureWriter::new(out, plan.chunked).map_err(writing())?;
    let mut compression = CompressionReport::default();
    let write = |packed: Packed| {
        compression.count(&packed);
        writer.write_chunk(&packed.header, &packed.payload).map_err(writing())
    };
    for_each_packed(chunks, plan, write)?;
    let (out, bytes_written) = writer.finish(positions).map_err(writing())?;
    Ok((out, Exported { events: chunks.event_count(), bytes_written, compression }))
}

/// Compresses all chunks, on the plan's threads, and hands them out in order.
fn for_each_packed(
    chunks: &Chunks,
    plan: &CapturePlan,
    mut each: impl FnMut(Packed) -> Result<()>,
) -> Result<()> {
    match plan.threads {
        #[cfg(feature = "parallel")]
        2.. => super::moved::for_each_packed(chunks, plan, each),
        _ => {
            let mut compressor = plan.compressor()?;
            chunks.for_each(|chunk| each(compressor.pack(&chunk.header, chunk.payload)?))
        }
    }
}

fn encode_anew<W: Write>(chunks: &Chunks, out: W, plan: &CapturePlan) -> Result<(W, Exported)> {
    let mut encoder = TraceEncoder::new(out, *plan)?;
    let mut continuity = Continuity::new();
    let is_merged = chunks.has_several_streams();
    // Of all, and of the stream's epoch.
    let (mut events, mut left_out) = (0, 0);
    for_each_part(chunks, |part| match part {
        Part::Definition(definition) => {
            let item = Item::Definition(definition);
            if collects(plan.collection, &item) { encoder.push(&item) } else { Ok(()) }
        }
        Part::Event(event) => {
            let item = Item::Event(event);
            if collects(plan.collection, &item) {
                events += 1;
                encoder.push(&item)
            } else {
                left_out += 1;
                Ok(())
            }
        }
        Part::Chunk(header) => {
            let follows = continuity.follow(header);
            if follows == Follows::Restart {
                left_out = 0;
            }
            // What is left out is not missing.
            let first_event = header.first_event.wrapping_sub(left_out);
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
    let (out, bytes_written, compression) = encoder.finish_with_report()?;
    Ok((out, Exported { events, bytes_written, compression }))
}
