//! Memory-tracker data in a few bytes an event: coded into chunks, sent over a line, decoded again.
//!
//! This crate is the one coding that all of heapwire shares: microcontroller, desktop tracker, file and
//! converters. It is `no_std` and never allocates, never pulls or pushes (callers bring the buffers and
//! move the bytes), never waits unless asked to, and does not panic on any input. Running out of room
//! is a status ([`Pushed`]), not an error; damaged or hostile bytes are a [`ChunkError`].
//!
//! Files, compression, threads and reports are the `heapwire` crate's.
//!
//! # Writing
//!
//! [`Event`]s are pushed into a [`Chunker`], which seals them into chunks. On a line each chunk goes as
//! a frame.
//!
//! ```
//! use heapwire_core::{
//!     Chunker, Event, EventKind, Placement, Pushed, Rows, TinyTables, write_frame,
//! };
//!
//! let mut chunker = Chunker::new([0; 256], Rows::new(), TinyTables::new(), Placement::EMBEDDED_32);
//! let mut line = Vec::new();
//! let mut send = |chunk: Option<&[u8]>| {
//!     let sent: Result<(), ()> = write_frame(chunk.unwrap_or_default(), |bytes| {
//!         line.extend_from_slice(bytes);
//!         Ok(())
//!     });
//!     sent.unwrap();
//! };
//! for i in 0..1000 {
//!     let kind = EventKind::Alloc { address: 0x2000_0000 + 40 * i, size: 40, site: 1 };
//!     let event = Event { time: 20 * i, thread: 0, kind };
//!     if chunker.push(&event, 0) == Pushed::Full {
//!         send(chunker.seal());
//!         assert_eq!(chunker.push(&event, 0), Pushed::Written);
//!     }
//! }
//! send(chunker.seal());
//! assert_eq!(line.len(), 2637); // under 3 bytes an event, headers and checksums included
//! ```
//!
//! # Reading
//!
//! A [`Deframer`] finds the frames in what a line brings, [`Chunk::parse`] believes a chunk only when its
//! checksum is right, a [`Decoder`] gives its events back.
//!
//! ```
//! use heapwire_core::{
//!     Chunk, Decoder, Deframed, Deframer, EventKind, TinyTables, crc32,
//! };
//!
//! let line = [
//!     b"boot ok\r\n\0\xb1\x02\x1e\x02\x02\x02\x01\x01\xe8\x07\x03\x01\x01\x01\x01\x20\x0b".as_slice(),
//!     b"\xe0\x02\x10\x07\x01\x08\xf5\x82\x80\x84\xdd\x79\x1a\x09\0",
//! ]
//! .concat();
//!
//! let mut deframer = Deframer::new([0; 300]);
//! let (mut rest, mut events) = (&line[..], Vec::new());
//! while !rest.is_empty() {
//!     let (taken, found) = deframer.push(rest);
//!     if let Deframed::Frame(content) = found
//!         && let Ok(chunk) = Chunk::parse(content, crc32)
//!     {
//!         for event in Decoder::new(&chunk, TinyTables::new())? {
//!             events.push(event?);
//!         }
//!     }
//!     rest = &rest[taken..];
//! }
//! assert_eq!(events.len(), 2);
//! assert_eq!((events[0].time, events[1].time), (1000, 1005));
//! assert_eq!(events[1].kind, EventKind::Free { address: 0x2000_0010, site: 0 });
//! # Ok::<(), heapwire_core::ChunkError>(())
//! ```
//!
//! # Map
//!
//! | floor | rooms |
//! |---|---|
//! | words | [`Event`], [`EventKind`], [`HeapTotals`], [`ChunkError`], [`varint`] |
//! | model | [`ModelSpec`] is a [`Shape`] of tables and a [`Placement`]; [`Tables`] is their memory, of addresses as wide as a [`Word`]; [`TinyTables`] the smallest |
//! | lanes | [`Rows`] for lines, [`Columns`] for compressed files |
//! | chunks | [`Chunker`] and [`emit_chunk`] write, [`Chunk`], [`ChunkHeader`] and [`Decoder`] read; [`Definition`]s tell what numbers stand for |
//! | lines | [`write_frame`], [`Deframer`] |
//! | devices | `Recorder`, `FrameSender` (feature `embedded-io`), `TrackedHeap` (feature `alloc-hook`) |
//!
//! [`mod@format`] is the format's normative description, and its numbers.
//!
//! # Features
//!
//! None is on by default.
//!
//! - `embedded-io`: `Recorder`, from allocator hooks to any [`embedded_io::Write`](https://docs.rs/embedded-io).
//!   It uses `critical-section`, of which the firmware chooses the implementation.
//! - `async`: `Recorder::drain_async`, to any [`embedded_io_async::Write`](https://docs.rs/embedded-io-async).
//! - `alloc-hook`: `TrackedHeap`, which wraps any `GlobalAlloc`. The one file with unsafe code.
//! - `defmt`: `defmt::Format` on the types that firmware would log.
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
mod word;
mod writer;

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
pub use recorder::{Detail, Device, FrameSender, Recorder, Scope, WhenFull};
pub use shape::{ModelSpec, Placement, Shape};
pub use tables::{Block, Context, FreeList, LastSize, Slices, Tables, Thread, TinyTables};
pub use word::Word;
