//! From a tracker to a file and back: nothing is lost on any road.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::thread;

use heapwire::pipeline::export::export;
use heapwire::plan::CapturePlan;
use heapwire::trace::capture::Trace;
use heapwire::trace::replay::Replay;
use heapwire::trace::source::ChunkSource;
use heapwire::validation::validate;
use heapwire::{
    BinaryDataParser, BinaryExport, CompressionAlgorithm, CompressionConfig,
    IntegratedBinaryExporter, IntegratedConfig, MemoryTracker, OutputFormat, ParserConfig,
    validate_binary_file,
};
use heapwire_core::{Event, EventKind, NameKind};
use heapwire_tests::{CODECS, Content, ZSTD, import, plan, sample};
use tempfile::TempDir;

const THREADS: usize = 4;

/// Several threads at once, each with scopes, names, reallocations and a block that it never frees.
fn recorded(blocks: usize) -> MemoryTracker {
    let tracker = MemoryTracker::new();
    thread::scope(|threads| {
        for number in 1..=THREADS {
            let tracker = &tracker;
            threads.spawn(move || record(tracker, number << 32, blocks));
        }
    });
    tracker
}

fn record(tracker: &MemoryTracker, base: usize, blocks: usize) {
    let _outer = tracker.scope("work");
    tracker.track_allocation(base, 7);
    for i in 1..=blocks {
        let _inner = (i % 3 == 0).then(|| tracker.scope("parse"));
        let address = base + i * 4096;
        tracker.track_allocation(address, 100 + i % 5);
        if i % 10 == 0 {
            tracker.associate_var(address, &format!("line {}", i % 7), "Vec<u8>");
        }
        if i % 4 == 0 {
            tracker.track_reallocation(address, address + 2048, 1000);
            tracker.track_deallocation(address + 2048);
        } else {
            tracker.track_deallocation(address);
        }
    }
}

/// Events that [`recorded`] makes.
fn event_count(blocks: usize) -> u64 {
    (THREADS * (1 + 2 * blocks + blocks / 4 + blocks / 10)) as u64
}

fn content(trace: &Trace) -> Content {
    let mut content = Content::default();
    let each = |item: heapwire::trace::Item<'_>| {
        content.add(&item);
        Ok(())
    };
    trace.for_each(each).expect("decodes");
    content
}

fn held(source: &impl ChunkSource) -> Content {
    let (capture, _) =
        export(&source.snapshot(), Vec::new(), &plan(1 << 20, ZSTD)).expect("exports");
    Content::of_capture(&capture)
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn load(path: &PathBuf) -> Trace {
    IntegratedBinaryExporter::new(IntegratedConfig::default()).load(path).expect("loads")
}

#[test]
fn what_several_threads_record_is_exported_and_loaded() {
    let blocks = 2000;
    let tracker = recorded(blocks);
    let folder = Folder::new();
    let path = folder.path("heap.bin");
    let result = BinaryExport::export_default(&tracker, &path).expect("exports");
    assert_eq!(result.events, event_count(blocks));
    assert_eq!(result.bytes_written, std::fs::metadata(&path).expect("there").len());

    let trace = load(&path);
    let loaded = content(&trace);
    assert_eq!(loaded, held(&tracker));
    assert_eq!(loaded.events.len() as u64, event_count(blocks));

    let numbers: BTreeSet<u32> = loaded.events.iter().map(|event| event.thread).collect();
    assert_eq!(numbers, (1..=THREADS as u32).collect());
    for number in 1..=THREADS {
        check_thread(&trace, &loaded.events, number << 32, blocks);
    }
    let mut replay = Replay::new();
    for event in &loaded.events {
        replay.event(event);
    }
    assert_eq!((replay.live_blocks(), replay.live_bytes()), (THREADS as u64, THREADS as u64 * 7));
    assert_eq!((replay.unknown_frees(), replay.double_allocations()), (0, 0));
}

/// The events of one thread are those it recorded, in its order, with its scopes and names.
fn check_thread(trace: &Trace, events: &[Event], base: usize, blocks: usize) {
    let is_own = |event: &&Event| match event.kind {
        EventKind::Alloc { address, .. }
        | EventKind::Free { address, .. }
        | EventKind::Realloc { address, .. }
        | EventKind::Name { address, .. } => address >> 32 == base as u64 >> 32,
        _ => false,
    };
    let own: Vec<&Event> = events.iter().filter(is_own).collect();
    assert!(own.iter().all(|event| event.thread == own[0].thread));
    assert!(own.is_sorted_by_key(|event| event.time));
    let scope = |site| trace.symbols().name(NameKind::Scope, site).expect("a scope");
    let mut own = own.into_iter().map(|event| event.kind);
    let mut next = || own.next().expect("as many events as were recorded");
    let EventKind::Alloc { address, size: 7, site } = next() else { panic!("the first block") };
    assert_eq!((address, scope(site)), (base as u64, "work"));
    for i in 1..=blocks {
        let expected = if i % 3 == 0 { "parse" } else { "work" };
        let expected_address = (base + i * 4096) as u64;
        let EventKind::Alloc { address, size, site } = next() else { panic!("block {i}") };
        assert_eq!((address, size), (expected_address, 100 + i as u64 % 5));
        assert_eq!(scope(site), expected);
        if i % 10 == 0 {
            let EventKind::Name { address, variable, type_name } = next() else { panic!("{i}") };
            assert_eq!(address, expected_address);
            let name = |kind, id| trace.symbols().name(kind, id).expect("a name").to_owned();
            assert_eq!(name(NameKind::Variable, variable), format!("line {}", i % 7));
            assert_eq!(name(NameKind::Type, type_name), "Vec<u8>");
        }
        let mut freed = expected_address;
        if i % 4 == 0 {
            let EventKind::Realloc { old, address, size: 1000, .. } = next() else { panic!("{i}") };
            assert_eq!(old, freed);
            freed = address;
        }
        let EventKind::Free { address, site } = next() else { panic!("free of block {i}") };
        assert_eq!((address, scope(site)), (freed, expected));
    }
    assert!(own.next().is_none());
}

#[test]
fn a_snapshot_is_of_one_moment_and_recording_goes_on() {
    let tracker = MemoryTracker::new();
    tracker.track_allocation(0x1000, 1);
    let first = tracker.snapshot();
    tracker.track_allocation(0x2000, 2);
    let second = tracker.snapshot();
    assert_eq!((first.event_count(), second.event_count(), tracker.event_count()), (1, 2, 2));
    assert_eq!(held(&first).events[..], held(&second).events[..1]);
}

/// What a tracker is told need not make sense; it is exported and valid all the same.
#[test]
fn senseless_events_are_exported_as_they_are() {
    let tracker = MemoryTracker::new();
    for round in 0..20_000 {
        tracker.track_deallocation(0x100 + round);
        tracker.track_allocation(0x2000, usize::MAX);
        tracker.track_allocation(0x2000, 0);
        tracker.track_reallocation(0x9999, 0x2000, 5);
        tracker.track_reallocation(0x2000, 0x2000, round);
        tracker.associate_var(0x7777, "", "\u{1b}[31m\n");
        tracker.track_allocation(usize::MAX, 3);
    }
    let folder = Folder::new();
    let path = folder.path("heap.bin");
    BinaryExport::export_default(&tracker, &path).expect("exports, and reads back");
    assert!(validate_binary_file(&path).expect("reads").is_valid);
    assert_eq!(content(&load(&path)), held(&tracker));
}

fn configs() -> Vec<IntegratedConfig> {
    let mut configs = Vec::new();
    for algorithm in
        [CompressionAlgorithm::None, CompressionAlgorithm::Lz4, CompressionAlgorithm::Zstd]
    {
        for output_format in [
            OutputFormat::CustomBinary,
            OutputFormat::Chunked { chunk_size: 2048 },
            OutputFormat::Chunked { chunk_size: 1 << 20 },
        ] {
            let mut compression = CompressionConfig::default();
            compression.algorithm = algorithm;
            let mut config = IntegratedConfig::balanced();
            config.compression = compression;
            config.output_format = output_format;
            configs.push(config);
        }
    }
    configs
}

/// From each setting to each other and back: 81 roads, each with its way back.
#[test]
fn captures_convert_into_each_other_without_loss() {
    let folder = Folder::new();
    let (from, to, back) = (folder.path("from"), folder.path("to"), folder.path("back"));
    let tracker = recorded(300);
    let expected = held(&tracker);
    for config in configs() {
        let export = |config: &IntegratedConfig, source: &dyn ChunkSource, path| {
            IntegratedBinaryExporter::new(config.clone()).export(source, path).expect("exports")
        };
        export(&config, &tracker, &from);
        let trace = load(&from);
        assert_eq!(content(&trace), expected, "{config:?}");
        for other in configs() {
            export(&other, &trace, &to);
            let there = load(&to);
            assert_eq!(content(&there), expected, "{config:?} to {other:?}");
            export(&config, &there, &back);
            assert_eq!(content(&load(&back)), expected, "{config:?} to {other:?} and back");
        }
    }
}

/// A tracker's chunks are 64 KiB; a plan of smaller ones has them encoded anew.
#[test]
fn chunks_larger_than_the_plan_has_are_encoded_anew() {
    let tracker = recorded(20_000);
    let chunks = tracker.snapshot();
    assert!(chunks.longest() > 32 << 10, "there is a full chunk");
    let expected = held(&tracker);
    for chunk_size in [1024, 10_000, 32 << 10] {
        for threads in [1, 2] {
            let plan = CapturePlan { threads, chunked: true, ..plan(chunk_size, ZSTD) };
            let (capture, exported) = export(&chunks, Vec::new(), &plan).expect("exports");
            assert_eq!(exported.bytes_written, capture.len() as u64);
            assert_eq!(exported.events, expected.events.len() as u64);
            assert_eq!(Content::of_capture(&capture), expected);
            let report = validate(&capture[..]).expect("reads");
            assert!(report.is_valid && report.warnings.is_empty(), "{report:?}");
        }
    }
}

fn salvage(capture: &[u8]) -> heapwire::ParseResult {
    let mut config = ParserConfig::default();
    config.salvage = true;
    BinaryDataParser::new(config).parse_streaming(capture).expect("a capture")
}

#[test]
fn a_cut_capture_is_salvaged_and_exported_complete() {
    let text = sample::text(3000);
    let all = Content::of_text(text.as_bytes());
    for compression in CODECS {
        let capture = import(text.as_bytes(), plan(2048, compression)).expect("imported");
        for cut in (200..capture.len()).step_by(capture.len() / 40) {
            let salvaged = salvage(&capture[..cut]);
            let expected = content(&salvaged.trace);
            assert_eq!(expected.events[..], all.events[..expected.events.len()]);
            if expected.events.is_empty() {
                continue;
            }
            for chunk_size in [1024, 1 << 20] {
                let chunks = salvaged.trace.snapshot();
                let plan = plan(chunk_size, ZSTD);
                let (again, _) = export(&chunks, Vec::new(), &plan).expect("exports");
                assert_eq!(Content::of_capture(&again), expected);
                let report = validate(&again[..]).expect("reads");
                assert!(report.is_valid && report.warnings.is_empty(), "{report:?}");
            }
        }
    }
}

/// What is missing in the middle is still known to be missing after another export, and the totals
/// behind it are still exact.
#[test]
fn a_damaged_capture_is_salvaged_and_exported_with_its_gap() {
    let text = sample::text(3000);
    let capture = import(text.as_bytes(), plan(2048, ZSTD)).expect("imported");
    let mut damaged = capture.clone();
    damaged[capture.len() / 2] ^= 1;
    let salvaged = salvage(&damaged);
    assert_eq!((salvaged.damage.len(), salvaged.gaps.len()), (1, 1));
    for chunk_size in [1024, 1 << 20] {
        let chunks = salvaged.trace.snapshot();
        let (again, _) = export(&chunks, Vec::new(), &plan(chunk_size, ZSTD)).expect("exports");
        let loaded = salvage(&again);
        assert_eq!(content(&loaded.trace), content(&salvaged.trace));
        assert_eq!(loaded.damage, []);
        assert_eq!(loaded.gaps.len(), 1, "chunks of {chunk_size} bytes: the gap is forgotten");
        assert_eq!(loaded.gaps[0].events, salvaged.gaps[0].events);
        let streams = |capture: &[u8]| match salvage(capture).completeness {
            heapwire::io::capture_reader::Completeness::Complete(end) => end.streams,
            cut => panic!("{cut:?}"),
        };
        assert_eq!(streams(&again)[0].totals, streams(&capture)[0].totals);
        assert_eq!(streams(&again)[0].event, streams(&capture)[0].event);
        let report = validate(&again[..]).expect("reads");
        assert!(report.is_valid, "{report:?}");
    }
}
