//! Records and definitions as both sides have them in memory.

use std::borrow::Cow;

use heapwire_core::{Definition, Event, EventKind, NO_SITE, Name, NameKind, Node, Region, Session};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::trace::Item;

/// The deepest call stack that is looked up.
const MAX_DEPTH: usize = 1000;

/// One allocation's whole life. The order of fields is that of the JSON array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) address: u64,
    pub(super) size: u64,
    pub(super) allocated: u64,
    pub(super) thread: u32,
    pub(super) site: u32,
    pub(super) reallocs: u32,
    pub(super) freed: Option<u64>,
    pub(super) freed_by: Option<u32>,
}

/// What a number stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum JsonDefinition<'a> {
    Session(Cow<'a, str>, Cow<'a, str>, u64, u8),
    Node(u32, u32, u64),
    Name(NameKind, u32, Cow<'a, str>),
    Region(u64, u64, Cow<'a, str>),
}

impl<'a> From<&Definition<'a>> for JsonDefinition<'a> {
    fn from(definition: &Definition<'a>) -> Self {
        match *definition {
            Definition::Session(Session { device, build, ticks_per_second, address_bits }) => {
                Self::Session(device.into(), build.into(), ticks_per_second, address_bits)
            }
            Definition::Node(Node { id, parent, ip }) => Self::Node(id, parent, ip),
            Definition::Name(Name { kind, id, text }) => Self::Name(kind, id, text.into()),
            Definition::Region(Region { start, size, name }) => {
                Self::Region(start, size, name.into())
            }
        }
    }
}

impl JsonDefinition<'_> {
    pub(super) fn is_node(&self) -> bool {
        matches!(self, Self::Node(..))
    }

    pub(super) fn into_owned(self) -> JsonDefinition<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Session(device, build, ticks, bits) => {
                JsonDefinition::Session(owned(device), owned(build), ticks, bits)
            }
            Self::Node(id, parent, ip) => JsonDefinition::Node(id, parent, ip),
            Self::Name(kind, id, text) => JsonDefinition::Name(kind, id, owned(text)),
            Self::Region(start, size, name) => JsonDefinition::Region(start, size, owned(name)),
        }
    }
}

/// What is read of a file, whichever way.
#[derive(Clone, Debug, Default)]
pub(super) struct Data {
    pub(super) definitions: Vec<JsonDefinition<'static>>,
    pub(super) records: Vec<Record>,
    /// The call stack of each record, when it was read with it.
    pub(super) read_stacks: Vec<Vec<u64>>,
    /// The call stack of each site, innermost first, when they were [looked up](Self::look_up_stacks).
    stacks: FxHashMap<u32, Vec<u64>>,
}

impl Data {
    /// Looks up the call stack of each site that allocates.
    pub(super) fn look_up_stacks(&mut self) {
        let node = |definition: &_| match *definition {
            JsonDefinition::Node(id, parent, ip) => Some((id, (parent, ip))),
            _ => None,
        };
        let nodes: FxHashMap<u32, (u32, u64)> = self.definitions.iter().filter_map(node).collect();
        for record in &self.records {
            self.stacks.entry(record.site).or_insert_with(|| {
                let mut stack = Vec::new();
                let mut node = nodes.get(&record.site);
                // A ring of nodes has no end.
                while let (Some((parent, ip)), true) = (node, stack.len() < MAX_DEPTH) {
                    stack.push(*ip);
                    node = nodes.get(parent);
                }
                stack
            });
        }
    }

    /// The call stack of a site, empty when it has none.
    pub(super) fn stack(&self, site: u32) -> Option<&[u64]> {
        Some(self.stacks.get(&site).map_or(&[], Vec::as_slice))
    }

    /// How many definitions are no nodes, and how many are.
    pub(super) fn definition_counts(&self) -> [usize; 2] {
        let nodes = self.definitions.iter().filter(|definition| definition.is_node()).count();
        [self.definitions.len() - nodes, nodes]
    }

    /// Whether `read` is the same, whatever the order of the definitions.
    pub(super) fn is_same(&self, read: &Self) -> bool {
        let has_stacks = !read.read_stacks.is_empty();
        let definitions = |data: &Self| {
            let mut definitions = data.definitions.clone();
            definitions.retain(|definition| !has_stacks || !definition.is_node());
            definitions.sort_unstable();
            definitions.dedup();
            definitions
        };
        let mut stacks = self.records.iter().zip(&read.read_stacks);
        self.records == read.records
            && definitions(self) == definitions(read)
            && stacks.all(|(record, stack)| self.stack(record.site) == Some(stack))
    }
}

/// Makes records out of events, in the order in which blocks were allocated.
#[derive(Debug, Default)]
pub(super) struct Collector {
    definitions: Vec<JsonDefinition<'static>>,
    records: Vec<Record>,
    live: FxHashMap<u64, usize>,
}

impl Collector {
    pub(super) fn item(&mut self, item: &Item<'_>) {
        match item {
            Item::Definition(definition) => {
                self.definitions.push(JsonDefinition::from(definition).into_owned());
            }
            Item::Event(event) => self.event(event),
        }
    }

    fn event(&mut self, event: &Event) {
        let Event { time, thread, kind } = *event;
        match kind {
            EventKind::Alloc { address, size, site } => {
                let id = self.records.len();
                self.live.insert(address, id);
                self.records.push(Record {
                    id: id as u64,
                    address,
                    size,
                    allocated: time,
                    thread,
                    site,
                    reallocs: 0,
                    freed: None,
                    freed_by: None,
                });
            }
            EventKind::Realloc { old, address, size, .. } => {
                let Some(id) = self.live.remove(&old) else { return };
                self.live.insert(address, id);
                if let Some(record) = self.records.get_mut(id) {
                    (record.address, record.size) = (address, size);
                    record.reallocs += 1;
                }
            }
            EventKind::Free { address, site } => {
                let record = self.live.remove(&address).and_then(|id| self.records.get_mut(id));
                if let Some(record) = record {
                    record.freed = Some(time);
                    record.freed_by = (site != NO_SITE).then_some(site);
                }
            }
            EventKind::FailedAlloc { .. }
            | EventKind::Name { .. }
            | EventKind::Gauge { .. }
            | EventKind::Mark { .. } => {}
        }
    }

    pub(super) fn finish(self) -> Data {
        Data { definitions: self.definitions, records: self.records, ..Data::default() }
    }
}
