//! JSON, one value a line, by `serde_json`.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::record::{Data, JsonDefinition, Record};
use crate::error::{BinaryExportError, Result};
use crate::io::atomic_file::AtomicFile;

/// How records are written.
pub(super) trait JsonRecord: Serialize + for<'de> Deserialize<'de> + From<Record> {
    fn into_record(self) -> Record;
}

/// An array without names, in the order of the record's fields.
#[derive(Serialize, Deserialize)]
pub(super) struct AsArray(u64, u64, u64, u64, u32, u32, u32, Option<u64>, Option<u32>);

/// An object with the names of its fields.
#[derive(Serialize, Deserialize)]
pub(super) struct AsObject {
    id: u64,
    address: u64,
    size: u64,
    allocated: u64,
    thread: u32,
    site: u32,
    reallocs: u32,
    freed: Option<u64>,
    freed_by: Option<u32>,
}

pub(super) fn write<R: JsonRecord>(data: &Data, path: &Path) -> Result<u64> {
    let file = AtomicFile::create(path).map_err(BinaryExportError::io("create", path))?;
    let mut out = BufWriter::with_capacity(1 << 16, file);
    let written = write_lines::<R>(data, &mut out).and_then(|()| {
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.commit()
    });
    written.map_err(BinaryExportError::io("write", path))
}

fn write_lines<R: JsonRecord>(data: &Data, out: &mut impl Write) -> io::Result<()> {
    for definition in &data.definitions {
        serde_json::to_writer(&mut *out, definition)?;
        out.write_all(b"\n")?;
    }
    for record in &data.records {
        serde_json::to_writer(&mut *out, &R::from(*record))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

pub(super) fn read<R: JsonRecord>(path: &Path, definitions: usize) -> Result<Data> {
    // A slice is what serde_json reads fastest.
    let text = fs::read(path).map_err(BinaryExportError::io("read", path))?;
    read_lines::<R>(&text, definitions)
        .map_err(|error| BinaryExportError::io("read", path)(error.into()))
}

fn read_lines<R: JsonRecord>(text: &[u8], definitions: usize) -> serde_json::Result<Data> {
    let mut data = Data::default();
    let mut stream = serde_json::Deserializer::from_slice(text);
    for _ in 0..definitions {
        data.definitions.push(JsonDefinition::deserialize(&mut stream)?.into_owned());
    }
    for record in stream.into_iter::<R>() {
        data.records.push(record?.into_record());
    }
    Ok(data)
}

impl From<Record> for AsObject {
    fn from(record: Record) -> Self {
        let Record { id, address, size, allocated, thread, site, reallocs, freed, freed_by } =
            record;
        Self { id, address, size, allocated, thread, site, reallocs, freed, freed_by }
    }
}

impl JsonRecord for AsObject {
    fn into_record(self) -> Record {
        let Self { id, address, size, allocated, thread, site, reallocs, freed, freed_by } = self;
        Record { id, address, size, allocated, thread, site, reallocs, freed, freed_by }
    }
}

impl From<Record> for AsArray {
    fn from(record: Record) -> Self {
        let Record { id, address, size, allocated, thread, site, reallocs, freed, freed_by } =
            record;
        Self(id, address, size, allocated, thread, site, reallocs, freed, freed_by)
    }
}

impl JsonRecord for AsArray {
    fn into_record(self) -> Record {
        let Self(id, address, size, allocated, thread, site, reallocs, freed, freed_by) = self;
        Record { id, address, size, allocated, thread, site, reallocs, freed, freed_by }
    }
}
