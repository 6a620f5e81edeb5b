//! The map of live blocks: all the state that replaying needs to know what an event freed.

use std::hash::{BuildHasher, RandomState};

use heapwire_core::{Event, EventKind};

/// The sizes of all live blocks: what an encoder's running totals need and nothing more.
#[derive(Clone, Debug, Default)]
pub struct LiveBlocks {
    sizes: LiveMap<u64>,
}

impl LiveBlocks {
    /// Makes an empty heap.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty heap that takes no more than so many bytes of memory, but the few kilobytes that the
    /// smallest takes. Blocks beyond are forgotten.
    pub(crate) fn within(bytes: usize) -> Self {
        let most_slots = (bytes / GROWING / size_of::<Slot<u64>>()).max(FEWEST_SLOTS);
        Self { sizes: LiveMap { most_slots, ..LiveMap::default() } }
    }

    /// The bytes of memory that so many blocks take at most.
    pub(crate) fn memory(blocks: u64) -> usize {
        let blocks = usize::try_from(blocks).unwrap_or(usize::MAX);
        let slots = match blocks.saturating_mul(4) {
            sparse if sparse <= SPARSE_SLOTS => sparse,
            _ => blocks.saturating_mul(2).max(2 * SPARSE_SLOTS),
        };
        let slots = slots.checked_next_power_of_two().unwrap_or(usize::MAX);
        slots.max(FEWEST_SLOTS).saturating_mul(GROWING * size_of::<Slot<u64>>())
    }

    /// The bytes of memory that it would have taken to keep all blocks, if some were forgotten.
    pub(crate) fn wanted(&self) -> Option<usize> {
        let slots = self.sizes.slots.len();
        self.sizes.is_cramped.then_some(2 * slots * GROWING * size_of::<Slot<u64>>())
    }

    /// Takes one event. Returns the size in bytes of the block that it frees or resizes, 0 when
    /// that is unknown or the event is of another kind.
    #[inline]
    pub fn apply(&mut self, event: &Event) -> u64 {
        self.sizes.apply(&event.kind, |size, _| size).freed.unwrap_or(0)
    }

    /// Returns whether a live block begins there.
    pub fn is_live(&self, address: u64) -> bool {
        self.sizes.contains(address)
    }

    /// Returns the number of live blocks.
    pub fn blocks(&self) -> usize {
        self.sizes.len()
    }
}

/// Live blocks by address, with what the caller keeps of each.
///
/// A table with open addressing, at most half full: a block is in the first free slot from its hash
/// on, and blocks that are neighbours in the heap mostly are in the table, so that what a program does
/// with them stays in the processor's caches.
#[derive(Clone, Debug)]
pub(in crate::trace) struct LiveMap<B> {
    /// As many as a power of two, or none.
    slots: Vec<Slot<B>>,
    /// Blocks in slots.
    len: usize,
    /// The block whose address says that a slot is free.
    at_free: Option<B>,
    /// How many slots there may be.
    most_slots: usize,
    /// Whether more were needed.
    is_cramped: bool,
    /// A number that a trace cannot know. Without it, addresses can be made to collide, and the time
    /// for them grows with their square.
    seed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot<B> {
    address: u64,
    block: B,
}

/// The address of a free slot.
const FREE: u64 = u64::MAX;
/// Slots of the smallest table.
const FEWEST_SLOTS: usize = 1024;

/// Slots of the largest table that is at most a quarter full: with sizes, 2 MiB.
const SPARSE_SLOTS: usize = 1 << 17;

/// A table that grows and the one that it grew out of, for the moment, take no more than so many times
/// its size.
const GROWING: usize = 2;

/// The blocks that an event ended.
pub(super) struct Ended<B> {
    /// Freed or resized.
    pub(super) freed: Option<B>,
    /// Believed live where another block was allocated.
    pub(super) replaced: Option<B>,
}

impl<B> Default for LiveMap<B> {
    fn default() -> Self {
        let seed = RandomState::new().hash_one(0);
        let (most_slots, is_cramped) = (usize::MAX, false);
        Self { slots: Vec::new(), len: 0, at_free: None, most_slots, is_cramped, seed }
    }
}

impl<B: Copy + Default> LiveMap<B> {
    /// Applies one event; `block` makes what is kept of a block from its size and site.
    #[inline]
    pub(super) fn apply(
        &mut self,
        kind: &EventKind,
        block: impl FnOnce(u64, u32) -> B,
    ) -> Ended<B> {
        // The most frequent first, each with a branch of its own: quicker than one jump for all.
        if let EventKind::Alloc { address, size, site } = *kind {
            return Ended { freed: None, replaced: self.insert(address, block(size, site)) };
        } else if let EventKind::Free { address, .. } = *kind {
            return Ended { freed: self.remove(address), replaced: None };
        }
        match *kind {
            EventKind::Realloc { old, address, size, site } if old == address => {
                Ended { freed: self.insert(address, block(size, site)), replaced: None }
            }
            EventKind::Realloc { old, address, size, site } => {
                Ended { freed: self.remove(old), replaced: self.insert(address, block(size, site)) }
            }
            EventKind::Alloc { .. }
            | EventKind::Free { .. }
            | EventKind::FailedAlloc { .. }
            | EventKind::Name { .. }
            | EventKind::Gauge { .. }
            | EventKind::Mark { .. } => Ended { freed: None, replaced: None },
        }
    }

    pub(super) fn contains(&self, address: u64) -> bool {
        match address {
            FREE => self.at_free.is_some(),
            _ => self.slots.get(self.find(address)).is_some_and(|slot| slot.address == address),
        }
    }

    pub(in crate::trace) fn get(&self, address: u64) -> Option<B> {
        match address {
            FREE => self.at_free,
            _ => {
                let slot = self.slots.get(self.find(address));
                slot.filter(|slot| slot.address == address).map(|slot| slot.block)
            }
        }
    }

    pub(in crate::trace) fn len(&self) -> usize {
        self.len + usize::from(self.at_free.is_some())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &B)> {
        let taken = self.slots.iter().filter(|slot| slot.address != FREE);
        let taken = taken.map(|slot| (slot.address, &slot.block));
        taken.chain(self.at_free.as_ref().map(|block| (FREE, block)))
    }

    pub(in crate::trace) fn insert(&mut self, address: u64, block: B) -> Option<B> {
        if address == FREE {
            return self.at_free.replace(block);
        }
        if self.len >= self.most() && !self.grow() {
            return None;
        }
        let at = self.find(address);
        let slot = self.slots.get_mut(at)?;
        let former = std::mem::replace(slot, Slot { address, block });
        if former.address == address {
            return Some(former.block);
        }
        self.len += 1;
        None
    }

    pub(in crate::trace) fn remove(&mut self, address: u64) -> Option<B> {
        if address == FREE {
            return self.at_free.take();
        }
        let at = self.find(address);
        let removed = *self.slots.get(at).filter(|slot| slot.address == address)?;
        self.len -= 1;
        self.close(at);
        Some(removed.block)
    }

    /// Frees a slot, and moves up what would not be found behind it any more.
    #[inline]
    fn close(&mut self, mut hole: usize) {
        let mask = self.mask();
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let Some(&slot) = self.slots.get(at).filter(|slot| slot.address != FREE) else { break };
            let from_home = at.wrapping_sub(self.home(slot.address)) & mask;
            if from_home >= at.wrapping_sub(hole) & mask {
                self.set(hole, slot);
                hole = at;
            }
        }
        self.set(hole, Slot { address: FREE, block: B::default() });
    }

    fn set(&mut self, at: usize, slot: Slot<B>) {
        if let Some(entry) = self.slots.get_mut(at) {
            *entry = slot;
        }
    }

    /// The slot with this address, or the free one where it belongs.
    #[inline]
    fn find(&self, address: u64) -> usize {
        let mask = self.mask();
        let mut at = self.home(address);
        // There always is a free slot, or none at all.
        while self.slots.get(at).is_some_and(|slot| slot.address != address && slot.address != FREE)
        {
            at = (at + 1) & mask;
        }
        at
    }

    /// Where an address belongs.
    #[inline]
    fn home(&self, address: u64) -> usize {
        home(self.seed, address) as usize & self.mask()
    }

    fn mask(&self) -> usize {
        self.slots.len().wrapping_sub(1)
    }

    /// How many blocks the table may hold: the fewer, the less there is to search, but only while it is
    /// small is the memory cheap.
    fn most(&self) -> usize {
        self.slots.len() / if self.slots.len() > SPARSE_SLOTS { 2 } else { 4 }
    }

    /// Makes room, if it may.
    #[cold]
    fn grow(&mut self) -> bool {
        let free = Slot { address: FREE, block: B::default() };
        let slots = (self.slots.len() * 2).max(FEWEST_SLOTS);
        if slots > self.most_slots {
            self.is_cramped = true;
            return false;
        }
        let slots = vec![free; slots];
        for slot in std::mem::replace(&mut self.slots, slots) {
            if slot.address != FREE {
                let at = self.find(slot.address);
                self.set(at, slot);
            }
        }
        true
    }
}

/// Bits of an address that say where it is among its neighbours: 64 times 16 bytes.
const NEAR: u64 = 0x3F0;

/// A slot for an address: neighbours have slots of their own side by side; for all other bits it takes
/// a multiplication to 128 bits and folds, so that every bit reaches every bit.
#[inline]
fn home(seed: u64, address: u64) -> u64 {
    // The fraction of the golden ratio: odd, and without a pattern in its bits.
    let product = u128::from(seed ^ address & !NEAR) * 0x9e37_79b9_7f4a_7c15;
    let span = product as u64 ^ (product >> 64) as u64;
    span.wrapping_add((address & NEAR) >> 4)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn addresses_made_to_collide_in_a_known_hash_do_not_here() {
        // Differences that an allocator makes, and those that leave a multiplication's top bits
        // alone: each 4,096 addresses must spread over 4,096 buckets as random numbers would.
        let inverse_of_golden_ratio = 0xf1de_83e1_9937_733d_u64;
        assert_eq!(inverse_of_golden_ratio.wrapping_mul(0x9e37_79b9_7f4a_7c15), 1);
        for step in [1, 16, 4_096, 1 << 32, 1 << 52, inverse_of_golden_ratio] {
            let seed = LiveMap::<u64>::default().seed;
            let mut buckets = vec![0_u32; 4_096];
            for i in 0..4_096_u64 {
                buckets[(home(seed, i.wrapping_mul(step)) % 4_096) as usize] += 1;
            }
            let fullest = buckets.iter().max().copied().unwrap_or(0);
            assert!(fullest < 24, "step {step:#x}: {fullest} addresses in one bucket");
        }
    }

    #[test]
    fn a_map_takes_no_more_memory_than_it_may() {
        for blocks in [1, 255, 257, 10_000, 32_768, 32_769, 100_000, 200_000] {
            let mut live = LiveBlocks::within(LiveBlocks::memory(blocks));
            let mut allocate = |address| {
                let kind = EventKind::Alloc { address, size: 1, site: 0 };
                live.apply(&Event { time: 0, thread: 0, kind });
            };
            (0..blocks).for_each(|number| allocate(16 * number));
            let slots = live.sizes.slots.len() * size_of::<Slot<u64>>();
            assert!(slots <= LiveBlocks::memory(blocks) && live.wanted().is_none(), "{blocks}");
            assert_eq!(live.blocks() as u64, blocks);
        }
        let mut live = LiveBlocks::within(LiveBlocks::memory(1000));
        for number in 0..10_000 {
            let kind = EventKind::Alloc { address: 16 * number, size: 1, site: 0 };
            live.apply(&Event { time: 0, thread: 0, kind });
        }
        assert!(live.blocks() >= 1000 && live.sizes.slots.len() == 4096, "{}", live.blocks());
        assert_eq!(live.wanted(), Some(2 * LiveBlocks::memory(1000)));
    }

    #[test]
    fn the_map_does_what_a_tree_does() {
        let (mut map, mut tree) = (LiveMap::<u64>::default(), BTreeMap::new());
        let mut random = 1_u64;
        for i in 0..200_000_u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i | 1);
            // Few enough addresses to meet again; the last one is that of a free slot.
            let address = FREE - (random >> 33) % 3_000 * 16;
            if random >> 60 < 9 {
                assert_eq!(map.insert(address, i), tree.insert(address, i), "{i}");
            } else {
                assert_eq!(map.remove(address), tree.remove(&address), "{i}");
            }
            assert_eq!(
                (map.len(), map.contains(address)),
                (tree.len(), tree.contains_key(&address))
            );
        }
        let blocks: BTreeMap<u64, u64> =
            map.iter().map(|(address, &block)| (address, block)).collect();
        assert_eq!(blocks, tree);
    }
}
