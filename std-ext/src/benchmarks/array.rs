//! An event or a definition as a JSON array: a number that says what it is, and of what it is.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::line::Line;

/// A line without names of fields.
pub(super) struct Array<'a>(pub(super) Line<'a>);

impl Serialize for Array<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Line::Alloc { time, thread, address, size, site } => {
                (0, time, thread, address, size, site).serialize(to)
            }
            Line::Free { time, thread, address, site: 0 } => {
                (1, time, thread, address).serialize(to)
            }
            Line::Free { time, thread, address, site } => {
                (1, time, thread, address, site).serialize(to)
            }
            Line::Realloc { time, thread, old, address, size, site } => {
                (2, time, thread, old, address, size, site).serialize(to)
            }
            Line::FailedAlloc { time, thread, size, site } => {
                (3, time, thread, size, site).serialize(to)
            }
            Line::Naming { time, thread, address, variable, type_name } => {
                (4, time, thread, address, variable, type_name).serialize(to)
            }
            Line::Gauge { time, thread, gauge, value } => {
                (5, time, thread, gauge, value).serialize(to)
            }
            Line::Mark { time, thread, mark } => (6, time, thread, mark).serialize(to),
            Line::Session { device, build, ticks_per_second, address_bits } => {
                (7, device, build, ticks_per_second, address_bits).serialize(to)
            }
            Line::Node { id, parent, ip } => (8, id, parent, ip).serialize(to),
            Line::Name { kind, id, text } => (9, kind, id, text).serialize(to),
            Line::Region { start, size, name } => (10, start, size, name).serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Array<'_> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(ArrayVisitor).map(Self)
    }
}

struct ArrayVisitor;

impl<'de> Visitor<'de> for ArrayVisitor {
    type Value = Line<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event or a definition as an array")
    }

    // A struct's fields are evaluated in the order in which they are written here.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let seq = &mut seq;
        Ok(match next::<u8, _>(seq)? {
            0 => Line::Alloc {
                time: next(seq)?,
                thread: next(seq)?,
                address: next(seq)?,
                size: next(seq)?,
                site: next(seq)?,
            },
            1 => Line::Free {
                time: next(seq)?,
                thread: next(seq)?,
                address: next(seq)?,
                site: seq.next_element()?.unwrap_or(0),
            },
            2 => Line::Realloc {
                time: next(seq)?,
                thread: next(seq)?,
                old: next(seq)?,
                address: next(seq)?,
                size: next(seq)?,
                site: next(seq)?,
            },
            3 => Line::FailedAlloc {
                time: next(seq)?,
                thread: next(seq)?,
                size: next(seq)?,
                site: next(seq)?,
            },
            4 => Line::Naming {
                time: next(seq)?,
                thread: next(seq)?,
                address: next(seq)?,
                variable: next(seq)?,
                type_name: next(seq)?,
            },
            5 => Line::Gauge {
                time: next(seq)?,
                thread: next(seq)?,
                gauge: next(seq)?,
                value: next(seq)?,
            },
            6 => Line::Mark { time: next(seq)?, thread: next(seq)?, mark: next(seq)? },
            7 => Line::Session {
                device: next(seq)?,
                build: next(seq)?,
                ticks_per_second: next(seq)?,
                address_bits: next(seq)?,
            },
            8 => Line::Node { id: next(seq)?, parent: next(seq)?, ip: next(seq)? },
            9 => Line::Name { kind: next(seq)?, id: next(seq)?, text: next(seq)? },
            10 => Line::Region { start: next(seq)?, size: next(seq)?, name: next(seq)? },
            other => return Err(A::Error::custom(format!("{other} is no kind of line"))),
        })
    }
}

/// The array's next element.
fn next<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(seq: &mut A) -> Result<T, A::Error> {
    seq.next_element()?.ok_or_else(|| A::Error::custom("the array is too short"))
}
