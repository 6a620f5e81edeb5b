//! Entries into a MessagePack file.

use std::io::{self, Write};

use heapwire_core::{Definition, NameKind};
use rmp::encode;
use rmp_serde::Serializer;
use serde::Serialize;

use super::{FORMAT, NAME, OtherEvent, OtherKind, PositionMap, VERSION};
use crate::convert::maps::{NameMap, NodeMap, RegionMap, SessionMap};
use crate::error::{BinaryExportError, Result};
use crate::io::codec::Compression;
use crate::io::envelope::FrameWriter;
use crate::io::sorter::{Sorter, Spool};
use crate::trace::Item;
use crate::trace::entry::Entry;
use crate::trace::record::{Moment, Naming, Reallocation, Record, Records};
use crate::trace::replay::Fate;
use crate::trace::symbols::Symbols;

/// Entries of the map.
const ENTRIES: u32 = 12;
/// Bytes gathered before the frame is written to.
const BUFFER: usize = 64 << 10;
/// The most elements of an array.
const MOST: u64 = u32::MAX as u64;

const WRITING: &str = "write the MessagePack file";
const SPOOLING: &str = "write a temporary file";

/// Writes a trace as one MessagePack map, in memory bounded by the live blocks and the names: all
/// counts have to be known before anything is written, so everything waits, in temporary files when
/// there is much of it.
#[derive(Debug)]
pub struct MessagePackWriter<W: Write> {
    out: FrameWriter<W>,
    symbols: Symbols,
    last_session: Vec<u8>,
    sessions: Spool,
    regions: Spool,
    names: Spool,
    nodes: Spool,
    positions: Spool,
    others: Spool,
    records: Records,
    /// Records that ended, by their ids, in a form without names.
    ended: Sorter,
    buffer: Vec<u8>,
}

/// A record as it is in the file.
#[derive(Serialize)]
struct RecordMap<'a> {
    id: u64,
    address: u64,
    size: Option<u64>,
    alignment: Option<u64>,
    allocated: Option<Moment>,
    reallocations: &'a [Reallocation],
    namings: &'a [Naming],
    freed: Option<Moment>,
    fate: Fate,
    scope: Option<&'a str>,
    variable: Option<&'a str>,
    #[serde(rename = "type")]
    type_name: Option<&'a str>,
}

/// An event that belongs to no block, with its name.
#[derive(Serialize)]
struct NamedEvent<'a> {
    #[serde(flatten)]
    event: OtherEvent,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl<W: Write> MessagePackWriter<W> {
    /// Begins a file, in a frame of this codec. Nothing is written before [`finish`](Self::finish).
    ///
    /// # Errors
    /// When the codec was not compiled in, or refuses the level.
    pub fn new(out: W, compression: Compression) -> Result<Self> {
        Ok(Self {
            out: FrameWriter::new(out, compression)?,
            symbols: Symbols::new(),
            last_session: Vec::new(),
            sessions: Spool::new(),
            regions: Spool::new(),
            names: Spool::new(),
            nodes: Spool::new(),
            positions: Spool::new(),
            others: Spool::new(),
            records: Records::new(),
            ended: Sorter::new(),
            buffer: Vec::new(),
        })
    }

    /// Adds the next entry of the trace.
    ///
    /// # Errors
    /// [`NotCarried`](BinaryExportError::NotCarried) when another stream goes on: records need the
    /// events in the order of time. When a temporary file cannot be written.
    pub fn entry(&mut self, entry: &Entry<'_>) -> Result<()> {
        match entry {
            Entry::Item(Item::Definition(definition)) => self.define(definition)?,
            Entry::Item(Item::Event(event)) => {
                if let Some(other) = OtherEvent::new(self.records.events(), event) {
                    // Named later, when all names are known.
                    compact(&mut self.buffer, &SpooledOther::from(other))?;
                    self.others.push(&self.buffer).map_err(spooling())?;
                }
            }
            Entry::Position(position) => {
                let before_event = self.records.events();
                named(&mut self.buffer, &PositionMap { before_event, position: *position })?;
                self.positions.push(&self.buffer).map_err(spooling())?;
            }
        }
        let Self { records, ended, buffer, .. } = self;
        records.entry(entry, |record| put_aside(ended, buffer, &record))
    }

    fn define(&mut self, definition: &Definition<'_>) -> Result<()> {
        if !self.symbols.define(definition) {
            return Ok(());
        }
        let spool = match *definition {
            Definition::Session(session) => {
                named(&mut self.buffer, &SessionMap::from(session))?;
                self.last_session.clone_from(&self.buffer);
                &mut self.sessions
            }
            Definition::Node(node) => {
                named(&mut self.buffer, &NodeMap::from(node))?;
                &mut self.nodes
            }
            Definition::Name(name) => {
                named(&mut self.buffer, &NameMap::from(name))?;
                &mut self.names
            }
            Definition::Region(region) => {
                named(&mut self.buffer, &RegionMap::from(region))?;
                &mut self.regions
            }
        };
        spool.push(&self.buffer).map_err(spooling())
    }

    /// Writes the file. Returns the output, and how many bytes it was given.
    ///
    /// # Errors
    /// When `out` refuses or a temporary file cannot be read;
    /// [`NotCarried`](BinaryExportError::NotCarried) when there are more than 2³² of anything.
    pub fn finish(self) -> Result<(W, u64)> {
        let Self { records, mut ended, mut buffer, symbols, .. } = self;
        let events = records.events();
        records.finish(|record| put_aside(&mut ended, &mut buffer, &record))?;
        let mut out = Hashing { out: self.out, buffer: Vec::new(), hasher: Default::default() };

        put(encode::write_map_len(&mut out, ENTRIES))?;
        put(encode::write_str(&mut out, "format"))?;
        put(encode::write_str(&mut out, FORMAT))?;
        put(encode::write_str(&mut out, "version"))?;
        put(encode::write_uint(&mut out, VERSION))?;
        put(encode::write_str(&mut out, "events"))?;
        put(encode::write_uint(&mut out, events))?;
        put(encode::write_str(&mut out, "session"))?;
        match self.last_session.is_empty() {
            true => encode::write_nil(&mut out).map_err(writing())?,
            false => out.write_all(&self.last_session).map_err(writing())?,
        }
        let spools = [
            ("sessions", self.sessions),
            ("regions", self.regions),
            ("names", self.names),
            ("call_stacks", self.nodes),
            ("positions", self.positions),
        ];
        for (key, spool) in spools {
            begin_array(&mut out, key, spool.count())?;
            let mut strings = spool.into_reader().map_err(spooling())?;
            io::copy(&mut strings, &mut out).map_err(writing())?;
        }
        begin_array(&mut out, "other_events", self.others.count())?;
        write_others(&mut out, self.others, &symbols)?;
        begin_array(&mut out, "records", ended.count())?;
        write_records(&mut out, ended, &symbols)?;
        put(encode::write_str(&mut out, "checksum"))?;
        let checksum = out.checksum().map_err(writing())?;
        put(encode::write_u32(&mut out, checksum))?;
        out.flush_buffer().and_then(|()| out.out.finish()).map_err(writing())
    }
}

fn writing() -> impl FnOnce(io::Error) -> BinaryExportError {
    BinaryExportError::stream(WRITING)
}

fn spooling() -> impl FnOnce(io::Error) -> BinaryExportError {
    BinaryExportError::stream(SPOOLING)
}

fn put<T>(written: Result<T, encode::ValueWriteError<io::Error>>) -> Result<()> {
    written.map(drop).map_err(|error| writing()(error.into()))
}

/// Makes `buffer` the value with names for its fields.
fn named(buffer: &mut Vec<u8>, value: &impl Serialize) -> Result<()> {
    buffer.clear();
    let written = value.serialize(&mut Serializer::new(&mut *buffer).with_struct_map());
    written.map_err(|error| writing()(io::Error::other(error)))
}

/// Makes `buffer` the value without them.
fn compact(buffer: &mut Vec<u8>, value: &impl Serialize) -> Result<()> {
    buffer.clear();
    let written = value.serialize(&mut Serializer::new(&mut *buffer));
    written.map_err(|error| spooling()(io::Error::other(error)))
}

/// Keeps a record until all names are known.
fn put_aside(ended: &mut Sorter, buffer: &mut Vec<u8>, record: &Record) -> Result<()> {
    compact(buffer, record)?;
    ended.push(record.id, buffer).map_err(spooling())
}

fn begin_array<W: Write>(out: &mut Hashing<W>, key: &'static str, count: u64) -> Result<()> {
    let length = u32::try_from(count).map_err(|_| BinaryExportError::NotCarried {
        form: NAME,
        what: format!("{count} {key}: an array has at most {MOST}"),
    })?;
    put(encode::write_str(out, key))?;
    put(encode::write_array_len(out, length))
}

/// An [`OtherEvent`] in a form without names: all its fields are there.
type SpooledOther = (u64, u64, u32, OtherKind, Option<u64>, Option<u32>, Option<u32>, Option<i64>);

impl From<OtherEvent> for SpooledOther {
    fn from(other: OtherEvent) -> Self {
        let OtherEvent { event, time, thread, kind, size, site, id, value } = other;
        (event, time, thread, kind, size, site, id, value)
    }
}

fn write_others<W: Write>(out: &mut Hashing<W>, others: Spool, symbols: &Symbols) -> Result<()> {
    let count = others.count();
    let mut input = others.into_reader().map_err(spooling())?;
    for _ in 0..count {
        let (event, time, thread, kind, size, site, id, value): SpooledOther =
            rmp_serde::from_read(&mut input)
                .map_err(|error| spooling()(io::Error::other(error)))?;
        let name = match kind {
            OtherKind::FailedAllocation => None,
            OtherKind::Gauge => id.and_then(|id| symbols.name(NameKind::Gauge, id)),
            OtherKind::Mark => id.and_then(|id| symbols.name(NameKind::Mark, id)),
        };
        let event = OtherEvent { event, time, thread, kind, size, site, id, value };
        write_named(out, &NamedEvent { event, name })?;
    }
    Ok(())
}

fn write_records<W: Write>(out: &mut Hashing<W>, ended: Sorter, symbols: &Symbols) -> Result<()> {
    ended
        .for_each(|_, bytes| {
            let record: Record = rmp_serde::from_slice(bytes).map_err(io::Error::other)?;
            let map = RecordMap {
                id: record.id,
                address: record.address,
                size: record.size,
                alignment: record.alignment(),
                allocated: record.allocated,
                reallocations: &record.reallocations,
                namings: &record.namings,
                freed: record.freed,
                fate: record.fate,
                scope: record.scope(symbols),
                variable: record.variable(symbols),
                type_name: record.type_name(symbols),
            };
            write_named(out, &map).map_err(SortError)
        })
        .map_err(|SortError(error)| error)
}

/// What handing out sorted records fails with.
struct SortError(BinaryExportError);

impl From<io::Error> for SortError {
    fn from(error: io::Error) -> Self {
        Self(BinaryExportError::stream("read a temporary file")(error))
    }
}

fn write_named<W: Write>(out: &mut Hashing<W>, value: &impl Serialize) -> Result<()> {
    let written = value.serialize(&mut Serializer::new(&mut *out).with_struct_map());
    written.map_err(|error| match error {
        rmp_serde::encode::Error::InvalidValueWrite(error) => writing()(error.into()),
        error => writing()(io::Error::other(error)),
    })?;
    if out.buffer.len() >= BUFFER { out.flush_buffer().map_err(writing()) } else { Ok(()) }
}

/// Gathers what is written, and hashes it.
struct Hashing<W: Write> {
    out: FrameWriter<W>,
    buffer: Vec<u8>,
    hasher: crc32fast::Hasher,
}

impl<W: Write> Hashing<W> {
    fn flush_buffer(&mut self) -> io::Result<()> {
        self.hasher.update(&self.buffer);
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Of everything so far.
    fn checksum(&mut self) -> io::Result<u32> {
        self.flush_buffer()?;
        Ok(self.hasher.clone().finalize())
    }
}

impl<W: Write> Write for Hashing<W> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= 4 * BUFFER {
            self.flush_buffer()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
