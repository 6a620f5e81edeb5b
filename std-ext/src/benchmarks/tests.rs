//! What is written is read, by everyone and in every form.

use heapwire_core::{
    Chunker, Columns, Definition, Event, EventKind, Name, NameKind, Node, Placement, Pushed,
    Region, Session, Shape, StreamPosition,
};

use super::contender::Contender;
use super::data::{Content, Data, Seen, take_all};
use super::json::JsonForm;
use super::*;
use crate::config::IntegratedConfig;
use crate::tables::HeapTables;
use crate::trace::builder::ChunkBuilder;
use crate::trace::source::{ChunkSource, Chunks};

const FORMS: [JsonForm; 3] = [JsonForm::Objects, JsonForm::Arrays, JsonForm::Records];

/// Each kind of definition and event.
fn all_kinds() -> Chunks {
    let mut builder = ChunkBuilder::new();
    let name = |kind, id, text| Definition::Name(Name { kind, id, text });
    for definition in [
        Definition::Session(Session {
            device: "a \"quoted\" one",
            build: "",
            ticks_per_second: 1_000_000,
            address_bits: 64,
        }),
        Definition::Node(Node { id: 1, parent: 0, ip: u64::MAX }),
        name(NameKind::Scope, 2, "line\n\nbreaks"),
        name(NameKind::Type, 3, "[u8]"),
        Definition::Region(Region { start: 0x1000, size: 0x1000, name: "heap\\" }),
    ] {
        builder.define(&definition).unwrap();
    }
    let kinds = [
        EventKind::Alloc { address: 0x1000, size: 64, site: 1 },
        EventKind::Name { address: 0x1000, variable: 0, type_name: 3 },
        EventKind::Realloc { old: 0x1000, address: 0x1800, size: 128, site: 2 },
        EventKind::Gauge { gauge: 5, value: -7 },
        EventKind::FailedAlloc { size: 1 << 40, site: 2 },
        EventKind::Alloc { address: 0x1000, size: 8, site: 0 },
        EventKind::Free { address: 0x1800, site: 2 },
        EventKind::Mark { mark: 6 },
        EventKind::Free { address: 0x1a00, site: 0 },
    ];
    for (time, kind) in (100..).zip(kinds) {
        builder.push(&Event { time, thread: 1, kind });
    }
    builder.finish()
}

/// What is in the file that a form writes of these chunks.
fn written(form: JsonForm, chunks: &Chunks) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("json");
    let length = form.write(chunks, &path).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text.len() as u64, length);
    text
}

#[test]
fn all_that_is_written_is_read() {
    let chunks = all_kinds();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut contenders: Vec<_> = FORMS.map(Contender::Json).to_vec();
    let balanced = IntegratedConfig::balanced();
    contenders.push(Contender::Heapwire(&balanced, Content::Events));
    contenders.push(Contender::Heapwire(&balanced, Content::Records));
    for contender in contenders {
        contender.write(&chunks, &path).unwrap();
        let (mut data, mut seen) = (Data::default(), Seen::default());
        contender.read(&chunks, &path, &mut data).unwrap();
        contender.read(&chunks, &path, &mut seen).unwrap();
        let (mut all, mut all_seen) = (Data::default(), Seen::default());
        take_all(&chunks, contender.content(), &mut all).unwrap();
        take_all(&chunks, contender.content(), &mut all_seen).unwrap();
        assert_eq!((&data, seen), (&all, all_seen), "{contender:?}");
        assert_ne!(seen, Seen::default());
        match contender.content() {
            Content::Events => assert_eq!((data.events.len(), data.records.len()), (9, 0)),
            Content::Records => assert_eq!((data.events.len(), data.records.len()), (0, 3)),
        }
        assert_eq!(data.symbols.name(NameKind::Scope, 2), Some("line\n\nbreaks"));
    }
}

#[test]
fn lines_are_as_documented() {
    let mut builder = ChunkBuilder::new();
    builder.define(&Definition::Node(Node { id: 25, parent: 0, ip: 9 })).unwrap();
    let alloc = EventKind::Alloc { address: 94_305_632, size: 64, site: 25 };
    builder.push(&Event { time: 1712, thread: 1, kind: alloc });
    let free = EventKind::Free { address: 94_305_632, site: 0 };
    builder.push(&Event { time: 1718, thread: 1, kind: free });
    let [objects, arrays, records] = FORMS.map(|form| written(form, &builder.snapshot()));
    assert_eq!(
        objects,
        r#"{"Node":{"id":25,"parent":0,"ip":9}}
{"Alloc":{"time":1712,"thread":1,"address":94305632,"size":64,"site":25}}
{"Free":{"time":1718,"thread":1,"address":94305632}}
"#
    );
    assert_eq!(arrays, "[8,25,0,9]\n[0,1712,1,94305632,64,25]\n[1,1718,1,94305632]\n");
    let record = concat!(
        r#"{"id":0,"address":94305632,"size":64,"#,
        r#""allocated":{"event":0,"time":1712,"thread":1,"site":25},"#,
        r#""freed":{"event":1,"time":1718,"thread":1,"site":0},"fate":"freed"}"#
    );
    assert_eq!(records, format!("{record}\n\n{}\n", r#"{"Node":{"id":25,"parent":0,"ip":9}}"#));
}

#[test]
fn a_line_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("json");
    for (form, text) in [
        (JsonForm::Objects, "{\"Alloc\":{\"time\":1}}\n"),
        (JsonForm::Arrays, "[0,1,2]\n"),
        (JsonForm::Arrays, "[11]\n"),
        (JsonForm::Arrays, "[1,2,3,4,5,6]\n"),
        (JsonForm::Records, "{\"id\":1}\n\n"),
    ] {
        std::fs::write(&path, text).unwrap();
        assert!(form.read(&path, &mut Data::default()).is_err(), "{text}");
    }
}

#[test]
fn results_have_everything() {
    let mut config = BenchmarkConfig { rounds: 1, event_counts: vec![3_000], ..Default::default() };
    config = config.with_source("two streams", &two_streams());
    let results = BenchmarkRunner::new(config).unwrap().run_all_benchmarks().unwrap();
    assert_eq!((results.data.len(), results.comparison.others.len()), (2, 2));
    for data in &results.data {
        let contents =
            |of: &[ContenderResult]| of.iter().map(|one| one.content).collect::<Vec<_>>();
        let (events, records) = (Content::Events, Content::Records);
        assert_eq!(contents(&data.presets), [events, events, events, records, records, records]);
        assert_eq!(contents(&data.json), [events, events, records]);
        assert!(data.records > 0 && data.records < data.events, "{data:?}");
        for result in data.presets.iter().chain(&data.json) {
            assert!(result.bytes > 0 && !result.write.least.is_zero(), "{result:?}");
            assert!(result.read.least <= result.read.median, "{result:?}");
            assert!(!result.load.least.is_zero(), "{result:?}");
        }
    }
    let sizes =
        results.data.iter().map(|data| data.json[2].bytes as f64 / data.presets[0].bytes as f64);
    let mean = sizes.product::<f64>().sqrt();
    assert!((results.comparison.others[1].avg_size_improvement / mean - 1.0).abs() < 1e-9);
}

/// Two cores that allocate and free in turn, in chunks of few events.
fn two_streams() -> Chunks {
    let mut chunkers = [0, 1].map(|stream| {
        let tables = HeapTables::for_encoding(Shape::DENSE);
        let mut chunker = Chunker::new(vec![0; 1024], Columns::new(), tables, Placement::GLIBC_64)
            .with_checksum(crc32fast::hash);
        chunker.set_position(StreamPosition { stream, ..StreamPosition::default() });
        chunker
    });
    let mut chunks = Chunks::new();
    for time in 0..2_000 {
        let stream = time as usize / 500 % 2;
        let address = 0x1000 + 64 * (time / 2);
        let kind = match time % 2 {
            0 => EventKind::Alloc { address, size: 64, site: 0 },
            _ => EventKind::Free { address, site: 0 },
        };
        let chunker = &mut chunkers[stream];
        assert_eq!(chunker.push(&Event { time, thread: 1, kind }, 64), Pushed::Written);
        if time % 100 == 99 {
            chunks.push(chunker.seal().unwrap()).unwrap();
        }
    }
    chunks.set_positions(Some(chunkers.iter().map(Chunker::position).collect()));
    assert!(chunks.has_several_streams());
    chunks
}
