//! Chunks moved into a capture as they are, but for their compression, on the plan's threads.

use std::io::Write;
#[cfg(feature = "parallel")]
use std::sync::Arc;

use heapwire_core::StreamPosition;

use super::export::{Exported, exported};
#[cfg(feature = "parallel")]
use super::ordered::{Ordered, Work};
use super::output::Output;
use crate::error::Result;
use crate::io::codec::Decompressor;
use crate::io::compressor::{Compressor, Packed};
use crate::monitoring::{Meter, Stage, Times, Watch};
use crate::plan::CapturePlan;
use crate::trace::source::{Chunks, unpack};

/// What a thread works with.
#[derive(Debug)]
struct Tools {
    decompressor: Decompressor,
    compressor: Compressor,
    meter: Meter,
}

impl Tools {
    fn new(plan: &CapturePlan, meter: Meter) -> Result<Self> {
        Ok(Self { decompressor: Decompressor::new(), compressor: plan.compressor()?, meter })
    }

    fn repack(&mut self, stored: &[u8]) -> Result<Packed> {
        let Self { decompressor, compressor, meter } = self;
        meter.within(Stage::Compression, || {
            let chunk = unpack(stored, decompressor)?;
            compressor.pack(&chunk.header, chunk.payload)
        })
    }
}

/// A chunk on its way.
#[cfg(feature = "parallel")]
#[derive(Debug)]
struct Moved {
    stored: Arc<[u8]>,
    packed: Option<Result<Packed>>,
}

#[cfg(feature = "parallel")]
impl Work for Moved {
    type Tools = Tools;

    fn run(&mut self, tools: &mut Tools) {
        self.packed = Some(tools.repack(&self.stored));
    }
}

/// Writes all chunks to `out`, in order.
pub(super) fn move_chunks<W: Write>(
    chunks: &Chunks,
    positions: &[StreamPosition],
    out: W,
    plan: &CapturePlan,
    watch: &mut Watch,
) -> Result<(W, Exported)> {
    let (mut output, mut events) = (Output::new(out, plan)?, 0);
    let meter = watch.meter().another();
    let [own, others] = for_each_packed(chunks, plan, meter, |packed| {
        watch.meter().within(Stage::Writing, || output.write(&packed))?;
        events += u64::from(packed.header.events);
        watch.advance(output.bytes_written(), events)
    })?;
    watch.account(Stage::Processing, &own, &others);
    let written = watch.meter().within(Stage::Writing, || output.finish(positions))?;
    Ok(exported(written, events))
}

/// Compresses all chunks and hands them out in order. Returns the times of this thread and of all others.
fn for_each_packed(
    chunks: &Chunks,
    plan: &CapturePlan,
    meter: Meter,
    mut each: impl FnMut(Packed) -> Result<()>,
) -> Result<[Times; 2]> {
    #[cfg(feature = "parallel")]
    if plan.threads > 1 {
        return for_each_packed_by_several(chunks, plan, meter, each);
    }
    let mut tools = Tools::new(plan, meter)?;
    chunks.stored().iter().try_for_each(|stored| each(tools.repack(stored)?))?;
    Ok([*tools.meter.times(), Times::default()])
}

#[cfg(feature = "parallel")]
fn for_each_packed_by_several(
    chunks: &Chunks,
    plan: &CapturePlan,
    meter: Meter,
    mut each: impl FnMut(Packed) -> Result<()>,
) -> Result<[Times; 2]> {
    let others = (1..plan.threads).map(|_| Tools::new(plan, meter.another()));
    let ordered = Ordered::new(others.collect::<Result<_>>()?, plan.balancing)?;
    let mut own = Tools::new(plan, meter)?;
    let mut hand_out = |moved: Moved| moved.packed.map_or(Ok(()), |packed| each(packed?));
    for stored in chunks.stored() {
        while ordered.is_full() {
            let Some(moved) = ordered.take(&mut own) else { break };
            hand_out(moved)?;
        }
        let mut next = Moved { stored: Arc::clone(stored), packed: None };
        if ordered.is_callers_turn() {
            next.run(&mut own);
            ordered.hand_in_done(next);
        } else {
            ordered.hand_in(next);
        }
    }
    while let Some(moved) = ordered.take(&mut own) {
        hand_out(moved)?;
    }
    let (tools, waited) = ordered.end();
    let (mut own, mut others) = (*own.meter.times(), Times::default());
    own.add(Stage::Waiting, waited);
    tools.iter().for_each(|tools| others.add_all(tools.meter.times()));
    Ok([own, others])
}
