//! The predictions, shared by both directions. The encoder asks which of them come true and writes
//! that down; the decoder reads it and asks the same model what it predicted. Both then let the
//! model learn the event. All state starts afresh in every chunk.
//!
//! To the next maintainer: whatever changes here changes the format. `encode.rs` and `decode.rs`
//! call the same functions in the same order; FORMAT.md tells their rules in words.

use crate::event::NO_SITE;
use crate::shape::{ModelSpec, Placement};
use crate::tables::{Act, Block, Context, FreeList, Slices, Tables, Thread};
use crate::varint::{unzigzag, zigzag};

/// Where an allocated block lies, as the model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the newest block of its size class's list, or the latest hole.
    Top,
    /// Right after the thread's last fresh block.
    Bump,
    /// Deeper in the list, or an older hole: how deep, from 1.
    Deep(u64),
    /// A distance in granules, in code: see [`Model::far`].
    Far(u64),
    /// Anywhere: the address itself.
    Absolute(u64),
    /// Where it was (reallocations only).
    Same,
}

/// Which block an event refers to, as the model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// As many allocations from the last freed one as the last time in this context.
    Step,
    /// As many allocations ago as the last time in this context.
    Distance,
    /// The one allocated after the last freed one.
    Next,
    /// So many allocations ago, from 0.
    Ago(u64),
    /// Not among those remembered: a distance in granules, in code: see [`Model::far`].
    Far(u64),
    /// Not among those remembered: the address itself.
    Absolute(u64),
}

/// A block that an event refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Referred {
    pub(crate) address: u64,
    /// Its allocation's number, when it is remembered.
    number: Option<u32>,
}

/// What a context predicts: who acts next, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) act: Act,
    pub(crate) site: u32,
}

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

    // ---- who acts next -----------------------------------------------------------------------

    #[inline]
    fn context(&mut self) -> Option<&mut Context> {
        let thread = self.thread;
        let tables = self.tables.slices();
        let previous = tables.threads.get(slot(spread(thread), tables.threads.len()))?.previous;
        let at = slot(spread(previous), tables.contexts.len());
        tables.contexts.get_mut(at)
    }

    /// Who acts next in `thread`; `None` when this model does not predict that.
    #[inline]
    pub(crate) fn predicted(&mut self) -> Option<Symbol> {
        self.context().map(|context| Symbol { act: context.act, site: context.site })
    }

    /// A site in code: how far below the highest seen so far, or, with the lowest bit set, above.
    #[inline]
    pub(crate) fn site_code(&self, site: u32) -> u64 {
        match self.highest_site.checked_sub(site) {
            Some(below) => u64::from(below) << 1,
            None => u64::from(site - self.highest_site - 1) << 1 | 1,
        }
    }

    /// The inverse of [`site_code`](Self::site_code).
    #[inline]
    pub(crate) fn site(&self, code: u64) -> Option<u32> {
        let distance = u32::try_from(code >> 1).ok()?;
        match code & 1 {
            0 => self.highest_site.checked_sub(distance),
            _ => self.highest_site.checked_add(distance)?.checked_add(1),
        }
    }

    /// The context learns who acted; a confident prediction survives some surprises.
    #[inline]
    fn learn_symbol(&mut self, symbol: Symbol) {
        if let Some(context) = self.context() {
            if context.act == symbol.act && context.site == symbol.site {
                context.confidence = (context.confidence + 1).min(3);
            } else if context.confidence == 0 {
                context.act = symbol.act;
                context.site = symbol.site;
            } else {
                context.confidence -= 1;
            }
        }
    }

    /// The thread's previous event is now this one. For a free, `site` is the freed block's: where
    /// it came from tells more of what follows than who frees it.
    #[inline]
    fn remember(&mut self, act: Act, site: u32) {
        let thread = self.thread;
        let tables = self.tables.slices();
        let at = slot(spread(thread), tables.threads.len());
        if let Some(state) = tables.threads.get_mut(at) {
            state.previous = site.wrapping_mul(4).wrapping_add(act as u32);
        }
    }

    // ---- how large ---------------------------------------------------------------------------

    /// The size that `site` asked for last, 0 if it never did.
    #[inline]
    pub(crate) fn last_size(&mut self, site: u32) -> Option<u64> {
        let sizes = self.tables.slices().sizes;
        sizes.get(site as usize & sizes.len().wrapping_sub(1)).copied()
    }

    #[inline]
    fn learn_size(&mut self, site: u32, size: u64) {
        let sizes = self.tables.slices().sizes;
        let mask = sizes.len().wrapping_sub(1);
        if let Some(last) = sizes.get_mut(site as usize & mask) {
            *last = size;
        }
    }

    // ---- where -------------------------------------------------------------------------------

    #[inline]
    fn list(&mut self, size: u64) -> Option<&mut FreeList> {
        let class = self.placement.granules(size) as u32;
        let key = class.wrapping_add(spread(self.thread));
        let lists = self.tables.slices().lists;
        let at = key as usize & lists.len().wrapping_sub(1);
        lists.get_mut(at)
    }

    #[inline]
    fn bump(&mut self) -> u64 {
        let thread = self.thread;
        let threads = self.tables.slices().threads;
        threads.get(slot(spread(thread), threads.len())).map_or(0, |state| state.bump)
    }

    /// The hole `age` steps back, the latest being 0.
    #[inline]
    fn hole(&mut self, age: u64) -> Option<&mut u64> {
        let next = self.next_hole;
        let holes = self.tables.slices().holes;
        if age >= holes.len() as u64 {
            return None;
        }
        let at = next.wrapping_sub(1).wrapping_sub(age as u32);
        holes.get_mut(at as usize & holes.len().wrapping_sub(1))
    }

    #[inline]
    fn add_hole(&mut self, address: u64) {
        self.next_hole = self.next_hole.wrapping_add(1);
        if let Some(hole) = self.hole(0) {
            *hole = address;
        }
    }

    /// How the model would say that a block of `size` bytes was allocated at `address`.
    #[inline]
    pub(crate) fn place(&mut self, address: u64, size: u64) -> Place {
        let depth = match self.list(size) {
            Some(list) => list.position(address),
            None => self.hole_age(address),
        };
        match depth {
            Some(0) => Place::Top,
            _ if self.bump() == address => Place::Bump,
            Some(depth) => Place::Deep(depth as u64),
            None => self.far(address).map_or(Place::Absolute(address), Place::Far),
        }
    }

    #[inline]
    fn hole_age(&mut self, address: u64) -> Option<usize> {
        let holes = self.tables.slices().holes.len();
        (0..holes).find(|&age| self.hole(age as u64).is_some_and(|hole| *hole == address))
    }

    /// The inverse of [`place`](Self::place); `None` for a place that the model does not have.
    #[inline]
    pub(crate) fn address(&mut self, place: Place, size: u64, old: u64) -> Option<u64> {
        let depth = match place {
            Place::Same => return Some(old),
            Place::Bump => return Some(self.bump()),
            Place::Far(code) => return Some(self.near(code)),
            Place::Absolute(address) => return Some(address),
            Place::Top => 0,
            Place::Deep(depth) => depth,
        };
        match self.list(size) {
            Some(list) => list.get(usize::try_from(depth).ok()?),
            None => self.hole(depth).map(|hole| *hole),
        }
    }

    /// An address as a distance in granules from the bump end or, if that is nearer, from the last
    /// freed block; the lowest bit of the code says from which. `None` when it is no whole number
    /// of granules away, or the code would not fit.
    #[inline]
    pub(crate) fn far(&mut self, address: u64) -> Option<u64> {
        let placement = self.placement;
        let bump = placement.distance(self.bump(), address);
        let freed = placement.distance(self.last_freed_address, address);
        let from_freed = freed.unsigned_abs() < bump.unsigned_abs();
        let distance = if from_freed { freed } else { bump };
        let granules = distance >> placement.granule_bits;
        let code = zigzag(granules);
        let fits = granules << placement.granule_bits == distance && code >> 63 == 0;
        fits.then_some(code << 1 | u64::from(from_freed))
    }

    /// The inverse of [`far`](Self::far).
    #[inline]
    pub(crate) fn near(&mut self, code: u64) -> u64 {
        let base = if code & 1 == 0 { self.bump() } else { self.last_freed_address };
        let distance = unzigzag(code >> 1) << self.placement.granule_bits;
        base.wrapping_add_signed(distance) & self.placement.address_mask()
    }

    /// The allocation at `address` was where `place` says: the lists and holes learn it.
    #[inline]
    fn learn_place(&mut self, place: Place, address: u64, size: u64) {
        let end = self.placement.end(address, size);
        let depth = match place {
            Place::Top => Some(0),
            Place::Deep(depth) => Some(depth),
            Place::Same => return,
            Place::Bump | Place::Far(_) | Place::Absolute(_) => None,
        };
        if let Some(list) = self.list(size) {
            if let Some(depth) = depth {
                list.remove(depth as usize);
                return;
            }
        } else if let Some(hole) = depth.and_then(|depth| self.hole(depth)) {
            *hole = end;
        } else {
            self.add_hole(end);
        }
        let thread = self.thread;
        let threads = self.tables.slices().threads;
        if let Some(state) = threads.get_mut(slot(spread(thread), threads.len())) {
            state.bump = end;
        }
    }

    // ---- which block -------------------------------------------------------------------------

    #[inline]
    fn block(&mut self, number: u32) -> Option<&mut Block> {
        let age = self.allocations.wrapping_sub(number);
        let blocks = self.tables.slices().blocks;
        if age == 0 || age as usize > blocks.len() {
            return None;
        }
        let at = number as usize & blocks.len().wrapping_sub(1);
        blocks.get_mut(at).filter(|block| block.live)
    }

    /// Finds the live block at `address` among those remembered.
    #[inline]
    pub(crate) fn refer(&mut self, address: u64) -> Referred {
        let tables = self.tables.slices();
        let number = if tables.index.is_empty() {
            let remembered = tables.blocks.len() as u32;
            let newest = self.allocations.wrapping_sub(1);
            (0..remembered)
                .map(|age| newest.wrapping_sub(age))
                .find(|&number| self.block(number).is_some_and(|block| block.address == address))
        } else {
            let at = address_slot(address, tables.index.len());
            let number = tables.index.get(at).map_or(0, |number| *number);
            self.block(number).is_some_and(|block| block.address == address).then_some(number)
        };
        Referred { address, number }
    }

    /// How the model would say that an event refers to this block.
    #[inline]
    pub(crate) fn which(&mut self, referred: Referred) -> Which {
        let Some(number) = referred.number else {
            let address = referred.address;
            return self.far(address).map_or(Which::Absolute(address), Which::Far);
        };
        let (allocations, last_freed) = (self.allocations, self.last_freed);
        let ago = allocations.wrapping_sub(number);
        if let Some(context) = self.context() {
            if last_freed.wrapping_add_signed(context.step) == number {
                return Which::Step;
            } else if ago == context.distance {
                return Which::Distance;
            } else if last_freed.wrapping_add(1) == number {
                return Which::Next;
            }
        }
        Which::Ago(u64::from(ago.wrapping_sub(1)))
    }

    /// The inverse of [`which`](Self::which); `None` when the block is not live and remembered.
    #[inline]
    pub(crate) fn referred(&mut self, which: Which) -> Option<Referred> {
        let number = match which {
            Which::Step => {
                let step = self.context()?.step;
                self.last_freed.wrapping_add_signed(step)
            }
            Which::Distance => {
                let distance = self.context()?.distance;
                self.allocations.wrapping_sub(distance)
            }
            Which::Next => self.last_freed.wrapping_add(1),
            Which::Ago(ago) => {
                let ago = u32::try_from(ago).ok()?.checked_add(1)?;
                self.allocations.wrapping_sub(ago)
            }
            Which::Far(code) => return Some(Referred { address: self.near(code), number: None }),
            Which::Absolute(address) => return Some(Referred { address, number: None }),
        };
        let address = self.block(number)?.address;
        Some(Referred { address, number: Some(number) })
    }

    /// The block is no longer live. Returns the site that it came from.
    #[inline]
    fn learn_freed(&mut self, freed: Referred, reusable: bool) -> u32 {
        let Referred { address, number } = freed;
        let mut site = NO_SITE;
        if let Some(number) = number {
            let step = number.wrapping_sub(self.last_freed) as i32;
            let distance = self.allocations.wrapping_sub(number);
            if let Some(context) = self.context() {
                context.step = step;
                context.distance = distance;
            }
            let mut size = 0;
            if let Some(block) = self.block(number) {
                block.live = false;
                (site, size) = (block.site, block.size);
            }
            if reusable && let Some(list) = self.list(size) {
                list.push(address);
            }
            self.last_freed = number;
        }
        if reusable && !self.tables.slices().holes.is_empty() {
            self.add_hole(address);
        }
        self.last_freed_address = address;
        site
    }

    #[inline]
    fn learn_block(&mut self, address: u64, size: u64, site: u32) {
        let number = self.allocations;
        let Slices { blocks, index, .. } = self.tables.slices();
        let at = number as usize & blocks.len().wrapping_sub(1);
        if let Some(block) = blocks.get_mut(at) {
            *block = Block { address, size, site, live: true };
        }
        if !index.is_empty() {
            let at = address_slot(address, index.len());
            if let Some(entry) = index.get_mut(at) {
                *entry = number;
            }
        }
        self.allocations = number.wrapping_add(1);
        self.learn_size(site, size);
        self.highest_site = self.highest_site.max(site);
    }

    // ---- events ------------------------------------------------------------------------------

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

/// The encoder's entry for an address: any function will do, the format does not depend on it.
#[inline]
fn address_slot(address: u64, len: usize) -> usize {
    let hash = address.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (hash >> 32) as usize & len.wrapping_sub(1)
}
