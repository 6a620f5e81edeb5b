//! heapwire itself, the way its library goes: events through a chunker into columns, each lane through
//! the codec, chunks with their checksums into a capture, and back.

use anyhow::{Result, ensure};
use heapwire::heapwire_core::{
    Chunk, ChunkKind, Chunker, Columns, Decoder, Event, Placement, Pushed, Shape,
};
use heapwire::io::capture_reader::{CaptureReader, Damage, Part};
use heapwire::io::capture_writer::CaptureWriter;
use heapwire::io::codec::{Compression, Compressor, Decompressor};
use heapwire::pipeline::encode::TraceEncoder;
use heapwire::pipeline::parse::{CaptureVisitor, parse};
use heapwire::plan::CapturePlan;
use heapwire::tables::{HeapTables, shape_for_chunk};
use heapwire::trace::Item;
use heapwire::{BinaryExportError, IntegratedConfig, ParallelConfig};

use super::{Coder, Contender};
use crate::trace::{Events, Trace};

/// The largest chunk of a capture with default settings, in bytes before compression.
const DEFAULT_CHUNK: usize = 256 * 1024;

/// The models, and the codecs to try each with.
const MODELS: &[(&str, Shape, &[Compression])] = &[
    ("dense", Shape::DENSE, &[NONE, LZ4, zstd(1), zstd(3), zstd(19)]),
    ("fast", FAST, &[NONE, LZ4, zstd(1)]),
];

/// A model that predicts neither from earlier blocks nor from what the thread did last.
const FAST: Shape = Shape { blocks: 1, contexts: 0, ..Shape::DENSE };

const NONE: Compression = Compression::None;
const LZ4: Compression = Compression::Lz4;
const fn zstd(level: i32) -> Compression {
    Compression::Zstd { level }
}

/// Where a chunk ends.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Where its storage of so many bytes is full.
    Bytes(usize),
    /// After so many events.
    Events(u32),
}

impl Cut {
    fn storage(self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes,
            // More than the events of any program take.
            Self::Events(events) => events as usize * 8,
        }
    }
}

pub(crate) fn contenders() -> Vec<Contender> {
    let chunks = |name, shape, compression, cut| {
        Contender::ours(name, move || Chunks::new(shape, compression, cut))
    };
    let mut contenders = Vec::new();
    for &(model, shape, codecs) in MODELS {
        for &codec in codecs {
            contenders.push(chunks(name(model, codec), shape, codec, Cut::Bytes(DEFAULT_CHUNK)));
        }
    }
    let default = name("dense", zstd(3));
    for thousands in [8, 64] {
        let events = thousands << 10;
        // The tables that the library gives to chunks which hold about so many events.
        let shape = shape_for_chunk(2 * events as usize);
        let name = format!("{default}, {thousands}k events");
        contenders.push(chunks(name, shape, zstd(3), Cut::Events(events)).variant());
    }
    for threads in [1, 2] {
        let name = format!("heapwire capture + Zstd 3, threads: {threads}");
        contenders.push(Contender::ours(name, move || Capture::new(threads)).variant());
    }
    contenders
}

fn name(model: &str, compression: Compression) -> String {
    match compression {
        Compression::None => format!("heapwire {model}"),
        Compression::Lz4 => format!("heapwire {model} + LZ4"),
        Compression::Zstd { level } => format!("heapwire {model} + Zstd {level}"),
    }
}

/// Encodes and decodes captures in memory, on one thread.
struct Chunks {
    chunker: Chunker<Vec<u8>, Columns, HeapTables>,
    most_events: u32,
    compressor: Compressor,
    decompressor: Decompressor,
    tables: HeapTables,
}

impl Chunks {
    fn new(shape: Shape, compression: Compression, cut: Cut) -> Result<Self> {
        let tables = HeapTables::for_encoding(shape);
        let chunker =
            Chunker::new(vec![0; cut.storage()], Columns::new(), tables, Placement::GLIBC_64)
                // The writer makes the checksum, of what is compressed.
                .with_checksum(|_| 0);
        Ok(Self {
            chunker,
            most_events: match cut {
                Cut::Bytes(_) => u32::MAX,
                Cut::Events(events) => events,
            },
            compressor: Compressor::new(compression)?,
            decompressor: Decompressor::new(),
            tables: HeapTables::for_decoding(shape),
        })
    }

    fn write_chunk(&mut self, writer: &mut CaptureWriter<&mut Vec<u8>>) -> Result<()> {
        if let Some(sealed) = self.chunker.seal() {
            let chunk = Chunk::parse(sealed, |_| 0)?;
            let packed = self.compressor.pack(&chunk.header, chunk.payload)?;
            writer.write_chunk(&packed.header, &packed.payload)?;
        }
        Ok(())
    }
}

impl Coder for Chunks {
    fn encode(&mut self, trace: &Trace, out: &mut Vec<u8>) -> Result<()> {
        self.chunker.set_position(Default::default());
        let mut writer = CaptureWriter::new(out, false)?;
        for (event, &freed) in trace.input.events.iter().zip(&trace.freed) {
            if self.chunker.pending_events() == self.most_events {
                self.write_chunk(&mut writer)?;
            }
            let mut pushed = self.chunker.push(event, freed);
            if pushed == Pushed::Full {
                self.write_chunk(&mut writer)?;
                pushed = self.chunker.push(event, freed);
            }
            ensure!(pushed == Pushed::Written, "an event is larger than a chunk");
        }
        self.write_chunk(&mut writer)?;
        writer.finish(&[self.chunker.position()])?;
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8], out: &mut Events) -> Result<()> {
        let mut reader = CaptureReader::new(bytes)?;
        while let Some(part) = reader.next_part()? {
            let Part::Chunk(chunk, _) = part else { anyhow::bail!("a damaged capture: {part:?}") };
            if chunk.header.kind != ChunkKind::Events {
                continue;
            }
            let chunk = self.decompressor.unpack(chunk)??;
            for event in Decoder::new(&chunk, &mut self.tables)? {
                out.events.push(event?);
            }
        }
        Ok(())
    }
}

/// The library's whole road, with default settings: it looks up how large each freed block was,
/// collects batches for its threads, and tells a visitor what it reads.
struct Capture {
    plan: CapturePlan,
}

impl Capture {
    fn new(threads: usize) -> Result<Self> {
        let mut parallel = ParallelConfig::default();
        parallel.worker_threads = threads;
        let mut config = IntegratedConfig::balanced();
        config.parallel = Some(parallel);
        Ok(Self { plan: CapturePlan::try_from(&config)? })
    }
}

impl Coder for Capture {
    fn encode(&mut self, trace: &Trace, out: &mut Vec<u8>) -> Result<()> {
        let mut encoder = TraceEncoder::new(out, self.plan)?;
        for event in &trace.input.events {
            encoder.push(&Item::Event(*event))?;
        }
        encoder.finish()?;
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8], out: &mut Events) -> Result<()> {
        parse(bytes, &mut Collector(&mut out.events))?;
        Ok(())
    }
}

/// Takes the events of a capture without damage.
struct Collector<'a>(&'a mut Vec<Event>);

impl CaptureVisitor for Collector<'_> {
    fn item(&mut self, item: Item<'_>) -> Result<(), BinaryExportError> {
        if let Item::Event(event) = item {
            self.0.push(event);
        }
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> Result<(), BinaryExportError> {
        let Damage { offset, length, error } = *damage;
        Err(BinaryExportError::Damaged { offset, length, source: error })
    }
}
