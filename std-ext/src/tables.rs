//! The memory of a model on the desktop: tables on the heap, of any shape, and quicker ones of the
//! shapes that are used most.

use heapwire_core::{Block, Context, FreeList, LastSize, Shape, Slices, Tables, Thread};

/// Below this many blocks an encoder searches them one by one; above, it keeps an index.
const SEARCHED_BLOCKS: usize = 8;

/// Tables on the heap. About 0.9 MiB for [`Shape::DENSE`].
#[derive(Clone, Debug)]
pub struct HeapTables {
    shape: Shape,
    blocks: Vec<Block<u64>>,
    contexts: Vec<Context>,
    sizes: Vec<LastSize>,
    lists: Vec<FreeList<u64>>,
    holes: Vec<u64>,
    threads: Vec<Thread<u64>>,
    generation: u16,
    index: Vec<u32>,
}

impl HeapTables {
    /// Tables to encode with.
    #[must_use]
    pub fn for_encoding(shape: Shape) -> Self {
        let mut tables = Self::for_decoding(shape);
        if tables.blocks.len() > SEARCHED_BLOCKS {
            tables.index = vec![0; tables.blocks.len() * 2];
        }
        tables
    }

    /// Tables to decode with.
    #[must_use]
    pub fn for_decoding(shape: Shape) -> Self {
        Self {
            shape,
            blocks: vec![Block::default(); entries(shape.blocks)],
            contexts: vec![Context::default(); entries(shape.contexts)],
            sizes: vec![LastSize::default(); entries(shape.sizes)],
            lists: vec![FreeList::default(); entries(shape.lists)],
            holes: vec![0; entries(shape.holes)],
            threads: vec![Thread::default(); 1 << shape.threads],
            generation: 0,
            index: Vec::new(),
        }
    }
}

/// Entries of a table of this many bits; 0 means none.
const fn entries(bits: u8) -> usize {
    if bits == 0 { 0 } else { 1 << bits }
}

/// The bytes of memory that tables of this shape take; those to encode with keep an index too.
#[must_use]
pub(crate) fn table_memory(shape: Shape, encoding: bool) -> usize {
    let blocks = entries(shape.blocks);
    let index = if encoding { 2 * blocks * size_of::<u32>() } else { 0 };
    blocks * size_of::<Block<u64>>()
        + entries(shape.contexts) * size_of::<Context>()
        + entries(shape.sizes) * size_of::<LastSize>()
        + entries(shape.lists) * size_of::<FreeList<u64>>()
        + entries(shape.holes) * size_of::<u64>()
        + (1 << shape.threads) * size_of::<Thread<u64>>()
        + index
}

/// Tables on the heap whose lengths are constants, so that no index into them needs a check: a tenth
/// less work than with [`HeapTables`].
#[derive(Clone, Debug)]
pub struct FixedTables<
    const BLOCKS: usize,
    const CONTEXTS: usize,
    const SIZES: usize,
    const LISTS: usize,
    const HOLES: usize,
    const THREADS: usize,
    const INDEX: usize,
> {
    blocks: Box<[Block<u64>; BLOCKS]>,
    contexts: Box<[Context; CONTEXTS]>,
    sizes: Box<[LastSize; SIZES]>,
    lists: Box<[FreeList<u64>; LISTS]>,
    holes: Box<[u64; HOLES]>,
    threads: Box<[Thread<u64>; THREADS]>,
    generation: u16,
    index: Box<[u32; INDEX]>,
}

/// Tables of [`Shape::DENSE`] with an encoder's index of this length.
type Dense<const INDEX: usize> = FixedTables<
    { entries(Shape::DENSE.blocks) },
    { entries(Shape::DENSE.contexts) },
    { entries(Shape::DENSE.sizes) },
    { entries(Shape::DENSE.lists) },
    { entries(Shape::DENSE.holes) },
    { 1 << Shape::DENSE.threads },
    INDEX,
>;
/// Tables of [`Shape::FAST`] with an encoder's index of this length.
type Fast<const INDEX: usize> = FixedTables<
    { entries(Shape::FAST.blocks) },
    { entries(Shape::FAST.contexts) },
    { entries(Shape::FAST.sizes) },
    { entries(Shape::FAST.lists) },
    { entries(Shape::FAST.holes) },
    { 1 << Shape::FAST.threads },
    INDEX,
>;

/// Tables of [`Shape::DENSE`] to encode with.
pub type DenseEncoding = Dense<{ 2 * entries(Shape::DENSE.blocks) }>;
/// Tables of [`Shape::DENSE`] to decode with.
pub type DenseDecoding = Dense<0>;
/// Tables of [`Shape::FAST`] to encode with.
pub type FastEncoding = Fast<{ 2 * entries(Shape::FAST.blocks) }>;
/// Tables of [`Shape::FAST`] to decode with.
pub type FastDecoding = Fast<0>;

impl<
    const BLOCKS: usize,
    const CONTEXTS: usize,
    const SIZES: usize,
    const LISTS: usize,
    const HOLES: usize,
    const THREADS: usize,
    const INDEX: usize,
> FixedTables<BLOCKS, CONTEXTS, SIZES, LISTS, HOLES, THREADS, INDEX>
{
    /// Empty tables.
    #[must_use]
    pub fn new() -> Self {
        Self {
            blocks: table(),
            contexts: table(),
            sizes: table(),
            lists: table(),
            holes: table(),
            threads: table(),
            generation: 0,
            index: table(),
        }
    }
}

impl<
    const BLOCKS: usize,
    const CONTEXTS: usize,
    const SIZES: usize,
    const LISTS: usize,
    const HOLES: usize,
    const THREADS: usize,
    const INDEX: usize,
> Default for FixedTables<BLOCKS, CONTEXTS, SIZES, LISTS, HOLES, THREADS, INDEX>
{
    fn default() -> Self {
        Self::new()
    }
}

/// An array that was never on the stack.
fn table<T: Clone + Default, const N: usize>() -> Box<[T; N]> {
    let entries = vec![T::default(); N].into_boxed_slice();
    entries.try_into().unwrap_or_else(|_| unreachable!("made with N entries"))
}

/// The bits of a table's length, which is 0 or a power of two.
const fn bits(entries: usize) -> u8 {
    if entries == 0 { 0 } else { entries.ilog2() as u8 }
}

impl<
    const BLOCKS: usize,
    const CONTEXTS: usize,
    const SIZES: usize,
    const LISTS: usize,
    const HOLES: usize,
    const THREADS: usize,
    const INDEX: usize,
> Tables for FixedTables<BLOCKS, CONTEXTS, SIZES, LISTS, HOLES, THREADS, INDEX>
{
    type Word = u64;

    #[inline(always)]
    fn slices(&mut self) -> Slices<'_, u64> {
        Slices {
            blocks: &mut *self.blocks,
            contexts: &mut *self.contexts,
            sizes: &mut *self.sizes,
            lists: &mut *self.lists,
            holes: &mut *self.holes,
            threads: &mut *self.threads,
            generation: &mut self.generation,
            index: &mut *self.index,
        }
    }

    fn shape(&self) -> Shape {
        Shape {
            blocks: bits(BLOCKS),
            contexts: bits(CONTEXTS),
            sizes: bits(SIZES),
            lists: bits(LISTS),
            holes: bits(HOLES),
            threads: bits(THREADS),
        }
    }
}

/// The shape for chunks of at most this many bytes: tables much larger than what a chunk can fill
/// cost more to clear than they save.
#[must_use]
pub fn shape_for_chunk(bytes: usize) -> Shape {
    let bits = (bytes.max(1).ilog2() as u8).clamp(8, Shape::DENSE.blocks);
    Shape {
        blocks: bits,
        contexts: bits,
        sizes: bits - 1,
        lists: Shape::DENSE.lists.min(bits - 2),
        ..Shape::DENSE
    }
}

impl Tables for HeapTables {
    type Word = u64;

    #[inline]
    fn slices(&mut self) -> Slices<'_, u64> {
        Slices {
            blocks: &mut self.blocks,
            contexts: &mut self.contexts,
            sizes: &mut self.sizes,
            lists: &mut self.lists,
            holes: &mut self.holes,
            threads: &mut self.threads,
            generation: &mut self.generation,
            index: &mut self.index,
        }
    }

    fn shape(&self) -> Shape {
        self.shape
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_chunk_has_the_preset_shape() {
        assert_eq!(shape_for_chunk(1 << 18), Shape::DENSE);
        assert_eq!(shape_for_chunk(0).blocks, 8);
        assert_eq!(shape_for_chunk(usize::MAX), Shape::DENSE);
    }

    #[test]
    fn fixed_tables_have_the_shape_they_are_named_after() {
        assert_eq!(DenseEncoding::new().shape(), Shape::DENSE);
        assert_eq!(DenseDecoding::new().shape(), Shape::DENSE);
        assert_eq!(FastEncoding::new().shape(), Shape::FAST);
        assert_eq!(FastDecoding::new().shape(), Shape::FAST);
    }
}
