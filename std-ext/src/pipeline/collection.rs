//! What of a source is exported. What is left out is not missing, so numbers count without it.

use heapwire_core::{Definition, EventKind, NameKind};

use crate::config::CollectionConfig;
use crate::trace::Item;
use crate::trace::entry::{Entry, Position};

/// Collects as configured.
pub(super) struct Collection {
    config: CollectionConfig,
    /// Events of the stream's epoch.
    left_out: u64,
}

impl Collection {
    pub(super) fn new(config: CollectionConfig) -> Self {
        Self { config, left_out: 0 }
    }

    /// Whether an item is exported.
    pub(super) fn collects(&mut self, item: &Item<'_>) -> bool {
        let CollectionConfig { names, call_stacks, gauges, marks } = self.config;
        let collects = match item {
            Item::Definition(Definition::Node(_)) => call_stacks,
            Item::Definition(Definition::Name(name)) => match name.kind {
                NameKind::Variable | NameKind::Type => names,
                NameKind::Gauge => gauges,
                NameKind::Mark => marks,
                NameKind::Scope | NameKind::Thread => true,
            },
            Item::Definition(Definition::Session(_) | Definition::Region(_)) => true,
            Item::Event(event) => match event.kind {
                EventKind::Name { .. } => names,
                EventKind::Gauge { .. } => gauges,
                EventKind::Mark { .. } => marks,
                EventKind::Alloc { .. }
                | EventKind::Free { .. }
                | EventKind::Realloc { .. }
                | EventKind::FailedAlloc { .. } => true,
            },
        };
        self.left_out += u64::from(!collects && matches!(item, Item::Event(_)));
        collects
    }

    /// The number of an event among those collected; `restarted`: of a new epoch.
    pub(super) fn number(&mut self, number: u64, restarted: bool) -> u64 {
        if restarted {
            self.left_out = 0;
        }
        number.wrapping_sub(self.left_out)
    }

    /// An entry as it is exported, if it is.
    pub(super) fn entry<'a>(&mut self, entry: Entry<'a>) -> Option<Entry<'a>> {
        match entry {
            Entry::Item(item) => self.collects(&item).then_some(entry),
            Entry::Position(position) => {
                let events_before = self.number(position.events_before, position.restarted);
                Some(Entry::Position(Position { events_before, ..position }))
            }
        }
    }
}
