//! How large a model's tables are and how the allocator rounds: stated in every chunk's header, so
//! that any decoder can follow.

use crate::error::ChunkError;
use crate::format::{MAX_TABLE_BITS, MODEL_LEN};
use crate::writer::Writer;

/// The largest size class.
const MAX_CLASS: u32 = u32::MAX >> 1;

/// The model's tables, each as a power of two: `n` means 2^n entries, 0 none at all (but always one
/// thread).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Shape {
    /// Latest allocations remembered.
    pub blocks: u8,
    /// Contexts that predict who acts next.
    pub contexts: u8,
    /// Sites whose last size is remembered.
    pub sizes: u8,
    /// Lists of freed blocks, by size class and thread.
    pub lists: u8,
    /// Places where an allocation may land, without regard to size.
    pub holes: u8,
    /// Threads told apart.
    pub threads: u8,
}

impl Shape {
    /// A microcontroller's: 4 blocks, 8 holes.
    pub const TINY: Self =
        Self { blocks: 2, contexts: 0, sizes: 0, lists: 0, holes: 3, threads: 0 };
    /// A desktop's: 16,384 blocks and contexts.
    pub const DENSE: Self =
        Self { blocks: 14, contexts: 14, sizes: 13, lists: 10, holes: 8, threads: 6 };

    /// A desktop's in a hurry: 1,024 blocks and contexts, which stay in a processor's first caches.
    pub const FAST: Self =
        Self { blocks: 10, contexts: 10, sizes: 10, lists: 8, holes: 7, threads: 6 };

    fn is_valid(&self) -> bool {
        [self.blocks, self.contexts, self.sizes, self.lists, self.holes, self.threads]
            .iter()
            .all(|&bits| bits <= MAX_TABLE_BITS)
    }
}

/// How the recorded allocator places blocks: enough to predict where the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Placement {
    /// Addresses are multiples of 2 to this many bytes, mostly.
    pub granule_bits: u8,
    /// Bytes that the allocator puts before each block.
    pub overhead: u8,
    /// The smallest block, overhead included, in granules.
    pub least_granules: u8,
    /// Bits in an address: 16, 32 or 64.
    pub address_bits: u8,
}

impl Placement {
    /// Many allocators on 32 bits: multiples of 8 bytes, no header.
    pub const EMBEDDED_32: Self =
        Self { granule_bits: 3, overhead: 0, least_granules: 1, address_bits: 32 };
    /// The crate `linked_list_allocator` on 32 bits, which is embedded-alloc's `LlffHeap` too: multiples
    /// of 4 bytes, no header, at least 8 bytes.
    pub const LINKED_LIST_32: Self =
        Self { granule_bits: 2, overhead: 0, least_granules: 2, address_bits: 32 };
    /// glibc on 64 bits: multiples of 16 bytes, 8 of them a header, at least 32.
    pub const GLIBC_64: Self =
        Self { granule_bits: 4, overhead: 8, least_granules: 2, address_bits: 64 };

    pub(crate) const fn is_valid(&self) -> bool {
        self.granule_bits <= 12 && matches!(self.address_bits, 16 | 32 | 64)
    }

    /// The size class of a block of `size` bytes: the granules that it takes, as far as 31 bits go.
    #[inline]
    pub(crate) fn class(&self, size: u64) -> u32 {
        let more = u64::from(self.overhead) + ((1 << self.granule_bits) - 1);
        let granules = size.saturating_add(more) >> self.granule_bits;
        (granules.min(MAX_CLASS.into()) as u32).max(self.least_granules.into())
    }

    /// The same around the end of an address space of 32 bits, without 64-bit arithmetic, which takes a
    /// microcontroller long.
    #[cfg(feature = "embedded-io")]
    #[inline(always)]
    pub(crate) fn class_around(&self, size: u32) -> u32 {
        if self.granule_bits < 2 {
            // There may be more granules than a class counts.
            return self.class(size.into());
        }
        let more = u32::from(self.overhead) + ((1 << self.granule_bits) - 1);
        let least = u32::from(self.least_granules);
        if size < (least << self.granule_bits).saturating_sub(more) {
            return least;
        }
        size.wrapping_add(more) >> self.granule_bits
    }

    /// The bits that an address may have.
    #[inline]
    pub(crate) const fn address_mask(&self) -> u64 {
        u64::MAX.wrapping_shr(64u32.wrapping_sub(self.address_bits as u32))
    }
}

/// A placement that a model follows: given at run time, or known to the compiler.
pub(crate) trait Placing {
    fn placement(&self) -> Placement;

    /// The bits that an address may have.
    #[inline(always)]
    fn address_mask(&self) -> u64 {
        self.placement().address_mask()
    }
}

/// A placement given at run time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GivenPlacement {
    placement: Placement,
    address_mask: u64,
}

impl GivenPlacement {
    pub(crate) const fn new(placement: Placement) -> Self {
        Self { placement, address_mask: placement.address_mask() }
    }
}

impl Placing for GivenPlacement {
    #[inline(always)]
    fn placement(&self) -> Placement {
        self.placement
    }

    #[inline(always)]
    fn address_mask(&self) -> u64 {
        self.address_mask
    }
}

/// What a decoder must know of the encoder's model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ModelSpec {
    /// Its tables.
    pub shape: Shape,
    /// The allocator's habits.
    pub placement: Placement,
}

/// Models that a header states in one byte, counted from 1; a 0 says that the ten fields follow.
const PRESETS: [ModelSpec; 4] =
    [ModelSpec::EMBEDDED, ModelSpec::DESKTOP, ModelSpec::FAST, ModelSpec::LINKED_LIST];

impl ModelSpec {
    /// Preset 1: [`Shape::TINY`] and [`Placement::EMBEDDED_32`].
    pub const EMBEDDED: Self = Self { shape: Shape::TINY, placement: Placement::EMBEDDED_32 };
    /// Preset 2: [`Shape::DENSE`] and [`Placement::GLIBC_64`].
    pub const DESKTOP: Self = Self { shape: Shape::DENSE, placement: Placement::GLIBC_64 };
    /// Preset 3: [`Shape::FAST`] and [`Placement::GLIBC_64`].
    pub const FAST: Self = Self { shape: Shape::FAST, placement: Placement::GLIBC_64 };
    /// Preset 4: [`Shape::TINY`] and [`Placement::LINKED_LIST_32`].
    pub const LINKED_LIST: Self = Self { shape: Shape::TINY, placement: Placement::LINKED_LIST_32 };

    /// Whether readers take it. No prediction may be made with one that is not: its shifts overflow.
    pub(crate) fn is_valid(&self) -> bool {
        self.shape.is_valid() && self.placement.is_valid()
    }

    /// Its fields, in the order of a header's.
    const fn fields(&self) -> [u8; MODEL_LEN - 1] {
        let Self { shape, placement } = self;
        [
            shape.blocks,
            shape.contexts,
            shape.sizes,
            shape.lists,
            shape.holes,
            shape.threads,
            placement.granule_bits,
            placement.overhead,
            placement.least_granules,
            placement.address_bits,
        ]
    }

    /// Writes the model; `None` when it is not valid.
    // Inlined, as a device's preset is known when it is compiled.
    #[inline(always)]
    pub(crate) fn write(&self, writer: &mut Writer<'_>) -> Option<()> {
        // Not a search in `PRESETS`, which would be left to the device.
        let preset = match *self {
            Self::EMBEDDED => 1,
            Self::DESKTOP => 2,
            Self::FAST => 3,
            Self::LINKED_LIST => 4,
            _ => 0,
        };
        writer.byte(preset);
        if preset == 0 {
            if !self.is_valid() {
                return None;
            }
            for field in self.fields() {
                writer.byte(field);
            }
        }
        Some(())
    }

    /// Reads a model from the start of `bytes`, and its length in bytes.
    pub(crate) fn parse(bytes: &[u8]) -> Result<(Self, usize), ChunkError> {
        let short = ChunkError::Truncated { needed: MODEL_LEN, found: bytes.len() };
        let preset = *bytes.first().ok_or(short)?;
        if let Some(at) = usize::from(preset).checked_sub(1) {
            let field = ChunkError::InvalidField { field: "model", found: u64::from(preset) };
            return PRESETS.get(at).map(|spec| (*spec, 1)).ok_or(field);
        }
        let [_, blocks, contexts, sizes, lists, holes, threads, granule, overhead, least, bits]: [u8;
            MODEL_LEN] = *bytes.first_chunk().ok_or(short)?;
        let shape = Shape { blocks, contexts, sizes, lists, holes, threads };
        let placement = Placement {
            granule_bits: granule,
            overhead,
            least_granules: least,
            address_bits: bits,
        };
        if !shape.is_valid() {
            return Err(ChunkError::InvalidField {
                field: "table sizes",
                found: u64::from(blocks),
            });
        }
        if !placement.is_valid() {
            return Err(ChunkError::InvalidField { field: "placement", found: u64::from(granule) });
        }
        Ok((Self { shape, placement }, MODEL_LEN))
    }
}
