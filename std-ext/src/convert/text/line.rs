//! One line into one item: which fields follow which letter.

use heapwire_core::{Definition, EventKind, NO_SITE, Name, Node, Region, Session};

use super::fields::{Fields, Mismatch};
use crate::trace::Item;

/// Parses one line that is neither empty nor a comment. `text` is where names are put.
pub(super) fn parse<'a>(line: &[u8], text: &'a mut String) -> Result<Item<'a>, Mismatch> {
    let mut fields = Fields { rest: line };
    match fields.letter() {
        b'a' => fields.event(|f| {
            Ok(EventKind::Alloc { address: f.address()?, size: f.size()?, site: f.site()? })
        }),
        b'f' => fields.event(|f| {
            let address = f.address()?;
            let site = if f.rest.is_empty() { NO_SITE } else { f.site()? };
            Ok(EventKind::Free { address, site })
        }),
        b'r' => fields.event(|f| {
            let (old, address) = (f.address()?, f.address()?);
            Ok(EventKind::Realloc { old, address, size: f.size()?, site: f.site()? })
        }),
        b'x' => fields.event(|f| Ok(EventKind::FailedAlloc { size: f.size()?, site: f.site()? })),
        b'n' => fields.event(|f| {
            let address = f.address()?;
            Ok(EventKind::Name { address, variable: f.id()?, type_name: f.id()? })
        }),
        b'g' => fields.event(|f| Ok(EventKind::Gauge { gauge: f.id()?, value: f.gauge_value()? })),
        b'm' => fields.event(|f| Ok(EventKind::Mark { mark: f.id()? })),
        b's' => {
            let node = Node { id: fields.site()?, parent: fields.site()?, ip: fields.address()? };
            fields.finish()?;
            Ok(Item::Definition(Definition::Node(node)))
        }
        b'd' => {
            let (kind, id) = (fields.name_kind()?, fields.id()?);
            let name = Name { kind, id, text: fields.text_to_end(text)? };
            Ok(Item::Definition(Definition::Name(name)))
        }
        b'p' => {
            let (start, size) = (fields.address()?, fields.size()?);
            let region = Region { start, size, name: fields.text_to_end(text)? };
            Ok(Item::Definition(Definition::Region(region)))
        }
        b'h' => {
            let ticks_per_second =
                fields.number::<10>("ticks in a second (decimal, below 2^64)")?;
            let address_bits = fields.narrow("bits in an address (decimal, below 256)")?;
            text.clear();
            fields.quoted(text)?;
            let device_len = text.len();
            fields.quoted(text)?;
            fields.finish()?;
            let (device, build) = text.split_at(device_len);
            let session = Session { device, build, ticks_per_second, address_bits };
            Ok(Item::Definition(Definition::Session(session)))
        }
        _ => Err(Mismatch {
            left: line.len(),
            expected: "one of the letters a f r x n g m s d p h, then a space",
        }),
    }
}
