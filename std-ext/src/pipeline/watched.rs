//! A parse that is watched.

use std::io::Read;

use heapwire_core::{Chunk, Event};

use super::parse::{CaptureVisitor, parse_measured};
use crate::error::Result;
use crate::io::capture_reader::{Completeness, Damage};
use crate::monitoring::{Stage, Watch};
use crate::plan::Workers;
use crate::trace::Item;
use crate::trace::continuity::Follows;

/// Does what [`parse_on`](super::parse::parse_on) does as a stage of what `watch` watches, and tells it
/// of each chunk.
///
/// # Errors
/// As [`parse_on`](super::parse::parse_on); or
/// [`Cancelled`](crate::BinaryExportError::Cancelled).
pub(crate) fn parse_watched(
    stage: Stage,
    workers: impl Into<Workers>,
    input: impl Read,
    visitor: &mut impl CaptureVisitor,
    watch: &mut Watch,
) -> Result<Completeness> {
    let begun = watch.meter().begin(stage);
    let meter = watch.meter().another();
    let mut watched = Watched { visitor, watch, end: 0, events: 0 };
    let (completeness, [own, others]) = parse_measured(workers, input, &mut watched, &meter)?;
    let Watched { end, events, .. } = watched;
    watch.meter().end(begun);
    watch.account(stage, &own, &others);
    watch.complete(end, events)?;
    Ok(completeness)
}

/// Tells a visitor, and a watch how far it is.
struct Watched<'a, V> {
    visitor: &'a mut V,
    watch: &'a mut Watch,
    /// Where the last chunk ended, and the events until there.
    end: u64,
    events: u64,
}

impl<V: CaptureVisitor> CaptureVisitor for Watched<'_, V> {
    fn chunk(&mut self, stored: &Chunk<'_>, offset: u64, follows: Follows) -> Result<()> {
        // What lies before the chunk.
        self.watch.advance(offset, self.events)?;
        self.end = offset + stored.bytes.len() as u64;
        if follows != Follows::Repeated {
            self.events += u64::from(stored.header.events);
        }
        self.visitor.chunk(stored, offset, follows)
    }

    fn item(&mut self, item: Item<'_>) -> Result<()> {
        self.visitor.item(item)
    }

    fn wants_events(&self) -> bool {
        self.visitor.wants_events()
    }

    fn events(&mut self, events: &[Event]) -> Result<()> {
        self.visitor.events(events)
    }

    fn chunk_end(&mut self, unpacked: &Chunk<'_>) -> Result<()> {
        self.visitor.chunk_end(unpacked)
    }

    fn damage(&mut self, damage: &Damage) -> Result<()> {
        self.visitor.damage(damage)
    }
}
