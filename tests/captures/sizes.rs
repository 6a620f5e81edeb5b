//! How large captures are with the default settings.

use heapwire::IntegratedConfig;
use heapwire::io::capture_reader::{CaptureReader, Part};
use heapwire::plan::CapturePlan;
use heapwire_core::ChunkKind;
use heapwire_tests::import;
use heapwire_tests::trace_files::{self, TraceFile};

/// What a whole capture may take, call stacks apart: the geometric mean over the traces.
const MOST_MEAN: f64 = 1.0;

/// Measured bytes an event, call stacks apart: of the traces in this repository, and of the long
/// ones. A capture that is 2 % larger fails; when one becomes smaller, write down the new figure.
const MEASURED: [(&str, f64, f64); 5] = [
    ("cargo_metadata", 0.7672, 0.7672),
    ("git_log_p", 0.9070, 0.9070),
    ("jq_doc", 0.6611, 0.6611),
    ("rg_mt_realtime", 1.2746, 1.2449),
    ("sqlite3_20k", 0.1406, 0.1479),
];
const TOLERANCE: f64 = 1.02;

/// Bytes of a capture: all of them, and those of chunks of definitions; and its events.
fn measure(file: &TraceFile) -> (u64, u64, u64) {
    let plan = CapturePlan::try_from(&IntegratedConfig::balanced()).expect("a preset");
    let capture = import(&file.text()[..], plan).expect("imported");
    let mut reader = CaptureReader::new(&capture[..]).expect("a capture");
    let (mut definitions, mut events) = (0, 0);
    while let Some(part) = reader.next_part().expect("reads") {
        let Part::Chunk(chunk, _) = part else { panic!("{part:?}") };
        events += u64::from(chunk.header.events);
        if chunk.header.kind == ChunkKind::Definitions {
            definitions += chunk.bytes.len() as u64;
        }
    }
    (capture.len() as u64, definitions, events)
}

fn check(files: &[TraceFile]) {
    let (mut product, mut whole_product) = (1.0, 1.0);
    println!("| trace | events | bytes | bytes an event | with call stacks |");
    println!("|---|--:|--:|--:|--:|");
    let mut too_large = Vec::new();
    for file in files {
        let (bytes, definitions, events) = measure(file);
        let each = (bytes - definitions) as f64 / events as f64;
        let whole = bytes as f64 / events as f64;
        println!("| {} | {events} | {bytes} | {each:.4} | {whole:.4} |", file.name);
        product *= each;
        whole_product *= whole;
        let pinned = MEASURED.iter().find(|(name, ..)| *name == file.name).expect("measured");
        let measured = if file.is_long { pinned.2 } else { pinned.1 };
        if each > measured * TOLERANCE {
            too_large.push(format!("{}: {each:.4}, was {measured}", file.name));
        }
    }
    let root = 1.0 / files.len() as f64;
    let (mean, whole_mean) = (f64::powf(product, root), f64::powf(whole_product, root));
    println!("| geometric mean | | | {mean:.4} | {whole_mean:.4} |");
    assert!(mean <= MOST_MEAN, "{mean} bytes an event");
    assert!(too_large.is_empty(), "{too_large:?}");
}

#[test]
fn captures_stay_small() {
    check(&trace_files::committed());
}

#[test]
fn long_captures_stay_small() {
    let files = trace_files::long();
    if !files.is_empty() {
        check(&files);
    }
}
