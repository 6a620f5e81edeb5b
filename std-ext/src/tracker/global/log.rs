//! A slot's log: events packed into bits, some three bytes each, by a few dozen instructions. Only the
//! slot's owner writes, always at the end, and publishes by storing where that is; so whoever reads needs
//! that number and nothing else.

use std::sync::atomic::{AtomicU64, Ordering};

use heapwire_core::{Event, EventKind};

use super::packing::{
    ADDRESS, FAR, Field, KIND_BITS, Past, SHORT_ADDRESS, SHORT_SIZE, SHORT_TIME, SITE, SIZE,
    SiteOf, THREAD, TIME, Widths,
};

/// Words of a page.
const PAGE_WORDS: usize = 1 << 11;
/// No entry begins in so many last words of a page: the longest, a reallocation whose site is another,
/// takes 308 bits.
const RESERVED_WORDS: usize = 8;
const WORD_BITS: u64 = u64::BITS as u64;
const PAGE_BITS: u64 = PAGE_WORDS as u64 * WORD_BITS;
const FULL_BITS: u64 = PAGE_BITS - RESERVED_WORDS as u64 * WORD_BITS;

/// Memory of a log.
pub(super) type Page = [AtomicU64; PAGE_WORDS];

/// What an entry is: two bits, and three more of [`LONG`] ones. What is not long is an event of small
/// numbers; a reallocation, then, that left its block in place.
const ALLOC: u64 = 0;
const FREE: u64 = 1;
const REALLOC: u64 = 2;
const LONG: u64 = 3;
const FAILED: u64 = 3;
const THREAD_CHANGE: u64 = 4;
const ALLOC_SITE_CHANGE: u64 = 5;
const FREE_SITE_CHANGE: u64 = 6;

const LONG_KIND_BITS: u32 = 3;
/// A field of a long entry has its class before it.
const CLASS_BITS: u32 = 2;

/// Packed events.
#[derive(Debug)]
pub(super) struct Log {
    // Never freed, as the slot is not.
    pages: boxcar::Vec<&'static Page>,
    /// Bits in all pages.
    end: AtomicU64,
    past: Past,
}

impl Log {
    pub(super) const fn new() -> Self {
        Self { pages: boxcar::Vec::new(), end: AtomicU64::new(0), past: Past::new() }
    }

    /// Whether the page that it is in has no room for an event. The owner asks.
    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.end.load(Ordering::Relaxed) % PAGE_BITS >= FULL_BITS
    }

    /// When the last event was. The owner asks.
    #[inline(always)]
    pub(super) fn last_time(&self) -> u64 {
        self.past.time.get()
    }

    /// The page with room for an event, a new one if need be. The owner asks.
    pub(super) fn page(&self) -> Option<&'static Page> {
        let end = self.end.load(Ordering::Relaxed);
        let at = if self.is_full() { end / PAGE_BITS + 1 } else { end / PAGE_BITS };
        if at == self.pages.count() as u64 {
            let words: Box<[AtomicU64]> = (0..PAGE_WORDS).map(|_| AtomicU64::new(0)).collect();
            let page: &'static [AtomicU64] = Box::leak(words);
            self.pages.push(page.try_into().ok()?);
            self.end.store(at * PAGE_BITS, Ordering::Release);
        }
        self.pages.get(at as usize).copied()
    }

    /// Records an allocation on the [`page`](Self::page) of now.
    #[inline(always)]
    pub(super) fn alloc(&self, page: &Page, time: u64, site: u32, address: u64, size: u64) {
        if self.past.site(SiteOf::Allocs) == site
            && let Some(short) = self.past.short(ALLOC, time, address, Some(size))
        {
            return self.put_short(page, short);
        }
        self.unusual_alloc(page, time, site, address, size);
    }

    /// Records one that is at another site, or too large for a short entry. The other kinds have the like.
    #[inline(never)]
    fn unusual_alloc(&self, page: &Page, time: u64, site: u32, address: u64, size: u64) {
        self.at_site(page, SiteOf::Allocs, site);
        if let Some(short) = self.past.short(ALLOC, time, address, Some(size)) {
            return self.put_short(page, short);
        }
        let mut writer = self.long(page, ALLOC);
        writer.put_fields([
            self.past.time_field(time),
            self.past.address_field(address),
            Field::new(&SIZE, 0, size),
        ]);
        writer.publish();
    }

    /// Records a free.
    #[inline(always)]
    pub(super) fn free(&self, page: &Page, time: u64, site: u32, address: u64) {
        if self.past.site(SiteOf::Frees) == site
            && let Some(short) = self.past.short(FREE, time, address, None)
        {
            return self.put_short(page, short);
        }
        self.unusual_free(page, time, site, address);
    }

    #[inline(never)]
    fn unusual_free(&self, page: &Page, time: u64, site: u32, address: u64) {
        self.at_site(page, SiteOf::Frees, site);
        if let Some(short) = self.past.short(FREE, time, address, None) {
            return self.put_short(page, short);
        }
        let mut writer = self.long(page, FREE);
        writer.put_fields([self.past.time_field(time), self.past.address_field(address)]);
        writer.publish();
    }

    /// Records a reallocation.
    #[inline(always)]
    pub(super) fn realloc(
        &self,
        page: &Page,
        time: u64,
        site: u32,
        (old, address): (u64, u64),
        size: u64,
    ) {
        if old == address
            && self.past.site(SiteOf::Allocs) == site
            && let Some(short) = self.past.short(REALLOC, time, address, Some(size))
        {
            return self.put_short(page, short);
        }
        self.unusual_realloc(page, time, site, (old, address), size);
    }

    #[inline(never)]
    fn unusual_realloc(
        &self,
        page: &Page,
        time: u64,
        site: u32,
        (old, address): (u64, u64),
        size: u64,
    ) {
        self.at_site(page, SiteOf::Allocs, site);
        if old == address
            && let Some(short) = self.past.short(REALLOC, time, address, Some(size))
        {
            return self.put_short(page, short);
        }
        let mut writer = self.long(page, REALLOC);
        writer.put_fields([
            self.past.time_field(time),
            self.past.address_field(old),
            self.past.address_field(address),
            Field::new(&SIZE, 0, size),
        ]);
        writer.publish();
    }

    /// Records a failure.
    #[cold]
    pub(super) fn failed(&self, page: &Page, time: u64, site: u32, size: u64) {
        self.at_site(page, SiteOf::Allocs, site);
        let mut writer = self.long(page, FAILED);
        writer.put_fields([self.past.time_field(time), Field::new(&SIZE, 0, size)]);
        writer.publish();
    }

    /// Says that what follows is of this thread. The page may be full then.
    pub(super) fn of_thread(&self, page: &Page, thread: u32) {
        let thread = u64::from(thread);
        if self.past.thread.replace(thread) != thread {
            let mut writer = self.long(page, THREAD_CHANGE);
            writer.put_fields([Field::new(&THREAD, 0, thread)]);
            writer.publish();
        }
    }

    #[inline(always)]
    fn put_short(&self, page: &Page, (bits, width): (u64, u64)) {
        let mut writer = self.writer(page);
        writer.put(bits, width);
        writer.publish();
    }

    /// Says that the event which follows, and others of its kind, are of this site.
    fn at_site(&self, page: &Page, of: SiteOf, site: u32) {
        if self.past.site(of) != site {
            let is_of_allocs = of == SiteOf::Allocs;
            let change = if is_of_allocs { ALLOC_SITE_CHANGE } else { FREE_SITE_CHANGE };
            let mut writer = self.long(page, change);
            writer.put_fields([self.past.site_field(of, site)]);
            writer.publish();
        }
    }

    /// Begins a long entry.
    fn long<'a>(&'a self, page: &'a Page, kind: u64) -> Writer<'a> {
        let mut writer = self.writer(page);
        writer.put(LONG | kind << KIND_BITS, u64::from(KIND_BITS + LONG_KIND_BITS));
        writer
    }

    #[inline(always)]
    fn writer<'a>(&'a self, page: &'a Page) -> Writer<'a> {
        Writer { log: self, page, end: self.end.load(Ordering::Relaxed) }
    }

    /// The events that it has now, with times of the clock.
    pub(super) fn reader(&self) -> Reader<'_> {
        let end = self.end.load(Ordering::Acquire);
        Reader { pages: &self.pages, page: None, at: 0, end, past: Past::new() }
    }
}

/// Writes bits, which nobody sees before [`publish`](Self::publish).
struct Writer<'a> {
    log: &'a Log,
    page: &'a Page,
    end: u64,
}

impl Writer<'_> {
    #[inline(always)]
    fn publish(self) {
        self.log.end.store(self.end, Ordering::Release);
    }

    fn put_fields<const N: usize>(&mut self, fields: [Field; N]) {
        for Field { value, class, width } in fields {
            self.put(class, u64::from(CLASS_BITS));
            self.put(value, u64::from(width));
        }
    }

    /// Appends the lowest bits of a number, of which the others are 0, as are all bits behind the end.
    #[inline(always)]
    fn put(&mut self, bits: u64, width: u64) {
        let at = (self.end / WORD_BITS) as usize % PAGE_WORDS;
        // Both shifts by what the last bits of the end say; the other one is by 64 - used, in two steps.
        let used = self.end as u32;
        let low = self.page[at].load(Ordering::Relaxed) | bits.wrapping_shl(used);
        let high = (bits >> 1).wrapping_shr(!used);
        self.page[at].store(low, Ordering::Relaxed);
        // Within the page, since no event begins near its end.
        self.page[(at + 1) % PAGE_WORDS].store(high, Ordering::Relaxed);
        self.end += width;
    }
}

/// Reads the events of a log, those before an end.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pages: &'a boxcar::Vec<&'static Page>,
    page: Option<(u64, &'static Page)>,
    at: u64,
    end: u64,
    past: Past,
}

impl Reader<'_> {
    fn take(&mut self, width: u32) -> u64 {
        if width == 0 {
            return 0;
        }
        let (number, used) = (self.at / PAGE_BITS, self.at % WORD_BITS);
        let page = match self.page {
            Some((known, page)) if known == number => page,
            _ => {
                let Some(page) = self.pages.get(number as usize) else { return 0 };
                self.page.insert((number, page)).1
            }
        };
        let at = (self.at / WORD_BITS) as usize % PAGE_WORDS;
        let low = page[at].load(Ordering::Relaxed) >> used;
        let high = page[(at + 1) % PAGE_WORDS].load(Ordering::Relaxed);
        self.at += u64::from(width);
        (low | high << 1 << (WORD_BITS - 1 - used)) & (u64::MAX >> (u64::BITS - width))
    }

    /// A field of a long entry: its class, and its value.
    fn take_field(&mut self, widths: &Widths) -> (u64, u64) {
        let class = self.take(CLASS_BITS);
        (class, self.take(widths[class as usize % widths.len()]))
    }

    fn take_address(&mut self) -> u64 {
        let (class, value) = self.take_field(&ADDRESS);
        self.past.address(class, value)
    }

    /// The event of an entry; `None` of one that only names the thread, and at the end.
    fn take_entry(&mut self) -> Option<Event> {
        while self.at < self.end {
            let kind = self.take(KIND_BITS);
            if kind != LONG {
                return Some(self.take_short(kind));
            }
            let kind = self.take(LONG_KIND_BITS);
            if kind == THREAD_CHANGE {
                let (_, thread) = self.take_field(&THREAD);
                self.past.thread.set(thread);
                return None;
            } else if kind < THREAD_CHANGE {
                return Some(self.take_long(kind));
            }
            // Its event follows in the same page.
            let of = if kind == ALLOC_SITE_CHANGE { SiteOf::Allocs } else { SiteOf::Frees };
            let (class, value) = self.take_field(&SITE);
            self.past.change_site(of, class, value);
        }
        None
    }

    fn take_short(&mut self, kind: u64) -> Event {
        let is_far = self.take(1);
        let step = self.take(SHORT_TIME);
        let time = self.past.step(step);
        let size = if kind == FREE { 0 } else { self.take(SHORT_SIZE) };
        let distance = self.take(SHORT_ADDRESS[is_far as usize % SHORT_ADDRESS.len()]);
        let address = self.past.address(FAR, distance);
        self.event(kind, time, (address, address), size)
    }

    fn take_long(&mut self, kind: u64) -> Event {
        let (_, step) = self.take_field(&TIME);
        let time = self.past.step(step);
        let old = if kind == FAILED { 0 } else { self.take_address() };
        let address = if kind == REALLOC { self.take_address() } else { old };
        let size = if kind == FREE { 0 } else { self.take_field(&SIZE).1 };
        self.event(kind, time, (old, address), size)
    }

    fn event(&self, kind: u64, time: u64, (old, address): (u64, u64), size: u64) -> Event {
        let site = self.past.site(if kind == FREE { SiteOf::Frees } else { SiteOf::Allocs });
        let kind = match kind {
            ALLOC => EventKind::Alloc { address, size, site },
            FREE => EventKind::Free { address, site },
            REALLOC => EventKind::Realloc { old, address, size, site },
            _ => EventKind::FailedAlloc { size, site },
        };
        Event { time, thread: self.past.thread.get() as u32, kind }
    }
}

impl Iterator for Reader<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while self.at < self.end {
            if self.at % PAGE_BITS >= FULL_BITS {
                self.at = self.at.next_multiple_of(PAGE_BITS);
            } else if let Some(event) = self.take_entry() {
                return Some(event);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    /// Records an event as the tracker does, on a page with room for it.
    fn record(log: &Log, event: &Event) {
        log.of_thread(log.page().expect("a page"), event.thread);
        let (page, time) = (log.page().expect("a page"), event.time);
        match event.kind {
            EventKind::Alloc { address, size, site } => log.alloc(page, time, site, address, size),
            EventKind::Free { address, site } => log.free(page, time, site, address),
            EventKind::Realloc { old, address, size, site } => {
                log.realloc(page, time, site, (old, address), size);
            }
            EventKind::FailedAlloc { size, site } => log.failed(page, time, site, size),
            _ => panic!("trackers do not record {event:?}"),
        }
    }

    /// Any number, small ones more often.
    fn number() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0..64_u32).prop_map(|(number, shift)| number >> shift)
    }

    fn event() -> impl Strategy<Value = (u64, Event)> {
        let site = prop_oneof![0..3_u32, any::<u32>()];
        let thread = prop_oneof![20 => Just(1), 1 => any::<u32>()];
        let address =
            || prop_oneof![(0..50_u64).prop_map(|at| 0x7f00_0000_1000 + at * 16), number()];
        let kind = (0..8, address(), address(), number(), site).prop_map(
            |(kind, old, address, size, site)| match kind {
                0..3 => EventKind::Alloc { address, size, site },
                3..6 => EventKind::Free { address, site },
                6 => EventKind::Realloc { old, address, size, site },
                _ => EventKind::FailedAlloc { size, site },
            },
        );
        (number(), kind, thread)
            .prop_map(|(delta, kind, thread)| (delta, Event { time: 0, thread, kind }))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 256 }))]
        #[test]
        fn what_is_recorded_is_read(deltas in prop::collection::vec(event(), 0..2000)) {
            let log = Log::new();
            let mut time = 0_u64;
            let mut events = Vec::new();
            for (delta, mut event) in deltas {
                time = time.saturating_add(delta);
                event.time = time;
                record(&log, &event);
                events.push(event);
            }
            prop_assert_eq!(log.reader().collect::<Vec<_>>(), events);
        }
    }

    /// The most bits that an event can take, at every place of a page.
    #[test]
    fn the_longest_events_stay_within_their_page() {
        let log = Log::new();
        let mut events = Vec::new();
        let count = if cfg!(miri) { 600 } else { 3000 };
        for i in 0..count {
            let kind = match i % 5 {
                0 => EventKind::Free { address: 16 * i, site: 0 },
                _ => EventKind::Realloc {
                    old: i.wrapping_mul(0xdead_beef_1234_5677),
                    address: i.wrapping_mul(0x1357_9bdf_0246_8ace) ^ u64::MAX >> 1,
                    size: u64::MAX - i,
                    site: u32::MAX - i as u32,
                },
            };
            let event = Event { time: i << 40, thread: (i % 3) as u32 * 0x7fff_ffff, kind };
            record(&log, &event);
            events.push(event);
        }
        assert!(log.pages.count() > 3, "several pages");
        assert!(log.reader().eq(events));
    }

    #[test]
    fn a_clock_that_steps_back_stands_still() {
        let log = Log::new();
        for time in [5, 9, 7, 12] {
            let kind = EventKind::Free { address: 0x1000, site: 0 };
            record(&log, &Event { time, thread: 1, kind });
        }
        let times: Vec<u64> = log.reader().map(|event| event.time).collect();
        assert_eq!(times, [5, 9, 9, 12]);
    }

    /// Whoever reads while the owner writes gets the events from the beginning to some point.
    #[test]
    fn readers_see_whole_events_only() {
        static LOG: Log = Log::new();
        static DONE: AtomicBool = AtomicBool::new(false);
        let count = if cfg!(miri) { 60 } else { 20_000 };
        let nth = |i: u64| {
            let (address, site) = (0x1000 + i * 7919 % 5000 * 16, (i / 7 % 5) as u32);
            let kind = match i % 4 {
                0 => EventKind::Free { address, site },
                1 => EventKind::Realloc { old: address, address: address ^ 1 << 40, size: i, site },
                _ => EventKind::Alloc { address, size: i * i, site },
            };
            Event { time: i * 3, thread: 1, kind }
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                (0..count).for_each(|i| record(&LOG, &nth(i)));
                DONE.store(true, Ordering::Release);
            });
            let mut before = 0;
            loop {
                let is_last = DONE.load(Ordering::Acquire);
                let read = LOG.reader().zip(0..).inspect(|(event, i)| assert_eq!(*event, nth(*i)));
                let read = read.count();
                assert!(read >= before);
                before = read;
                if is_last {
                    break;
                }
            }
            assert_eq!(before as u64, count);
        });
    }

    /// A loop that a program might be: blocks of a few sizes, freed in turn.
    #[test]
    fn usual_events_take_three_bytes() {
        let log = Log::new();
        let count = 10_000;
        for i in 0..count {
            let address = 0x7f00_0000_1000 + i / 2 * 64 % 4096;
            let kind = match i % 2 {
                0 => EventKind::Alloc { address, size: 24 + i % 40, site: 0 },
                _ => EventKind::Free { address, site: 0 },
            };
            record(&log, &Event { time: i * 5, thread: 1, kind });
        }
        let bits = log.end.load(Ordering::Relaxed);
        assert!(bits < count * 24, "{} bits an event", bits / count);
    }
}
