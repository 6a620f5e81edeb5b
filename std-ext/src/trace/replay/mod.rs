//! Replaying a trace: events go in, answers about the heap come out. Memory grows with the live
//! blocks and the sites, never with the events.

mod live;
mod timeline;

use std::cmp::Reverse;

use heapwire_core::{Event, EventKind, HeapTotals};
use rustc_hash::FxHashMap;

use live::Ended;
pub use live::LiveBlocks;
pub(in crate::trace) use live::LiveMap;
pub use timeline::{Bucket, MAX_BUCKETS, Timeline};

/// Events by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Blocks allocated, reallocations not included.
    pub allocs: u64,
    /// Blocks freed, reallocations not included.
    pub frees: u64,
    /// Blocks resized.
    pub reallocs: u64,
    /// Allocations that failed.
    pub failed: u64,
    /// Names given to blocks.
    pub names: u64,
    /// Gauges read.
    pub gauges: u64,
    /// Marks set.
    pub marks: u64,
}

impl Counts {
    fn count(&mut self, kind: &EventKind) {
        let counter = match kind {
            EventKind::Alloc { .. } => &mut self.allocs,
            EventKind::Free { .. } => &mut self.frees,
            EventKind::Realloc { .. } => &mut self.reallocs,
            EventKind::FailedAlloc { .. } => &mut self.failed,
            EventKind::Name { .. } => &mut self.names,
            EventKind::Gauge { .. } => &mut self.gauges,
            EventKind::Mark { .. } => &mut self.marks,
        };
        *counter += 1; // one by one: 64 bits do not run out
    }

    /// Returns the number of events of all kinds.
    pub fn total(&self) -> u64 {
        let heap = self.allocs + self.frees + self.reallocs + self.failed;
        heap + self.names + self.gauges + self.marks
    }
}

/// The moment at which the most bytes were live; all 0 if nothing was ever allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peak {
    /// Bytes live then.
    pub bytes: u64,
    /// Blocks live then.
    pub blocks: u64,
    /// When, in ticks; the first time if there were several.
    pub time: u64,
    /// The site of the allocation that reached it.
    pub site: u32,
}

/// What one site did. A reallocation counts as an allocation by its own site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SiteTotals {
    /// Blocks allocated or resized.
    pub allocations: u64,
    /// Bytes asked for in all of them.
    pub bytes: u64,
    /// Blocks live now.
    pub live_blocks: u64,
    /// Bytes in blocks live now.
    pub live_bytes: u64,
    /// The largest `live_bytes` so far.
    pub peak_bytes: u64,
    /// Allocations that failed.
    pub failed: u64,
}

/// An allocation that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedAlloc {
    /// Bytes asked for.
    pub size: u64,
    /// Who asked.
    pub site: u32,
    /// When, in ticks.
    pub time: u64,
    /// On which thread.
    pub thread: u32,
}

/// What is known to be missing from the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Places where events are missing.
    pub count: u64,
    /// Events missing in all of them, as far as they could be counted.
    pub missing_events: u64,
}

/// What became of a block, as far as the trace tells.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The trace has its free. No block that is still live has this fate.
    Freed,
    /// The trace has every event since its allocation, and none freed it.
    NeverFreed,
    /// Its free may be among the events that a gap swallowed; or is missing, since another block was
    /// allocated in its place.
    Unknown,
}

/// A block that is live now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveBlock {
    /// Its first byte.
    pub address: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Who allocated or last resized it.
    pub site: u32,
    /// When it was allocated or last resized, in ticks.
    pub time: u64,
    /// On which thread.
    pub thread: u32,
    /// Why it is still live.
    pub fate: Fate,
}

/// The live blocks of one site that share a fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfreed {
    /// Who allocated or last resized them.
    pub site: u32,
    /// Why they are still live.
    pub fate: Fate,
    /// How many there are.
    pub blocks: u64,
    /// Bytes in all of them.
    pub bytes: u64,
    /// When the oldest was allocated or last resized, in ticks.
    pub oldest: u64,
}

/// What [`Replay`] keeps of a live block.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    size: u64,
    time: u64,
    /// Gaps that came before it: fewer than now means that its free may be lost.
    gaps_before: u64,
    site: u32,
    thread: u32,
}

/// Follows a heap from event to event and answers what happened on it.
///
/// Any sequence of events is accepted; what cannot be (a free of no block) is counted.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    live: LiveMap<Block>,
    live_bytes: u64,
    counts: Counts,
    peak: Peak,
    /// The peak as it was when a header told last.
    peak_told: Peak,
    span: Option<(u64, u64)>,
    unknown_frees: u64,
    double_allocations: u64,
    largest_failed: Option<FailedAlloc>,
    sites: FxHashMap<u32, SiteTotals>,
    gaps: Gaps,
    timeline: Timeline,
    /// Totals of the events seen, counted as a recorder counts them.
    seen: HeapTotals,
    /// What a recorder counted beyond the events seen, modulo 2^64; once a header told.
    missed: Option<HeapTotals>,
}

impl Replay {
    /// Makes an empty heap.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one event. Returns the size in bytes of the block that it frees or resizes, 0 when
    /// that is unknown or the event is of another kind.
    pub fn event(&mut self, event: &Event) -> u64 {
        let &Event { time, thread, kind } = event;
        self.counts.count(&kind);
        let (first, last) = self.span.unwrap_or((time, time));
        self.span = Some((first.min(time), last.max(time)));

        let gaps_before = self.gaps.count;
        let block = |size, site| Block { size, time, gaps_before, site, thread };
        let Ended { freed, replaced } = self.live.apply(&kind, block);
        if let Some(block) = &freed {
            self.end(block);
        }
        if let Some(block) = &replaced {
            self.end(block);
            // An older block was freed in the gap: no wonder that its place is taken.
            self.double_allocations += u64::from(block.gaps_before == gaps_before);
        }
        match kind {
            EventKind::Free { .. } => self.unknown_frees += u64::from(freed.is_none()),
            EventKind::Alloc { size, site, .. } => self.begin(size, site),
            EventKind::Realloc { size, site, .. } => {
                self.unknown_frees += u64::from(freed.is_none());
                self.begin(size, site);
            }
            EventKind::FailedAlloc { size, site } => {
                self.sites.entry(site).or_default().failed += 1;
                if self.largest_failed.is_none_or(|largest| largest.size < size) {
                    self.largest_failed = Some(FailedAlloc { size, site, time, thread });
                }
            }
            EventKind::Name { .. } | EventKind::Gauge { .. } | EventKind::Mark { .. } => {}
        }
        let freed = freed.map_or(0, |block| block.size);
        self.seen.count(&kind, freed);
        let bytes = self.bytes_in_use();
        if let EventKind::Alloc { site, .. } | EventKind::Realloc { site, .. } = kind
            && bytes > self.peak.bytes
        {
            self.peak = Peak { bytes, blocks: self.live_blocks(), time, site };
        }
        self.timeline.record(time, bytes);
        freed
    }

    /// Takes the totals that a chunk's header gives before its first event. After a gap they tell
    /// what the gap did to the heap.
    pub fn recorded(&mut self, totals: &HeapTotals) {
        if self.gaps.count > 0 {
            let mut missed = combine(totals, &self.seen, u64::wrapping_sub);
            missed.peak_bytes = totals.peak_bytes;
            self.missed = Some(missed);
            // Higher than the device ever saw: blocks were freed whose sizes a gap hid.
            if self.peak.bytes > totals.peak_bytes {
                self.peak = self.peak_told;
            }
        }
        self.peak_told = self.peak;
    }

    /// Returns whether headers told what gaps did to the heap.
    pub fn is_corrected(&self) -> bool {
        self.missed.is_some()
    }

    /// Returns the totals of the heap: events seen, and what headers told of those missing.
    pub fn totals(&self) -> HeapTotals {
        let missed = self.missed.unwrap_or_default();
        let mut totals = combine(&self.seen, &missed, u64::wrapping_add);
        totals.bytes_in_use = self.bytes_in_use();
        totals.peak_bytes = self.peak.bytes.max(missed.peak_bytes);
        totals
    }

    /// Returns the bytes in use now: those in live blocks, corrected by what gaps hid.
    pub fn bytes_in_use(&self) -> u64 {
        match self.missed {
            Some(missed) => self.seen.bytes_in_use.wrapping_add(missed.bytes_in_use),
            None => self.live_bytes,
        }
    }

    /// Notes that events are missing here, how many if that is known and 0 if not. The blocks that
    /// are live now may have been freed among them.
    pub fn gap(&mut self, missing_events: u64) {
        self.gaps.count += 1;
        self.gaps.missing_events = self.gaps.missing_events.saturating_add(missing_events);
    }

    /// Notes that the device was started anew: its heap is empty, and counts from 0. What was live before
    /// was neither freed nor leaked. The peak is that of the run that begins; events, what sites
    /// allocated, failures and gaps go on being counted.
    pub fn restart(&mut self) {
        self.live = LiveMap::default();
        (self.live_bytes, self.peak, self.peak_told) = (0, Peak::default(), Peak::default());
        (self.seen, self.missed) = (HeapTotals::default(), None);
        for site in self.sites.values_mut() {
            (site.live_blocks, site.live_bytes) = (0, 0);
        }
    }

    /// Accounts for a block that is in the live map already.
    fn begin(&mut self, size: u64, site: u32) {
        self.live_bytes = self.live_bytes.saturating_add(size);
        let totals = self.sites.entry(site).or_default();
        totals.allocations += 1;
        totals.bytes = totals.bytes.saturating_add(size);
        totals.live_blocks += 1;
        totals.live_bytes = totals.live_bytes.saturating_add(size);
        totals.peak_bytes = totals.peak_bytes.max(totals.live_bytes);
    }

    /// Accounts for a block that has left the live map.
    fn end(&mut self, block: &Block) {
        self.live_bytes = self.live_bytes.saturating_sub(block.size);
        let totals = self.sites.entry(block.site).or_default();
        totals.live_blocks = totals.live_blocks.saturating_sub(1);
        totals.live_bytes = totals.live_bytes.saturating_sub(block.size);
    }

    /// Returns the events by kind.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns the bytes in live blocks.
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Returns the number of live blocks.
    pub fn live_blocks(&self) -> u64 {
        self.live.len() as u64
    }

    /// Returns the moment of the most live bytes.
    pub fn peak(&self) -> Peak {
        self.peak
    }

    /// Returns the earliest and the latest time in ticks, or `None` before the first event.
    pub fn span(&self) -> Option<(u64, u64)> {
        self.span
    }

    /// Returns the number of frees and reallocations of a block that was not known to be live:
    /// allocated before the recording or in a gap, or freed twice.
    pub fn unknown_frees(&self) -> u64 {
        self.unknown_frees
    }

    /// Returns the number of allocations at the address of a block that had not been freed, where
    /// no gap explains it. The new block replaces the old one.
    pub fn double_allocations(&self) -> u64 {
        self.double_allocations
    }

    /// Returns the largest allocation that failed; the first if there were several.
    pub fn largest_failed(&self) -> Option<FailedAlloc> {
        self.largest_failed
    }

    /// Returns what is known to be missing.
    pub fn gaps(&self) -> Gaps {
        self.gaps
    }

    /// Iterates over the sites that allocated or failed to, in no particular order.
    pub fn sites(&self) -> impl Iterator<Item = (u32, &SiteTotals)> {
        self.sites.iter().map(|(&site, totals)| (site, totals))
    }

    /// Iterates over the live blocks, in no particular order.
    pub fn blocks(&self) -> impl Iterator<Item = LiveBlock> + '_ {
        self.live.iter().map(|(address, &Block { size, time, gaps_before, site, thread })| {
            let whole = gaps_before == self.gaps.count;
            let fate = if whole { Fate::NeverFreed } else { Fate::Unknown };
            LiveBlock { address, size, site, time, thread, fate }
        })
    }

    /// Groups the live blocks by site and fate, most bytes first.
    pub fn unfreed(&self) -> Vec<Unfreed> {
        let mut groups = FxHashMap::default();
        for LiveBlock { size, site, time, fate, .. } in self.blocks() {
            let start = Unfreed { site, fate, blocks: 0, bytes: 0, oldest: time };
            let group = groups.entry((site, fate)).or_insert(start);
            group.blocks += 1;
            group.bytes = group.bytes.saturating_add(size);
            group.oldest = group.oldest.min(time);
        }
        let mut groups: Vec<Unfreed> = groups.into_values().collect();
        groups.sort_unstable_by_key(|group| (Reverse(group.bytes), group.site, group.fate));
        groups
    }

    /// Returns the bytes in live blocks over time.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }
}

/// Combines totals field by field; the peak is left at 0.
fn combine(a: &HeapTotals, b: &HeapTotals, with: fn(u64, u64) -> u64) -> HeapTotals {
    HeapTotals {
        allocations: with(a.allocations, b.allocations),
        frees: with(a.frees, b.frees),
        failed: with(a.failed, b.failed),
        bytes_in_use: with(a.bytes_in_use, b.bytes_in_use),
        peak_bytes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: u64, kind: EventKind) -> Event {
        Event { time, thread: 1, kind }
    }

    fn alloc(time: u64, address: u64, size: u64, site: u32) -> Event {
        at(time, EventKind::Alloc { address, size, site })
    }

    fn free(time: u64, address: u64) -> Event {
        at(time, EventKind::Free { address, site: 0 })
    }

    fn realloc(time: u64, old: u64, address: u64, size: u64, site: u32) -> Event {
        at(time, EventKind::Realloc { old, address, size, site })
    }

    fn replay(events: &[Event]) -> Replay {
        let mut replay = Replay::new();
        for event in events {
            replay.event(event);
        }
        replay
    }

    fn site(replay: &Replay, wanted: u32) -> SiteTotals {
        replay
            .sites()
            .find(|&(id, _)| id == wanted)
            .map(|(_, totals)| *totals)
            .expect("the site occurs")
    }

    #[test]
    fn both_replays_tell_what_an_event_freed() {
        let events = [
            (alloc(0, 8, 100, 1), 0),
            (realloc(1, 8, 8, 150, 1), 100),
            (realloc(2, 8, 16, 200, 1), 150),
            (free(3, 8), 0),
            (free(4, 16), 200),
            (free(5, 16), 0),
            (realloc(6, 64, 72, 5, 1), 0),
            (at(7, EventKind::Name { address: 72, variable: 1, type_name: 1 }), 0),
        ];
        let (mut live, mut replay) = (LiveBlocks::new(), Replay::new());
        let mut counted = HeapTotals::default();
        for (event, freed) in &events {
            assert_eq!(live.apply(event), *freed, "{event:?}");
            counted.count(&event.kind, *freed);
            assert_eq!(replay.event(event), *freed, "{event:?}");
        }
        let totals =
            HeapTotals { allocations: 4, frees: 6, failed: 0, bytes_in_use: 5, peak_bytes: 200 };
        assert_eq!(counted, totals);
        assert_eq!((live.blocks(), replay.live_blocks(), replay.live_bytes()), (1, 1, 5));
        assert_eq!(replay.unknown_frees(), 3);
    }

    #[test]
    fn events_are_counted_by_kind() {
        let mut replay = replay(&[alloc(0, 8, 1, 0), free(1, 8), realloc(2, 9, 10, 1, 0)]);
        for kind in [
            EventKind::FailedAlloc { size: 1, site: 1 },
            EventKind::Name { address: 10, variable: 1, type_name: 0 },
            EventKind::Gauge { gauge: 1, value: -1 },
            EventKind::Mark { mark: 1 },
        ] {
            assert_eq!(replay.event(&at(9, kind)), 0);
        }
        let one_each =
            Counts { allocs: 1, frees: 1, reallocs: 1, failed: 1, names: 1, gauges: 1, marks: 1 };
        assert_eq!(replay.counts(), one_each);
        assert_eq!(replay.counts().total(), 7);
        assert_eq!(replay.span(), Some((0, 9)));
        assert_eq!(Replay::new().span(), None);
    }

    #[test]
    fn the_peak_is_the_first_moment_of_the_most_bytes() {
        let replay = replay(&[
            alloc(10, 8, 100, 1),
            alloc(20, 16, 50, 2),
            free(30, 8),
            alloc(40, 24, 100, 3),
            free(50, 24),
        ]);
        assert_eq!(replay.peak(), Peak { bytes: 150, blocks: 2, time: 20, site: 2 });
        assert_eq!(replay.live_bytes(), 50);
    }

    #[test]
    fn a_resized_block_belongs_to_who_resized_it() {
        let replay = replay(&[alloc(0, 8, 100, 1), realloc(5, 8, 16, 300, 2)]);
        let first =
            SiteTotals { allocations: 1, bytes: 100, peak_bytes: 100, ..Default::default() };
        assert_eq!(site(&replay, 1), first);
        let second = SiteTotals {
            allocations: 1,
            bytes: 300,
            live_blocks: 1,
            live_bytes: 300,
            peak_bytes: 300,
            failed: 0,
        };
        assert_eq!(site(&replay, 2), second);
        let block = LiveBlock {
            address: 16,
            size: 300,
            site: 2,
            time: 5,
            thread: 1,
            fate: Fate::NeverFreed,
        };
        assert_eq!(replay.blocks().collect::<Vec<_>>(), [block]);
    }

    #[test]
    fn a_double_allocation_replaces_the_block() {
        let replay = replay(&[alloc(0, 8, 100, 1), alloc(1, 8, 30, 2), realloc(2, 99, 8, 7, 2)]);
        assert_eq!(replay.double_allocations(), 2);
        assert_eq!((replay.live_blocks(), replay.live_bytes()), (1, 7));
        assert_eq!(site(&replay, 1).live_blocks, 0);
    }

    #[test]
    fn a_gap_makes_the_fate_of_live_blocks_unknown() {
        let mut replay = replay(&[
            alloc(0, 8, 10, 1),
            alloc(1, 16, 20, 1),
            alloc(2, 24, 30, 1),
            alloc(3, 32, 1, 1),
        ]);
        replay.gap(5);
        replay.event(&free(4, 8));
        replay.event(&alloc(5, 16, 7, 1)); // its former block was freed in the gap
        replay.event(&realloc(6, 32, 32, 2, 1)); // known to be live after the gap
        assert_eq!(replay.double_allocations(), 0);
        assert_eq!(replay.gaps(), Gaps { count: 1, missing_events: 5 });
        let group = |fate, blocks, bytes, oldest| Unfreed { site: 1, fate, blocks, bytes, oldest };
        assert_eq!(
            replay.unfreed(),
            [group(Fate::Unknown, 1, 30, 2), group(Fate::NeverFreed, 2, 9, 5)]
        );
    }

    #[test]
    fn the_largest_failure_is_kept() {
        let failed = |time, size, site| at(time, EventKind::FailedAlloc { size, site });
        let replay = replay(&[failed(1, 10, 1), failed(2, 99, 2), failed(3, 99, 3)]);
        let largest = FailedAlloc { size: 99, site: 2, time: 2, thread: 1 };
        assert_eq!(replay.largest_failed(), Some(largest));
        assert_eq!(site(&replay, 3).failed, 1);
    }

    #[test]
    fn hostile_numbers_saturate() {
        let mut replay = replay(&[
            alloc(u64::MAX, 0, u64::MAX, u32::MAX),
            alloc(0, 1, u64::MAX, u32::MAX),
            alloc(u64::MAX, u64::MAX, 1, 0),
            free(5, 0),
            free(5, 1),
            at(0, EventKind::FailedAlloc { size: u64::MAX, site: 0 }),
        ]);
        replay.gap(u64::MAX);
        replay.gap(u64::MAX);
        assert_eq!(replay.gaps().missing_events, u64::MAX);
        assert_eq!(replay.peak().bytes, u64::MAX);
        assert_eq!(replay.live_bytes(), 0);
        assert_eq!(replay.unfreed().len(), 1);
    }

    #[test]
    fn headers_tell_what_a_gap_did() {
        let mut replay = replay(&[alloc(0, 8, 100, 1), alloc(1, 16, 50, 1)]);
        // Missing: a free of 100 bytes, an allocation of 1,000, a failure.
        replay.gap(3);
        let header = HeapTotals {
            allocations: 3,
            frees: 1,
            failed: 1,
            bytes_in_use: 1050,
            peak_bytes: 1150,
        };
        replay.recorded(&header);
        assert_eq!(replay.totals(), header);
        replay.event(&free(2, 16));
        // Its allocation was missing, so its size is not known until the next header.
        replay.event(&free(3, 24));
        let next = HeapTotals { frees: 3, bytes_in_use: 0, ..header };
        replay.recorded(&next);
        assert_eq!(replay.totals(), next);
        replay.event(&alloc(4, 8, 7, 1));
        assert_eq!((replay.bytes_in_use(), replay.totals().allocations), (7, 4));
    }

    #[test]
    fn headers_correct_a_peak_that_was_none() {
        let mut replay = replay(&[alloc(0, 8, 100, 1)]);
        // Missing: an allocation of 1,000 bytes.
        replay.gap(1);
        let header = HeapTotals {
            allocations: 2,
            frees: 0,
            failed: 0,
            bytes_in_use: 1100,
            peak_bytes: 1100,
        };
        replay.recorded(&header);
        // As long as nobody tells that this is the one of 1,000, the next seems to be on top of it.
        replay.event(&free(1, 16));
        replay.event(&alloc(2, 24, 500, 2));
        replay.event(&alloc(3, 32, 700, 3));
        assert_eq!(replay.totals().peak_bytes, 2300);
        let next = HeapTotals {
            allocations: 4,
            frees: 1,
            failed: 0,
            bytes_in_use: 1300,
            peak_bytes: 1300,
        };
        replay.recorded(&next);
        assert_eq!(replay.totals(), next);
        assert_eq!(replay.peak(), Peak { bytes: 100, blocks: 1, time: 0, site: 1 });
        replay.event(&alloc(4, 40, 1, 4));
        assert_eq!(replay.peak(), Peak { bytes: 1301, blocks: 4, time: 4, site: 4 });
    }
}
