//! heapwire itself, the way its library goes: events through a chunker into columns, each lane through
//! the codec, chunks with their checksums into a capture, and back.

use anyhow::{Result, ensure};
use heapwire::heapwire_core::{
    Chunk, ChunkKind, Chunker, Columns, Event, Placement, Shape, Tables,
};
use heapwire::io::capture_reader::{CaptureReader, Damage, Part};
use heapwire::io::capture_writer::CaptureWriter;
use heapwire::io::codec::{Compression, Decompressor};
use heapwire::io::compressor::Compressor;
use heapwire::pipeline::encode::TraceEncoder;
use heapwire::pipeline::parse::{CaptureVisitor, parse_on};
use heapwire::plan::CapturePlan;
use heapwire::tables::{DenseEncoding, FastEncoding, HeapTables};
use heapwire::trace::Item;
use heapwire::trace::decode::EventDecoder;
use heapwire::{BinaryExportError, IntegratedConfig, ParallelConfig};

use super::{Coder, Contender};
use crate::trace::{Events, Trace};

/// The largest chunk of a capture with default settings: bytes before compression, and events.
const DEFAULT_CHUNK: (usize, u32) = (256 * 1024, 64 << 10);

/// The codecs to try each model with.
const CODECS: [Compression; 5] = [NONE, LZ4, zstd(1), zstd(3), zstd(19)];

const NONE: Compression = Compression::None;
const LZ4: Compression = Compression::Lz4;
const fn zstd(level: i32) -> Compression {
    Compression::Zstd { level }
}

pub(crate) fn contenders() -> Vec<Contender> {
    let mut contenders = of_model("dense", DenseEncoding::new);
    contenders.extend(of_model("fast", FastEncoding::new));
    contenders.extend(of_model("tiny", || HeapTables::for_encoding(Shape::TINY)));
    for thousands in [8, 128] {
        let events = thousands << 10;
        // More storage than the events of any program take.
        let most = (events as usize * 8, events);
        let name = format!("{}, {thousands}k events", name("dense", zstd(3)));
        let chunks = move || Chunks::new(DenseEncoding::new(), zstd(3), most);
        contenders.push(Contender::ours(name, chunks).variant());
    }
    for threads in [1, 2] {
        let name = format!("heapwire capture + Zstd 3, threads: {threads}");
        contenders.push(Contender::ours(name, move || Capture::new(threads)).variant());
    }
    contenders
}

/// A model with every codec.
fn of_model<T: Tables + 'static>(
    model: &'static str,
    tables: impl Fn() -> T + Copy + 'static,
) -> Vec<Contender> {
    let contender = |codec| {
        let chunks = move || Chunks::new(tables(), codec, DEFAULT_CHUNK);
        Contender::ours(name(model, codec), chunks)
    };
    CODECS.into_iter().map(contender).collect()
}

fn name(model: &str, compression: Compression) -> String {
    match compression {
        Compression::None => format!("heapwire {model}"),
        Compression::Lz4 => format!("heapwire {model} + LZ4"),
        Compression::Zstd { level } => format!("heapwire {model} + Zstd {level}"),
    }
}

/// Encodes and decodes captures in memory, on one thread.
struct Chunks<T: Tables> {
    chunker: Chunker<Vec<u8>, Columns, T>,
    most_events: u32,
    compressor: Compressor,
    decompressor: Decompressor,
    decoder: EventDecoder,
}

impl<T: Tables> Chunks<T> {
    /// Chunks of at most so many bytes and events.
    fn new(tables: T, compression: Compression, (bytes, events): (usize, u32)) -> Result<Self> {
        let chunker = Chunker::new(vec![0; bytes], Columns::new(), tables, Placement::GLIBC_64)
            // The writer makes the checksum, of what is compressed.
            .with_checksum(|_| 0);
        Ok(Self {
            chunker,
            most_events: events,
            compressor: Compressor::new(compression)?,
            decompressor: Decompressor::new(),
            decoder: EventDecoder::new(),
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

impl<T: Tables> Coder for Chunks<T> {
    fn encode(&mut self, trace: &Trace, out: &mut Vec<u8>) -> Result<()> {
        self.chunker.set_position(Default::default());
        let mut writer = CaptureWriter::new(out, false)?;
        let (mut events, mut freed) = (&trace.input.events[..], &trace.freed[..]);
        while !events.is_empty() {
            let room =
                events.len().min((self.most_events - self.chunker.pending_events()) as usize);
            let pushed = self.chunker.push_all(&events[..room], freed);
            (events, freed) = (&events[pushed..], &freed[pushed..]);
            ensure!(self.chunker.pending_events() > 0, "an event is larger than a chunk");
            if pushed < room || self.chunker.pending_events() == self.most_events {
                self.write_chunk(&mut writer)?;
            }
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
            self.decoder.decode(&chunk, |events| out.events.extend_from_slice(events))?;
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
        encoder.push_all(&trace.input.events)?;
        encoder.finish()?;
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8], out: &mut Events) -> Result<()> {
        parse_on(self.plan.threads, bytes, &mut Collector(&mut out.events))?;
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

    fn events(&mut self, events: &[Event]) -> Result<(), BinaryExportError> {
        self.0.extend_from_slice(events);
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> Result<(), BinaryExportError> {
        let Damage { offset, length, error } = *damage;
        Err(BinaryExportError::Damaged { offset, length, source: error })
    }
}
