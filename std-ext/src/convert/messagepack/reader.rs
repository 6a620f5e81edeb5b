//! A MessagePack file into the entries that it was made of, in their order.
//!
//! Records are in the order of their first events, so that the events of a record wait only while its
//! block is live. What belongs to no block comes before the records, and waits in temporary files.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{BufReader, Read};

use heapwire_core::{Event, EventKind};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tempfile::SpooledTempFile;

use super::source::Source;
use super::{FORMAT, OtherEvent, PositionMap, VERSION};
use crate::convert::maps::{DefinitionMap, NameMap, NodeMap, RegionMap, SessionMap};
use crate::error::{BinaryExportError, MessagePackError, Result};
use crate::io::sorter::Spool;
use crate::trace::Item;
use crate::trace::entry::Entry;
use crate::trace::limits::Limits;
use crate::trace::record::Record;
use crate::trace::replay::Fate;

/// The most bytes of what is no record; the longest has two texts.
const MAX_SMALL: usize = 8 << 10;

/// Reads the MessagePack file `input`, which is out of its frame, and hands out all that is in it.
/// Returns the file's length in bytes. Memory is bounded by the blocks that are live at one time.
///
/// # Errors
/// [`MessagePack`](BinaryExportError::MessagePack) when it is cut off, malformed or contradicts
/// itself; [`Limit`](BinaryExportError::Limit) and
/// [`OutOfMemory`](BinaryExportError::OutOfMemory) when it passes the limits; the first error of
/// `each`, or of a temporary file.
pub fn read(
    input: impl Read,
    limits: &Limits,
    each: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<u64> {
    read_with_records(input, limits, each, |_| Ok(()))
}

/// The same, and hands out the records as they stand there.
pub(crate) fn read_with_records(
    input: impl Read,
    limits: &Limits,
    mut each: impl FnMut(Entry<'_>) -> Result<()>,
    mut each_record: impl FnMut(&Record) -> Result<()>,
) -> Result<u64> {
    let mut source = Source::new(input);
    let entries = source.map()?;
    let mut reader = Reader { limits: *limits, events: None, others: None, positions: None };
    let (mut records, mut checked) = (false, false);
    for _ in 0..entries {
        let key: String = source.value(MAX_SMALL)?;
        match key.as_str() {
            "format" => {
                let found: String = source.value(MAX_SMALL)?;
                if found != FORMAT {
                    return Err(source.malformed(format!("the format is {found:?}")));
                }
            }
            "version" => {
                let found: u64 = source.value(MAX_SMALL)?;
                if found == 0 || found > VERSION {
                    let newest = VERSION;
                    return Err(MessagePackError::UnsupportedVersion { found, newest }.into());
                }
            }
            "events" => {
                let events = source.value(MAX_SMALL)?;
                limits.check_events(events)?;
                reader.events = Some(events);
            }
            "sessions" => definitions::<SessionMap<'_>, _>(&mut source, &mut each)?,
            "regions" => definitions::<RegionMap<'_>, _>(&mut source, &mut each)?,
            "names" => definitions::<NameMap<'_>, _>(&mut source, &mut each)?,
            "call_stacks" => definitions::<NodeMap, _>(&mut source, &mut each)?,
            "positions" => reader.positions = Some(spool::<PositionMap, _>(&mut source)?),
            "other_events" => reader.others = Some(spool::<OtherEvent, _>(&mut source)?),
            "records" if records => return Err(source.contradiction("records for a second time")),
            "records" => {
                reader.read_records(&mut source, &mut each, &mut each_record)?;
                records = true;
            }
            "checksum" => {
                let computed = source.checksum();
                let stored: u32 = source.value(MAX_SMALL)?;
                if stored != computed {
                    return Err(source.contradiction(format!(
                        "the checksum is {stored:08x}, of the bytes before it {computed:08x}"
                    )));
                }
                checked = true;
            }
            _ => drop(source.value::<IgnoredAny>(limits.max_memory)?),
        }
    }
    for (key, is_there) in [("records", records), ("checksum", checked)] {
        if !is_there {
            return Err(source.malformed(format!("there is no entry {key:?}")));
        }
    }
    match source.is_at_end()? {
        true => Ok(source.offset()),
        false => Err(source.malformed("bytes behind the end")),
    }
}

/// Reads an array of definitions and hands them out.
fn definitions<'de, T: Deserialize<'de> + DefinitionMap, R: Read>(
    source: &mut Source<R>,
    each: &mut impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<()> {
    for _ in 0..source.array()? {
        let map: T = source.value(MAX_SMALL)?;
        let definition = map.checked().map_err(|what| source.malformed(what))?;
        each(Entry::Item(Item::Definition(definition)))?;
    }
    Ok(())
}

/// Something with a place among the events.
trait Placed: DeserializeOwned + serde::Serialize + Copy {
    /// The number of the event that it is, or that follows it.
    fn number(&self) -> u64;
}

impl Placed for PositionMap {
    fn number(&self) -> u64 {
        self.before_event
    }
}

impl Placed for OtherEvent {
    fn number(&self) -> u64 {
        self.event
    }
}

/// Reads an array for later.
fn spool<T: Placed, R: Read>(source: &mut Source<R>) -> Result<Later<T>> {
    let mut spool = Spool::new();
    let (mut buffer, mut last) = (Vec::new(), 0);
    for _ in 0..source.array()? {
        let value: T = source.value(MAX_SMALL)?;
        if value.number() < last {
            let what = format!("event {} comes behind event {last}", value.number());
            return Err(source.contradiction(what));
        }
        last = value.number();
        buffer.clear();
        rmp_serde::encode::write_named(&mut buffer, &value)
            .map_err(|error| spooling(std::io::Error::other(error)))?;
        spool.push(&buffer).map_err(spooling)?;
    }
    let left = spool.count();
    let mut later = Later { input: spool.into_reader().map_err(spooling)?, left, next: None };
    later.advance()?;
    Ok(later)
}

fn spooling(error: std::io::Error) -> BinaryExportError {
    BinaryExportError::stream("use a temporary file")(error)
}

/// What waits for its turn in a temporary file.
struct Later<T> {
    input: BufReader<SpooledTempFile>,
    left: u64,
    next: Option<T>,
}

impl<T: Placed> Later<T> {
    /// Takes what comes next, if it has this number.
    fn take(&mut self, number: u64) -> Result<Option<T>> {
        let Some(next) = self.next.filter(|next| next.number() == number) else { return Ok(None) };
        self.advance()?;
        Ok(Some(next))
    }

    fn advance(&mut self) -> Result<()> {
        self.next = None;
        if self.left > 0 {
            self.left -= 1;
            let next = rmp_serde::from_read(&mut self.input);
            self.next = Some(next.map_err(|error| spooling(std::io::Error::other(error)))?);
        }
        Ok(())
    }
}

/// An event that waits for its turn.
struct Pending {
    number: u64,
    event: Event,
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Pending {}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.number.cmp(&other.number)
    }
}

struct Reader {
    limits: Limits,
    /// How many there should be.
    events: Option<u64>,
    others: Option<Later<OtherEvent>>,
    positions: Option<Later<PositionMap>>,
}

impl Reader {
    /// Reads the records and hands out all events.
    fn read_records<R: Read>(
        &mut self,
        source: &mut Source<R>,
        each: &mut impl FnMut(Entry<'_>) -> Result<()>,
        each_record: &mut impl FnMut(&Record) -> Result<()>,
    ) -> Result<()> {
        let (Some(events), Some(_), Some(_)) = (self.events, &self.others, &self.positions) else {
            let what = "records before the entries \"events\", \"positions\" and \"other_events\"";
            return Err(source.malformed(what));
        };
        let mut waiting: BinaryHeap<Reverse<Pending>> = BinaryHeap::new();
        let mut next = 0;
        for id in 0..source.array()? {
            let record: Record = source.value(self.limits.max_memory)?;
            check(&record, id.into()).map_err(|what| source.contradiction(what))?;
            each_record(&record)?;
            let (mut first, mut last) = (None, None);
            let mut in_order = true;
            record.for_each_event(|number, event| {
                in_order &= last.is_none_or(|last| number > last);
                last = Some(number);
                first.get_or_insert(number);
                waiting.push(Reverse(Pending { number, event }));
            });
            let first = first.filter(|&first| in_order && first >= next);
            let Some(first) = first else {
                return Err(source.contradiction(format!("record {id} has no order in its events")));
            };
            let taken = waiting.len().saturating_mul(size_of::<Pending>());
            self.limits.check_memory(0, taken)?;
            self.hand_out(source, &mut next, first, &mut waiting, each)?;
        }
        self.hand_out(source, &mut next, events, &mut waiting, each)?;
        self.hand_out_positions(next, each)?;
        let later = [
            waiting.peek().map(|Reverse(pending)| pending.number),
            self.others.as_ref().and_then(|others| others.next).map(|other| other.event),
            self.positions.as_ref().and_then(|later| later.next).map(|next| next.before_event),
        ];
        match later.into_iter().flatten().min() {
            Some(beyond) => Err(source
                .contradiction(format!("there is an event {beyond}, of {events} events in all"))),
            None => Ok(()),
        }
    }

    /// Hands out all events with numbers below `until`.
    fn hand_out<R: Read>(
        &mut self,
        source: &Source<R>,
        next: &mut u64,
        until: u64,
        waiting: &mut BinaryHeap<Reverse<Pending>>,
        each: &mut impl FnMut(Entry<'_>) -> Result<()>,
    ) -> Result<()> {
        while *next < until {
            self.hand_out_positions(*next, each)?;
            let is_next = |Reverse(pending): &Reverse<Pending>| pending.number == *next;
            let event = match waiting.peek().is_some_and(is_next) {
                true => waiting.pop().map(|Reverse(pending)| pending.event),
                false => match self.others.as_mut() {
                    Some(others) => match others.take(*next)? {
                        Some(other) => Some(other.event().ok_or_else(|| {
                            source.contradiction(format!("event {next} lacks a number of its kind"))
                        })?),
                        None => None,
                    },
                    None => None,
                },
            };
            let Some(event) = event else {
                return Err(
                    source.contradiction(format!("event {next} is missing, or there twice"))
                );
            };
            each(Entry::Item(Item::Event(event)))?;
            *next += 1;
        }
        Ok(())
    }

    fn hand_out_positions(
        &mut self,
        number: u64,
        each: &mut impl FnMut(Entry<'_>) -> Result<()>,
    ) -> Result<()> {
        let Some(positions) = &mut self.positions else { return Ok(()) };
        while let Some(PositionMap { position, .. }) = positions.take(number)? {
            each(Entry::Position(position))?;
        }
        Ok(())
    }
}

/// Whether a record can be, and has the number that it should.
fn check(record: &Record, id: u64) -> Result<(), String> {
    if record.id != id {
        return Err(format!("found record {}, expected record {id}", record.id));
    }
    if record.allocated.is_some() != record.size.is_some() {
        return Err(format!("record {id} has a size and no allocation, or no size and one"));
    }
    if record.freed.is_some() != (record.fate == Fate::Freed) {
        return Err(format!("record {id} has the fate {:?}, which its free denies", record.fate));
    }
    let mut place = record.address;
    for reallocation in &record.reallocations {
        if reallocation.old_address != place {
            return Err(format!("record {id} was resized at {:#x}", reallocation.old_address));
        }
        place = reallocation.address;
    }
    let is_first = |number| record.allocated.is_none_or(|moment| moment.event < number);
    let is_last = |number| record.freed.is_none_or(|moment| moment.event > number);
    let mut whole = true;
    record.for_each_event(|number, event| match event.kind {
        EventKind::Alloc { .. } | EventKind::Free { .. } => {}
        _ => whole &= is_first(number) && is_last(number),
    });
    match whole {
        true => Ok(()),
        false => Err(format!("record {id} goes on before its allocation or after its free")),
    }
}
