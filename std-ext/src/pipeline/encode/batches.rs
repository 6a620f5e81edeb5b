//! Batches of a capture's events: each encoded in one go, by the caller's thread or another, and written in
//! order.

use std::io::Write;

use heapwire_core::{ChunkKind, StreamPosition};

use crate::error::{BinaryExportError, Result};
use crate::io::compressor::Packed;
use crate::monitoring::{Meter, Stage};
#[cfg(feature = "parallel")]
use crate::pipeline::batch::BatchEncoder;
use crate::pipeline::batch::Events;
#[cfg(feature = "parallel")]
use crate::pipeline::ordered::{Ordered, Work};
use crate::pipeline::output::Output;
#[cfg(feature = "parallel")]
use crate::plan::CapturePlan;

/// Events that are encoded together, and how everything stood before them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) position: StreamPosition,
    /// Chunks of definitions that come before.
    pub(super) definitions: Vec<Packed>,
    /// Those that wait to be encoded.
    pub(super) events: Events,
    pub(super) packed: Vec<Packed>,
    pub(super) failure: Option<BinaryExportError>,
}

#[cfg(feature = "parallel")]
impl Batch {
    /// What its events were in, if it was collected.
    pub(super) fn into_memory(self) -> Option<Events> {
        (!self.events.is_new()).then_some(self.events)
    }
}

#[cfg(feature = "parallel")]
impl Work for Batch {
    type Tools = BatchEncoder;

    fn run(&mut self, encoder: &mut BatchEncoder) {
        let begun = encoder.meter.begin(Stage::Processing);
        encoder.begin(self.position);
        let encoded = encoder.push_all(&self.events, &mut self.packed);
        let encoded = encoded.and_then(|()| encoder.finish(&mut self.packed));
        encoder.meter.end(begun);
        self.events.clear();
        self.failure = encoded.err();
    }
}

/// Writes what a batch became, and empties it.
pub(super) fn write<W: Write>(
    batch: &mut Batch,
    output: &mut Output<W>,
    position: &mut StreamPosition,
    meter: &mut Meter,
) -> Result<()> {
    let begun = meter.begin(Stage::Writing);
    if let Some(error) = batch.failure.take() {
        return Err(error);
    }
    for mut packed in batch.definitions.drain(..).chain(batch.packed.drain(..)) {
        packed.header.sequence = position.sequence;
        if packed.header.kind == ChunkKind::Events {
            position.sequence = position.sequence.wrapping_add(1);
        }
        output.write(&packed)?;
    }
    meter.end(begun);
    Ok(())
}

/// Other threads than the caller's.
#[cfg(feature = "parallel")]
#[derive(Debug)]
pub(super) struct Others {
    pub(super) ordered: Ordered<Batch>,
    /// Memory for events of batches that are collected: no more than of those under way at once.
    pub(super) spare: Vec<Events>,
}

#[cfg(feature = "parallel")]
impl Others {
    /// All threads of the plan but the caller's; `None` when there are none.
    pub(super) fn new(plan: &CapturePlan, meter: &Meter) -> Result<Option<Self>> {
        if plan.threads < 2 {
            return Ok(None);
        }
        let encoders = (1..plan.threads).map(|_| BatchEncoder::new(plan, meter.another()));
        let ordered = Ordered::new(encoders.collect::<Result<_>>()?, plan.balancing)?;
        Ok(Some(Self { ordered, spare: Vec::new() }))
    }
}
