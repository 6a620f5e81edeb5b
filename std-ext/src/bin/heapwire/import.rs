//! `heapwire import`: a text trace into a capture.

use std::io::{self, BufWriter, Write};

use heapwire::convert::text::TextReader;
use heapwire::heapwire_core::Definition;
use heapwire::io::atomic_file::AtomicFile;
use heapwire::pipeline::encode::TraceEncoder;
use heapwire::pipeline::entries::TEXT_SESSION;
use heapwire::plan::CapturePlan;
use heapwire::trace::Item;
use heapwire::{
    BinaryExportError, CompressionAlgorithm, IntegratedConfig, ModelSize, OutputFormat,
    ParallelConfig,
};

use crate::args::{Compression, Format, ImportArgs, Model};
use crate::failure::{Failure, Outcome, is_stdio};
use crate::text_input;
use crate::units::{bytes_text, counted};

/// How much was imported.
#[derive(Clone, Copy, Debug, Default)]
struct Imported {
    events: u64,
    definitions: u64,
    bytes: u64,
}

pub(crate) fn run(args: &ImportArgs) -> Result<Outcome, Failure> {
    let plan = CapturePlan::try_from(&config(args)).map_err(usage)?;
    let (input, bar) = text_input::open(&args.input)?;
    let imported = write(args, TextReader::new(input), plan);
    // Before anything else is printed, success or not.
    bar.finish_and_clear();
    let Imported { events, definitions, bytes } = imported?;
    eprintln!(
        "imported {} and {}: {} in all, {:.2} bytes an event",
        counted(events, "event"),
        counted(definitions, "definition"),
        bytes_text(bytes),
        bytes as f64 / events as f64,
    );
    Ok(Outcome::Done)
}

/// A setting that cannot be, in the words of the command line.
pub(crate) fn usage(error: BinaryExportError) -> Failure {
    match error {
        BinaryExportError::InvalidConfig { field, reason } => {
            let option = match field {
                "compression.algorithm" => "--compression",
                "compression.level" => "--level",
                "output_format.chunk_size" | "processing.chunk_size" => "--chunk-size",
                "parallel.worker_threads" => "--threads",
                other => other,
            };
            Failure::Usage(format!("{option} {reason}"))
        }
        error => Failure::Library(error),
    }
}

/// Imports all that `reader` has to where the command line says.
fn write<R: io::BufRead>(
    args: &ImportArgs,
    reader: TextReader<R>,
    plan: CapturePlan,
) -> Result<Imported, Failure> {
    let failed = |error| match error {
        BinaryExportError::NoDataToExport => {
            Failure::Other(format!("{:?}: the trace has no event", args.input))
        }
        BinaryExportError::Stream { source, .. } if is_stdio(&args.output) => {
            Failure::Output(source)
        }
        BinaryExportError::Stream { source, .. } => Failure::io("write", &args.output)(source),
        error => Failure::of(&args.input)(error),
    };
    if is_stdio(&args.output) {
        let out = BufWriter::new(io::stdout().lock());
        return Ok(import(reader, out, plan).map_err(failed)?.1);
    }
    let file = AtomicFile::create(&args.output).map_err(Failure::io("create", &args.output))?;
    let (file, imported) = import(reader, file, plan).map_err(failed)?;
    file.commit().map_err(Failure::io("write", &args.output))?;
    Ok(imported)
}

fn config(args: &ImportArgs) -> IntegratedConfig {
    let ImportArgs { format, model, compression, level, chunk_size, threads, .. } = *args;
    capture_config(CaptureOptions { format, model, compression, level, chunk_size, threads })
}

/// What the command line says about a capture to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CaptureOptions {
    pub(crate) format: Format,
    pub(crate) model: Model,
    pub(crate) compression: Compression,
    pub(crate) level: Option<i32>,
    pub(crate) chunk_size: Option<usize>,
    pub(crate) threads: usize,
}

pub(crate) fn capture_config(options: CaptureOptions) -> IntegratedConfig {
    let mut config = match options.format {
        Format::Custom => IntegratedConfig::balanced(),
        Format::Chunked => IntegratedConfig::memory_efficient(),
    };
    if let Some(chunk_size) = options.chunk_size {
        config.processing.chunk_size = chunk_size;
        if options.format == Format::Chunked {
            config.output_format = OutputFormat::Chunked { chunk_size };
        }
    }
    config.processing.model = match options.model {
        Model::Tiny => ModelSize::Tiny,
        Model::Fast => ModelSize::Fast,
        Model::Dense => ModelSize::Dense,
    };
    config.compression.algorithm = match options.compression {
        Compression::None => CompressionAlgorithm::None,
        Compression::Lz4 => CompressionAlgorithm::Lz4,
        Compression::Zstd => CompressionAlgorithm::Zstd,
    };
    if let Some(level) = options.level {
        config.compression.level = level;
        config.compression.auto_select = false;
    }
    let mut parallel = ParallelConfig::default();
    parallel.worker_threads = options.threads;
    config.parallel = Some(parallel);
    config
}

/// Encodes all that `reader` has.
fn import<R: io::BufRead, W: Write>(
    mut reader: TextReader<R>,
    out: W,
    plan: CapturePlan,
) -> Result<(W, Imported), BinaryExportError> {
    let mut encoder = TraceEncoder::new(out, plan)?;
    let mut imported = Imported::default();
    let mut session_known = false;
    while let Some(item) = reader.next_item()? {
        match item {
            Item::Definition(definition) => {
                session_known |= matches!(definition, Definition::Session(_));
                imported.definitions += 1;
            }
            Item::Event(_) => {
                if !session_known {
                    encoder.push(&Item::Definition(Definition::Session(TEXT_SESSION)))?;
                    session_known = true;
                }
                imported.events += 1;
            }
        }
        encoder.push(&item)?;
    }
    if imported.events == 0 {
        return Err(BinaryExportError::NoDataToExport);
    }
    let (out, bytes) = encoder.finish()?;
    imported.bytes = bytes;
    Ok((out, imported))
}
