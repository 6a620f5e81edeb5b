//! Import then decode gives the same events in the same order and the same definitions, whatever the
//! settings.

use heapwire::ModelSize;
use heapwire::io::capture_reader::{CaptureReader, Completeness, Damage};
use heapwire::io::codec::Compression;
use heapwire::pipeline::parse::{CaptureVisitor, parse};
use heapwire::plan::CapturePlan;
use heapwire::trace::Item;
use heapwire::validation::validate;
use heapwire_core::format::MAX_CHUNK;
use heapwire_tests::trace_files::{self, TraceFile};
use heapwire_tests::{CODECS, Content, ZSTD, import, line, plan, sample};

const CHUNK_SIZES: [usize; 4] = [4 << 10, 64 << 10, 256 << 10, 4 << 20];

/// Compares as the capture is read, so that the events are in memory only once.
struct Compare<'a> {
    expected: &'a Content,
    events: usize,
    definitions: Vec<String>,
}

impl CaptureVisitor for Compare<'_> {
    fn item(&mut self, item: Item<'_>) -> heapwire::Result<()> {
        match item {
            Item::Definition(definition) => self.definitions.push(line(&definition)),
            Item::Event(event) => {
                assert_eq!(self.expected.events.get(self.events), Some(&event), "{}", self.events);
                self.events += 1;
            }
        }
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> heapwire::Result<()> {
        panic!("not damaged: {damage:?}")
    }
}

fn assert_holds(capture: &[u8], expected: &Content) {
    let mut compare = Compare { expected, events: 0, definitions: Vec::new() };
    let completeness = parse(capture, &mut compare).expect("the capture reads");
    assert_eq!(compare.events, expected.events.len());
    // Each exactly once: as many as there are different ones, and the same set.
    assert_eq!(compare.definitions.len(), expected.definitions.len());
    assert!(compare.definitions.iter().all(|line| expected.definitions.contains(line)));
    let Completeness::Complete(end) = completeness else { panic!("{completeness:?}") };
    assert_eq!(end.events, expected.events.len() as u64);

    let report = validate(capture).expect("the capture reads");
    assert!(report.is_valid, "{:?}", report.errors);
    assert_eq!((&report.errors[..], &report.warnings[..]), (&[][..], &[][..]));
    assert_eq!(report.events, end.events);
    assert_eq!(report.chunks, end.chunks);
}

/// Imports the text with one thread and with two, and compares all there is to compare.
fn check(text: &[u8], expected: &Content, plan: CapturePlan) {
    let capture = import(text, CapturePlan { threads: 1, ..plan }).expect("imported");
    let parallel = import(text, CapturePlan { threads: 2, ..plan }).expect("imported");
    assert!(capture == parallel, "{plan:?}: two threads give other bytes than one");
    let reader = CaptureReader::new(&capture[..]).expect("a capture");
    assert_eq!(reader.is_chunked(), plan.chunked);
    assert_holds(&capture, expected);
}

fn plans() -> impl Iterator<Item = CapturePlan> {
    CHUNK_SIZES.into_iter().flat_map(|chunk_size| {
        CODECS.into_iter().flat_map(move |compression| {
            [false, true]
                .map(move |chunked| CapturePlan { chunked, ..plan(chunk_size, compression) })
        })
    })
}

fn check_file(file: &TraceFile, plans: impl Iterator<Item = CapturePlan>) {
    let text = file.text();
    let expected = Content::of_text(&text);
    assert!(expected.events.len() > 100_000, "{}", file.name);
    plans.for_each(|plan| check(&text, &expected, plan));
}

/// Every combination on the traces of this repository.
#[test]
fn every_setting_is_lossless() {
    trace_files::committed().iter().for_each(|file| check_file(file, plans()));
}

/// On the long traces the two formats, which differ in one byte of the file header, take turns.
#[test]
fn long_traces_are_lossless() {
    for file in trace_files::long() {
        let in_turn = plans().enumerate().filter(|(number, _)| number % 4 == 0 || number % 4 == 3);
        check_file(&file, in_turn.map(|(_, plan)| plan));
    }
}

#[test]
fn every_kind_of_item_is_lossless() {
    for events in [1, 10, 3000] {
        let text = sample::text(events).into_bytes();
        let expected = Content::of_text(&text);
        assert_eq!(expected.events.len(), events);
        let sizes = [2048, MAX_CHUNK].into_iter();
        let extreme = sizes.flat_map(|size| plans().map(move |p| with_chunk_size(p, size)));
        plans().chain(extreme).for_each(|plan| check(&text, &expected, plan));
    }
    let firmware = trace_files::firmware();
    let expected = Content::of_text(&firmware);
    plans().for_each(|plan| check(&firmware, &expected, plan));
}

fn with_chunk_size(plan: CapturePlan, chunk_size: usize) -> CapturePlan {
    CapturePlan { chunk_size, ..plan }
}

#[test]
fn every_model_is_lossless() {
    let file = trace_files::committed().remove(2);
    for model in [ModelSize::Tiny, ModelSize::Fast] {
        check_file(&file, plans().map(|plan| CapturePlan { model, ..plan }));
    }
}

#[test]
fn every_level_of_zstd_is_lossless() {
    let file = trace_files::committed().remove(2);
    let levels = [1, 19].map(|level| Compression::Zstd { level });
    let plan = plans().find(|plan| plan.compression == ZSTD && plan.chunk_size == 256 << 10);
    let plan = plan.expect("the default is among them");
    check_file(&file, levels.into_iter().map(|compression| CapturePlan { compression, ..plan }));
}

#[test]
fn a_harder_try_is_not_larger() {
    let text = trace_files::committed()[2].text();
    let size = |level| {
        let plan = plan(256 << 10, Compression::Zstd { level });
        import(&text[..], plan).expect("imported").len()
    };
    assert!(size(19) <= size(1));
}
