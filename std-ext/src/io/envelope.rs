//! What a file is, told by its first bytes; and the Zstd or LZ4 frame that may be around it, which the
//! formats' own tools open.

use std::io::{self, Cursor, Read, Write};

use heapwire_core::format::CAPTURE_MAGIC;

use super::codec::Compression;
use crate::error::{BinaryExportError, Result};

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const LZ4_MAGIC: [u8; 4] = [0x04, 0x22, 0x4D, 0x18];

/// How a MessagePack file begins, behind the byte that counts the entries of its map.
const MESSAGE_PACK: &[u8] = b"\xa6format\xa8heapwire";
/// How JSON lines begin.
const JSON_LINES: &[u8] = b"{\"format\":\"heapwire\"";
/// Bytes that tell what a file is.
const BEGINNING: usize = 32;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A capture, or nothing that is known: its reader says so.
    Capture {
        /// Whether its writer was asked for chunks of a certain size.
        chunked: bool,
    },
    /// MessagePack.
    MessagePack,
    /// JSON lines.
    JsonLines,
    /// A text trace, by the look of it.
    Text,
}

/// An input that is known by its first bytes, out of its frame.
pub struct Opened<'a> {
    /// What it is.
    pub form: Form,
    /// All of it.
    pub input: Box<dyn Read + 'a>,
}

impl Form {
    /// What it is called in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Capture { chunked: false } => "a custom binary capture",
            Self::Capture { chunked: true } => "a chunked capture",
            Self::MessagePack => "MessagePack",
            Self::JsonLines => "JSON lines",
            Self::Text => "a text trace",
        }
    }
}

impl std::fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("form", &self.form).finish_non_exhaustive()
    }
}

/// Finds out what `input` is, and unpacks it if it is in a frame.
///
/// # Errors
/// When it cannot be read, or the codec of its frame was not compiled in.
pub fn open<'a>(mut input: impl Read + 'a) -> Result<Opened<'a>> {
    let start = beginning(&mut input)?;
    let is_zstd = start.starts_with(&ZSTD_MAGIC);
    let is_lz4 = start.starts_with(&LZ4_MAGIC);
    let whole = Cursor::new(start.clone()).chain(input);
    let mut unpacked: Box<dyn Read + 'a> = match (is_zstd, is_lz4) {
        (true, _) => unpack_zstd(whole)?,
        (_, true) => unpack_lz4(whole)?,
        _ => return Ok(Opened { form: form(&start), input: Box::new(whole) }),
    };
    let start = beginning(&mut unpacked)?;
    Ok(Opened { form: form(&start), input: Box::new(Cursor::new(start).chain(unpacked)) })
}

/// The first bytes. A pipe may bring them one by one.
fn beginning(input: &mut impl Read) -> Result<Vec<u8>> {
    let mut start = Vec::with_capacity(BEGINNING);
    let read = input.take(BEGINNING as u64).read_to_end(&mut start);
    read.map_err(BinaryExportError::stream("read the input"))?;
    Ok(start)
}

fn form(start: &[u8]) -> Form {
    let is_map = matches!(start, [0x80..=0x8f, rest @ ..] if rest.starts_with(MESSAGE_PACK));
    if is_map {
        Form::MessagePack
    } else if start.starts_with(JSON_LINES) {
        Form::JsonLines
    } else if looks_like_text(start) {
        Form::Text
    } else {
        let chunked = start.get(10) == Some(&1) && start.starts_with(&CAPTURE_MAGIC);
        Form::Capture { chunked }
    }
}

/// Whether it begins with a line of a text trace: a letter of one and a space, or a comment.
fn looks_like_text(start: &[u8]) -> bool {
    let text = start.trim_ascii_start();
    let is_line = match text {
        [b'#', ..] => true,
        [letter, b' ', ..] => b"afrxngmsdph".contains(letter),
        _ => false,
    };
    is_line && !start.starts_with(&CAPTURE_MAGIC)
}

#[cfg(feature = "zstd")]
fn unpack_zstd<'a>(input: impl Read + 'a) -> Result<Box<dyn Read + 'a>> {
    // It refuses windows of more than 128 MiB.
    let decoder = zstd::stream::read::Decoder::new(input);
    let decoder = decoder.map_err(BinaryExportError::stream("unpack the Zstd frame"))?;
    Ok(Box::new(Unpacking { decoder, codec: "Zstd" }))
}

#[cfg(not(feature = "zstd"))]
fn unpack_zstd<'a>(_: impl Read + 'a) -> Result<Box<dyn Read + 'a>> {
    Err(BinaryExportError::MissingFeature { codec: "Zstd", feature: "zstd" })
}

#[cfg(feature = "lz4")]
fn unpack_lz4<'a>(input: impl Read + 'a) -> Result<Box<dyn Read + 'a>> {
    let decoder = lz4_flex::frame::FrameDecoder::new(input);
    Ok(Box::new(Unpacking { decoder, codec: "LZ4" }))
}

#[cfg(not(feature = "lz4"))]
fn unpack_lz4<'a>(_: impl Read + 'a) -> Result<Box<dyn Read + 'a>> {
    Err(BinaryExportError::MissingFeature { codec: "LZ4", feature: "lz4" })
}

/// A frame being unpacked: what is wrong with the frame is `InvalidData`, whatever its codec says.
#[cfg(any(feature = "zstd", feature = "lz4"))]
struct Unpacking<D> {
    decoder: D,
    codec: &'static str,
}

#[cfg(any(feature = "zstd", feature = "lz4"))]
impl<D: Read> Read for Unpacking<D> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(out).map_err(|error| match error.kind() {
            _ if error.raw_os_error().is_some() => error,
            io::ErrorKind::Other | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                let message = format!("the {} frame is damaged: {error}", self.codec);
                io::Error::new(io::ErrorKind::InvalidData, message)
            }
            _ => error,
        })
    }
}

/// Puts what is written to it into a frame, and counts the bytes that this takes.
pub struct FrameWriter<W: Write>(Frame<W>);

enum Frame<W: Write> {
    None(Counted<W>),
    #[cfg(feature = "zstd")]
    Zstd(zstd::stream::write::Encoder<'static, Counted<W>>),
    #[cfg(feature = "lz4")]
    Lz4(Box<lz4_flex::frame::FrameEncoder<Counted<W>>>),
}

impl<W: Write> std::fmt::Debug for FrameWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameWriter").finish_non_exhaustive()
    }
}

impl<W: Write> FrameWriter<W> {
    /// A frame of this codec around what is written to `out`; without a codec, no frame.
    ///
    /// # Errors
    /// When the codec was not compiled in, or refuses the level.
    pub fn new(out: W, compression: Compression) -> Result<Self> {
        let out = Counted { out, bytes: 0 };
        Ok(Self(match compression {
            Compression::None => Frame::None(out),
            #[cfg(feature = "zstd")]
            Compression::Zstd { level } => {
                let encoder = || {
                    let mut encoder = zstd::stream::write::Encoder::new(out, level)?;
                    encoder.include_checksum(true)?;
                    Ok(encoder)
                };
                Frame::Zstd(encoder().map_err(|source| BinaryExportError::Codec {
                    action: "compress",
                    codec: "Zstd",
                    source,
                })?)
            }
            #[cfg(not(feature = "zstd"))]
            Compression::Zstd { .. } => {
                return Err(BinaryExportError::MissingFeature { codec: "Zstd", feature: "zstd" });
            }
            #[cfg(feature = "lz4")]
            Compression::Lz4 => {
                let info = lz4_flex::frame::FrameInfo::new().content_checksum(true);
                Frame::Lz4(Box::new(lz4_flex::frame::FrameEncoder::with_frame_info(info, out)))
            }
            #[cfg(not(feature = "lz4"))]
            Compression::Lz4 => {
                return Err(BinaryExportError::MissingFeature { codec: "LZ4", feature: "lz4" });
            }
        }))
    }

    /// Ends the frame. Returns the output, and how many bytes it was given.
    ///
    /// # Errors
    /// When `out` refuses.
    pub fn finish(self) -> io::Result<(W, u64)> {
        #[allow(clippy::infallible_destructuring_match, reason = "several arms with a codec")]
        let Counted { mut out, bytes } = match self.0 {
            Frame::None(out) => out,
            #[cfg(feature = "zstd")]
            Frame::Zstd(encoder) => encoder.finish()?,
            #[cfg(feature = "lz4")]
            Frame::Lz4(encoder) => encoder.finish().map_err(io::Error::from)?,
        };
        out.flush()?;
        Ok((out, bytes))
    }
}

impl<W: Write> Write for FrameWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Frame::None(out) => out.write(bytes),
            #[cfg(feature = "zstd")]
            Frame::Zstd(encoder) => encoder.write(bytes),
            #[cfg(feature = "lz4")]
            Frame::Lz4(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Frame::None(out) => out.flush(),
            #[cfg(feature = "zstd")]
            Frame::Zstd(encoder) => encoder.flush(),
            #[cfg(feature = "lz4")]
            Frame::Lz4(encoder) => encoder.flush(),
        }
    }
}

struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::capture_writer::file_header;

    #[test]
    fn what_comes_out_of_a_frame_went_into_it() {
        let text = b"a 1 1 10 20 0\n".repeat(100_000);
        for compression in [Compression::None, Compression::Lz4, Compression::Zstd { level: 3 }] {
            let Ok(mut frame) = FrameWriter::new(Vec::new(), compression) else { continue };
            frame.write_all(&text).unwrap();
            let (framed, bytes) = frame.finish().unwrap();
            assert_eq!(bytes, framed.len() as u64);
            let mut opened = open(&framed[..]).unwrap();
            assert_eq!(opened.form, Form::Text);
            let mut back = Vec::new();
            opened.input.read_to_end(&mut back).unwrap();
            assert!(back == text, "{compression:?}");
        }
    }

    #[test]
    fn files_are_known_by_their_beginning() {
        let forms: [(&[u8], Form); 8] = [
            (b"", Form::Capture { chunked: false }),
            (&file_header(false), Form::Capture { chunked: false }),
            (&file_header(true), Form::Capture { chunked: true }),
            (b"\x8c\xa6format\xa8heapwire\xa7version\x01", Form::MessagePack),
            (b"\x8c\xa6format\xa8somewhat", Form::Capture { chunked: false }),
            (b"{\"format\":\"heapwire\",\"version\":1}", Form::JsonLines),
            (b"# a comment", Form::Text),
            (b"h 1000 32 \"\" \"\"", Form::Text),
        ];
        for (bytes, form) in forms {
            assert_eq!(open(bytes).unwrap().form, form, "{}", bytes.escape_ascii());
        }
    }
}
