//! An event or a definition as a JSON object: one entry that says what it is, and of what it is.

use std::borrow::Cow;

use heapwire_core::{Definition, Event, EventKind, NO_SITE, Name, NameKind, Node, Region, Session};
use serde::{Deserialize, Serialize};

use crate::trace::Item;

/// An event or a definition. A site that is not known is left out where that is common.
#[derive(Serialize, Deserialize)]
pub(super) enum Line<'a> {
    Alloc {
        time: u64,
        thread: u32,
        address: u64,
        size: u64,
        site: u32,
    },
    Free {
        time: u64,
        thread: u32,
        address: u64,
        #[serde(default, skip_serializing_if = "is_unknown")]
        site: u32,
    },
    Realloc {
        time: u64,
        thread: u32,
        old: u64,
        address: u64,
        size: u64,
        site: u32,
    },
    FailedAlloc {
        time: u64,
        thread: u32,
        size: u64,
        site: u32,
    },
    Naming {
        time: u64,
        thread: u32,
        address: u64,
        variable: u32,
        type_name: u32,
    },
    Gauge {
        time: u64,
        thread: u32,
        gauge: u32,
        value: i64,
    },
    Mark {
        time: u64,
        thread: u32,
        mark: u32,
    },
    Session {
        #[serde(borrow)]
        device: Cow<'a, str>,
        #[serde(borrow)]
        build: Cow<'a, str>,
        ticks_per_second: u64,
        address_bits: u8,
    },
    Node {
        id: u32,
        parent: u32,
        ip: u64,
    },
    Name {
        kind: NameKind,
        id: u32,
        #[serde(borrow)]
        text: Cow<'a, str>,
    },
    Region {
        start: u64,
        size: u64,
        #[serde(borrow)]
        name: Cow<'a, str>,
    },
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_unknown(site: &u32) -> bool {
    *site == NO_SITE
}

impl<'a> From<Item<'a>> for Line<'a> {
    fn from(item: Item<'a>) -> Self {
        match item {
            Item::Event(event) => event.into(),
            Item::Definition(definition) => definition.into(),
        }
    }
}

impl From<Event> for Line<'_> {
    fn from(Event { time, thread, kind }: Event) -> Self {
        match kind {
            EventKind::Alloc { address, size, site } => {
                Self::Alloc { time, thread, address, size, site }
            }
            EventKind::Free { address, site } => Self::Free { time, thread, address, site },
            EventKind::Realloc { old, address, size, site } => {
                Self::Realloc { time, thread, old, address, size, site }
            }
            EventKind::FailedAlloc { size, site } => Self::FailedAlloc { time, thread, size, site },
            EventKind::Name { address, variable, type_name } => {
                Self::Naming { time, thread, address, variable, type_name }
            }
            EventKind::Gauge { gauge, value } => Self::Gauge { time, thread, gauge, value },
            EventKind::Mark { mark } => Self::Mark { time, thread, mark },
        }
    }
}

impl<'a> From<Definition<'a>> for Line<'a> {
    fn from(definition: Definition<'a>) -> Self {
        match definition {
            Definition::Session(Session { device, build, ticks_per_second, address_bits }) => {
                Self::Session {
                    device: device.into(),
                    build: build.into(),
                    ticks_per_second,
                    address_bits,
                }
            }
            Definition::Node(Node { id, parent, ip }) => Self::Node { id, parent, ip },
            Definition::Name(Name { kind, id, text }) => Self::Name { kind, id, text: text.into() },
            Definition::Region(Region { start, size, name }) => {
                Self::Region { start, size, name: name.into() }
            }
        }
    }
}

impl Line<'_> {
    pub(super) fn item(&self) -> Item<'_> {
        let (time, thread, kind) = match *self {
            Self::Alloc { time, thread, address, size, site } => {
                (time, thread, EventKind::Alloc { address, size, site })
            }
            Self::Free { time, thread, address, site } => {
                (time, thread, EventKind::Free { address, site })
            }
            Self::Realloc { time, thread, old, address, size, site } => {
                (time, thread, EventKind::Realloc { old, address, size, site })
            }
            Self::FailedAlloc { time, thread, size, site } => {
                (time, thread, EventKind::FailedAlloc { size, site })
            }
            Self::Naming { time, thread, address, variable, type_name } => {
                (time, thread, EventKind::Name { address, variable, type_name })
            }
            Self::Gauge { time, thread, gauge, value } => {
                (time, thread, EventKind::Gauge { gauge, value })
            }
            Self::Mark { time, thread, mark } => (time, thread, EventKind::Mark { mark }),
            Self::Session { ref device, ref build, ticks_per_second, address_bits } => {
                let session = Session { device, build, ticks_per_second, address_bits };
                return Item::Definition(Definition::Session(session));
            }
            Self::Node { id, parent, ip } => {
                return Item::Definition(Definition::Node(Node { id, parent, ip }));
            }
            Self::Name { kind, id, ref text } => {
                return Item::Definition(Definition::Name(Name { kind, id, text }));
            }
            Self::Region { start, size, ref name } => {
                return Item::Definition(Definition::Region(Region { start, size, name }));
            }
        };
        Item::Event(Event { time, thread, kind })
    }
}
