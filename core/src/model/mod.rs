//! The predictions, shared by both directions. The encoder asks which of them come true and writes
//! that down; the decoder reads it and asks the same model what it predicted. Both then let the
//! model learn the event. All state starts afresh in every chunk.
//!
//! To the next maintainer: whatever changes here changes the format. `encode.rs` and `decode.rs`
//! call the same functions in the same order; FORMAT.md tells their rules in words.

mod block;
mod place;
mod who;

pub(crate) use block::{Referred, Which};
pub(crate) use place::Place;
pub(crate) use who::Symbol;

use crate::shape::{ModelSpec, Placement};
use crate::tables::{Act, Block, Context, FreeList, Slices, Tables, Thread};

/// The model: tables in the caller's memory and a few counters.
#[derive(Clone, Debug)]
pub(crate) struct Model<T> {
    tables: T,
    placement: Placement,
    pub(crate) highest_site: u32,
    pub(crate) thread: u32,
    allocations: u32,
    last_freed: u32,
    last_freed_address: u64,
    next_hole: u32,
}

/// Spreads a key over 32 bits: the golden ratio's, as Knuth's multiplicative hashing uses it.
#[inline]
fn spread(key: u32) -> u32 {
    key.wrapping_mul(0x9E37_79B1)
}

/// The entry of `table` for a spread key: its highest bits. `None` when the table is empty.
#[inline]
fn slot(hash: u32, len: usize) -> usize {
    let mask = len.wrapping_sub(1);
    (hash >> 16) as usize & mask
}

impl<T: Tables> Model<T> {
    pub(crate) const fn new(tables: T, placement: Placement) -> Self {
        Self {
            tables,
            placement,
            highest_site: 0,
            thread: 0,
            allocations: 0,
            last_freed: 0,
            last_freed_address: 0,
            next_hole: 0,
        }
    }

    pub(crate) fn spec(&self) -> ModelSpec {
        ModelSpec { shape: self.tables.shape(), placement: self.placement }
    }

    pub(crate) fn address_mask(&self) -> u64 {
        self.placement.address_mask()
    }

    /// Forgets everything: a new chunk begins.
    pub(crate) fn reset(&mut self) {
        let Slices { blocks, contexts, sizes, lists, holes, threads, index } = self.tables.slices();
        blocks.fill(Block::default());
        contexts.fill(Context::default());
        sizes.fill(0);
        lists.fill(FreeList::default());
        holes.fill(0);
        threads.fill(Thread::default());
        index.fill(0);
        self.highest_site = 0;
        self.thread = 0;
        self.allocations = 0;
        self.last_freed = 0;
        self.last_freed_address = 0;
        self.next_hole = 0;
    }

    /// An allocation happened.
    #[inline]
    pub(crate) fn learn_alloc(&mut self, place: Place, address: u64, size: u64, site: u32) {
        self.learn_symbol(Symbol { act: Act::Alloc, site });
        self.learn_place(place, address, size);
        self.learn_block(address, size, site);
        self.remember(Act::Alloc, site);
    }

    /// A free happened.
    #[inline]
    pub(crate) fn learn_free(&mut self, symbol: Symbol, freed: Referred) {
        self.learn_symbol(symbol);
        let origin = self.learn_freed(freed, true);
        self.highest_site = self.highest_site.max(symbol.site);
        self.remember(symbol.act, origin);
    }

    /// A reallocation happened.
    #[inline]
    pub(crate) fn learn_realloc(
        &mut self,
        old: Referred,
        place: Place,
        address: u64,
        size: u64,
        site: u32,
    ) {
        self.learn_symbol(Symbol { act: Act::Realloc, site });
        self.learn_place(place, address, size);
        self.learn_freed(old, place != Place::Same);
        self.learn_block(address, size, site);
        self.remember(Act::Realloc, site);
    }
}
