//! Other forms of a trace.

#[cfg(feature = "cli")]
pub mod json;
#[cfg(any(feature = "cli", feature = "msgpack"))]
mod maps;
#[cfg(feature = "msgpack")]
pub mod messagepack;
pub mod text;
