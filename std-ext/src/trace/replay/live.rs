//! The map of live blocks: all the state that replaying needs to know what an event freed.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use heapwire_core::{Event, EventKind, HeapTotals};

/// The sizes of all live blocks: what an encoder's running totals need and nothing more.
#[derive(Clone, Debug, Default)]
pub struct LiveBlocks {
    sizes: LiveMap<u64>,
    totals: HeapTotals,
}

impl LiveBlocks {
    /// Makes an empty heap.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one event. Returns the size in bytes of the block that it frees or resizes, 0 when
    /// that is unknown or the event is of another kind.
    pub fn apply(&mut self, event: &Event) -> u64 {
        let freed = self.sizes.apply(&event.kind, |size, _| size).freed.unwrap_or(0);
        self.totals.count(&event.kind, freed);
        freed
    }

    /// Returns the running totals, counted as a recorder counts them: it does not notice that a
    /// block is allocated where another one lives, so the bytes of both stay in use.
    pub fn totals(&self) -> HeapTotals {
        self.totals
    }

    /// Returns the number of live blocks.
    pub fn blocks(&self) -> usize {
        self.sizes.len()
    }
}

/// Live blocks by address, with what the caller keeps of each.
#[derive(Clone, Debug)]
pub(super) struct LiveMap<B>(HashMap<u64, B, AddressSeed>);

/// The blocks that an event ended.
pub(super) struct Ended<B> {
    /// Freed or resized.
    pub(super) freed: Option<B>,
    /// Believed live where another block was allocated.
    pub(super) replaced: Option<B>,
}

impl<B> Default for LiveMap<B> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<B> LiveMap<B> {
    /// Applies one event; `block` makes what is kept of a block from its size and site.
    pub(super) fn apply(
        &mut self,
        kind: &EventKind,
        block: impl FnOnce(u64, u32) -> B,
    ) -> Ended<B> {
        match *kind {
            EventKind::Alloc { address, size, site } => {
                Ended { freed: None, replaced: self.0.insert(address, block(size, site)) }
            }
            EventKind::Free { address, .. } => {
                Ended { freed: self.0.remove(&address), replaced: None }
            }
            EventKind::Realloc { old, address, size, site } if old == address => {
                Ended { freed: self.0.insert(address, block(size, site)), replaced: None }
            }
            EventKind::Realloc { old, address, size, site } => Ended {
                freed: self.0.remove(&old),
                replaced: self.0.insert(address, block(size, site)),
            },
            EventKind::FailedAlloc { .. }
            | EventKind::Name { .. }
            | EventKind::Gauge { .. }
            | EventKind::Mark { .. } => Ended { freed: None, replaced: None },
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &B)> {
        self.0.iter().map(|(&address, block)| (address, block))
    }
}

/// Hashes addresses with a number that a trace cannot know. Without it, 50,000 addresses made to
/// collide in rustc-hash keep it busy for 4 s, and the time grows with their square.
#[derive(Clone, Debug)]
struct AddressSeed(u64);

impl Default for AddressSeed {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for AddressSeed {
    type Hasher = AddressHasher;

    fn build_hasher(&self) -> AddressHasher {
        AddressHasher(self.0)
    }
}

/// Multiplies to 128 bits and folds: every bit of the address reaches every bit of the hash.
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write_u64(&mut self, address: u64) {
        // The fraction of the golden ratio: odd, and without a pattern in its bits.
        let product = u128::from(self.0 ^ address) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_made_to_collide_in_a_known_hash_do_not_here() {
        // Differences that an allocator makes, and those that leave a multiplication's top bits
        // alone: each 4,096 addresses must spread over 4,096 buckets as random numbers would.
        let inverse_of_golden_ratio = 0xf1de_83e1_9937_733d_u64;
        assert_eq!(inverse_of_golden_ratio.wrapping_mul(0x9e37_79b9_7f4a_7c15), 1);
        for step in [1, 16, 4_096, 1 << 32, 1 << 52, inverse_of_golden_ratio] {
            let seed = AddressSeed::default();
            let mut buckets = vec![0_u32; 4_096];
            for i in 0..4_096_u64 {
                buckets[(seed.hash_one(i.wrapping_mul(step)) % 4_096) as usize] += 1;
            }
            let fullest = buckets.iter().max().copied().unwrap_or(0);
            assert!(fullest < 24, "step {step:#x}: {fullest} addresses in one bucket");
        }
    }
}
