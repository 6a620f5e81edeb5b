//! Every number of the format, once. FORMAT.md explains them; a test holds the two together.

/// The high nibble of a chunk's first byte.
pub const CHUNK_MAGIC: u8 = 0xB0;
/// The format version that this crate writes: the low nibble of a chunk's first byte.
pub const VERSION: u8 = 1;
/// The oldest version that this crate reads.
pub const OLDEST_VERSION: u8 = 1;

/// Bytes of the smallest storage that a chunk is built in.
pub const MIN_CHUNK: usize = 64;
/// Bytes of the largest chunk, stored or unpacked: a reader allocates no more than this for one.
pub const MAX_CHUNK: usize = 16 << 20;
/// Chunks whose storage is larger than this many bytes have 4-byte lengths, others 2-byte ones.
pub const MAX_NARROW: usize = 0xFFFF;
/// Bytes of the CRC-32 that ends a chunk.
pub const CRC_LEN: usize = 4;
/// The longest header: the fixed part, twelve varints, the model.
pub const MAX_HEADER: usize = 10 + 12 * crate::varint::MAX_VARINT + MODEL_LEN;
/// Bytes that state the model's tables when they are not a preset.
pub const MODEL_LEN: usize = 11;

/// The largest table of a model: 2 to this many entries.
pub const MAX_TABLE_BITS: u8 = 16;
/// The longest name or other text in a definition, in bytes.
pub const MAX_TEXT: usize = 1024;

/// Bytes that separate frames on a line.
pub const FRAME_DELIMITER: u8 = 0;
