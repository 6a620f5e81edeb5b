//! Parquet: columns of integers in dictionaries or as deltas, then Zstd.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{DataType, Int32Type, Int64Type};
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion,
};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::TypePtr;

use super::columns::{Absent, Columns, Field};
use super::{BATCH, Coder, Contender};
use crate::trace::{Events, Trace};

const LEVEL: i32 = 3;

/// Fields that not every event has are optional.
const SCHEMA: &str = "message events {
    required int32 kind;
    required int64 step;
    required int32 thread;
    optional int64 address;
    optional int64 old;
    optional int64 size;
    optional int64 site;
}";

pub(super) fn contenders() -> Vec<Contender> {
    vec![Contender::peer(format!("Parquet + Zstd {LEVEL}"), Parquet::new)]
}

struct Parquet {
    schema: TypePtr,
    properties: WriterPropertiesPtr,
    columns: Columns,
    kinds: Vec<i32>,
    /// Whether an event has the field, by event.
    levels: Vec<i16>,
}

impl Parquet {
    fn new() -> Result<Self> {
        // Of all that was tried this is the smallest: each value of a column as a number in a
        // dictionary, deltas where there are too many different ones, and pages of version 1, in
        // which Zstd sees the levels too.
        let properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
            .set_encoding(Encoding::DELTA_BINARY_PACKED)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_max_row_group_row_count(Some(BATCH));
        Ok(Self {
            schema: Arc::new(parse_message_type(SCHEMA)?),
            properties: Arc::new(properties.build()),
            columns: Columns::new(Absent::Skipped),
            kinds: Vec::new(),
            levels: Vec::new(),
        })
    }
}

impl Coder for Parquet {
    fn encode(&mut self, trace: &Trace, out: &mut Vec<u8>) -> Result<()> {
        let Self { schema, properties, columns, kinds, levels } = self;
        let mut file = SerializedFileWriter::new(out, Arc::clone(schema), Arc::clone(properties))?;
        for events in trace.input.events.chunks(BATCH) {
            columns.split(events);
            kinds.clear();
            kinds.extend(columns.kinds.iter().map(|&kind| i32::from(kind)));
            let mut group = file.next_row_group()?;
            put::<Int32Type>(&mut group, kinds, None)?;
            put::<Int64Type>(&mut group, &columns.steps, None)?;
            put::<Int32Type>(&mut group, &columns.threads, None)?;
            for (field, values) in Field::ALL.into_iter().zip(&columns.fields) {
                levels.clear();
                levels.extend(columns.kinds.iter().map(|&kind| i16::from(field.is_in(kind))));
                put::<Int64Type>(&mut group, values, Some(levels))?;
            }
            group.close()?;
        }
        file.close()?;
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8], out: &mut Events) -> Result<()> {
        let Self { columns, kinds, levels, .. } = self;
        let file = SerializedFileReader::new(Bytes::copy_from_slice(bytes))?;
        for at in 0..file.num_row_groups() {
            let group = file.get_row_group(at)?;
            take::<Int32Type>(&*group, 0, kinds, None)?;
            columns.kinds.clear();
            columns.kinds.extend(kinds.iter().map(|&kind| kind as u8));
            take::<Int64Type>(&*group, 1, &mut columns.steps, None)?;
            take::<Int32Type>(&*group, 2, &mut columns.threads, None)?;
            for (at, values) in (3..).zip(&mut columns.fields) {
                levels.clear();
                take::<Int64Type>(&*group, at, values, Some(levels))?;
            }
            columns.join(&mut out.events)?;
        }
        Ok(())
    }
}

/// Writes the next column of the group.
fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<()> {
    let mut column = group.next_column()?.context("the schema has fewer columns")?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()?;
    Ok(())
}

/// Reads one column of the group.
fn take<T: DataType>(
    group: &dyn RowGroupReader,
    at: usize,
    values: &mut Vec<T::T>,
    levels: Option<&mut Vec<i16>>,
) -> Result<()> {
    values.clear();
    let rows = group.metadata().num_rows() as usize;
    let mut column = get_typed_column_reader::<T>(group.get_column_reader(at)?);
    let (records, ..) = column.read_records(rows, levels, None, values)?;
    ensure!(records == rows, "column {at} has {records} rows, expected {rows}");
    Ok(())
}
