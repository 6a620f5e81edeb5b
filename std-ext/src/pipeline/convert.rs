//! A trace from any form into any other, in memory bounded by the live blocks and the names. What the
//! other form cannot carry is an error that says so.

use std::io::{BufWriter, Write};

use super::encode::TraceEncoder;
use super::entries::read_entries;
use super::export::Exported;
#[cfg(feature = "cli")]
use crate::convert::json::JsonWriter;
#[cfg(feature = "msgpack")]
use crate::convert::messagepack::MessagePackWriter;
use crate::convert::text::write_item;
use crate::error::{BinaryExportError, Result};
use crate::io::envelope::{FrameWriter, Opened};
use crate::plan::{ConvertPlan, Target};
use crate::trace::Item;
use crate::trace::entry::{Entry, Standing};

/// Bytes gathered before a frame is written to.
const BUFFER: usize = 64 << 10;

/// Converts a trace.
///
/// # Errors
/// [`NoDataToExport`](BinaryExportError::NoDataToExport) when it has no event,
/// [`NotCarried`](BinaryExportError::NotCarried) when the target cannot carry something in it, and
/// whatever reading it or writing to `out` fails with.
pub fn convert<W: Write>(opened: Opened<'_>, out: W, plan: &ConvertPlan) -> Result<(W, Exported)> {
    let mut sink = Sink::new(out, &plan.target)?;
    let mut events = 0;
    read_entries(opened, &plan.parse, Standing::new(), |entry| {
        events += u64::from(matches!(entry, Entry::Item(Item::Event(_))));
        sink.entry(&entry)
    })?;
    if events == 0 {
        return Err(BinaryExportError::NoDataToExport);
    }
    let (out, bytes_written) = sink.finish()?;
    Ok((out, Exported { events, bytes_written, ..Exported::default() }))
}

/// Reads a trace into the bytes of a capture, of at most so many bytes.
pub(crate) fn into_capture(opened: Opened<'_>, plan: &ConvertPlan) -> Result<Vec<u8>> {
    let most = plan.parse.limits.max_memory;
    let out = Bounded { bytes: Vec::new(), most };
    let mut sink = Sink::new(out, &plan.target)?;
    read_entries(opened, &plan.parse, Standing::new(), |entry| sink.entry(&entry))
        .map_err(out_of_memory(most))?;
    Ok(sink.finish().map_err(out_of_memory(most))?.0.bytes)
}

fn out_of_memory(most: usize) -> impl FnOnce(BinaryExportError) -> BinaryExportError {
    move |error| match error {
        BinaryExportError::Stream { source, .. }
            if source.kind() == std::io::ErrorKind::OutOfMemory =>
        {
            BinaryExportError::OutOfMemory { requested: most.saturating_add(1), available: most }
        }
        error => error,
    }
}

/// Bytes in memory, up to a limit.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > self.most.saturating_sub(self.bytes.len()) {
            return Err(std::io::ErrorKind::OutOfMemory.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What entries are written to.
pub(super) enum Sink<W: Write> {
    Capture(Box<TraceEncoder<W>>),
    #[cfg(feature = "msgpack")]
    MessagePack(Box<MessagePackWriter<W>>),
    #[cfg(feature = "cli")]
    JsonLines(JsonWriter<BufWriter<FrameWriter<W>>>),
    Text(BufWriter<FrameWriter<W>>),
}

impl<W: Write> Sink<W> {
    pub(super) fn new(out: W, target: &Target) -> Result<Self> {
        let framed = |out, compression| {
            FrameWriter::new(out, compression).map(|out| BufWriter::with_capacity(BUFFER, out))
        };
        match *target {
            Target::Capture(plan) => Ok(Self::Capture(Box::new(TraceEncoder::new(out, plan)?))),
            #[cfg(feature = "msgpack")]
            Target::MessagePack(compression) => {
                Ok(Self::MessagePack(Box::new(MessagePackWriter::new(out, compression)?)))
            }
            #[cfg(feature = "cli")]
            Target::JsonLines(compression) => {
                Ok(Self::JsonLines(JsonWriter::new(framed(out, compression)?)?))
            }
            Target::Text(compression) => Ok(Self::Text(framed(out, compression)?)),
            #[allow(unreachable_patterns, reason = "reached when a form is not compiled in")]
            Target::MessagePack(_) => {
                Err(BinaryExportError::MissingFeature { codec: "MessagePack", feature: "msgpack" })
            }
            #[allow(unreachable_patterns, reason = "reached when a form is not compiled in")]
            Target::JsonLines(_) => {
                Err(BinaryExportError::MissingFeature { codec: "JSON lines", feature: "cli" })
            }
        }
    }

    pub(super) fn entry(&mut self, entry: &Entry<'_>) -> Result<()> {
        match self {
            Self::Capture(encoder) => match entry {
                Entry::Item(item) => encoder.push(item),
                Entry::Position(position) => encoder.position(position),
            },
            #[cfg(feature = "msgpack")]
            Self::MessagePack(writer) => writer.entry(entry),
            #[cfg(feature = "cli")]
            Self::JsonLines(writer) => writer.entry(entry),
            Self::Text(out) => match entry {
                Entry::Item(item) => {
                    write_item(out, item).map_err(BinaryExportError::stream(WRITING_TEXT))
                }
                Entry::Position(position) => Err(BinaryExportError::NotCarried {
                    form: "the text form",
                    what: format!(
                        "gaps, restarts, several streams and totals that the events do not tell: \
                         here stream {} at {} ticks",
                        position.stream, position.time
                    ),
                }),
            },
        }
    }

    /// Ends it. Returns the output, and how many bytes it was given.
    pub(super) fn finish(self) -> Result<(W, u64)> {
        let end = |out: BufWriter<FrameWriter<W>>, action| {
            let frame = out.into_inner().map_err(std::io::IntoInnerError::into_error);
            frame.and_then(FrameWriter::finish).map_err(BinaryExportError::stream(action))
        };
        match self {
            Self::Capture(encoder) => encoder.finish(),
            #[cfg(feature = "msgpack")]
            Self::MessagePack(writer) => writer.finish(),
            #[cfg(feature = "cli")]
            Self::JsonLines(writer) => end(writer.finish()?, "write the JSON lines"),
            Self::Text(out) => end(out, WRITING_TEXT),
        }
    }
}

const WRITING_TEXT: &str = "write the text";
