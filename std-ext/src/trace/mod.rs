//! Traces on the desktop: what their parts are called, whether they are whole, what they answer.

pub mod builder;
pub mod capture;
pub mod continuity;
pub mod decode;
pub mod entry;
pub mod limits;
pub(crate) mod merge;
pub mod numbering;
pub mod position;
pub mod record;
pub mod replay;
pub mod runs;
pub(crate) mod sample;
pub mod source;
pub mod symbols;

use heapwire_core::{Definition, Event};

/// One part of a trace: a definition or an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item<'a> {
    /// What a number stands for.
    Definition(Definition<'a>),
    /// Something that happened.
    Event(Event),
}
