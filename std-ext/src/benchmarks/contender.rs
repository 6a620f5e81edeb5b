//! Who is measured: each writes the same data to a file and reads it back.

use std::fs::File;
use std::path::Path;

use heapwire_core::Event;

use super::data::{Content, Data};
use super::json::JsonForm;
use crate::config::{IntegratedConfig, ParserConfig};
use crate::error::{BinaryExportError, Result};
use crate::facade::{BinaryDataParser, IntegratedBinaryExporter};
use crate::io::capture_reader::{Completeness, Damage};
use crate::pipeline::parse::{CaptureVisitor, damaged, parse_on};
use crate::plan::ParsePlan;
use crate::trace::Item;
use crate::trace::source::Chunks;

/// Who is measured.
#[derive(Clone, Copy, Debug)]
pub(super) enum Contender<'a> {
    /// heapwire with a configuration.
    Heapwire(&'a IntegratedConfig, Content),
    /// `serde_json`.
    Json(JsonForm),
}

impl Contender<'_> {
    /// What it reads.
    pub(super) fn content(self) -> Content {
        match self {
            Self::Heapwire(_, content) => content,
            Self::Json(form) => form.content(),
        }
    }

    /// Writes what is in `chunks` to `path`; returns the file's length in bytes.
    pub(super) fn write(self, chunks: &Chunks, path: &Path) -> Result<u64> {
        match self {
            Self::Heapwire(config, _) => {
                let mut exporter = IntegratedBinaryExporter::new(config.clone());
                Ok(exporter.export(chunks, path)?.bytes_written)
            }
            Self::Json(form) => form.write(chunks, path),
        }
    }

    /// Reads all of the file at `path` that was written of `chunks`.
    pub(super) fn read(self, chunks: &Chunks, path: &Path) -> Result<Data> {
        match self {
            Self::Heapwire(config, content) => {
                // Streams that a capture has side by side have to be merged first.
                let at_once = !chunks.has_several_streams();
                let parallel = config.parallel.clone();
                let config = ParserConfig { parallel, ..ParserConfig::default() };
                match (at_once, content) {
                    (true, Content::Events) => read_events(&config, path),
                    (true, Content::Records) => read_records(config, path),
                    (false, _) => load(config, path, content),
                }
            }
            Self::Json(form) => form.read(path),
        }
    }
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(BinaryExportError::io("open", path))
}

fn read_events(config: &ParserConfig, path: &Path) -> Result<Data> {
    let mut data = Data::default();
    let read = parse_on(&ParsePlan::try_from(config)?, open(path)?, &mut data);
    match read.map_err(BinaryExportError::in_file(path))? {
        Completeness::Complete(_) => Ok(data),
        Completeness::CutOff { offset } => Err(BinaryExportError::CutOff { offset }),
    }
}

impl CaptureVisitor for Data {
    fn item(&mut self, item: Item<'_>) -> Result<()> {
        self.push(&item);
        Ok(())
    }

    fn events(&mut self, events: &[Event]) -> Result<()> {
        self.events.extend_from_slice(events);
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> Result<()> {
        Err(damaged(damage))
    }
}

fn read_records(config: ParserConfig, path: &Path) -> Result<Data> {
    let (parser, file) = (BinaryDataParser::new(config), open(path)?);
    let read = Data::of_records(|each| parser.for_each_entry(file, each));
    read.map_err(BinaryExportError::in_file(path))
}

fn load(config: ParserConfig, path: &Path, content: Content) -> Result<Data> {
    let trace = BinaryDataParser::new(config).parse_file(path)?.trace;
    Data::of(trace.chunks(), content)
}
