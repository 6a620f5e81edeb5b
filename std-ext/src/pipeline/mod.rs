//! Roads: from events to a capture and back.

#[cfg(feature = "parallel")]
mod ahead;
mod batch;
pub mod convert;
pub mod encode;
pub mod entries;
pub mod export;
#[cfg(feature = "parallel")]
mod ordered;
pub mod parse;
