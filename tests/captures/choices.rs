//! What a configuration leaves to heapwire to choose, and what it leaves out.

use heapwire::io::codec::Compression;
use heapwire::io::selection::{CompressionReport, Reason};
use heapwire::pipeline::encode::TraceEncoder;
use heapwire::pipeline::export::export;
use heapwire::plan::{Balancing, CapturePlan};
use heapwire::trace::Item;
use heapwire::trace::source::Chunks;
use heapwire::{
    BinaryDataParser, BinaryExportError, CollectionConfig, CompressionConfig,
    IntegratedBinaryExporter, IntegratedConfig, LoadBalancingStrategy, MemoryTracker, OutputFormat,
    ParserConfig,
};
use heapwire_core::{Definition, Event, EventKind, NameKind};
use heapwire_tests::sample::Random;
use heapwire_tests::trace_files::{self, TraceFile};
use heapwire_tests::{Content, ZSTD, import, plan, sample};

/// Events of random numbers, then such that are all alike, and so on.
fn mixed(runs: usize, each: usize) -> Vec<Event> {
    let mut random = Random(7);
    let mut events = Vec::new();
    for run in 0..runs {
        for at in 0..each as u64 {
            let wild = run % 2 == 0;
            let mut number = |bits: u32| random.number() >> (64 - bits);
            let kind = match (wild, at % 2) {
                (true, _) => {
                    let (address, size) = (number(64), number(64));
                    EventKind::Alloc { address, size, site: number(32) as u32 }
                }
                (false, 0) => EventKind::Alloc { address: 4096, size: 64, site: 1 },
                (false, _) => EventKind::Free { address: 4096, site: 0 },
            };
            let thread = if wild { number(32) as u32 } else { 1 };
            let time = (events.len() as u64) << 10 | if wild { number(10) } else { 0 };
            events.push(Event { time, thread, kind });
        }
    }
    events
}

fn encoded(events: &[Event], plan: CapturePlan) -> (Vec<u8>, CompressionReport) {
    let mut encoder = TraceEncoder::new(Vec::new(), plan).expect("begins");
    for event in events {
        encoder.push(&Item::Event(*event)).expect("encodes");
    }
    let (capture, _, report) = encoder.finish_with_report().expect("ends");
    (capture, report)
}

#[test]
fn each_chunk_gets_what_its_samples_speak_for() {
    let events = mixed(4, 1 << 16);
    for aim in [Compression::Lz4, ZSTD, Compression::Zstd { level: 9 }] {
        let fixed = plan(256 << 10, aim);
        let (configured, _) = encoded(&events, fixed);
        let (chosen, report) = encoded(&events, CapturePlan { auto_select: true, ..fixed });
        assert_eq!(Content::of_capture(&chosen).events, events);
        println!("{aim}: {} bytes as configured, {} as chosen", configured.len(), chosen.len());
        report.choices.iter().for_each(|chosen| println!("  {chosen}"));

        // Numbers of seven bits a byte leave Zstd something to take off, and LZ4 nothing.
        let is_stored = report.choices.iter().any(|chosen| chosen.reason == Reason::Incompressible);
        assert_eq!(is_stored, aim == Compression::Lz4, "{report:?}");
        assert!(report.choices.iter().any(|chosen| chosen.reason == Reason::Pays), "{report:?}");
        for chosen in &report.choices {
            assert!(chosen.compression <= aim, "{chosen}: costs more than was asked for");
            let is_stored = chosen.compression == Compression::None;
            assert_eq!(chosen.bytes_before == chosen.bytes_after, is_stored, "{chosen}");
        }
        // LZ4 is to take an eighth off, or is not worth its time.
        assert!(chosen.len() < configured.len() + configured.len() / 7);
    }
}

#[test]
fn threads_and_strategies_choose_alike() {
    let events = mixed(6, 1 << 15);
    let plan = CapturePlan { auto_select: true, ..plan(64 << 10, ZSTD) };
    let (expected, expected_report) = encoded(&events, plan);
    let tracker_chunks = chunks(&expected);
    let (moved, _) = export(&tracker_chunks, Vec::new(), &plan).expect("moved");
    for strategy in [
        LoadBalancingStrategy::WorkStealing,
        LoadBalancingStrategy::RoundRobin,
        LoadBalancingStrategy::LeastLoaded,
    ] {
        for stealing in [true, false] {
            for threads in [2, 3, 5] {
                let balancing = Balancing { strategy, stealing };
                let plan = CapturePlan { threads, balancing, ..plan };
                let (capture, report) = encoded(&events, plan);
                assert!(capture == expected && report == expected_report, "{balancing:?}");
                let (capture, _) = export(&tracker_chunks, Vec::new(), &plan).expect("moved");
                assert!(capture == moved, "{balancing:?}, {threads} threads");
            }
        }
    }
}

#[test]
fn events_pushed_together_make_the_same_capture() {
    let events = mixed(6, 1 << 15);
    for threads in [1, 2, 5] {
        let plan = CapturePlan { threads, ..plan(64 << 10, ZSTD) };
        let (expected, _) = encoded(&events, plan);
        for together in [1, 100, 127, 129, 70_000, events.len()] {
            let mut encoder = TraceEncoder::new(Vec::new(), plan).expect("begins");
            for some in events.chunks(together) {
                encoder.push_all(some).expect("encodes");
            }
            let (capture, _) = encoder.finish().expect("ends");
            assert!(capture == expected, "{together} together, {threads} threads");
        }
    }
}

/// The chunks of a capture.
fn chunks(capture: &[u8]) -> Chunks {
    let parser = BinaryDataParser::new(ParserConfig::default());
    parser.parse_streaming(capture).expect("parses").trace.chunks().clone()
}

#[test]
fn an_export_says_what_was_chosen() {
    let tracker = MemoryTracker::new();
    for at in 0..50_000 {
        tracker.track_allocation(0x5000 + 64 * (at % 7), 24);
        tracker.track_deallocation(0x5000 + 64 * (at % 7));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.hwcap");
    for compression in [CompressionConfig::fast(), CompressionConfig::balanced()] {
        let mut config = IntegratedConfig::balanced();
        config.compression = compression.clone();
        let result =
            IntegratedBinaryExporter::new(config).export(&tracker, &path).expect("exports");
        let report = result.compression;
        assert!(!report.choices.is_empty());
        // Headers, checksums, index and end mark are the rest.
        assert!(report.bytes_after() < result.bytes_written, "{compression:?}: {report:?}");
        assert!(report.bytes_after() > result.bytes_written / 2, "{compression:?}: {report:?}");
        assert!(report.ratio() > Some(1.5), "{compression:?}: {report:?}");
    }
}

/// "The smallest file": no level gives a smaller one than the highest, on any trace.
#[test]
fn the_highest_level_makes_the_smallest_file() {
    for file in trace_files::committed() {
        let sizes = [1, 9, 19].map(|level| size(&file, level));
        assert!(sizes.iter().all(|size| *size >= sizes[2]), "{}: {sizes:?}", file.name);
    }
}

fn size(file: &TraceFile, level: i32) -> usize {
    let mut config = IntegratedConfig::balanced();
    config.compression.level = level;
    let plan = CapturePlan::try_from(&config).expect("a plan");
    import(&file.text()[..], plan).expect("imported").len()
}

#[test]
fn what_is_not_collected_is_left_out() {
    let source =
        chunks(&import(sample::text(20_000).as_bytes(), plan(64 << 10, ZSTD)).expect("imports"));
    let whole = collected(&source, CollectionConfig::default());
    let is_of = |event: &Event, wanted: CollectionConfig| match event.kind {
        EventKind::Name { .. } => wanted.names,
        EventKind::Gauge { .. } => wanted.gauges,
        EventKind::Mark { .. } => wanted.marks,
        _ => true,
    };
    let everything = CollectionConfig::default();
    let mut configs = [everything; 5];
    configs[0].names = false;
    configs[1].call_stacks = false;
    configs[2].gauges = false;
    configs[3].marks = false;
    let nothing = &mut configs[4];
    (nothing.names, nothing.call_stacks, nothing.gauges, nothing.marks) =
        (false, false, false, false);
    for wanted in configs {
        let part = collected(&source, wanted);
        let expected = whole.events.iter().filter(|event| is_of(event, wanted));
        assert!(part.events.iter().eq(expected), "{wanted:?}");
        let lines = |prefix: &str| {
            let count = |content: &Content| {
                content.definitions.iter().filter(|line| line.starts_with(prefix)).count()
            };
            (count(&part), count(&whole))
        };
        for (prefix, is_wanted) in [
            ("s ", wanted.call_stacks),
            ("d variable", wanted.names),
            ("d type", wanted.names),
            ("d gauge", wanted.gauges),
            ("d mark", wanted.marks),
            ("d scope", true),
            ("d thread", true),
        ] {
            let (left, all) = lines(prefix);
            assert!(
                all > 0 && left == if is_wanted { all } else { 0 },
                "{prefix}: {left} of {all}"
            );
        }
    }
}

/// Exported to a file, read back and valid.
fn collected(source: &Chunks, collection: CollectionConfig) -> Content {
    let mut config = IntegratedConfig::balanced();
    config.collection = collection;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.hwcap");
    let result = IntegratedBinaryExporter::new(config).export(source, &path).expect("exports");
    let content = Content::of_capture(&std::fs::read(&path).expect("readable"));
    assert_eq!(content.events.len() as u64, result.events);
    content
}

#[test]
fn nothing_that_is_collected_is_nothing_to_export() {
    let mut encoder = TraceEncoder::new(Vec::new(), plan(64 << 10, ZSTD)).expect("begins");
    let name = heapwire_core::Name { kind: NameKind::Mark, id: 1, text: "here" };
    encoder.push(&Item::Definition(Definition::Name(name))).expect("encodes");
    let kind = EventKind::Mark { mark: 1 };
    encoder.push(&Item::Event(Event { time: 1, thread: 1, kind })).expect("encodes");
    let source = chunks(&encoder.finish().expect("ends").0);
    let mut config = IntegratedConfig::memory_efficient();
    config.output_format = OutputFormat::CustomBinary;
    config.collection.marks = false;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.hwcap");
    let result = IntegratedBinaryExporter::new(config).export(&source, &path);
    assert!(matches!(result, Err(BinaryExportError::NoDataToExport)), "{result:?}");
    assert!(!path.exists());
}
