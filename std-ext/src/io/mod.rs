//! Places: capture files, their chunks and codecs. Knows bytes and files, but no configuration.

pub mod atomic_file;
pub mod available_memory;
pub mod capture_reader;
pub mod capture_writer;
pub mod codec;
pub(crate) mod codec_memory;
pub mod compressor;
pub(crate) mod digest;
pub mod envelope;
pub mod growing_file;
pub mod index;
pub mod line;
pub mod link;
pub mod selection;
pub mod sorter;
mod steps;
mod varints;
