//! Arrow's stream format with its own Zstd compression of buffers.

use std::mem;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, UInt8Type};
use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, UInt8Array};
use arrow_ipc::CompressionType;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field as SchemaField, Schema, SchemaRef};

use super::columns::{Absent, Columns, Field};
use super::{BATCH, Coder, Contender};
use crate::trace::{Events, Trace};

/// Its default, and one that tries harder.
const LEVELS: [i32; 2] = [3, 9];

pub(super) fn contenders() -> Vec<Contender> {
    let contender =
        |level| Contender::peer(format!("Arrow IPC + Zstd {level}"), move || Arrow::new(level));
    LEVELS.map(contender).into()
}

struct Arrow {
    schema: SchemaRef,
    options: IpcWriteOptions,
    columns: Columns,
}

impl Arrow {
    fn new(level: i32) -> Result<Self> {
        let mut fields = vec![
            SchemaField::new("kind", DataType::UInt8, false),
            SchemaField::new("step", DataType::Int64, false),
            SchemaField::new("thread", DataType::Int32, false),
        ];
        fields.extend(Field::NAMES.map(|name| SchemaField::new(name, DataType::Int64, false)));
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            options: IpcWriteOptions::default()
                .try_with_compression(Some(CompressionType::ZSTD))?
                .try_with_compression_level(Some(level))?,
            columns: Columns::new(Absent::Zero),
        })
    }
}

impl Coder for Arrow {
    fn encode(&mut self, trace: &Trace, out: &mut Vec<u8>) -> Result<()> {
        let options = self.options.clone();
        let mut writer = StreamWriter::try_new_with_options(out, &self.schema, options)?;
        for events in trace.input.events.chunks(BATCH) {
            self.columns.split(events);
            // Arrays own their memory, so each batch has its own.
            let Columns { kinds, steps, threads, fields, .. } = &mut self.columns;
            let mut arrays: Vec<ArrayRef> = vec![
                Arc::new(UInt8Array::from(mem::take(kinds))),
                Arc::new(Int64Array::from(mem::take(steps))),
                Arc::new(Int32Array::from(mem::take(threads))),
            ];
            for field in fields {
                arrays.push(Arc::new(Int64Array::from(mem::take(field))));
            }
            writer.write(&RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)?;
        }
        writer.finish()?;
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8], out: &mut Events) -> Result<()> {
        for batch in StreamReader::try_new(bytes, None)? {
            let batch = batch?;
            let columns = &mut self.columns;
            columns.clear();
            let wrong = "a column of another type";
            let longs = |at: usize| batch.column(at).as_primitive_opt::<Int64Type>();
            let kinds = batch.column(0).as_primitive_opt::<UInt8Type>().context(wrong)?;
            columns.kinds.extend_from_slice(kinds.values());
            columns.steps.extend_from_slice(longs(1).context(wrong)?.values());
            let threads = batch.column(2).as_primitive_opt::<Int32Type>().context(wrong)?;
            columns.threads.extend_from_slice(threads.values());
            for (at, field) in (3..).zip(&mut columns.fields) {
                field.extend_from_slice(longs(at).context(wrong)?.values());
            }
            columns.join(&mut out.events)?;
        }
        Ok(())
    }
}
