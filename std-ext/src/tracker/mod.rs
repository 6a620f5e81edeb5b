//! Trackers: they record what a program does with its heap, as sealed chunks.

pub(crate) mod global;
pub(crate) mod memory;
mod names;
mod session;
