//! Roads: from events to a capture and back.

#[cfg(feature = "parallel")]
mod ahead;
#[cfg(feature = "async")]
pub(crate) mod asynchronous;
mod batch;
mod collection;
pub mod convert;
pub mod encode;
pub mod entries;
pub mod export;
pub mod memory;
mod moved;
#[cfg(feature = "parallel")]
mod ordered;
mod output;
pub mod parse;
pub(crate) mod read_back;
pub mod receive;
pub(crate) mod watched;
