//! The input: the first events of a recorded trace, in every form that a contender takes.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use heapwire::convert::text::TextReader;
use heapwire::heapwire_core::Event;
use heapwire::trace::Item;
use heapwire::trace::replay::LiveBlocks;

use crate::row::Row;

/// Events in memory. A decoder fills one of the two forms.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// As heapwire has them.
    pub events: Vec<Event>,
    /// As serde and its like have them.
    pub rows: Vec<Row>,
}

impl Events {
    /// Room for this many events in either form.
    #[must_use]
    pub fn with_capacity(events: usize) -> Self {
        Self { events: Vec::with_capacity(events), rows: Vec::with_capacity(events) }
    }

    /// Forgets the events, but keeps the room.
    pub fn clear(&mut self) {
        self.events.clear();
        self.rows.clear();
    }

    /// Whether these, decoded into one of the forms, are exactly the events of `input`.
    #[must_use]
    pub fn are_those_of(&self, input: &Self) -> bool {
        if self.rows.is_empty() {
            self.events == input.events
        } else {
            self.events.is_empty() && self.rows == input.rows
        }
    }
}

/// A trace without its definitions.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Its file's name without extensions.
    pub name: String,
    /// Its events in both forms.
    pub input: Events,
    /// The size in bytes of the block that each event frees, 0 if none or unknown: a recorder is
    /// told by its allocator, so looking it up is no part of encoding.
    pub freed: Vec<u64>,
}

impl Trace {
    /// Reads the first `limit` events of the text trace at `path`, which ends in `.zst` when it is
    /// compressed.
    ///
    /// # Errors
    /// When the file cannot be read, is no text trace, or has no event.
    pub fn read(path: &Path, limit: usize) -> Result<Self> {
        let reading = || format!("cannot read the trace {path:?}");
        let file = File::open(path).with_context(reading)?;
        let is_zstd = path.extension().is_some_and(|extension| extension == "zst");
        let text: Box<dyn BufRead> = match is_zstd {
            true => Box::new(BufReader::new(zstd::Decoder::new(file).with_context(reading)?)),
            false => Box::new(BufReader::new(file)),
        };
        let mut reader = TextReader::new(text);
        let mut events = Vec::new();
        while events.len() < limit {
            match reader.next_item().with_context(reading)? {
                Some(Item::Event(event)) => events.push(event),
                Some(Item::Definition(_)) => {}
                None => break,
            }
        }
        ensure!(!events.is_empty(), "cannot measure with {path:?}: it has no event");
        Ok(Self::new(name(path), events))
    }

    /// A trace of these events.
    #[must_use]
    pub fn new(name: String, events: Vec<Event>) -> Self {
        let mut live = LiveBlocks::new();
        let freed = events.iter().map(|event| live.apply(event)).collect();
        let rows = events.iter().map(Row::from).collect();
        Self { name, input: Events { events, rows }, freed }
    }
}

/// All text traces in `folder`, sorted by name, but those that were made up for a microcontroller.
///
/// # Errors
/// When the folder cannot be read or has none.
pub fn in_folder(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let reading = || format!("cannot look for traces in the folder {folder:?}");
    let mut paths = Vec::new();
    for entry in folder.read_dir().with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_trace = file_name.ends_with(".trace") || file_name.ends_with(".trace.zst");
        if is_trace && !file_name.starts_with("firmware") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        bail!(
            "found no trace in the folder {folder:?}, expected files ending in .trace or .trace.zst"
        );
    }
    paths.sort();
    Ok(paths)
}

/// The file's name up to its first dot.
fn name(path: &Path) -> String {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    file_name.split('.').next().unwrap_or_default().to_owned()
}
