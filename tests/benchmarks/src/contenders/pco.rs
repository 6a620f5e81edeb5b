//! pco: each column of numbers compressed by itself.

use anyhow::{Context, Result, ensure};
use pco::ChunkConfig;
use pco::data_types::Number;
use pco::standalone::{simple_compress_into, simple_decompress_into};

use super::columns::{Absent, Columns};
use super::{BATCH, Coder, Contender};
use crate::trace::{Events, Trace};

/// Its default.
const LEVEL: usize = 8;

pub(super) fn contenders() -> Vec<Contender> {
    vec![Contender::peer(format!("pco {LEVEL}"), || Ok(Pco::new()))]
}

struct Pco {
    config: ChunkConfig,
    columns: Columns,
}

impl Pco {
    fn new() -> Self {
        let config = ChunkConfig::default().with_compression_level(LEVEL).with_enable_8_bit(true);
        Self { config, columns: Columns::new(Absent::Skipped) }
    }
}

impl Coder for Pco {
    fn encode(&mut self, trace: &Trace, out: &mut Vec<u8>) -> Result<()> {
        let Self { config, columns } = self;
        for events in trace.input.events.chunks(BATCH) {
            columns.split(events);
            put(out, &columns.kinds, config)?;
            put(out, &columns.steps, config)?;
            put(out, &columns.threads, config)?;
            for field in &columns.fields {
                put(out, field, config)?;
            }
        }
        Ok(())
    }

    fn decode(&mut self, mut bytes: &[u8], out: &mut Events) -> Result<()> {
        let columns = &mut self.columns;
        while !bytes.is_empty() {
            take(&mut bytes, &mut columns.kinds)?;
            take(&mut bytes, &mut columns.steps)?;
            take(&mut bytes, &mut columns.threads)?;
            for field in &mut columns.fields {
                take(&mut bytes, field)?;
            }
            columns.join(&mut out.events)?;
        }
        Ok(())
    }
}

/// Appends a column: how many numbers, how many bytes, and the bytes.
fn put<T: Number>(out: &mut Vec<u8>, numbers: &[T], config: &ChunkConfig) -> Result<()> {
    let start = out.len() + 8;
    out.extend_from_slice(&(numbers.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    simple_compress_into(numbers, config, &mut *out)?;
    let len = out.len() - start;
    out[start - 4..start].copy_from_slice(&(len as u32).to_le_bytes());
    Ok(())
}

/// Reads a column from the start of `bytes`.
fn take<T: Number + Default>(bytes: &mut &[u8], numbers: &mut Vec<T>) -> Result<()> {
    let (&[a, b, c, d, e, f, g, h], rest) = bytes.split_first_chunk::<8>().context(CUT)?;
    let (column, rest) =
        rest.split_at_checked(u32::from_le_bytes([e, f, g, h]) as usize).context(CUT)?;
    *bytes = rest;
    let count = u32::from_le_bytes([a, b, c, d]) as usize;
    numbers.resize(count, T::default());
    let progress = simple_decompress_into(column, numbers)?;
    ensure!(
        progress.n_processed == count,
        "found {} numbers, expected {count}",
        progress.n_processed
    );
    Ok(())
}

const CUT: &str = "a column is cut off";
