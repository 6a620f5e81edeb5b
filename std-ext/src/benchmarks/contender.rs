//! Who is measured: each writes the same data to a file and reads it back.

use std::fs::File;
use std::path::Path;

use super::json::{self, JsonForm};
use super::record::{Collector, Data};
use crate::config::{IntegratedConfig, ParserConfig};
use crate::error::{BinaryExportError, Result};
use crate::facade::{BinaryDataParser, IntegratedBinaryExporter};
use crate::io::capture_reader::{Completeness, Damage};
use crate::pipeline::parse::{CaptureVisitor, damaged, parse_on};
use crate::plan::ParsePlan;
use crate::trace::Item;
use crate::trace::merge::{Part, for_each_part};
use crate::trace::source::Chunks;

/// Who is measured.
#[derive(Clone, Copy, Debug)]
pub(super) enum Contender<'a> {
    /// heapwire with a configuration.
    Heapwire(&'a IntegratedConfig, &'a Chunks),
    /// `serde_json`.
    Json(JsonForm, &'a Data),
}

impl Contender<'_> {
    /// Writes the data to `path`; returns the file's length in bytes.
    pub(super) fn write(&self, path: &Path) -> Result<u64> {
        match self {
            Self::Heapwire(config, chunks) => {
                let mut exporter = IntegratedBinaryExporter::new((*config).clone());
                Ok(exporter.export(*chunks, path)?.bytes_written)
            }
            Self::Json(form, data) => json::write(*form, data, path),
        }
    }

    /// Reads all of the file at `path`.
    pub(super) fn read(&self, path: &Path) -> Result<Data> {
        match self {
            Self::Heapwire(config, chunks) => {
                let parallel = config.parallel.clone();
                let config = ParserConfig { parallel, ..ParserConfig::default() };
                read_capture(config, path, chunks.has_several_streams())
            }
            Self::Json(form, data) => json::read(*form, path, data.definition_counts()),
        }
    }
}

/// All records in `chunks`.
pub(super) fn data_of(chunks: &Chunks) -> Result<Data> {
    let mut collector = Collector::default();
    for_each_part(chunks, |part| {
        match part {
            Part::Definition(definition) => collector.item(&Item::Definition(definition)),
            Part::Event(event) => collector.item(&Item::Event(event)),
            Part::Chunk(_) => {}
        }
        Ok(())
    })?;
    Ok(collector.finish())
}

fn read_capture(config: ParserConfig, path: &Path, has_several_streams: bool) -> Result<Data> {
    // Streams that the capture has side by side must be merged before they are replayed.
    if has_several_streams {
        let trace = BinaryDataParser::new(config).parse_file(path)?.trace;
        return data_of(trace.chunks());
    }
    let plan = ParsePlan::try_from(&config)?;
    let file = File::open(path).map_err(BinaryExportError::io("open", path))?;
    let mut collector = Collector::default();
    let read = parse_on(plan.threads, file, &mut collector);
    match read.map_err(BinaryExportError::in_file(path))? {
        Completeness::Complete(_) => Ok(collector.finish()),
        Completeness::CutOff { offset } => Err(BinaryExportError::CutOff { offset }),
    }
}

impl CaptureVisitor for Collector {
    fn item(&mut self, item: Item<'_>) -> Result<()> {
        Self::item(self, &item);
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> Result<()> {
        Err(damaged(damage))
    }
}
