//! The memory that a model works in: the caller's, never sized by the input.

use crate::shape::Shape;
use crate::word::Word;

/// An allocation that the model remembers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Block<W> {
    pub(crate) address: W,
    pub(crate) site: u32,
    /// Its size class, and in the lowest bit whether it is live, as a block at address 0 never is.
    state: u32,
}

impl<W: Word> Block<W> {
    #[inline]
    pub(crate) fn new(address: W, site: u32, class: u32) -> Self {
        Self { address, site, state: class << 1 | u32::from(address != W::ZERO) }
    }

    #[inline]
    pub(crate) fn is_live(&self) -> bool {
        self.state & 1 != 0
    }

    #[inline]
    pub(crate) fn class(&self) -> u32 {
        self.state >> 1
    }

    #[inline]
    pub(crate) fn end_life(&mut self) {
        self.state &= !1;
    }
}

/// What followed a thread's previous event the last time.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub(crate) site: u32,
    pub(crate) act: Act,
    pub(crate) confidence: u8,
    /// The chunk that it was learned in: see [`Slices::generation`].
    pub(crate) generation: u16,
    /// From the last freed allocation to the one freed here, in allocations.
    pub(crate) step: u32,
    /// How many allocations ago the block freed here was allocated.
    pub(crate) distance: u32,
}

/// Before anything is known: what is freed is the block allocated last, or the one after that freed last.
impl Default for Context {
    fn default() -> Self {
        Self { site: 0, act: Act::Free, confidence: 0, generation: 0, step: 1, distance: 1 }
    }
}

/// The kinds of event that contexts predict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Act {
    /// A free whose site is not known.
    #[default]
    Free,
    /// A free with its site.
    FreeAt,
    Alloc,
    Realloc,
}

/// Freed blocks of one size class and thread, as an allocator with a cache by size would hand them
/// out again: those in the cache first, the newest before the others; then what the full cache had
/// no room for, of which a first one taken brings the rest into the cache.
#[derive(Clone, Copy, Debug, Default)]
pub struct FreeList<W> {
    cache: [W; CACHE],
    overflow: [W; OVERFLOW],
    cached: u8,
    overflown: u8,
    /// Allocations in a row that passed the list over.
    misses: u8,
    /// The chunk that it was learned in: see [`Slices::generation`].
    pub(crate) generation: u16,
}

/// As many as glibc's tcache keeps.
const CACHE: usize = 7;
/// As many of the newest behind them; glibc's fast bins have no limit.
const OVERFLOW: usize = 8;
/// A list passed over so often does not hold what the allocator holds.
const MISSES: u8 = 4;

impl<W: Word> FreeList<W> {
    pub(crate) fn clear(&mut self) {
        (self.cached, self.overflown, self.misses) = (0, 0, 0);
    }

    /// How many blocks it holds.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        usize::from(self.cached) + usize::from(self.overflown)
    }

    /// The block to be handed out `depth` blocks after the first.
    #[inline(always)]
    pub(crate) fn get(&self, depth: usize) -> Option<W> {
        let cached = usize::from(self.cached);
        match cached.checked_sub(depth + 1) {
            Some(at) => self.cache.get(at).copied(),
            None => {
                let at = usize::from(self.overflown).checked_sub(depth - cached + 1)?;
                self.overflow.get(at).copied()
            }
        }
    }

    /// How deep `address` lies, from the second on.
    #[inline]
    pub(crate) fn depth(&self, address: W) -> Option<usize> {
        let (cached, overflown) = (usize::from(self.cached), usize::from(self.overflown));
        if let Some(at) = newest(&self.cache, cached, address) {
            return cached.checked_sub(at + 1).filter(|&depth| depth > 0);
        }
        let at = newest(&self.overflow, overflown, address)?;
        (cached + overflown).checked_sub(at + 1).filter(|&depth| depth > 0)
    }

    /// A block was freed.
    #[inline(always)]
    pub(crate) fn push(&mut self, address: W) {
        if let Some(free) = self.cache.get_mut(usize::from(self.cached)) {
            *free = address;
            self.cached += 1;
            return;
        }
        if usize::from(self.overflown) == OVERFLOW {
            for (older, newer) in (0..OVERFLOW).zip(1..OVERFLOW) {
                if let Some(&address) = self.overflow.get(newer)
                    && let Some(free) = self.overflow.get_mut(older)
                {
                    *free = address;
                }
            }
            self.overflown -= 1;
        }
        if let Some(free) = self.overflow.get_mut(usize::from(self.overflown)) {
            *free = address;
            self.overflown += 1;
        }
    }

    /// The block at `depth` was allocated. What lay before it is not where the allocator looks.
    #[inline(always)]
    pub(crate) fn take(&mut self, depth: usize) {
        self.misses = 0;
        match usize::from(self.cached).checked_sub(depth + 1) {
            Some(cached) => self.cached = cached as u8,
            None => self.refill(depth - usize::from(self.cached)),
        }
    }

    #[cold]
    fn refill(&mut self, depth: usize) {
        let left = usize::from(self.overflown).saturating_sub(depth + 1);
        (self.cached, self.overflown) = (0, left as u8);
        let newest_first = self.overflow.iter().take(left).rev();
        for (free, address) in self.cache.iter_mut().zip(newest_first) {
            *free = *address;
            self.cached += 1;
            self.overflown -= 1;
        }
    }

    /// A block of this class was allocated elsewhere.
    #[inline]
    pub(crate) fn pass_over(&mut self) {
        self.misses += 1;
        if self.misses == MISSES {
            self.clear();
        }
    }
}

/// The last of the first `len` addresses that is this one. All are compared, which takes less time than to stop
/// at the right one.
#[inline(always)]
fn newest<W: Word>(addresses: &[W], len: usize, address: W) -> Option<usize> {
    let equal = |equal: u32, (at, other): (usize, &W)| equal | u32::from(*other == address) << at;
    let equal = addresses.iter().enumerate().fold(0, equal) & ((1 << len) - 1);
    equal.checked_ilog2().map(|at| at as usize)
}

/// What the model knows of one thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thread<W> {
    /// Its previous event, as a context's key.
    pub(crate) previous: u32,
    /// Where its next fresh block would begin.
    pub(crate) bump: W,
}

/// The size that a site asked for last, and its class. Sizes beyond 32 bits are not remembered.
#[derive(Clone, Copy, Debug, Default)]
pub struct LastSize {
    pub(crate) size: u32,
    pub(crate) class: u32,
}

/// All tables of a model, borrowed for one event. Lengths are powers of two; `blocks` has at least
/// 2 entries (none in [`TinyTables`], which remember addresses only), `threads` 1, any other may be empty.
#[derive(Debug)]
pub struct Slices<'a, W> {
    /// The latest allocations.
    pub blocks: &'a mut [Block<W>],
    /// What follows what.
    pub contexts: &'a mut [Context],
    /// Last size by site.
    pub sizes: &'a mut [LastSize],
    /// Freed blocks by size class and thread.
    pub lists: &'a mut [FreeList<W>],
    /// Where an allocation may land.
    pub holes: &'a mut [W],
    /// Threads.
    pub threads: &'a mut [Thread<W>],
    /// Which chunk the model is in, counted from 1 and around. Entries that carry another number are
    /// as good as empty, so that a new chunk costs no clearing. Keep it with the tables.
    pub generation: &'a mut u16,
    /// Only the encoder's, and no part of the format: by address, the number of the allocation there, and
    /// in the entry beside it that of the hole. When empty, the encoder searches blocks and holes one by one.
    pub index: &'a mut [u32],
}

/// Memory for a model. Implement it to place the tables where you want them.
pub trait Tables {
    /// How wide its addresses are.
    type Word: Word;
    /// Whether there are no contexts and but one thread, so that the compiler leaves out what is for
    /// them. Says nothing that [`shape`](Self::shape) does not say.
    #[doc(hidden)]
    const SIMPLE: bool = false;
    /// The addresses of the latest allocations where there are no contexts, so that nothing else of a block
    /// is of use: in the place of [`Slices::blocks`], and as many. 0 stands for none.
    #[doc(hidden)]
    #[inline(always)]
    fn recent(&mut self) -> &mut [Self::Word] {
        &mut []
    }
    /// Forgets holes, and what [`recent`](Self::recent) has.
    #[doc(hidden)]
    #[inline(always)]
    fn forget(&mut self) {
        self.slices().holes.fill(Self::Word::ZERO);
        self.recent().fill(Self::Word::ZERO);
    }
    /// The tables, whose lengths must never change and agree with [`shape`](Self::shape).
    fn slices(&mut self) -> Slices<'_, Self::Word>;
    /// How large they are.
    fn shape(&self) -> Shape;
}

impl<T: Tables + ?Sized> Tables for &mut T {
    type Word = T::Word;
    const SIMPLE: bool = T::SIMPLE;

    #[inline(always)]
    fn recent(&mut self) -> &mut [T::Word] {
        (**self).recent()
    }

    #[inline]
    fn slices(&mut self) -> Slices<'_, T::Word> {
        (**self).slices()
    }

    fn shape(&self) -> Shape {
        (**self).shape()
    }
}

/// Tables of [`Shape::TINY`]: under 300 bytes with the 32-bit addresses of a microcontroller.
#[derive(Clone, Debug, Default)]
pub struct TinyTables<W = u32> {
    recent: [W; 1 << Shape::TINY.blocks],
    holes: [W; 1 << Shape::TINY.holes],
    threads: [Thread<W>; 1],
    generation: u16,
}

impl TinyTables {
    /// Empty tables for addresses of up to 32 bits.
    #[must_use]
    pub const fn new() -> Self {
        Self::empty()
    }
}

impl<W: Word> TinyTables<W> {
    /// Empty tables.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            recent: [W::ZERO; 1 << Shape::TINY.blocks],
            holes: [W::ZERO; 1 << Shape::TINY.holes],
            threads: [Thread { previous: 0, bump: W::ZERO }; 1],
            generation: 0,
        }
    }
}

impl<W: Word> Tables for TinyTables<W> {
    type Word = W;
    const SIMPLE: bool = true;

    #[inline(always)]
    fn recent(&mut self) -> &mut [W] {
        &mut self.recent
    }

    #[inline(always)]
    fn forget(&mut self) {
        // A device would call a function or loop to clear so little, were it seen that this is 0 and an array.
        let zero = core::hint::black_box(W::ZERO);
        let [a, b, c, d, e, f, g, h] = &mut self.holes;
        (*a, *b, *c, *d) = (zero, zero, zero, zero);
        (*e, *f, *g, *h) = (zero, zero, zero, zero);
        let [a, b, c, d] = &mut self.recent;
        (*a, *b, *c, *d) = (zero, zero, zero, zero);
    }

    // So that the compiler sees everywhere which tables are empty.
    #[inline(always)]
    fn slices(&mut self) -> Slices<'_, W> {
        Slices {
            blocks: &mut [],
            contexts: &mut [],
            sizes: &mut [],
            lists: &mut [],
            holes: &mut self.holes,
            threads: &mut self.threads,
            generation: &mut self.generation,
            index: &mut [],
        }
    }

    fn shape(&self) -> Shape {
        Shape::TINY
    }
}
