//! JSON by `serde_json`, one value a line, without white space.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::array::Array;
use super::data::{Content, RecordOr, Taker, for_each_item, for_each_record};
use super::line::Line;
use crate::error::{BinaryExportError, Result};
use crate::io::atomic_file::AtomicFile;
use crate::trace::entry::for_each_entry;
use crate::trace::record::{Moment, Naming, Reallocation, Record};
use crate::trace::replay::Fate;
use crate::trace::source::Chunks;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonForm {
    /// An event or a definition, as an object.
    Objects,
    /// An event or a definition, as an array without names of fields.
    Arrays,
    /// A record, as an object; the definitions come after all records.
    Records,
}

impl JsonForm {
    pub(super) fn content(self) -> Content {
        match self {
            Self::Objects | Self::Arrays => Content::Events,
            Self::Records => Content::Records,
        }
    }

    /// Writes what is in `chunks`, as it is decoded; returns the file's length in bytes.
    pub(super) fn write(self, chunks: &Chunks, path: &Path) -> Result<u64> {
        let file = AtomicFile::create(path).map_err(BinaryExportError::io("create", path))?;
        let mut out = BufWriter::with_capacity(1 << 16, file);
        let wrote = |written: io::Result<()>| written.map_err(BinaryExportError::io("write", path));
        match self {
            Self::Objects => {
                for_each_item(chunks, |item| wrote(write_line(&Line::from(item), &mut out)))?;
            }
            Self::Arrays => {
                for_each_item(chunks, |item| wrote(write_line(&Array(item.into()), &mut out)))?;
            }
            Self::Records => {
                let mut definitions = Vec::new();
                for_each_record(
                    |each| for_each_entry(chunks, each),
                    |part| {
                        wrote(match part {
                            RecordOr::Record(record) => write_line(&Object(record), &mut out),
                            RecordOr::Item(item) => write_line(&Line::from(item), &mut definitions),
                        })
                    },
                )?;
                wrote(out.write_all(b"\n").and_then(|()| out.write_all(&definitions)))?;
            }
        }
        let file = out.into_inner().map_err(io::IntoInnerError::into_error);
        file.and_then(AtomicFile::commit).map_err(BinaryExportError::io("write", path))
    }

    /// Reads all of the file at `path` and hands it to `taker`.
    pub(super) fn read(self, path: &Path, taker: &mut impl Taker) -> Result<()> {
        // A slice is what serde_json reads fastest.
        let text = fs::read(path).map_err(BinaryExportError::io("read", path))?;
        self.parse(&text, taker).map_err(|error| BinaryExportError::io("read", path)(error.into()))
    }

    fn parse(self, text: &[u8], taker: &mut impl Taker) -> serde_json::Result<()> {
        match self {
            Self::Objects => read_lines(text, |line: Line<'_>| taker.item(&line.item())),
            Self::Arrays => read_lines(text, |Array(line)| taker.item(&line.item())),
            Self::Records => {
                // An empty line ends the records; there are few definitions.
                let end = text.windows(2).rposition(|two| two == b"\n\n").map_or(0, |at| at + 1);
                let (records, definitions) = text.split_at(end);
                read_lines(records, |Object(record)| taker.record(record))?;
                read_lines(definitions, |line: Line<'_>| taker.item(&line.item()))
            }
        }
    }
}

fn write_line(line: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

fn read_lines<'a, T: Deserialize<'a>>(
    text: &'a [u8],
    mut each: impl FnMut(T),
) -> serde_json::Result<()> {
    for line in serde_json::Deserializer::from_slice(text).into_iter() {
        each(line?);
    }
    Ok(())
}

/// A record.
#[derive(Serialize, Deserialize)]
struct Object(#[serde(with = "RecordObject")] Record);

/// A record without the fields that it does not have.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Record")]
struct RecordObject {
    id: u64,
    address: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    allocated: Option<Moment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reallocations: Vec<Reallocation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    namings: Vec<Naming>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    freed: Option<Moment>,
    fate: Fate,
}
