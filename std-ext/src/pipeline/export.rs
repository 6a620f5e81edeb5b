//! A source's chunks into a capture: compressed and moved as they are; or encoded anew when they are
//! larger than the plan's, and several streams then become one.

use std::io::Write;

use heapwire_core::StreamPosition;

use super::convert::Sink;
use super::encode::TraceEncoder;
use crate::error::{BinaryExportError, Result};
use crate::io::capture_writer::CaptureWriter;
use crate::io::codec::Compressor;
use crate::plan::{CapturePlan, ExportPlan, Target};
use crate::trace::Item;
use crate::trace::continuity::{Continuity, Follows};
use crate::trace::entry::for_each_entry;
use crate::trace::merge::{Part, for_each_part};
use crate::trace::source::Chunks;

/// What an export did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Events in the capture.
    pub events: u64,
    /// The capture's length in bytes.
    pub bytes_written: u64,
}

/// Writes all chunks to `out`, in the plan's form.
///
/// # Errors
/// As [`export`].
pub fn export_as<W: Write>(chunks: &Chunks, out: W, plan: &ExportPlan) -> Result<(W, Exported)> {
    let target = match plan {
        ExportPlan::Capture(plan) => return export(chunks, out, plan),
        ExportPlan::MessagePack(plan) => Target::MessagePack(plan.compression),
    };
    let events = chunks.event_count();
    if events == 0 {
        return Err(BinaryExportError::NoDataToExport);
    }
    let mut sink = Sink::new(out, &target)?;
    for_each_entry(chunks, |entry| sink.entry(&entry))?;
    let (out, bytes_written) = sink.finish()?;
    Ok((out, Exported { events, bytes_written }))
}

/// Writes all chunks to `out`.
///
/// # Errors
/// [`NoDataToExport`](BinaryExportError::NoDataToExport) when there is no event, and whatever a codec
/// or `out` fails with.
pub fn export<W: Write>(chunks: &Chunks, out: W, plan: &CapturePlan) -> Result<(W, Exported)> {
    let events = chunks.event_count();
    if events == 0 {
        return Err(BinaryExportError::NoDataToExport);
    }
    let (out, bytes_written) = match chunks.positions() {
        Some(positions) if chunks.longest() <= plan.chunk_size => {
            move_chunks(chunks, positions, out, plan)?
        }
        _ => encode_anew(chunks, out, plan)?,
    };
    Ok((out, Exported { events, bytes_written }))
}

fn move_chunks<W: Write>(
    chunks: &Chunks,
    positions: &[StreamPosition],
    out: W,
    plan: &CapturePlan,
) -> Result<(W, u64)> {
    let writing = || BinaryExportError::stream("write the capture");
    let mut writer = CaptureWriter::new(out, plan.chunked).map_err(writing())?;
    let mut compressor = Compressor::new(plan.compression)?;
    chunks.for_each(|chunk| {
        let packed = compressor.pack(&chunk.header, chunk.payload)?;
        writer.write_chunk(&packed.header, &packed.payload).map_err(writing())
    })?;
    writer.finish(positions).map_err(writing())
}

fn encode_anew<W: Write>(chunks: &Chunks, out: W, plan: &CapturePlan) -> Result<(W, u64)> {
    let mut encoder = TraceEncoder::new(out, *plan)?;
    let mut continuity = Continuity::new();
    let is_merged = chunks.has_several_streams();
    for_each_part(chunks, |part| match part {
        Part::Definition(definition) => encoder.push(&Item::Definition(definition)),
        Part::Event(event) => encoder.push(&Item::Event(event)),
        Part::Chunk(header) => match continuity.follow(header) {
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
        },
    })?;
    if let Some([position]) = chunks.positions() {
        encoder.stand(position.totals);
    }
    encoder.finish()
}
