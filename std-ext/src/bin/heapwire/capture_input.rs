//! The capture to read: a file or standard input.
//!
//! One of several streams answers what happened on the heap only when they are merged, which needs all of it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use heapwire::trace::Item;
use heapwire::trace::entry::{Entry, for_each_entry};
use heapwire::trace::replay::Replay;
use heapwire::{BinaryDataParser, ParserConfig};

use crate::failure::{Failure, is_stdio};

/// Opens the capture at `path`, `-` for standard input.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if is_stdio(path) {
        return Ok(Box::new(io::stdin().lock()));
    }
    let cannot = |what: String| Failure::Other(format!("cannot open {path:?}: {what}"));
    let file = File::open(path).map_err(|error| cannot(error.to_string()))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(cannot("it is a directory".to_owned())),
        _ => Ok(Box::new(file)),
    }
}

/// What happened on the heap of the capture at `path`, its streams in the order of time.
pub(crate) fn merged(path: &Path) -> heapwire::Result<Replay> {
    let trace = BinaryDataParser::new(ParserConfig::default()).parse_file(path)?.trace;
    let mut replay = Replay::new();
    for_each_entry(trace.chunks(), |entry| {
        match entry {
            Entry::Item(Item::Event(event)) => drop(replay.event(&event)),
            Entry::Item(Item::Definition(_)) => {}
            Entry::Position(position) => {
                if position.restarted {
                    replay.restart();
                }
                if position.is_gap() {
                    replay.gap(position.missing_events);
                }
            }
        }
        Ok(())
    })?;
    Ok(replay)
}
