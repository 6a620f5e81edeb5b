//! Other forms of a trace.

pub mod text;
