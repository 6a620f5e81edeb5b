//! Formats that encode one [`Row`] after the other.

use anyhow::{Context, Result};
use serde::Deserialize;
use zstd::bulk;

use super::{BATCH, Coder, Contender, REFERENCE};
use crate::row::Row;
use crate::trace::{Events, Trace};

/// The Zstd level of all peers.
const ZSTD_LEVEL: i32 = 3;

/// A format of rows.
trait RowFormat: Default {
    /// Appends `rows` to `out`.
    fn encode(&mut self, rows: &[Row], out: &mut Vec<u8>) -> Result<()>;
    /// Appends the `count` rows in `bytes` to `rows`.
    fn decode(&mut self, bytes: &[u8], count: usize, rows: &mut Vec<Row>) -> Result<()>;
}

pub(crate) fn contenders() -> Vec<Contender> {
    [
        with_and_without_zstd::<Json>(REFERENCE),
        with_and_without_zstd::<MessagePack>("rmp-serde"),
        with_and_without_zstd::<Postcard>("postcard"),
        with_and_without_zstd::<Bitcode>("bitcode"),
        with_and_without_zstd::<Bincode>("bincode 2"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn with_and_without_zstd<F: RowFormat + 'static>(name: &str) -> [Contender; 2] {
    [
        Contender::peer(name, || Ok(Batches::<F>::new(None))),
        Contender::peer(format!("{name} + Zstd {ZSTD_LEVEL}"), || {
            Ok(Batches::<F>::new(Some(Zstd::new()?)))
        }),
    ]
}

/// Bytes before a batch: how many rows, how many bytes, how many of them compressed.
const HEADER: usize = 12;

/// Batches of rows, each with its numbers before it, so that each can be decoded alone.
struct Batches<F> {
    format: F,
    zstd: Option<Zstd>,
}

struct Zstd {
    compressor: bulk::Compressor<'static>,
    decompressor: bulk::Decompressor<'static>,
    plain: Vec<u8>,
    packed: Vec<u8>,
}

impl Zstd {
    fn new() -> Result<Self> {
        Ok(Self {
            compressor: bulk::Compressor::new(ZSTD_LEVEL)?,
            decompressor: bulk::Decompressor::new()?,
            plain: Vec::new(),
            packed: Vec::new(),
        })
    }
}

impl<F: RowFormat> Batches<F> {
    fn new(zstd: Option<Zstd>) -> Self {
        Self { format: F::default(), zstd }
    }
}

impl<F: RowFormat> Coder for Batches<F> {
    fn encode(&mut self, trace: &Trace, out: &mut Vec<u8>) -> Result<()> {
        for rows in trace.input.rows.chunks(BATCH) {
            let header = out.len();
            let start = header + HEADER;
            out.resize(start, 0);
            let plain_len = match &mut self.zstd {
                None => {
                    self.format.encode(rows, out)?;
                    out.len() - start
                }
                Some(Zstd { compressor, plain, packed, .. }) => {
                    plain.clear();
                    self.format.encode(rows, plain)?;
                    packed.clear();
                    packed.reserve(zstd::zstd_safe::compress_bound(plain.len()));
                    compressor.compress_to_buffer(plain, packed)?;
                    out.extend_from_slice(packed);
                    plain.len()
                }
            };
            let numbers = [rows.len(), plain_len, out.len() - start];
            for (room, number) in out[header..start].chunks_exact_mut(4).zip(numbers) {
                room.copy_from_slice(&(number as u32).to_le_bytes());
            }
        }
        Ok(())
    }

    fn decode(&mut self, mut bytes: &[u8], out: &mut Events) -> Result<()> {
        while let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() {
            let number = |at: usize| {
                let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
                u32::from_le_bytes(bytes) as usize
            };
            let [count, plain_len, stored_len] = [0, 4, 8].map(number);
            let (stored, rest) = rest.split_at_checked(stored_len).context("a batch is cut off")?;
            bytes = rest;
            match &mut self.zstd {
                None => self.format.decode(stored, count, &mut out.rows)?,
                Some(Zstd { decompressor, plain, .. }) => {
                    plain.clear();
                    plain.reserve(plain_len);
                    decompressor.decompress_to_buffer(stored, plain)?;
                    self.format.decode(plain, count, &mut out.rows)?;
                }
            }
        }
        Ok(())
    }
}

/// One object a line.
#[derive(Default)]
struct Json;

impl RowFormat for Json {
    fn encode(&mut self, rows: &[Row], out: &mut Vec<u8>) -> Result<()> {
        for row in rows {
            serde_json::to_writer(&mut *out, row)?;
            out.push(b'\n');
        }
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8], _: usize, rows: &mut Vec<Row>) -> Result<()> {
        for row in serde_json::Deserializer::from_slice(bytes).into_iter() {
            rows.push(row?);
        }
        Ok(())
    }
}

/// Arrays of values without field names.
#[derive(Default)]
struct MessagePack;

impl RowFormat for MessagePack {
    fn encode(&mut self, rows: &[Row], out: &mut Vec<u8>) -> Result<()> {
        for row in rows {
            rmp_serde::encode::write(out, row)?;
        }
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8], count: usize, rows: &mut Vec<Row>) -> Result<()> {
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
        for _ in 0..count {
            rows.push(Row::deserialize(&mut deserializer)?);
        }
        Ok(())
    }
}

/// Varints.
#[derive(Default)]
struct Postcard;

impl RowFormat for Postcard {
    fn encode(&mut self, rows: &[Row], out: &mut Vec<u8>) -> Result<()> {
        for row in rows {
            postcard::serialize_with_flavor(row, Append(out))?;
        }
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8], count: usize, rows: &mut Vec<Row>) -> Result<()> {
        let mut deserializer = postcard::Deserializer::from_bytes(bytes);
        for _ in 0..count {
            rows.push(Row::deserialize(&mut deserializer)?);
        }
        Ok(())
    }
}

/// Where postcard writes: faster than any of its own flavors that write into a vector.
struct Append<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Append<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Its own derived code, which splits a batch into columns.
#[derive(Default)]
struct Bitcode(bitcode::Buffer);

impl RowFormat for Bitcode {
    fn encode(&mut self, rows: &[Row], out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(self.0.encode(rows));
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8], _: usize, rows: &mut Vec<Row>) -> Result<()> {
        let mut decoded: Vec<Row> = self.0.decode(bytes).map_err(anyhow::Error::msg)?;
        rows.append(&mut decoded);
        Ok(())
    }
}

/// Its own derived code, with varints.
#[derive(Default)]
struct Bincode;

impl RowFormat for Bincode {
    fn encode(&mut self, rows: &[Row], out: &mut Vec<u8>) -> Result<()> {
        for row in rows {
            bincode::encode_into_std_write(row, out, bincode::config::standard())?;
        }
        Ok(())
    }

    fn decode(&mut self, mut bytes: &[u8], _: usize, rows: &mut Vec<Row>) -> Result<()> {
        while !bytes.is_empty() {
            let (row, used) = bincode::decode_from_slice(bytes, bincode::config::standard())?;
            rows.push(row);
            bytes = &bytes[used..];
        }
        Ok(())
    }
}
