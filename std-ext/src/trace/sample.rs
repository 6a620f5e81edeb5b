//! The beginning of a trace that is too long to try things on.

use std::collections::BTreeMap;

use heapwire_core::{ChunkHeader, ChunkKind, StreamPosition};

use super::source::Chunks;
use crate::error::Result;

/// The beginning of each stream, in whole chunks: about `most` events in all, and all definitions. What
/// is shorter is taken whole.
pub(crate) fn beginning(chunks: &Chunks, most: u64) -> Result<Chunks> {
    let all = chunks.event_count();
    if all <= most {
        return Ok(chunks.clone());
    }
    let mut wanted: BTreeMap<u32, u64> = BTreeMap::new();
    for_each_header(chunks, |header| {
        *wanted.entry(header.stream).or_default() += u64::from(header.events);
    })?;
    for events in wanted.values_mut() {
        // Both are below 2^64, so the share is too.
        *events = (u128::from(*events) * u128::from(most)).div_ceil(u128::from(all)) as u64;
    }

    let mut sample = Chunks::new();
    let mut cut: BTreeMap<u32, StreamPosition> = BTreeMap::new();
    chunks.for_each(|chunk| {
        let header = &chunk.header;
        if header.kind == ChunkKind::Events {
            let left = wanted.entry(header.stream).or_default();
            if *left == 0 {
                cut.entry(header.stream).or_insert_with(|| before(header));
                return Ok(());
            }
            *left = left.saturating_sub(header.events.into());
        }
        sample.push_checked(chunk);
        Ok(())
    })?;
    sample.set_positions(chunks.positions().map(|positions| {
        let end = |position: &StreamPosition| *cut.get(&position.stream).unwrap_or(position);
        positions.iter().map(end).collect()
    }));
    Ok(sample)
}

fn for_each_header(chunks: &Chunks, mut each: impl FnMut(&ChunkHeader)) -> Result<()> {
    chunks.for_each(|chunk| {
        if chunk.header.kind == ChunkKind::Events {
            each(&chunk.header);
        }
        Ok(())
    })
}

/// Where the chunk's stream stands before it.
fn before(header: &ChunkHeader) -> StreamPosition {
    StreamPosition {
        stream: header.stream,
        epoch: header.epoch,
        sequence: header.sequence,
        event: header.first_event,
        losses: header.losses,
        totals: header.totals,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::source::ChunkSource;
    use crate::validation::validate_binary_file;
    use crate::{BinaryExport, BinaryExportError, MemoryTracker};

    #[test]
    fn a_sample_is_a_trace_of_its_own() -> Result<()> {
        let tracker = MemoryTracker::new();
        let mut random = fastrand::Rng::with_seed(1);
        for block in 0..100_000 {
            tracker.track_allocation(0x1000 + 16 * block, random.usize(1..5000));
        }
        let chunks = tracker.snapshot();
        let sample = beginning(&chunks, 30_000)?;
        let events = sample.event_count();
        assert!((30_000..70_000).contains(&events), "{events}");
        assert_eq!(beginning(&chunks, 100_000)?.event_count(), 100_000);

        let folder = tempfile::tempdir().map_err(BinaryExportError::io("create", "a folder"))?;
        let path = folder.path().join("sample");
        assert_eq!(BinaryExport::export_default(&sample, &path)?.events, events);
        let report = validate_binary_file(&path)?;
        assert!(report.is_valid && report.warnings.is_empty(), "{report:?}");
        Ok(())
    }
}
