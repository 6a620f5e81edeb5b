//! The predictions, shared by both directions. The encoder asks which of them come true and writes
//! that down; the decoder reads it and asks the same model what it predicted. Both then let the
//! model learn the event. All state starts afresh in every chunk.
//!
//! To the next maintainer: whatever changes here changes the format. `encode.rs` and `decode.rs`
//! call the same functions in the same order; FORMAT.md tells their rules in words.

mod block;
mod place;
mod simple;
mod who;

pub(crate) use block::{Placed, Referred, Which};
pub(crate) use place::Place;

use crate::shape::{GivenPlacement, ModelSpec, Placement, Placing};
use crate::tables::{Act, Context, FreeList, LastSize, Slices, Tables, Thread};
use crate::word::Word;

/// The model: tables in the caller's memory and a few counters.
#[derive(Clone, Debug)]
pub(crate) struct Model<T: Tables, P = GivenPlacement> {
    tables: T,
    placing: P,
    thread: u32,
    /// What is known of that thread; where that lies in the table while another acts.
    own: Thread<T::Word>,
    own_at: usize,
    /// The context that its previous event leads to.
    context_at: usize,
    last_site: u32,
    allocations: u32,
    last_freed: u32,
    pub(crate) last_freed_address: T::Word,
    next_hole: u32,
}

/// An allocation as the model met it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetAlloc<W> {
    /// The site in code, unless it was foretold.
    pub(crate) site_code: Option<u64>,
    /// Whether the size was foretold.
    pub(crate) sized: bool,
    pub(crate) place: Place<W>,
}

/// A free as the model met it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetFree<W> {
    /// The site in code, unless it was foretold.
    pub(crate) site_code: Option<u64>,
    pub(crate) which: Which<W>,
}

/// Spreads a key over 32 bits: the golden ratio's, as Knuth's multiplicative hashing uses it.
#[inline]
fn spread(key: u32) -> u32 {
    key.wrapping_mul(0x9E37_79B1)
}

/// The entry of a table of `len` for a key: the highest bits of its hash.
#[inline]
fn slot(key: u32, len: usize) -> usize {
    (spread(key) >> 16) as usize & len.wrapping_sub(1)
}

impl<T: Tables, P: Placing> Model<T, P> {
    pub(crate) const fn new(tables: T, placing: P) -> Self {
        Self {
            tables,
            placing,
            thread: 0,
            own: Thread { previous: 0, bump: T::Word::ZERO },
            own_at: 0,
            context_at: 0,
            last_site: 0,
            allocations: 0,
            last_freed: 0,
            last_freed_address: T::Word::ZERO,
            next_hole: 0,
        }
    }

    pub(crate) fn into_tables(self) -> T {
        self.tables
    }

    pub(crate) fn spec(&self) -> ModelSpec {
        ModelSpec { shape: self.tables.shape(), placement: self.placement() }
    }

    #[inline]
    pub(crate) fn address_mask(&self) -> u64 {
        self.placing.address_mask()
    }

    #[inline(always)]
    fn placement(&self) -> Placement {
        self.placing.placement()
    }

    /// The size class of a block of `size` bytes.
    #[inline]
    pub(crate) fn class(&self, size: u64) -> u32 {
        self.placement().class(size)
    }

    /// Forgets everything: a new chunk begins.
    pub(crate) fn reset(&mut self) {
        self.tables.forget();
        // A device would call a function to clear so little, were it seen that this is 0.
        let zero = core::hint::black_box(0);
        self.thread = zero;
        self.allocations = zero;
        self.next_hole = zero;
        self.last_freed_address = T::Word::ZERO;
        self.own = Thread::default();
        if T::SIMPLE {
            // Nothing else ever changes.
            return;
        }
        let Slices { contexts, sizes, lists, threads, generation, .. } = self.tables.slices();
        *generation = generation.wrapping_add(1);
        if *generation == 0 {
            contexts.fill(Context::default());
            lists.fill(FreeList::default());
            *generation = 1;
        }
        sizes.fill(LastSize::default());
        threads.fill(Thread::default());
        (self.last_site, self.last_freed) = (0, 0);
        self.own_at = slot(0, threads.len());
        self.enter_context(0);
    }

    #[inline]
    pub(crate) fn thread(&self) -> u32 {
        self.thread
    }

    /// The next event is of this thread.
    #[inline(never)]
    pub(crate) fn switch_thread(&mut self, thread: u32) {
        if T::SIMPLE {
            self.thread = thread;
            return;
        }
        let threads = self.tables.slices().threads;
        let at = slot(thread, threads.len());
        if let Some(former) = threads.get_mut(self.own_at) {
            *former = self.own;
        }
        let own = threads.get(at).copied().unwrap_or_default();
        (self.thread, self.own, self.own_at) = (thread, own, at);
        self.enter_context(own.previous);
    }

    /// A block is allocated: what was foretold of it. Does at once what [`learn_alloc`](Self::learn_alloc) does when
    /// it is known what was.
    #[inline(always)]
    pub(crate) fn meet_alloc(
        &mut self,
        address: T::Word,
        size: u64,
        site: u32,
    ) -> MetAlloc<T::Word> {
        let hit = self.meet(Act::Alloc, site);
        let site_code = if hit { None } else { Some(self.site_code(site)) };
        self.learn_site(site);
        let (sized, class) = self.meet_size(site, size);
        let place = self.meet_place(address, class);
        // A size that was not foretold is learned already.
        self.learn_block(Placed { address, size, class, site }, true);
        self.remember(Act::Alloc, site);
        MetAlloc { site_code, sized, place }
    }

    /// A block is freed: what was foretold of it. Does at once what [`learn_free`](Self::learn_free) does when it is
    /// known what was.
    #[inline(always)]
    pub(crate) fn meet_free(&mut self, address: T::Word, act: Act, site: u32) -> MetFree<T::Word> {
        let hit = self.meet(act, site);
        let site_code = if hit { None } else { Some(self.site_code(site)) };
        if act == Act::FreeAt {
            self.learn_site(site);
        }
        let (which, origin) = self.meet_freed(address);
        self.remember(act, origin);
        MetFree { site_code, which }
    }

    /// A block was allocated, or resized if it was an `old` one; `hit`: the context foretold that,
    /// `sized`: its size was foretold too.
    #[inline(always)]
    pub(crate) fn learn_alloc<N>(
        &mut self,
        old: Option<Referred<T::Word>>,
        hit: bool,
        sized: bool,
        place: &Place<N>,
        block: Placed<T::Word>,
    ) {
        let act = if old.is_some() { Act::Realloc } else { Act::Alloc };
        let site = block.site;
        self.learn_act(hit, act, site);
        self.learn_site(site);
        self.learn_place(place, block.address, block.class);
        if let Some(old) = old {
            self.learn_freed(old, !matches!(place, Place::Same));
        }
        self.learn_block(block, sized);
        self.remember(act, site);
    }

    /// A block was freed; `hit`: the context foretold who did it.
    #[inline(always)]
    pub(crate) fn learn_free(&mut self, hit: bool, act: Act, site: u32, freed: Referred<T::Word>) {
        self.learn_act(hit, act, site);
        let origin = self.learn_freed(freed, true);
        if act == Act::FreeAt {
            self.learn_site(site);
        }
        self.remember(act, origin);
    }
}
