//! The memory that a model works in: the caller's, never sized by the input.

use crate::shape::Shape;

/// An allocation that the model remembers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Block {
    pub(crate) address: u64,
    pub(crate) size: u64,
    pub(crate) site: u32,
    pub(crate) live: bool,
}

/// What followed a thread's previous event the last time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context {
    pub(crate) site: u32,
    pub(crate) act: Act,
    pub(crate) confidence: u8,
    /// From the last freed allocation to the one freed here, in allocations.
    pub(crate) step: i32,
    /// How many allocations ago the block freed here was allocated.
    pub(crate) distance: u32,
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

/// Freed blocks of one size class and thread, the newest last.
#[derive(Clone, Copy, Debug, Default)]
pub struct FreeList {
    pub(crate) addresses: [u64; FreeList::CAPACITY],
    pub(crate) len: u8,
}

impl FreeList {
    /// As many as glibc's tcache keeps.
    pub(crate) const CAPACITY: usize = 7;

    /// The `depth`-th newest.
    #[inline]
    pub(crate) fn get(&self, depth: usize) -> Option<u64> {
        let at = usize::from(self.len).checked_sub(depth + 1)?;
        self.addresses.get(at).copied()
    }

    /// How deep `address` lies.
    #[inline]
    pub(crate) fn position(&self, address: u64) -> Option<usize> {
        (0..usize::from(self.len)).find(|&depth| self.get(depth) == Some(address))
    }

    /// Adds the newest; a full list drops it, as tcache does.
    #[inline]
    pub(crate) fn push(&mut self, address: u64) {
        if let Some(free) = self.addresses.get_mut(usize::from(self.len)) {
            *free = address;
            self.len += 1;
        }
    }

    /// Takes the `depth`-th newest out.
    #[inline]
    pub(crate) fn remove(&mut self, depth: usize) {
        if let Some(at) = usize::from(self.len).checked_sub(depth + 1) {
            if let Some([_, newer @ ..]) = self.addresses.get(at..) {
                for i in 0..newer.len() {
                    let next = self.addresses.get(at + i + 1).copied().unwrap_or_default();
                    if let Some(slot) = self.addresses.get_mut(at + i) {
                        *slot = next;
                    }
                }
            }
            self.len -= 1;
        }
    }
}

/// What the model knows of one thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thread {
    /// Its previous event, as a context's key.
    pub(crate) previous: u32,
    /// Where its next fresh block would begin.
    pub(crate) bump: u64,
}

/// All tables of a model, borrowed for one event. Lengths are powers of two; `blocks` has at least
/// 2 entries, `threads` 1, any other may be empty.
#[derive(Debug)]
pub struct Slices<'a> {
    /// The latest allocations.
    pub blocks: &'a mut [Block],
    /// What follows what.
    pub contexts: &'a mut [Context],
    /// Last size by site.
    pub sizes: &'a mut [u64],
    /// Freed blocks by size class and thread.
    pub lists: &'a mut [FreeList],
    /// Where an allocation may land.
    pub holes: &'a mut [u64],
    /// Threads.
    pub threads: &'a mut [Thread],
    /// Only the encoder's, and no part of the format: allocation numbers by address. When empty,
    /// the encoder searches the blocks one by one.
    pub index: &'a mut [u32],
}

/// Memory for a model. Implement it to place the tables where you want them.
pub trait Tables {
    /// The tables, whose lengths must never change and agree with [`shape`](Self::shape).
    fn slices(&mut self) -> Slices<'_>;
    /// How large they are.
    fn shape(&self) -> Shape;
}

impl<T: Tables + ?Sized> Tables for &mut T {
    fn slices(&mut self) -> Slices<'_> {
        (**self).slices()
    }

    fn shape(&self) -> Shape {
        (**self).shape()
    }
}

/// Tables of [`Shape::TINY`]: under 300 bytes, for a microcontroller.
#[derive(Clone, Debug, Default)]
pub struct TinyTables {
    blocks: [Block; 1 << Shape::TINY.blocks],
    sizes: [u64; 1 << Shape::TINY.sizes],
    holes: [u64; 1 << Shape::TINY.holes],
    threads: [Thread; 1],
}

impl TinyTables {
    /// Empty tables.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            blocks: [Block { address: 0, size: 0, site: 0, live: false }; 1 << Shape::TINY.blocks],
            sizes: [0; 1 << Shape::TINY.sizes],
            holes: [0; 1 << Shape::TINY.holes],
            threads: [Thread { previous: 0, bump: 0 }; 1],
        }
    }
}

impl Tables for TinyTables {
    #[inline]
    fn slices(&mut self) -> Slices<'_> {
        Slices {
            blocks: &mut self.blocks,
            contexts: &mut [],
            sizes: &mut self.sizes,
            lists: &mut [],
            holes: &mut self.holes,
            threads: &mut self.threads,
            index: &mut [],
        }
    }

    fn shape(&self) -> Shape {
        Shape::TINY
    }
}
