//! Definitions: what the numbers in events stand for. Each is one postcard message in a chunk of
//! kind [`ChunkKind::Definitions`](crate::ChunkKind); a device repeats them for late readers.

use serde::{Deserialize, Serialize};

use crate::chunk::Chunk;
use crate::error::ChunkError;
use crate::format::MAX_TEXT;
use crate::header::{ChunkKind, Codec};
use crate::writer::Writer;

/// One definition. The order of variants and fields is part of the format (postcard numbers them).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Definition<'a> {
    /// Who records, and in which units.
    #[serde(borrow)]
    Session(Session<'a>),
    /// A call-stack node. Its id is a site; ids start at 1.
    Node(Node),
    /// A name for a number used in events.
    #[serde(borrow)]
    Name(Name<'a>),
    /// A range of addresses that the allocator hands out from.
    #[serde(borrow)]
    Region(Region<'a>),
}

/// Who records, and in which units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session<'a> {
    /// The device or program.
    pub device: &'a str,
    /// Which build of it, so that addresses can be resolved later; may be empty.
    pub build: &'a str,
    /// The unit of every time: ticks in a second.
    pub ticks_per_second: u64,
    /// Bits in an address: 16, 32 or 64.
    pub address_bits: u8,
}

/// A node of the tree of call stacks: one return address under the node that called it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The site's number, from 1.
    pub id: u32,
    /// The caller's node, or [`NO_SITE`](crate::NO_SITE) for the outermost.
    pub parent: u32,
    /// The instruction pointer.
    pub ip: u64,
}

/// What a [`Name`] names: each kind counts its ids apart, but scopes and nodes share the sites'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NameKind {
    /// A site that the user named.
    Scope,
    /// A variable.
    Variable,
    /// A type.
    Type,
    /// A thread, task or core.
    Thread,
    /// A gauge.
    Gauge,
    /// A mark.
    Mark,
}

/// A name for a number used in events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name<'a> {
    /// What is named.
    pub kind: NameKind,
    /// Its number.
    pub id: u32,
    /// Its name: any text, from the device; escape it before showing it.
    pub text: &'a str,
}

/// A range of addresses that the allocator hands out from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region<'a> {
    /// First byte.
    pub start: u64,
    /// Length in bytes.
    pub size: u64,
    /// Its name; may be empty.
    pub name: &'a str,
}

/// Appends a definition to a definition chunk's payload: writes it to the start of `out` and returns
/// its length in bytes, or `None` when it does not fit or a text is longer than [`MAX_TEXT`].
pub fn put_definition(out: &mut [u8], definition: &Definition<'_>) -> Option<usize> {
    let mut message = Writer::new(out);
    match definition {
        Definition::Session(session) => session.write(&mut message),
        Definition::Node(Node { id, parent, ip }) => {
            for number in [1, (*id).into(), (*parent).into(), *ip] {
                message.number(number);
            }
        }
        Definition::Name(name) => write_name(&mut message, name.kind as u32, name.id, name.text),
        Definition::Region(Region { start, size, name }) => {
            for number in [3, *start, *size] {
                message.number(number);
            }
            message.text(name);
        }
    }
    message.finish()
}

// Messages are written by hand, as postcard's own writer has panic paths that small builds keep.

impl Session<'_> {
    /// Writes its definition.
    pub(crate) fn write(&self, message: &mut Writer<'_>) {
        message.number(0);
        message.text(self.device);
        message.text(self.build);
        message.number(self.ticks_per_second);
        message.byte(self.address_bits);
    }
}

/// Writes the definition of a name, whose kind is given by its number.
pub(crate) fn write_name(message: &mut Writer<'_>, kind: u32, id: u32, text: &str) {
    for number in [2, kind, id] {
        message.number(number.into());
    }
    message.text(text);
}

/// The definitions in a definition chunk's payload, in order. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Definitions<'a> {
    payload: &'a [u8],
    item: u32,
}

impl<'a> Definitions<'a> {
    /// The definitions of `chunk`.
    ///
    /// # Errors
    /// When it holds no definitions, or they are compressed.
    pub fn new(chunk: &Chunk<'a>) -> Result<Self, ChunkError> {
        if chunk.header.kind != ChunkKind::Definitions {
            return Err(ChunkError::InvalidPayload { what: "not a chunk of definitions", item: 0 });
        }
        if chunk.header.codec != Codec::None {
            return Err(ChunkError::Compressed);
        }
        Ok(Self { payload: chunk.payload, item: 0 })
    }
}

impl<'a> Iterator for Definitions<'a> {
    type Item = Result<Definition<'a>, ChunkError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.payload.is_empty() {
            return None;
        }
        let item = self.item;
        self.item = item.wrapping_add(1);
        let payload = core::mem::take(&mut self.payload);
        let taken = postcard::take_from_bytes::<Definition<'a>>(payload);
        Some(match taken {
            Ok((definition, rest)) if definition.text_len() <= MAX_TEXT => {
                self.payload = rest;
                Ok(definition)
            }
            Ok(_) => Err(ChunkError::InvalidPayload { what: "a text beyond the limit", item }),
            Err(_) => Err(ChunkError::InvalidPayload { what: "not a definition", item }),
        })
    }
}

impl Definition<'_> {
    /// Bytes of the longest text in it.
    fn text_len(&self) -> usize {
        match self {
            Self::Session(session) => session.device.len().max(session.build.len()),
            Self::Name(name) => name.text.len(),
            Self::Region(region) => region.name.len(),
            Self::Node(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_postcard_s() {
        let session = |ticks_per_second| {
            Definition::Session(Session {
                device: "thermostat",
                build: "",
                ticks_per_second,
                address_bits: 200,
            })
        };
        let long = core::str::from_utf8(&[b'x'; 300]).expect("text");
        let kinds = [
            NameKind::Scope,
            NameKind::Variable,
            NameKind::Type,
            NameKind::Thread,
            NameKind::Gauge,
            NameKind::Mark,
        ];
        let names = kinds.map(|kind| Definition::Name(Name { kind, id: u32::MAX, text: long }));
        let others = [
            session(1_000_000),
            session(u64::MAX),
            Definition::Node(Node { id: 1, parent: 0, ip: u64::MAX }),
            Definition::Region(Region { start: 0x2000_0000, size: 128, name: "sram" }),
        ];
        for definition in names.into_iter().chain(others) {
            let (mut ours, mut theirs) = ([0; 400], [0; 400]);
            let len = put_definition(&mut ours, &definition).expect("fits");
            let expected = postcard::to_slice(&definition, &mut theirs).expect("fits");
            assert_eq!(ours[..len], *expected);
            assert!((0..len).all(|room| put_definition(&mut ours[..room], &definition).is_none()));
        }
    }
}
