//! Parts of the firmware benchmark: a board, traces, coders of them, and meters.
#![no_std]

pub mod bare;
pub mod board;
pub mod coder;
pub mod line;
pub mod meter;
mod program;
pub mod replay;
pub mod trace;
pub mod worst;
