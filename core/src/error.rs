//! What can be wrong with bytes. Running out of room is never an error: see
//! [`Pushed`](crate::Pushed).

use core::fmt;

use crate::format::{OLDEST_VERSION, VERSION};

/// Why bytes are not a chunk, or a chunk's payload not events or definitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ChunkError {
    /// The bytes end before the chunk does.
    Truncated {
        /// Bytes that the chunk needs, as far as they can be told.
        needed: usize,
        /// Bytes there are.
        found: usize,
    },
    /// The first byte does not begin a chunk.
    NotAChunk {
        /// The byte.
        found: u8,
    },
    /// A chunk of a format version that this crate does not read.
    UnsupportedVersion {
        /// The chunk's version.
        found: u8,
    },
    /// A length beyond what the format allows.
    LengthOverLimit {
        /// The stated length in bytes.
        length: usize,
        /// The most there may be.
        limit: usize,
    },
    /// The CRC-32 at the chunk's end is not that of its bytes.
    ChecksumMismatch {
        /// What the chunk says.
        stored: u32,
        /// What its bytes give.
        computed: u32,
    },
    /// A header field with a value that the format does not know.
    InvalidField {
        /// Which field.
        field: &'static str,
        /// What it holds.
        found: u64,
    },
    /// The payload contradicts itself or the header, at an event or definition.
    InvalidPayload {
        /// What is wrong.
        what: &'static str,
        /// The event or definition, counted from 0 within the chunk.
        item: u32,
    },
    /// The payload is compressed; unpack it first.
    Compressed,
}

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { needed, found } => {
                write!(f, "the bytes end early: found {found}, expected at least {needed}")
            }
            Self::NotAChunk { found } => {
                write!(f, "no chunk begins here: found byte {found:#04x}, expected 0xb_")
            }
            Self::UnsupportedVersion { found } => {
                write!(f, "chunk of format version {found}, expected {OLDEST_VERSION} to {VERSION}")
            }
            Self::LengthOverLimit { length, limit } => {
                write!(f, "length of {length} bytes, expected at most {limit}")
            }
            Self::ChecksumMismatch { stored, computed } => {
                write!(f, "checksum mismatch: found {computed:08x}, expected {stored:08x}")
            }
            Self::InvalidField { field, found } => {
                write!(f, "header field {field:?} has the unknown value {found}")
            }
            Self::InvalidPayload { what, item } => write!(f, "{what}, at item {item} of the chunk"),
            Self::Compressed => f.write_str("the payload is compressed"),
        }
    }
}

impl core::error::Error for ChunkError {}
