//! Any form of a trace into the entries that it is made of.

use std::io::{BufReader, Read};

use heapwire_core::{Chunk, ChunkKind, Definition, Event, Session};

use super::parse::{CaptureVisitor, damaged, parse_on};
use crate::convert::text::TextReader;
use crate::error::{BinaryExportError, Result};
use crate::io::capture_reader::{Completeness, Damage};
use crate::io::envelope::{Form, Opened};
use crate::plan::ParsePlan;
use crate::trace::Item;
use crate::trace::continuity::Follows;
use crate::trace::entry::{Entry, Standing};

/// What the times of a text trace count unless it says so itself.
pub const TEXT_SESSION: Session<'_> =
    Session { device: "", build: "", ticks_per_second: 1_000_000, address_bits: 64 };

/// Reads a trace in whatever form it is and hands out all that is in it, in the order in which it
/// stands there, and of a capture where streams stand that `standing` follows. Memory is that of
/// `standing`.
///
/// # Errors
/// When it cannot be read, or is damaged or cut off and the plan does not salvage; when it passes
/// the plan's limits; when what it needs was not compiled in; the first error of `each`.
pub fn read_entries(
    opened: Opened<'_>,
    plan: &ParsePlan,
    standing: Standing,
    each: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<()> {
    let Opened { form, input } = opened;
    match form {
        Form::Capture { .. } => read_capture(input, plan, standing, each),
        Form::Text => read_text(input, plan, each),
        #[cfg(feature = "msgpack")]
        Form::MessagePack => crate::convert::messagepack::read(input, &plan.limits, each).map(drop),
        #[cfg(feature = "cli")]
        Form::JsonLines => crate::convert::json::read(input, &plan.limits, each).map(drop),
        #[allow(unreachable_patterns, reason = "reached when a form is not compiled in")]
        Form::MessagePack => {
            Err(BinaryExportError::MissingFeature { codec: "MessagePack", feature: "msgpack" })
        }
        #[allow(unreachable_patterns, reason = "reached when a form is not compiled in")]
        Form::JsonLines => {
            Err(BinaryExportError::MissingFeature { codec: "JSON lines", feature: "cli" })
        }
    }
}

fn read_capture(
    input: impl Read,
    plan: &ParsePlan,
    standing: Standing,
    each: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<()> {
    let mut teller = Teller { plan, each, standing, events: 0 };
    let completeness = parse_on(plan.threads, input, &mut teller)?;
    match completeness {
        Completeness::Complete(end) => {
            let Teller { mut standing, mut each, .. } = teller;
            let ends = standing.end(&end.streams);
            ends.into_iter().try_for_each(|position| each(Entry::Position(position)))
        }
        Completeness::CutOff { .. } if plan.salvage => Ok(()),
        Completeness::CutOff { offset } => Err(BinaryExportError::CutOff { offset }),
    }
}

/// Tells the entries of a capture.
struct Teller<'a, F> {
    plan: &'a ParsePlan,
    each: F,
    standing: Standing,
    events: u64,
}

impl<F: FnMut(Entry<'_>) -> Result<()>> CaptureVisitor for Teller<'_, F> {
    fn chunk(&mut self, stored: &Chunk<'_>, _: u64, follows: Follows) -> Result<()> {
        if stored.header.kind != ChunkKind::Events || follows == Follows::Repeated {
            return Ok(());
        }
        let position = self.standing.begin(&stored.header);
        position.map_or(Ok(()), |position| (self.each)(Entry::Position(position)))
    }

    fn item(&mut self, item: Item<'_>) -> Result<()> {
        (self.each)(Entry::Item(item))
    }

    fn events(&mut self, events: &[Event]) -> Result<()> {
        self.events += events.len() as u64;
        self.plan.limits.check_events(self.events)?;
        events.iter().try_for_each(|event| {
            self.plan.limits.check_live_blocks(self.standing.count(event))?;
            (self.each)(Entry::Item(Item::Event(*event)))
        })
    }

    fn damage(&mut self, damage: &Damage) -> Result<()> {
        if self.plan.salvage { Ok(()) } else { Err(damaged(damage)) }
    }
}

fn read_text(
    input: impl Read,
    plan: &ParsePlan,
    mut each: impl FnMut(Entry<'_>) -> Result<()>,
) -> Result<()> {
    let mut reader = TextReader::new(BufReader::with_capacity(1 << 18, input));
    let (mut events, mut session_known) = (0, false);
    while let Some(item) = reader.next_item()? {
        match item {
            Item::Definition(definition) => {
                session_known |= matches!(definition, Definition::Session(_));
            }
            Item::Event(_) => {
                if !std::mem::replace(&mut session_known, true) {
                    each(Entry::Item(Item::Definition(Definition::Session(TEXT_SESSION))))?;
                }
                events += 1;
                plan.limits.check_events(events)?;
            }
        }
        each(Entry::Item(item))?;
    }
    Ok(())
}
