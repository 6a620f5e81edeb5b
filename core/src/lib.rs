//! Core of heapwire.
#![no_std]

mod chunk;
mod crc;
mod decode;
mod definition;
mod encode;
mod error;
mod event;
pub mod format;
mod frame;
mod header;
#[cfg(feature = "alloc-hook")]
mod heap;
mod lanes;
mod model;
#[cfg(feature = "embedded-io")]
mod recorder;
mod shape;
mod tables;
mod tag;
pub mod varint;

pub use chunk::{Chunk, Chunker, Pushed, StreamPosition, emit_chunk};
pub use crc::{Checksum, crc32};
pub use decode::Decoder;
pub use definition::{
    Definition, Definitions, Name, NameKind, Node, Region, Session, put_definition,
};
pub use error::ChunkError;
pub use event::{Event, EventKind, HeapTotals, NO_SITE};
pub use frame::{Deframed, Deframer, max_frame_len, write_frame};
pub use header::{ChunkHeader, ChunkKind, Codec, Layout, Losses};
#[cfg(feature = "alloc-hook")]
pub use heap::{HeapObserver, TrackedHeap};
pub use lanes::{COLUMN_COUNT, Columns, Lanes, Rows};
#[cfg(feature = "embedded-io")]
pub use recorder::{Clock, Recorder, Scope, WhenFull};
pub use shape::{ModelSpec, Placement, Shape};
pub use tables::{Block, Context, FreeList, Slices, Tables, Thread, TinyTables};
