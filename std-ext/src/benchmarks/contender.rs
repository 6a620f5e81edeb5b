//! Who is measured: each writes the same data to a file and reads it back.

use std::fs::File;
use std::path::Path;

use heapwire_core::Event;

use super::data::{Content, Taker, take_all, take_records};
use super::json::JsonForm;
use crate::config::{IntegratedConfig, ParserConfig};
use crate::error::{BinaryExportError, Result};
use crate::facade::{BinaryDataParser, IntegratedBinaryExporter};
use crate::io::capture_reader::{Completeness, Damage};
use crate::pipeline::parse::{CaptureVisitor, damaged, parse_on};
use crate::plan::ParsePlan;
use crate::trace::Item;
use crate::trace::entry::Standing;
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

    /// Reads all of the file at `path` that was written of `chunks`, and hands it to `taker`.
    pub(super) fn read(self, chunks: &Chunks, path: &Path, taker: &mut impl Taker) -> Result<()> {
        match self {
            Self::Heapwire(config, content) => {
                let parallel = config.parallel.clone();
                let config = ParserConfig { parallel, ..ParserConfig::default() };
                // Streams that a capture has side by side have to be merged first.
                let read = match (chunks.has_several_streams(), content) {
                    (true, _) => return read_merged(config, path, content, taker),
                    (false, Content::Events) => {
                        parse_on(&ParsePlan::try_from(&config)?, open(path)?, &mut Reading(taker))
                            .and_then(whole)
                    }
                    (false, Content::Records) => {
                        let (parser, file) = (BinaryDataParser::new(config), open(path)?);
                        let standing = Standing::without_totals();
                        take_records(|each| parser.tell(file, standing, each), taker)
                    }
                };
                read.map_err(BinaryExportError::in_file(path))
            }
            Self::Json(form) => form.read(path, taker),
        }
    }
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(BinaryExportError::io("open", path))
}

fn whole(completeness: Completeness) -> Result<()> {
    match completeness {
        Completeness::Complete(_) => Ok(()),
        Completeness::CutOff { offset } => Err(BinaryExportError::CutOff { offset }),
    }
}

fn read_merged(
    config: ParserConfig,
    path: &Path,
    content: Content,
    taker: &mut impl Taker,
) -> Result<()> {
    let trace = BinaryDataParser::new(config).parse_file(path)?.trace;
    take_all(trace.chunks(), content, taker)
}

/// Hands on what a capture holds.
struct Reading<'a, T>(&'a mut T);

impl<T: Taker> CaptureVisitor for Reading<'_, T> {
    fn item(&mut self, item: Item<'_>) -> Result<()> {
        self.0.item(&item);
        Ok(())
    }

    fn events(&mut self, events: &[Event]) -> Result<()> {
        self.0.events(events);
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> Result<()> {
        Err(damaged(damage))
    }
}
