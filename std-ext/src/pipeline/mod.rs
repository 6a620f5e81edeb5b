//! Roads: from events to a capture and back.

pub mod encode;
pub mod export;
pub mod parse;
