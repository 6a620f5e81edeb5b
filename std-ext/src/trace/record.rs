//! Records: each the whole life of one allocation, made by replaying events. Nothing in a record is
//! invented: what the trace does not tell is `None`.

use heapwire_core::{Event, EventKind, NO_SITE, NameKind};
use serde::{Deserialize, Serialize};

use super::Item;
use super::entry::{Entry, Position};
use super::replay::{Fate, LiveMap};
use super::symbols::Symbols;
use crate::error::{BinaryExportError, Result};

/// The whole life of one allocation, as far as the trace tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// Its number, from 0, in the order in which the trace first tells of blocks: mostly the order of
    /// allocation.
    pub id: u64,
    /// Its first byte when the trace first tells of it.
    pub address: u64,
    /// The size in bytes that it was allocated with; `None` if its allocation was not seen.
    pub size: Option<u64>,
    /// When it was allocated; `None` if that was not seen: it was live before the trace began, or a
    /// gap swallowed its allocation.
    pub allocated: Option<Moment>,
    /// How it was resized, in order.
    pub reallocations: Vec<Reallocation>,
    /// The names that it was given, in order; the last one holds.
    pub namings: Vec<Naming>,
    /// When it was freed; `None` if that was not seen.
    pub freed: Option<Moment>,
    /// What became of it.
    pub fate: Fate,
}

/// When, on which thread and by whom something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Moment {
    /// The number of the event that tells it, among all of the trace, from 0.
    pub event: u64,
    /// When, in ticks.
    pub time: u64,
    /// On which thread.
    pub thread: u32,
    /// By whom, or [`NO_SITE`].
    pub site: u32,
}

/// A block was resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reallocation {
    /// The number of the event that tells it.
    pub event: u64,
    /// When, in ticks.
    pub time: u64,
    /// On which thread.
    pub thread: u32,
    /// By whom, or [`NO_SITE`].
    pub site: u32,
    /// Its first byte before.
    pub old_address: u64,
    /// Its first byte from then on.
    pub address: u64,
    /// Its size in bytes before, if that is known.
    pub old_size: Option<u64>,
    /// Its size in bytes from then on.
    pub size: u64,
}

/// A block was given a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Naming {
    /// The number of the event that tells it.
    pub event: u64,
    /// When, in ticks.
    pub time: u64,
    /// On which thread.
    pub thread: u32,
    /// The number of its variable's name, or 0.
    #[serde(rename = "variable_id")]
    pub variable: u32,
    /// The number of its type's name, or 0.
    #[serde(rename = "type_id")]
    pub type_name: u32,
}

impl Record {
    /// Who allocated it, or [`NO_SITE`] if that is not known.
    #[must_use]
    pub fn site(&self) -> u32 {
        self.allocated.map_or(NO_SITE, |moment| moment.site)
    }

    /// Where it was last known to be.
    #[must_use]
    pub fn last_address(&self) -> u64 {
        self.reallocations.last().map_or(self.address, |last| last.address)
    }

    /// The size in bytes that it was last known to have.
    #[must_use]
    pub fn last_size(&self) -> Option<u64> {
        self.reallocations.last().map(|last| last.size).or(self.size)
    }

    /// The largest power of two that its address is a multiple of: at least the alignment that was
    /// asked for, which events do not tell. `None` for address 0, a multiple of all.
    #[must_use]
    pub fn alignment(&self) -> Option<u64> {
        1_u64.checked_shl(self.address.trailing_zeros())
    }

    /// Ticks from its allocation to its free, if both were seen.
    #[must_use]
    pub fn lifetime(&self) -> Option<u64> {
        Some(self.freed?.time.saturating_sub(self.allocated?.time))
    }

    /// The name of the scope that allocated it.
    #[must_use]
    pub fn scope<'a>(&self, symbols: &'a Symbols) -> Option<&'a str> {
        symbols.name(NameKind::Scope, self.site())
    }

    /// The instruction pointers of the call stack that allocated it, innermost first.
    pub fn call_stack<'a>(&self, symbols: &'a Symbols) -> impl Iterator<Item = u64> + 'a {
        symbols.stack(self.site())
    }

    /// The name of its variable.
    #[must_use]
    pub fn variable<'a>(&self, symbols: &'a Symbols) -> Option<&'a str> {
        symbols.name(NameKind::Variable, self.namings.last()?.variable)
    }

    /// The name of its type.
    #[must_use]
    pub fn type_name<'a>(&self, symbols: &'a Symbols) -> Option<&'a str> {
        symbols.name(NameKind::Type, self.namings.last()?.type_name)
    }

    /// The events that it was made of, each with its number among all of the trace; in order, if
    /// its reallocations and names are.
    pub fn for_each_event(&self, mut each: impl FnMut(u64, Event)) {
        let mut address = self.address;
        if let (Some(Moment { event, time, thread, site }), Some(size)) =
            (self.allocated, self.size)
        {
            let kind = EventKind::Alloc { address, size, site };
            each(event, Event { time, thread, kind });
        }
        let (mut resized, mut named) = (&self.reallocations[..], &self.namings[..]);
        loop {
            let name_is_next = match (resized.first(), named.first()) {
                (Some(resized), Some(named)) => named.event < resized.event,
                (None, named) => named.is_some(),
                (Some(_), None) => false,
            };
            if name_is_next && let Some((naming, rest)) = named.split_first() {
                let Naming { event, time, thread, variable, type_name } = *naming;
                let kind = EventKind::Name { address, variable, type_name };
                each(event, Event { time, thread, kind });
                named = rest;
            } else if let Some((reallocation, rest)) = resized.split_first() {
                let Reallocation { event, time, thread, site, old_address: old, size, .. } =
                    *reallocation;
                address = reallocation.address;
                let kind = EventKind::Realloc { old, address, size, site };
                each(event, Event { time, thread, kind });
                resized = rest;
            } else {
                break;
            }
        }
        if let Some(Moment { event, time, thread, site }) = self.freed {
            each(event, Event { time, thread, kind: EventKind::Free { address, site } });
        }
    }
}

/// Makes records of a trace's entries. Each is handed out when it ends, those that do not at the end
/// of the trace; memory grows with the live blocks, about 130 bytes each and 56 for each time that one
/// was resized or named.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Where in `open` the block at an address is.
    live: LiveMap<usize>,
    open: Vec<Option<Open>>,
    /// Free places in `open`.
    spare: Vec<usize>,
    ids: u64,
    events: u64,
    gaps: u64,
    stream: u32,
}

/// A record that goes on: small, since there may be as many as events.
#[derive(Clone, Debug)]
struct Open {
    id: u64,
    address: u64,
    size: Option<u64>,
    allocated: Option<Moment>,
    /// What few blocks have.
    later: Option<Box<Later>>,
    /// Gaps before it was last known to be live.
    gaps_before: u64,
}

/// What became of a block after its allocation.
#[derive(Clone, Debug, Default)]
struct Later {
    reallocations: Vec<Reallocation>,
    namings: Vec<Naming>,
}

impl Open {
    fn later(&mut self) -> &mut Later {
        self.later.get_or_insert_default()
    }

    fn last_size(&self) -> Option<u64> {
        let last = self.later.as_ref().and_then(|later| later.reallocations.last());
        last.map(|last| last.size).or(self.size)
    }

    fn end(self, freed: Option<Moment>, fate: Fate) -> Record {
        let Self { id, address, size, allocated, later, .. } = self;
        let Later { reallocations, namings } = later.map_or_else(Later::default, |later| *later);
        Record { id, address, size, allocated, reallocations, namings, freed, fate }
    }
}

impl Records {
    /// Of an empty heap.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Blocks that are live now.
    #[must_use]
    pub fn live_blocks(&self) -> usize {
        self.live.len()
    }

    /// Events taken so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Takes one entry, and hands out the records that it ends: two at most, but of all live blocks
    /// when the recorder was started anew.
    ///
    /// # Errors
    /// As [`position`](Self::position).
    pub fn entry(
        &mut self,
        entry: &Entry<'_>,
        mut each: impl FnMut(Record) -> Result<()>,
    ) -> Result<()> {
        match entry {
            Entry::Item(Item::Event(event)) => self.event(event, &mut each),
            Entry::Item(Item::Definition(_)) => Ok(()),
            Entry::Position(position) => self.position(position, &mut each),
        }
    }

    /// Takes one event, and hands out the records that it ends.
    ///
    /// # Errors
    /// The first error of `each`.
    pub fn event(
        &mut self,
        event: &Event,
        mut each: impl FnMut(Record) -> Result<()>,
    ) -> Result<()> {
        let &Event { time, thread, kind } = event;
        let number = self.events;
        self.events += 1;
        let moment = |site| Moment { event: number, time, thread, site };
        match kind {
            EventKind::Alloc { address, size, site } => {
                let replaced = self.take(address);
                let mut open = self.first_seen(address);
                open.size = Some(size);
                open.allocated = Some(moment(site));
                self.put(address, open);
                replaced.map_or(Ok(()), |open| each(open.end(None, Fate::Unknown)))
            }
            EventKind::Free { address, site } => {
                let open = self.take(address).unwrap_or_else(|| self.first_seen(address));
                each(open.end(Some(moment(site)), Fate::Freed))
            }
            EventKind::Realloc { old, address, size, site } => {
                let mut open = self.take(old).unwrap_or_else(|| self.first_seen(old));
                let replaced = self.take(address);
                let old_size = open.last_size();
                open.later().reallocations.push(Reallocation {
                    event: number,
                    time,
                    thread,
                    site,
                    old_address: old,
                    address,
                    old_size,
                    size,
                });
                open.gaps_before = self.gaps;
                self.put(address, open);
                replaced.map_or(Ok(()), |open| each(open.end(None, Fate::Unknown)))
            }
            EventKind::Name { address, variable, type_name } => {
                let naming = Naming { event: number, time, thread, variable, type_name };
                match self.live.get(address).and_then(|at| self.open.get_mut(at)?.as_mut()) {
                    Some(open) => open.later().namings.push(naming),
                    None => {
                        let mut open = self.first_seen(address);
                        open.later().namings.push(naming);
                        self.put(address, open);
                    }
                }
                Ok(())
            }
            EventKind::FailedAlloc { .. } | EventKind::Gauge { .. } | EventKind::Mark { .. } => {
                Ok(())
            }
        }
    }

    /// Takes where the stream stands. A recorder that was started anew has an empty heap: all records
    /// end.
    ///
    /// # Errors
    /// The first error of `each`; [`NotCarried`](BinaryExportError::NotCarried) when another stream
    /// goes on: a block would be freed before it is allocated.
    pub fn position(
        &mut self,
        position: &Position,
        each: impl FnMut(Record) -> Result<()>,
    ) -> Result<()> {
        if position.stream != self.stream && self.events > 0 {
            return Err(BinaryExportError::NotCarried {
                form: "a list of records",
                what: "several streams that are not merged by time".into(),
            });
        }
        self.stream = position.stream;
        self.gaps += u64::from(position.is_gap());
        match position.restarted {
            true => self.end_all(|_| Fate::Unknown, each),
            false => Ok(()),
        }
    }

    /// Hands out the records of all blocks that are still live, by their ids.
    ///
    /// # Errors
    /// The first error of `each`.
    pub fn finish(mut self, each: impl FnMut(Record) -> Result<()>) -> Result<()> {
        let gaps = self.gaps;
        let fate = |open: &Open| match open.gaps_before == gaps {
            true => Fate::NeverFreed,
            false => Fate::Unknown,
        };
        self.end_all(fate, each)
    }

    fn end_all(
        &mut self,
        fate: impl Fn(&Open) -> Fate,
        mut each: impl FnMut(Record) -> Result<()>,
    ) -> Result<()> {
        self.live = LiveMap::default();
        self.spare = Vec::new();
        let mut open = std::mem::take(&mut self.open);
        open.retain(Option::is_some);
        open.sort_unstable_by_key(|open| open.as_ref().map(|open| open.id));
        open.into_iter().flatten().try_for_each(|open| {
            let fate = fate(&open);
            each(open.end(None, fate))
        })
    }

    /// A record of a block that the trace tells of for the first time.
    fn first_seen(&mut self, address: u64) -> Open {
        let id = self.ids;
        self.ids += 1;
        let (size, allocated, later) = (None, None, None);
        Open { id, address, size, allocated, later, gaps_before: self.gaps }
    }

    fn take(&mut self, address: u64) -> Option<Open> {
        let at = self.live.remove(address)?;
        self.spare.push(at);
        self.open.get_mut(at)?.take()
    }

    fn put(&mut self, address: u64, open: Open) {
        let at = self.spare.pop().unwrap_or(self.open.len());
        match self.open.get_mut(at) {
            Some(place) => *place = Some(open),
            None => self.open.push(Some(open)),
        }
        self.live.insert(address, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: u64, kind: EventKind) -> Event {
        Event { time, thread: 3, kind }
    }

    fn alloc(time: u64, address: u64, size: u64) -> Event {
        at(time, EventKind::Alloc { address, size, site: 1 })
    }

    fn free(time: u64, address: u64) -> Event {
        at(time, EventKind::Free { address, site: 2 })
    }

    fn realloc(time: u64, old: u64, address: u64, size: u64) -> Event {
        at(time, EventKind::Realloc { old, address, size, site: 4 })
    }

    fn named(time: u64, address: u64, variable: u32) -> Event {
        at(time, EventKind::Name { address, variable, type_name: 9 })
    }

    /// The records of these events, by id; where there is `None` instead of one, events are missing.
    fn records(events: &[Option<Event>]) -> Vec<Record> {
        let (mut records, mut all) = (Records::new(), Vec::new());
        let mut each = |record| {
            all.push(record);
            Ok(())
        };
        for event in events {
            match event {
                Some(event) => records.event(event, &mut each).unwrap(),
                None => {
                    let gap = Position { missing_events: 1, ..Position::default() };
                    records.position(&gap, &mut each).unwrap();
                }
            }
        }
        records.finish(each).unwrap();
        all.sort_by_key(|record| record.id);
        all
    }

    /// All events, from their records.
    fn restored(records: &[Record]) -> Vec<(u64, Event)> {
        let mut events = Vec::new();
        for record in records {
            let before = events.len();
            record.for_each_event(|number, event| events.push((number, event)));
            assert!(events[before..].is_sorted_by_key(|(number, _)| *number));
        }
        events.sort_by_key(|(number, _)| *number);
        events
    }

    #[test]
    fn a_record_has_a_whole_life() {
        let events = [
            alloc(10, 0x20, 5),
            named(11, 0x20, 7),
            realloc(12, 0x20, 0x48, 6),
            named(13, 0x48, 8),
            free(30, 0x48),
        ];
        let [record] = &records(&events.map(Some))[..] else { panic!("one block") };
        assert_eq!((record.id, record.address, record.size), (0, 0x20, Some(5)));
        assert_eq!((record.last_address(), record.last_size()), (0x48, Some(6)));
        assert_eq!((record.fate, record.lifetime(), record.site()), (Fate::Freed, Some(20), 1));
        assert_eq!(record.alignment(), Some(0x20));
        assert_eq!(record.reallocations[0].old_size, Some(5));
        assert_eq!(record.namings.iter().map(|naming| naming.variable).collect::<Vec<_>>(), [7, 8]);
        assert_eq!(record.freed, Some(Moment { event: 4, time: 30, thread: 3, site: 2 }));
        assert_eq!(restored(std::slice::from_ref(record)), (0..).zip(events).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_not_seen_is_not_told() {
        let events = [free(1, 0x8), realloc(2, 0x10, 0x18, 3), named(3, 0x20, 1), free(4, 0x20)];
        let all = records(&events.map(Some));
        assert!(all.iter().all(|record| record.allocated.is_none() && record.size.is_none()));
        let fates: Vec<_> = all.iter().map(|record| record.fate).collect();
        assert_eq!(fates, [Fate::Freed, Fate::NeverFreed, Fate::Freed]);
        assert_eq!((all[0].lifetime(), all[1].last_size()), (None, Some(3)));
        assert_eq!(restored(&all), (0..).zip(events).collect::<Vec<_>>());
    }

    #[test]
    fn a_gap_makes_the_fate_of_what_is_live_unknown() {
        let events = [alloc(1, 0x8, 1), alloc(2, 0x10, 1), alloc(3, 0x18, 1)].map(Some);
        let after = [alloc(4, 0x8, 2), realloc(5, 0x18, 0x18, 2)].map(Some);
        let all = records(&[&events[..], &[None], &after].concat());
        let fates: Vec<_> = all.iter().map(|record| record.fate).collect();
        assert_eq!(fates, [Fate::Unknown, Fate::Unknown, Fate::NeverFreed, Fate::NeverFreed]);
    }

    #[test]
    fn a_place_that_is_taken_ends_a_record_without_a_free() {
        let events =
            [alloc(1, 0x8, 1), alloc(2, 0x8, 2), alloc(3, 0x10, 3), realloc(4, 0x10, 0x8, 4)];
        let all = records(&events.map(Some));
        let fates: Vec<_> = all.iter().map(|record| (record.fate, record.freed)).collect();
        let expected = [Fate::Unknown, Fate::Unknown, Fate::NeverFreed].map(|fate| (fate, None));
        assert_eq!(fates, expected);
        assert_eq!(restored(&all), (0..).zip(events).collect::<Vec<_>>());
    }

    #[test]
    fn a_restart_ends_all() {
        let mut records = Records::new();
        records.event(&alloc(1, 0x8, 1), |_| panic!("lives")).unwrap();
        let restart = Position { epoch: 1, restarted: true, ..Position::default() };
        let mut ended = Vec::new();
        records
            .position(&restart, |record| {
                ended.push((record.id, record.fate));
                Ok(())
            })
            .unwrap();
        assert_eq!((ended, records.live_blocks()), (vec![(0, Fate::Unknown)], 0));
        records.event(&alloc(0, 0x8, 1), |_| panic!("an empty heap")).unwrap();
    }
}
