//! The memory of a model on the desktop: tables on the heap, of any shape.

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
fn entries(bits: u8) -> usize {
    if bits == 0 { 0 } else { 1 << bits }
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
}
