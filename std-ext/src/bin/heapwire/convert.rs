//! `heapwire convert`: a trace from any form into any other.

use std::cell::Cell;
use std::io::{self, Write};

use heapwire::io::atomic_file::AtomicFile;
use heapwire::io::envelope::open;
use heapwire::pipeline::convert::convert;
use heapwire::pipeline::export::Exported;
use heapwire::plan::{CapturePlan, ConvertPlan, ParsePlan, Target};
use heapwire::{BinaryExportError, ParserConfig};

use crate::args::{Compression, ConvertArgs, ConvertFormat, Format};
use crate::failure::{Failure, Outcome, is_stdio};
use crate::import::{CaptureOptions, capture_config, usage};
use crate::text_input;
use crate::units::{bytes_text, counted};

pub(crate) fn run(args: &ConvertArgs) -> Result<Outcome, Failure> {
    let plan = plan(args).map_err(usage)?;
    let (input, bar) = text_input::open(&args.input)?;
    let converted = write(args, input, &plan);
    // Before anything else is printed, success or not.
    bar.finish_and_clear();
    let Exported { events, bytes_written, .. } = converted?;
    eprintln!(
        "converted {}: {} in all, {:.2} bytes an event",
        counted(events, "event"),
        bytes_text(bytes_written),
        bytes_written as f64 / events as f64,
    );
    Ok(Outcome::Done)
}

fn plan(args: &ConvertArgs) -> Result<ConvertPlan, BinaryExportError> {
    let &ConvertArgs { model, level, chunk_size, threads, .. } = args;
    let (format, default) = match args.to {
        ConvertFormat::CustomBinary => (Format::Custom, Compression::Zstd),
        ConvertFormat::Chunked => (Format::Chunked, Compression::Zstd),
        _ => (Format::Custom, Compression::None),
    };
    let compression = args.compression.unwrap_or(default);
    let options = CaptureOptions { format, model, compression, level, chunk_size, threads };
    let config = capture_config(options);
    let capture = CapturePlan::try_from(&config)?;
    let target = match args.to {
        ConvertFormat::CustomBinary | ConvertFormat::Chunked => Target::Capture(capture),
        ConvertFormat::MessagePack => Target::MessagePack(capture.compression),
        ConvertFormat::Json => Target::JsonLines(capture.compression),
        ConvertFormat::Text => Target::Text(capture.compression),
    };
    let mut parser = ParserConfig::default();
    parser.salvage = args.salvage;
    parser.parallel = config.parallel;
    Ok(ConvertPlan { parse: ParsePlan::try_from(&parser)?, target })
}

/// Converts what `input` has to where the command line says.
fn write(
    args: &ConvertArgs,
    input: impl io::Read,
    plan: &ConvertPlan,
) -> Result<Exported, Failure> {
    let opened = open(input).map_err(Failure::of(&args.input))?;
    let refused = Cell::new(false);
    let failed = |error| match error {
        BinaryExportError::NoDataToExport => {
            Failure::Other(format!("{:?}: the trace has no event", args.input))
        }
        BinaryExportError::Stream { source, .. } if refused.get() => match is_stdio(&args.output) {
            true => Failure::Output(source),
            false => Failure::io("write", &args.output)(source),
        },
        error => Failure::of(&args.input)(error),
    };
    if is_stdio(&args.output) {
        let out = io::BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let out = Watched { out, refused: &refused };
        return Ok(convert(opened, out, plan).map_err(failed)?.1);
    }
    let file = AtomicFile::create(&args.output).map_err(Failure::io("create", &args.output))?;
    let out = Watched { out: file, refused: &refused };
    let (out, converted) = convert(opened, out, plan).map_err(failed)?;
    out.out.commit().map_err(Failure::io("write", &args.output))?;
    Ok(converted)
}

/// The output, and whether it is to blame.
struct Watched<'a, W> {
    out: W,
    refused: &'a Cell<bool>,
}

impl<W: Write> Watched<'_, W> {
    fn watch<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            self.refused.set(error.kind() != io::ErrorKind::Interrupted);
        })
    }
}

impl<W: Write> Write for Watched<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        self.watch(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.watch(flushed)
    }
}
