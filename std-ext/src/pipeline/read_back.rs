//! Whether a capture that was just written is on the disk as it was meant to be.

use std::io::Read;

use heapwire_core::ChunkKind;

use super::export::Exported;
use super::parse::damaged;
use crate::error::{BinaryExportError, Result};
use crate::io::capture_reader::{CaptureReader, Completeness, Damage, Part};
use crate::io::codec::Decompressor;
use crate::io::digest::Digest;
use crate::monitoring::{Phase, Stage, Watch};

/// Reads the capture from `input`, unpacks each chunk and compares them all with what was exported: every
/// checksum, the payloads before compression, the counts and the end mark. Events are not decoded: their
/// bytes are those that were encoded.
///
/// # Errors
/// When the capture is not what was exported, or cannot be read;
/// [`Cancelled`](BinaryExportError::Cancelled).
pub(crate) fn read_back(input: impl Read, exported: &Exported, watch: &mut Watch) -> Result<()> {
    watch.begin(Phase::Validation, Some(exported.bytes_written), Some(exported.events))?;
    let begun = watch.meter().begin(Stage::Validation);
    let mut reader = CaptureReader::new(input)?;
    let mut decompressor = Decompressor::new();
    let (mut digest, mut events) = (Digest::default(), 0);
    while let Some(part) = reader.next_part()? {
        let (chunk, offset) = match part {
            Part::Damage(damage) => return Err(damaged(&damage)),
            Part::Chunk(chunk, offset) => (chunk, offset),
        };
        if !matches!(chunk.header.kind, ChunkKind::Events | ChunkKind::Definitions) {
            continue;
        }
        let length = chunk.bytes.len() as u64;
        let unpacked = decompressor
            .unpack(chunk)?
            .map_err(|error| damaged(&Damage { offset, length, error }))?;
        digest.add(&chunk.header, crc32fast::hash(unpacked.payload));
        events += u64::from(chunk.header.events);
        watch.advance(offset + length, events)?;
    }
    let ended = match reader.completeness() {
        Completeness::Complete(end) => end.events,
        Completeness::CutOff { offset } => {
            return Err(BinaryExportError::CutOff { offset: *offset });
        }
    };
    if (events, ended) != (exported.events, exported.events) || Some(digest) != exported.digest {
        let what = format!(
            "found {events} events, and {ended} by the end mark, expected {}, with the contents \
             that were exported",
            exported.events
        );
        let source = std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        return Err(BinaryExportError::stream("read back what was written")(source));
    }
    watch.meter().end(begun);
    watch.complete(exported.bytes_written, events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::IntegratedConfig;
    use crate::pipeline::export::export;
    use crate::plan::CapturePlan;
    use crate::trace::source::ChunkSource;
    use crate::tracker::memory::MemoryTracker;

    fn exported(blocks: usize) -> (Vec<u8>, Exported) {
        let tracker = MemoryTracker::new();
        for block in 0..blocks {
            let _scope = tracker.scope("read back");
            tracker.track_allocation(0x5000 + 64 * block, 64);
        }
        let plan = CapturePlan::try_from(&IntegratedConfig::balanced()).expect("a plan");
        export(&tracker.snapshot(), Vec::new(), &plan).expect("exports")
    }

    fn check(capture: &[u8], exported: &Exported) -> Result<()> {
        read_back(capture, exported, &mut Watch::silent(Phase::Validation))
    }

    #[test]
    fn only_what_was_exported_passes() {
        let (capture, written) = exported(300);
        check(&capture, &written).expect("it is what was written");
        for at in 0..capture.len() {
            let mut damaged = capture.clone();
            damaged[at] ^= 0x10;
            assert!(check(&damaged, &written).is_err(), "byte {at}");
            assert!(check(&capture[..at], &written).is_err(), "{at} bytes");
        }
        let (other, _) = exported(301);
        let error = check(&other, &written).expect_err("another capture");
        let cause = std::error::Error::source(&error).expect("a cause").to_string();
        assert!(cause.starts_with("found 301 events, and 301 by the end mark, expected 300"));
    }
}
