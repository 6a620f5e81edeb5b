//! What can go wrong, told by what was being done and to what; the cause is chained.

use std::io;
use std::path::{Path, PathBuf};

use heapwire_core::ChunkError;

pub use kind::ErrorKind;

mod kind;

/// The result of this crate's functions.
pub type Result<T, E = BinaryExportError> = std::result::Result<T, E>;

/// Why an export, an import or a parse failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BinaryExportError {
    /// The tracker has recorded nothing.
    #[error("the tracker has no data to export")]
    NoDataToExport,
    /// More memory was needed than the budget has.
    #[error("out of memory: {requested} bytes wanted, {available} available")]
    OutOfMemory {
        /// Bytes wanted.
        requested: usize,
        /// Bytes that the budget still had.
        available: usize,
    },
    /// It was told to stop before it was complete.
    #[error("cancelled before it was complete")]
    Cancelled,
    /// A setting that cannot be.
    #[error("invalid configuration: {field} {reason}")]
    InvalidConfig {
        /// Which.
        field: &'static str,
        /// Why not.
        reason: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {path:?}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Reading or writing a stream failed.
    #[error("cannot {action}")]
    Stream {
        /// What was being done.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Not a heapwire capture at all.
    #[error("not a heapwire capture: {what}")]
    NotACapture {
        /// What was found instead.
        what: String,
    },
    /// A capture of a version that this crate does not read.
    #[error("capture of version {found}, expected at most {newest}")]
    UnsupportedVersion {
        /// The capture's.
        found: u16,
        /// The newest that can be read.
        newest: u16,
    },
    /// Part of the capture is damaged.
    #[error("damaged capture: {length} bytes at offset {offset} are unreadable")]
    Damaged {
        /// Where the damage begins, in bytes.
        offset: u64,
        /// Bytes that cannot be read.
        length: u64,
        /// What is wrong there.
        source: ChunkError,
    },
    /// The capture ends early.
    #[error("the capture is cut off at {offset} bytes: it has no end mark")]
    CutOff {
        /// Where the last whole chunk ends, in bytes.
        offset: u64,
    },
    /// A line of a text trace is wrong.
    #[error("cannot read the text trace")]
    Text {
        /// Which line, and what is wrong with it.
        #[from]
        source: TextError,
    },
    /// A MessagePack file is wrong.
    #[error("cannot read the MessagePack file")]
    MessagePack {
        /// Where, and what is wrong there.
        #[from]
        source: MessagePackError,
    },
    /// A line of JSON is wrong.
    #[error("cannot read the JSON lines: line {line}: {what}")]
    JsonLines {
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// Data that is not in the form that it was said to be in.
    #[error("the data is {found}, expected {expected}")]
    OtherForm {
        /// What it is.
        found: &'static str,
        /// What it was said to be.
        expected: &'static str,
    },
    /// The input passes a limit of [`ParserConfig`](crate::ParserConfig).
    #[error("the input passes the limit `{field}`: at most {most}")]
    Limit {
        /// Which.
        field: &'static str,
        /// As many may be.
        most: u64,
    },
    /// A form of the trace that cannot carry something that is in it.
    #[error("{form} cannot carry {what}")]
    NotCarried {
        /// Which form.
        form: &'static str,
        /// What it cannot carry.
        what: String,
    },
    /// An event or a definition that no chunk of this size has room for.
    #[error("an item does not fit a chunk of {chunk_size} bytes")]
    ItemTooLarge {
        /// The chunk's size in bytes.
        chunk_size: usize,
    },
    /// Several streams that cannot be merged.
    #[error("several streams overlap in too many events: {events}, expected at most {most}")]
    SeveralStreams {
        /// Events that would be in memory at the same time.
        events: usize,
        /// As many may be.
        most: usize,
    },
    /// A codec failed.
    #[error("cannot {action} with {codec}")]
    Codec {
        /// What was being done.
        action: &'static str,
        /// Which codec.
        codec: &'static str,
        /// What the codec said.
        source: io::Error,
    },
    /// Something asynchronous was asked for where nothing runs it.
    #[error("there is no tokio runtime here, which asynchronous exports and loads need")]
    NoRuntime,
    /// A codec that was not compiled in.
    #[error("{codec} is not available: heapwire was built without its feature `{feature}`")]
    MissingFeature {
        /// Which codec.
        codec: &'static str,
        /// Which feature has it.
        feature: &'static str,
    },
}

impl BinaryExportError {
    /// For `map_err` on operations on a file.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// For `map_err` on what works on streams, when the stream is a file: names it.
    pub(crate) fn in_file(path: &Path) -> impl FnOnce(Self) -> Self {
        move |error| match error {
            Self::Stream { action, source } => Self::Io { action, path: path.into(), source },
            other => other,
        }
    }

    /// For `map_err` on operations on a stream.
    pub(crate) fn stream(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Stream { action, source }
    }
}

/// What is wrong with a MessagePack file. Offsets are in bytes from its start, of what is in its Zstd or
/// LZ4 frame if it is in one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessagePackError {
    /// It ends early.
    #[error("it ends at offset {offset}, before its last entry")]
    CutOff {
        /// Where.
        offset: u64,
    },
    /// It cannot be read on from here.
    #[error("at offset {offset}: {what}")]
    Malformed {
        /// Where.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// Parts of it contradict each other.
    #[error("at offset {offset}: {what}")]
    Contradiction {
        /// Where this was found.
        offset: u64,
        /// What was found, and what was expected.
        what: String,
    },
    /// It is of a version that this crate does not read.
    #[error("it is of version {found}, expected at most {newest}")]
    UnsupportedVersion {
        /// Its version.
        found: u64,
        /// The newest that can be read.
        newest: u64,
    },
}

/// Why a text trace could not be read. Lines and columns count from 1, columns in bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The input is something else: its first line has bytes that text does not have.
    #[error("not a text trace: it begins with {found}")]
    NotText {
        /// The first bytes, quoted and escaped.
        found: String,
    },
    /// A line does not say what it should.
    #[error("line {line}, column {column}: found {found}, expected {expected}")]
    Line {
        /// The line.
        line: u64,
        /// Where in the line the trouble begins.
        column: usize,
        /// What stands there, quoted, escaped and shortened; or in words.
        found: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// The input could not be read.
    #[error("could not read line {line}")]
    Io {
        /// The line that was being read.
        line: u64,
        /// Why.
        source: io::Error,
    },
}
