//! How many times smaller captures are than the same records uncompressed. "Records' binary form" is
//! this: each allocation's whole life as one postcard message (numbers as varints), in the order of their
//! ends, and each definition as one. It has no header, length, checksum or index; a capture has them all.

use std::collections::HashMap;

use heapwire::io::codec::Compression;
use heapwire::plan::CapturePlan;
use heapwire::trace::Item;
use heapwire::{CompressionConfig, IntegratedConfig};
use heapwire_core::format::MAX_TEXT;
use heapwire_core::{Event, EventKind, put_definition};
use heapwire_tests::import;
use heapwire_tests::trace_files::{self, TraceFile};
use serde::Serialize;

/// An allocation's whole life.
#[derive(Default, Serialize)]
struct Record {
    thread: u32,
    address: u64,
    size: u64,
    site: u32,
    allocated: u64,
    freed: Option<u64>,
    moves: Vec<Move>,
}

/// A reallocation.
#[derive(Serialize)]
struct Move {
    time: u64,
    address: u64,
    size: u64,
    site: u32,
}

/// Bytes of a trace's records and definitions.
#[derive(Default)]
struct Records {
    live: HashMap<u64, Record>,
    bytes: usize,
    events: usize,
}

impl Records {
    fn of(file: &TraceFile) -> Self {
        let mut records = Self::default();
        let text = file.text();
        let mut reader = heapwire::convert::text::TextReader::new(&text[..]);
        let mut message = [0; 3 * MAX_TEXT];
        while let Some(item) = reader.next_item().expect("a trace") {
            match item {
                Item::Definition(definition) => {
                    records.bytes += put_definition(&mut message, &definition).expect("short");
                }
                Item::Event(event) => records.add(&event),
            }
        }
        for (_, record) in std::mem::take(&mut records.live) {
            records.end(&record);
        }
        records
    }

    fn add(&mut self, event: &Event) {
        let Event { time, thread, kind } = *event;
        self.events += 1;
        match kind {
            EventKind::Alloc { address, size, site } => {
                let record =
                    Record { thread, address, size, site, allocated: time, ..Record::default() };
                if let Some(replaced) = self.live.insert(address, record) {
                    self.end(&replaced);
                }
            }
            EventKind::Free { address, .. } => {
                if let Some(record) = self.live.remove(&address) {
                    self.end(&Record { freed: Some(time), ..record });
                }
            }
            EventKind::Realloc { old, address, size, site } => {
                let mut record = self.live.remove(&old).unwrap_or_default();
                record.moves.push(Move { time, address, size, site });
                if let Some(replaced) = self.live.insert(address, record) {
                    self.end(&replaced);
                }
            }
            other => panic!("no record tells of {other:?}"),
        }
    }

    fn end(&mut self, record: &Record) {
        self.bytes += postcard::to_stdvec(record).expect("serializes").len();
    }
}

/// The guide's table: with what, and how many times smaller at least.
fn promised() -> [(&'static str, CompressionConfig, f64); 5] {
    let mut none = CompressionConfig::balanced();
    none.algorithm = heapwire::CompressionAlgorithm::None;
    let mut nine = CompressionConfig::balanced();
    nine.level = 9;
    [
        ("None", none, 1.0),
        ("LZ4", CompressionConfig::fast(), 2.0),
        ("Zstd 3", CompressionConfig::balanced(), 3.0),
        ("Zstd 9", nine, 5.0),
        ("Zstd 19", CompressionConfig::max_compression(), 5.0),
    ]
}

fn check(files: &[TraceFile]) {
    print!("| trace | events | records, bytes |");
    promised().iter().for_each(|(name, ..)| print!(" {name} |"));
    println!("\n|---|--:|--:|--:|--:|--:|--:|--:|");
    let mut products = [1.0; 5];
    for file in files {
        let records = Records::of(file);
        print!("| {} | {} | {} |", file.name, records.events, records.bytes);
        let mut uncompressed = 0;
        for ((name, compression, least), product) in promised().into_iter().zip(&mut products) {
            let mut config = IntegratedConfig::balanced();
            config.compression = compression;
            let plan = CapturePlan::try_from(&config).expect("a plan");
            let capture = import(&file.text()[..], plan).expect("imported").len();
            if plan.compression == Compression::None {
                uncompressed = capture;
            }
            let ratio = records.bytes as f64 / capture as f64;
            let own = uncompressed as f64 / capture as f64;
            print!(" {ratio:.1} ({own:.2}) |");
            *product *= ratio;
            assert!(ratio >= least, "{}, {name}: {ratio:.2}, expected {least}", file.name);
        }
        println!();
    }
    print!("| geometric mean | | |");
    for product in products {
        print!(" {:.1} |", f64::powf(product, 1.0 / files.len() as f64));
    }
    println!();
}

#[test]
fn captures_are_as_many_times_smaller_as_promised() {
    check(&trace_files::committed());
}

#[test]
fn long_captures_are_as_many_times_smaller_as_promised() {
    let files = trace_files::long();
    if !files.is_empty() {
        check(&files);
    }
}
