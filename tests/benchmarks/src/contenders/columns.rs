//! Events as columns of numbers, for the formats that store columns.

use anyhow::{Context, Result, bail};
use heapwire::heapwire_core::{Event, EventKind, NO_SITE};

/// Whether a column has an entry for each event, or only for those that need one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absent {
    /// A column has a 0 where an event has no such field.
    Zero,
    /// A column leaves the event out.
    Skipped,
}

/// Events of a batch, field by field.
#[derive(Debug)]
pub(super) struct Columns {
    absent: Absent,
    /// A number for each kind of event.
    pub(super) kinds: Vec<u8>,
    /// Ticks since the event before; since 0 for the first.
    pub(super) steps: Vec<i64>,
    /// Threads.
    pub(super) threads: Vec<i32>,
    /// The fields that only some kinds have, in the order of [`Field`].
    pub(super) fields: [Vec<i64>; Field::COUNT],
}

/// Fields that only some kinds of event have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// Where the block is.
    Address,
    /// Where a resized block was.
    Old,
    /// Bytes of the block. The number of a type, the value of a gauge.
    Size,
    /// Who did it. The number of a variable, a gauge or a mark.
    Site,
}

impl Field {
    pub(super) const COUNT: usize = 4;
    pub(super) const ALL: [Self; Self::COUNT] = [Self::Address, Self::Old, Self::Size, Self::Site];
    pub(super) const NAMES: [&str; Self::COUNT] = ["address", "old", "size", "site"];

    /// Whether events of the kind with this number have it.
    pub(super) fn is_in(self, kind: u8) -> bool {
        FIELDS_OF_KINDS.get(usize::from(kind)).is_some_and(|fields| fields[self as usize])
    }
}

const ALLOC: u8 = 0;
const FREE: u8 = 1;
const FREE_AT: u8 = 2;
const REALLOC: u8 = 3;
const FAILED_ALLOC: u8 = 4;
const NAME: u8 = 5;
const GAUGE: u8 = 6;
const MARK: u8 = 7;

/// Which kinds have an address, an old address, a size, a site.
const FIELDS_OF_KINDS: [[bool; Field::COUNT]; 8] = [
    [true, false, true, true],
    [true, false, false, false],
    [true, false, false, true],
    [true, true, true, true],
    [false, false, true, true],
    [true, false, true, true],
    [false, false, true, true],
    [false, false, false, true],
];

impl Columns {
    pub(super) fn new(absent: Absent) -> Self {
        Self {
            absent,
            kinds: Vec::new(),
            steps: Vec::new(),
            threads: Vec::new(),
            fields: Default::default(),
        }
    }

    /// Empties all columns.
    pub(super) fn clear(&mut self) {
        self.kinds.clear();
        self.steps.clear();
        self.threads.clear();
        self.fields.iter_mut().for_each(Vec::clear);
    }

    /// Becomes the columns of these events.
    pub(super) fn split(&mut self, events: &[Event]) {
        self.clear();
        let mut time = 0;
        for event in events {
            let (kind, fields) = fields_of(&event.kind);
            self.kinds.push(kind);
            self.steps.push(event.time.wrapping_sub(time) as i64);
            time = event.time;
            self.threads.push(event.thread as i32);
            for field in Field::ALL {
                if self.absent == Absent::Zero || field.is_in(kind) {
                    self.fields[field as usize].push(fields[field as usize] as i64);
                }
            }
        }
    }

    /// Appends the events to `events`.
    pub(super) fn join(&self, events: &mut Vec<Event>) -> Result<()> {
        let mut time = 0_u64;
        let mut columns = self.fields.each_ref().map(|column| column.iter());
        for ((&kind, &step), &thread) in self.kinds.iter().zip(&self.steps).zip(&self.threads) {
            time = time.wrapping_add(step as u64);
            let mut fields = [0; Field::COUNT];
            for field in Field::ALL {
                if self.absent == Absent::Zero || field.is_in(kind) {
                    let value = columns[field as usize].next().context("a column is too short")?;
                    fields[field as usize] = *value as u64;
                }
            }
            events.push(Event { time, thread: thread as u32, kind: kind_of(kind, fields)? });
        }
        Ok(())
    }
}

/// The number of a kind, and its fields; 0 for those that it has not.
fn fields_of(kind: &EventKind) -> (u8, [u64; Field::COUNT]) {
    match *kind {
        EventKind::Alloc { address, size, site } => (ALLOC, [address, 0, size, site.into()]),
        EventKind::Free { address, site: NO_SITE } => (FREE, [address, 0, 0, 0]),
        EventKind::Free { address, site } => (FREE_AT, [address, 0, 0, site.into()]),
        EventKind::Realloc { old, address, size, site } => {
            (REALLOC, [address, old, size, site.into()])
        }
        EventKind::FailedAlloc { size, site } => (FAILED_ALLOC, [0, 0, size, site.into()]),
        EventKind::Name { address, variable, type_name } => {
            (NAME, [address, 0, type_name.into(), variable.into()])
        }
        EventKind::Gauge { gauge, value } => (GAUGE, [0, 0, value as u64, gauge.into()]),
        EventKind::Mark { mark } => (MARK, [0, 0, 0, mark.into()]),
    }
}

/// The inverse of [`fields_of`].
fn kind_of(kind: u8, [address, old, size, site]: [u64; Field::COUNT]) -> Result<EventKind> {
    let site = site as u32;
    Ok(match kind {
        ALLOC => EventKind::Alloc { address, size, site },
        FREE | FREE_AT => EventKind::Free { address, site },
        REALLOC => EventKind::Realloc { old, address, size, site },
        FAILED_ALLOC => EventKind::FailedAlloc { size, site },
        NAME => EventKind::Name { address, variable: site, type_name: size as u32 },
        GAUGE => EventKind::Gauge { gauge: site, value: size as i64 },
        MARK => EventKind::Mark { mark: site },
        unknown => bail!("kind {unknown}, expected 0 to {MARK}"),
    })
}
