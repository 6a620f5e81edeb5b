//! Forms of a trace: MessagePack, JSON lines, the text form, captures; any into any other.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

#[path = "../captures/alloc.rs"]
mod alloc;
mod gaps;
mod hostile;
mod python;
mod records;
mod round_trips;

use heapwire::io::codec::Compression;
use heapwire::io::envelope::open;
use heapwire::pipeline::convert::convert;
use heapwire::plan::{ConvertPlan, ParsePlan, Target};
use heapwire::trace::Item;
use heapwire::trace::entry::{Entry, Position};
use heapwire::trace::record::Record;
use heapwire::trace::symbols::Symbols;
use heapwire::{BinaryDataParser, ParserConfig};
use heapwire_core::Event;
use heapwire_tests::{Content, ZSTD, plan};

/// What a file in any form holds: all that has to come back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Whole {
    content: Content,
    /// Each with the number of the event behind it.
    positions: Vec<(usize, Position)>,
}

impl Whole {
    fn of(file: &[u8]) -> Self {
        let mut whole = Self::default();
        parser()
            .for_each_entry(file, |entry| {
                match entry {
                    Entry::Item(item) => whole.content.add(&item),
                    Entry::Position(at) => {
                        whole.positions.push((whole.content.events.len(), at));
                    }
                }
                Ok(())
            })
            .expect("the file reads");
        whole
    }
}

fn parser() -> BinaryDataParser {
    let mut config = ParserConfig::default();
    config.parallel = None;
    BinaryDataParser::new(config)
}

fn parse_plan() -> ParsePlan {
    let mut config = ParserConfig::default();
    config.parallel = None;
    ParsePlan::try_from(&config).unwrap()
}

/// Every form, with one frame each.
fn targets() -> [Target; 6] {
    [
        Target::Capture(plan(64 << 10, ZSTD)),
        Target::Capture(heapwire::plan::CapturePlan { chunked: true, ..plan(4 << 10, ZSTD) }),
        Target::MessagePack(Compression::None),
        Target::MessagePack(Compression::Lz4),
        Target::JsonLines(ZSTD),
        Target::Text(Compression::None),
    ]
}

fn converted(file: &[u8], target: Target) -> heapwire::Result<Vec<u8>> {
    let plan = ConvertPlan { parse: parse_plan(), target };
    let (out, exported) = convert(open(file)?, Vec::new(), &plan)?;
    assert_eq!(exported.bytes_written, out.len() as u64);
    Ok(out)
}

/// The records of a file, by their ids, and what their numbers stand for.
fn records(file: &[u8]) -> (Vec<Record>, Symbols) {
    let (mut all, mut last) = (Vec::new(), Symbols::new());
    parser()
        .for_each_record(file, |record, symbols| {
            all.push(record);
            if all.len() == 1 {
                last = symbols.clone();
            }
            Ok(())
        })
        .expect("the file reads");
    all.sort_by_key(|record| record.id);
    parser()
        .for_each_item(file, |item| {
            if let Item::Definition(definition) = item {
                last.define(&definition);
            }
            Ok(())
        })
        .unwrap();
    (all, last)
}

/// The events that records are made of, in order.
fn events_of(records: &[Record]) -> Vec<(u64, Event)> {
    let mut events = Vec::new();
    for record in records {
        record.for_each_event(|number, event| events.push((number, event)));
    }
    events.sort_by_key(|(number, _)| *number);
    events
}
