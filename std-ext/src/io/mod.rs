//! Places: capture files, their chunks and codecs. Knows bytes and files, but no configuration.

pub mod atomic_file;
pub mod capture_reader;
pub mod capture_writer;
pub mod codec;
pub mod envelope;
pub mod index;
pub mod line;
pub mod sorter;
mod varints;
