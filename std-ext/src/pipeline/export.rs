//! A source's chunks into a capture: compressed and moved as they are; or encoded anew when they are
//! larger than the plan's, and several streams then become one.

use std::io::Write;

use heapwire_core::StreamPosition;

use super::encode::TraceEncoder;
use crate::error::{BinaryExportError, Result};
use crate::io::capture_writer::CaptureWriter;
use crate::io::codec::Compressor;
use crate::monitoring::{Phase, Stage, Watch};
use crate::plan::CapturePlan;
use crate::trace::Item;
use crate::trace::continuity::{Continuity, Follows};
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

/// Writes all chunks to `out`.
///
/// # Errors
/// [`NoDataToExport`](BinaryExportError::NoDataToExport) when there is no event, and whatever a codec
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
    let (out, bytes_written) = match chunks.positions() {
        Some(positions) if chunks.longest() <= plan.chunk_size => {
            move_chunks(chunks, positions, out, plan, watch)?
        }
        _ => encode_anew(chunks, out, plan, watch)?,
    };
    watch.meter().end(begun);
    watch.advance(bytes_written, events)?;
    Ok((out, Exported { events, bytes_written }))
}

fn move_chunks<W: Write>(
    chunks: &Chunks,
    positions: &[StreamPosition],
    out: W,
    plan: &CapturePlan,
    watch: &mut Watch,
) -> Result<(W, u64)> {
    let writing = || BinaryExportError::stream("write the capture");
    let mut writer = CaptureWriter::new(out, plan.chunked).map_err(writing())?;
    let mut compressor = Compressor::new(plan.compression)?;
    let mut events = 0;
    chunks.for_each(|chunk| {
        let pack = || compressor.pack(&chunk.header, chunk.payload);
        let packed = watch.meter().within(Stage::Compression, pack)?;
        let write = || writer.write_chunk(&packed.header, &packed.payload).map_err(writing());
        watch.meter().within(Stage::Writing, write)?;
        events += u64::from(chunk.header.events);
        watch.advance(writer.bytes_written(), events)
    })?;
    watch.meter().within(Stage::Writing, || writer.finish(positions).map_err(writing()))
}

fn encode_anew<W: Write>(
    chunks: &Chunks,
    out: W,
    plan: &CapturePlan,
    watch: &mut Watch,
) -> Result<(W, u64)> {
    let mut encoder = TraceEncoder::measured(out, *plan, watch.meter().another())?;
    let mut continuity = Continuity::new();
    let mut events = 0;
    let is_merged = chunks.has_several_streams();
    for_each_part(chunks, |part| match part {
        Part::Definition(definition) => encoder.push(&Item::Definition(definition)),
        Part::Event(event) => encoder.push(&Item::Event(event)),
        Part::Chunk(header) => {
            // Those of the chunks before.
            watch.advance(encoder.bytes_written(), events)?;
            events += u64::from(header.events);
            match continuity.follow(header) {
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
    if let Some([position]) = chunks.positions() {
        encoder.stand(position.totals);
    }
    let (out, length, [own, others]) = encoder.finish_measured()?;
    watch.account(Stage::Processing, &own, &others);
    Ok((out, length))
}
