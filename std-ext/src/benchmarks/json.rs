//! JSON, one value a line, by `serde_json`.

use std::borrow::Cow;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::record::{Data, JsonDefinition, Record};
use crate::error::{BinaryExportError, Result};
use crate::io::atomic_file::AtomicFile;

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonForm {
    /// Objects; what is not there is left out.
    Objects,
    /// Arrays without names of fields.
    Arrays,
    /// Objects that need no definition of their site: each has its call stack.
    Stacks,
}

/// A line of [`JsonForm::Objects`] or [`JsonForm::Stacks`].
#[derive(Serialize, Deserialize)]
struct Object<'a> {
    id: u64,
    address: u64,
    size: u64,
    allocated: u64,
    thread: u32,
    site: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    reallocs: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    freed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    freed_by: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<Cow<'a, [u64]>>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A line of [`JsonForm::Arrays`], in the order of the record's fields.
#[derive(Serialize, Deserialize)]
struct Array(u64, u64, u64, u64, u32, u32, u32, Option<u64>, Option<u32>);

pub(super) fn write(form: JsonForm, data: &Data, path: &Path) -> Result<u64> {
    let file = AtomicFile::create(path).map_err(BinaryExportError::io("create", path))?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    let written = write_lines(form, data, &mut out).and_then(|()| {
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.commit()
    });
    written.map_err(BinaryExportError::io("write", path))
}

fn write_lines(form: JsonForm, data: &Data, out: &mut impl Write) -> io::Result<()> {
    for definition in &data.definitions {
        if form != JsonForm::Stacks || !definition.is_node() {
            write_line(definition, out)?;
        }
    }
    for record in &data.records {
        match form {
            JsonForm::Objects => write_line(&Object::new(record, None), out)?,
            JsonForm::Stacks => write_line(&Object::new(record, data.stack(record.site)), out)?,
            JsonForm::Arrays => write_line(&Array::from(*record), out)?,
        }
    }
    Ok(())
}

fn write_line(line: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// Reads what was written of a trace with so many definitions that are no nodes, and so many nodes.
pub(super) fn read(form: JsonForm, path: &Path, [others, nodes]: [usize; 2]) -> Result<Data> {
    // A slice is what serde_json reads fastest.
    let text = fs::read(path).map_err(BinaryExportError::io("read", path))?;
    let definitions = if form == JsonForm::Stacks { others } else { others + nodes };
    read_lines(form, &text, definitions)
        .map_err(|error| BinaryExportError::io("read", path)(error.into()))
}

fn read_lines(form: JsonForm, text: &[u8], definitions: usize) -> serde_json::Result<Data> {
    let mut data = Data::default();
    let mut stream = serde_json::Deserializer::from_slice(text);
    for _ in 0..definitions {
        data.definitions.push(JsonDefinition::deserialize(&mut stream)?.into_owned());
    }
    match form {
        JsonForm::Objects => {
            for line in stream.into_iter::<Object<'_>>() {
                data.records.push(line?.record());
            }
        }
        JsonForm::Stacks => {
            for line in stream.into_iter::<Object<'_>>() {
                let line = line?;
                data.records.push(line.record());
                data.read_stacks.push(line.stack.unwrap_or_default().into_owned());
            }
        }
        JsonForm::Arrays => {
            for line in stream.into_iter::<Array>() {
                data.records.push(line?.into());
            }
        }
    }
    Ok(data)
}

impl<'a> Object<'a> {
    fn new(record: &Record, stack: Option<&'a [u64]>) -> Self {
        let Record { id, address, size, allocated, thread, site, reallocs, freed, freed_by } =
            *record;
        let stack = stack.map(Cow::Borrowed);
        Self { id, address, size, allocated, thread, site, reallocs, freed, freed_by, stack }
    }

    fn record(&self) -> Record {
        let Self { id, address, size, allocated, thread, site, reallocs, freed, freed_by, .. } =
            *self;
        Record { id, address, size, allocated, thread, site, reallocs, freed, freed_by }
    }
}

impl From<Record> for Array {
    fn from(record: Record) -> Self {
        let Record { id, address, size, allocated, thread, site, reallocs, freed, freed_by } =
            record;
        Self(id, address, size, allocated, thread, site, reallocs, freed, freed_by)
    }
}

impl From<Array> for Record {
    fn from(array: Array) -> Self {
        let Array(id, address, size, allocated, thread, site, reallocs, freed, freed_by) = array;
        Self { id, address, size, allocated, thread, site, reallocs, freed, freed_by }
    }
}
