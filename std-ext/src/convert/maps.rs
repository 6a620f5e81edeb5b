//! Definitions as maps with names for their fields, as MessagePack and JSON have them.

use std::borrow::Cow;

use heapwire_core::format::MAX_TEXT;
use heapwire_core::{Definition, Name, NameKind, Node, Region, Session};
use serde::{Deserialize, Serialize};

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SessionMap<'a> {
    #[serde(borrow)]
    device: Cow<'a, str>,
    build: Cow<'a, str>,
    ticks_per_second: u64,
    address_bits: u8,
}

/// A call-stack node.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct NodeMap {
    id: u32,
    parent: u32,
    address: u64,
}

/// A name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NameMap<'a> {
    #[serde(with = "KindWord")]
    kind: NameKind,
    id: u32,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// A region.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RegionMap<'a> {
    start: u64,
    size: u64,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "NameKind", rename_all = "lowercase")]
enum KindWord {
    Scope,
    Variable,
    Type,
    Thread,
    Gauge,
    Mark,
}

impl<'a> From<Session<'a>> for SessionMap<'a> {
    fn from(session: Session<'a>) -> Self {
        let Session { device, build, ticks_per_second, address_bits } = session;
        Self { device: device.into(), build: build.into(), ticks_per_second, address_bits }
    }
}

impl From<Node> for NodeMap {
    fn from(Node { id, parent, ip }: Node) -> Self {
        Self { id, parent, address: ip }
    }
}

impl<'a> From<Name<'a>> for NameMap<'a> {
    fn from(Name { kind, id, text }: Name<'a>) -> Self {
        Self { kind, id, text: text.into() }
    }
}

impl<'a> From<Region<'a>> for RegionMap<'a> {
    fn from(Region { start, size, name }: Region<'a>) -> Self {
        Self { start, size, name: name.into() }
    }
}

/// A map that is a definition.
pub(super) trait DefinitionMap {
    /// What it is.
    fn definition(&self) -> Definition<'_>;
    /// The bytes of its longest text.
    fn text_len(&self) -> usize;

    /// The definition, unless it has a longer text than the format allows.
    fn checked(&self) -> Result<Definition<'_>, String> {
        match self.text_len() {
            len if len > MAX_TEXT => {
                Err(format!("a text of {len} bytes, expected at most {MAX_TEXT}"))
            }
            _ => Ok(self.definition()),
        }
    }
}

impl DefinitionMap for SessionMap<'_> {
    fn definition(&self) -> Definition<'_> {
        Definition::Session(Session {
            device: &self.device,
            build: &self.build,
            ticks_per_second: self.ticks_per_second,
            address_bits: self.address_bits,
        })
    }

    fn text_len(&self) -> usize {
        self.device.len().max(self.build.len())
    }
}

impl DefinitionMap for NodeMap {
    fn definition(&self) -> Definition<'_> {
        Definition::Node(Node { id: self.id, parent: self.parent, ip: self.address })
    }

    fn text_len(&self) -> usize {
        0
    }
}

impl DefinitionMap for NameMap<'_> {
    fn definition(&self) -> Definition<'_> {
        Definition::Name(Name { kind: self.kind, id: self.id, text: &self.text })
    }

    fn text_len(&self) -> usize {
        self.text.len()
    }
}

impl DefinitionMap for RegionMap<'_> {
    fn definition(&self) -> Definition<'_> {
        Definition::Region(Region { start: self.start, size: self.size, name: &self.name })
    }

    fn text_len(&self) -> usize {
        self.name.len()
    }
}
