//! What lies between events: gaps, restarts, several streams, totals.

use heapwire::io::capture_reader::{CaptureReader, Part};
use heapwire::io::capture_writer::CaptureWriter;
use heapwire::io::codec::Compression;
use heapwire::plan::Target;
use heapwire::trace::replay::Fate;
use heapwire::validation::validate;
use heapwire::{BinaryExportError, IntegratedBinaryExporter, IntegratedConfig, OutputFormat};
use heapwire_core::{ChunkHeader, ChunkKind, StreamPosition};
use heapwire_tests::{Content, ZSTD, import, plan, sample};

use super::{Whole, converted, events_of, parser, records, targets};

/// A capture whose chunks of events are those of a sample, each changed like this; `None` is lost.
fn changed(change: impl Fn(usize, &mut ChunkHeader) -> Option<()>) -> Vec<u8> {
    let text = sample::text(3_000);
    let capture = import(text.as_bytes(), plan(1024, ZSTD)).unwrap();
    let mut reader = CaptureReader::new(&capture[..]).unwrap();
    let mut writer = CaptureWriter::new(Vec::new(), false).unwrap();
    let (mut at, mut last) = (0, StreamPosition::default());
    let mut streams: Vec<StreamPosition> = Vec::new();
    while let Some(Part::Chunk(chunk, _)) = reader.next_part().unwrap() {
        let mut header = chunk.header;
        match header.kind {
            ChunkKind::Events => {
                at += 1;
                if change(at, &mut header).is_none() {
                    continue;
                }
                last = StreamPosition {
                    stream: header.stream,
                    epoch: header.epoch,
                    sequence: header.sequence + 1,
                    event: header.first_event + u64::from(header.events),
                    losses: header.losses,
                    totals: header.totals,
                };
                streams.retain(|stream| stream.stream != last.stream);
                streams.push(last);
            }
            ChunkKind::Definitions => {}
            ChunkKind::Index | ChunkKind::End => continue,
        }
        writer.write_chunk(&header, chunk.payload).unwrap();
    }
    assert!(at > 10, "{at} chunks, {last:?}");
    writer.finish(&streams).unwrap().0
}

/// All forms but text carry this capture, and each back to a capture.
fn is_carried(capture: &[u8], but: impl Fn(&Target) -> bool) -> Whole {
    let whole = Whole::of(capture);
    assert!(!whole.positions.is_empty());
    for target in targets().into_iter().filter(|target| !but(target)) {
        if matches!(target, Target::Text(_)) {
            let error = converted(capture, target).unwrap_err();
            assert!(matches!(error, BinaryExportError::NotCarried { .. }), "{error}");
            continue;
        }
        let file = converted(capture, target).unwrap();
        assert_eq!(Whole::of(&file).positions, whole.positions, "{target:?}");
        assert!(Whole::of(&file) == whole, "{target:?}");
        let back = converted(&file, Target::Capture(plan(4096, ZSTD))).unwrap();
        assert!(Whole::of(&back) == whole, "{target:?}");
    }
    whole
}

#[test]
fn a_gap_is_carried() {
    // One in the middle, one at the beginning, one at the end.
    let capture = changed(|at, _| (at != 5 && at > 2).then_some(()));
    let whole = is_carried(&capture, |_| false);
    let gaps: Vec<_> = whole.positions.iter().filter(|(_, at)| at.is_gap()).collect();
    assert_eq!(gaps.len(), 2);
    assert!(gaps.iter().all(|(_, at)| at.missing_events > 0 && at.missing_chunks > 0));
    let (all, _) = records(&capture);
    assert!(all.iter().any(|record| record.fate == Fate::Unknown));
    assert!(all.iter().any(|record| record.allocated.is_none()));

    let file = converted(&capture, Target::MessagePack(Compression::None)).unwrap();
    let report = validate(&file[..]).unwrap();
    assert!(report.is_valid && report.warnings.len() == 2, "{report:?}");
    let parsed = parser().parse_streaming(&file[..]).unwrap();
    let expected = parser().parse_streaming(&capture[..]).unwrap();
    let missing = |gaps: &[heapwire::trace::continuity::Gap]| {
        gaps.iter().map(|gap| (gap.events, gap.chunks, gap.losses)).collect::<Vec<_>>()
    };
    assert_eq!(missing(&parsed.gaps), missing(&expected.gaps));
}

#[test]
fn a_restart_is_carried() {
    let capture = changed(|at, header| {
        if at > 4 {
            header.epoch = 1;
            header.sequence -= 4;
        }
        Some(())
    });
    let whole = is_carried(&capture, |_| false);
    assert!(whole.positions.iter().any(|(_, at)| at.restarted && at.epoch == 1));
    let (all, _) = records(&capture);
    assert!(all.iter().filter(|record| record.fate == Fate::Unknown).count() > 10);
}

#[test]
fn totals_that_the_events_do_not_tell_are_carried() {
    let capture = changed(|at, header| {
        header.totals.bytes_in_use += if at > 3 { 1_000_000 } else { 0 };
        header.totals.allocations += if at > 3 { 7 } else { 0 };
        Some(())
    });
    let whole = is_carried(&capture, |_| false);
    assert!(whole.positions.iter().all(|(_, at)| !at.is_gap()));
    assert!(whole.positions.iter().any(|(_, at)| at.bytes_in_use > 1_000_000));
}

#[test]
fn several_streams_are_carried_or_merged() {
    let capture = changed(|at, header| {
        header.stream = at as u32 % 2;
        header.sequence /= 2;
        header.first_event = (at as u64 / 2) * 10_000;
        Some(())
    });
    let is_message_pack = |target: &Target| matches!(target, Target::MessagePack(_));
    is_carried(&capture, is_message_pack);
    let error = converted(&capture, Target::MessagePack(ZSTD)).unwrap_err();
    assert!(error.to_string().contains("several streams"), "{error}");
    let error = parser().for_each_record(&capture[..], |_, _| Ok(())).unwrap_err();
    assert!(error.to_string().contains("several streams"), "{error}");

    // Loaded they are merged, and then there are records.
    let trace = parser().parse_streaming(&capture[..]).unwrap().trace;
    let mut all = Vec::new();
    trace
        .records(|record| {
            all.push(record);
            Ok(())
        })
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("merged.msgpack");
    let mut config = IntegratedConfig::balanced();
    config.output_format = OutputFormat::MessagePack;
    IntegratedBinaryExporter::new(config).export(&trace, &path).unwrap();
    let file = std::fs::read(path).unwrap();
    all.sort_by_key(|record| record.id);
    assert_eq!(records(&file).0, all);
    let events = Content { events: trace.events().unwrap(), ..Content::default() }.events;
    let heap_events = events_of(&all);
    assert!(heap_events.iter().all(|(number, event)| events[*number as usize] == *event));
}

#[test]
fn damage_is_an_error_or_salvaged_as_a_gap() {
    let text = sample::text(3_000);
    let whole = import(text.as_bytes(), plan(1024, ZSTD)).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    let cut = &whole[..whole.len() / 2];
    for capture in [&damaged[..], cut] {
        for target in targets() {
            assert!(converted(capture, target).is_err());
        }
        let mut plan = super::parse_plan();
        plan.salvage = true;
        let target = Target::MessagePack(Compression::None);
        let plan = heapwire::plan::ConvertPlan { parse: plan, target };
        let opened = heapwire::io::envelope::open(capture).unwrap();
        let (file, _) = heapwire::pipeline::convert::convert(opened, Vec::new(), &plan).unwrap();
        let salvaged = Whole::of(&file);
        assert!(salvaged.content.events.len() > 1_000);
        let gaps = salvaged.positions.iter().filter(|(_, at)| at.is_gap()).count();
        assert_eq!(gaps, usize::from(capture.len() == whole.len()));
    }
}
