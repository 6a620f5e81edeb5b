//! Chunks moved as they are, but for their compression: what several threads do for it.

use std::sync::Arc;

use super::ordered::{Ordered, Work};
use crate::error::Result;
use crate::io::codec::{Compressor, Decompressor, Packed};
use crate::plan::CapturePlan;
use crate::trace::source::{Chunks, unpack};

/// What a thread works with.
#[derive(Debug)]
pub(super) struct Tools {
    decompressor: Decompressor,
    compressor: Compressor,
}

impl Tools {
    pub(super) fn new(plan: &CapturePlan) -> Result<Self> {
        Ok(Self { decompressor: Decompressor::new(), compressor: plan.compressor()? })
    }

    fn repack(&mut self, stored: &[u8]) -> Result<Packed> {
        let chunk = unpack(stored, &mut self.decompressor)?;
        self.compressor.pack(&chunk.header, chunk.payload)
    }
}

/// A chunk on its way.
#[derive(Debug)]
struct Moved {
    stored: Arc<[u8]>,
    packed: Option<Result<Packed>>,
}

impl Work for Moved {
    type Tools = Tools;

    fn run(&mut self, tools: &mut Tools) {
        self.packed = Some(tools.repack(&self.stored));
    }
}

/// Compresses all chunks on the plan's threads, at least 2, and hands them out in order.
pub(super) fn for_each_packed(
    chunks: &Chunks,
    plan: &CapturePlan,
    mut each: impl FnMut(Packed) -> Result<()>,
) -> Result<()> {
    let mut own = Tools::new(plan)?;
    let others = (1..plan.threads).map(|_| Tools::new(plan));
    let ordered = Ordered::new(others.collect::<Result<_>>()?, plan.balancing)?;
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
    Ok(())
}
