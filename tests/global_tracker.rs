//! A whole program under the `GlobalTracker`: this one. Its global allocator reports every allocation.

use std::alloc::System;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use heapwire::trace::capture::Trace;
use heapwire::trace::replay::Replay;
use heapwire::trace::source::{ChunkSource, Chunks};
use heapwire::{GlobalTracker, IntegratedBinaryExporter, IntegratedConfig, TrackedHeap};
use heapwire_core::{Event, EventKind, HeapObserver, NameKind};

static TRACKER: GlobalTracker = GlobalTracker::new();

#[global_allocator]
static HEAP: TrackedHeap<System, &GlobalTracker> = TrackedHeap::new(System, &TRACKER);

/// There is one tracker, so one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const THREADS: usize = 4;
const ROUNDS: usize = 3000;
/// A size that nothing else here asks for.
const LEAKED: usize = 77_777;
const IMPOSSIBLE: usize = isize::MAX as usize - 4096;

/// Grows, moves and frees; leaves one block of [`LEAKED`] bytes behind.
fn work(number: usize) -> &'static mut [u8] {
    let _outer = TRACKER.scope("work");
    let mut kept: Vec<Vec<usize>> = Vec::new();
    for round in 0..ROUNDS {
        let mut growing = Vec::new();
        for i in 0..round % 50 {
            growing.push(i * number);
        }
        match round % 3 {
            0 => kept.push(growing),
            1 => drop(kept.pop()),
            _ => drop(growing.clone()),
        }
    }
    let _inner = TRACKER.scope("leak");
    vec![0; LEAKED].leak()
}

/// One of one thread: others would still free what is theirs when the tracker is started again.
fn exporter() -> IntegratedBinaryExporter {
    let mut config = IntegratedConfig::default();
    config.parallel = None;
    IntegratedBinaryExporter::new(config)
}

fn loaded(name: &str) -> (Trace, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    let mut exporter = exporter();
    let result = exporter.export(&TRACKER, &path).expect("exports, and reads back");
    let file = std::fs::File::open(&path).expect("opens");
    let report = heapwire::validation::validate(file).expect("reads");
    assert!(report.is_valid, "{:?}", report.errors);
    assert_eq!(report.warnings, []);
    (exporter.load(&path).expect("loads"), result.events)
}

#[test]
fn leaks_failures_and_scopes_of_several_threads_are_found() {
    let _alone = alone();
    TRACKER.start();
    let leaks: Vec<usize> = thread::scope(|threads| {
        let running: Vec<_> = (0..THREADS).map(|n| threads.spawn(move || work(n))).collect();
        running.into_iter().map(|t| t.join().expect("no panic").as_ptr().addr()).collect()
    });
    let mut impossible: Vec<u8> = Vec::new();
    assert!(impossible.try_reserve_exact(IMPOSSIBLE).is_err());
    TRACKER.stop();

    let (trace, events) = loaded("heap.bin");
    let all = trace.events().expect("decodes");
    assert_eq!(all.len() as u64, events);
    assert!(events as usize > THREADS * ROUNDS);
    let mut replay = Replay::new();
    for event in &all {
        replay.event(event);
    }

    let mut found: BTreeMap<usize, u32> = BTreeMap::new();
    for block in replay.blocks().filter(|block| block.size == LEAKED as u64) {
        found.insert(block.address as usize, block.site);
    }
    assert_eq!(found.len(), THREADS);
    for address in leaks {
        let site = *found.get(&address).expect("the leak is found where it is");
        assert_eq!(trace.symbols().name(NameKind::Scope, site), Some("leak"));
    }
    assert!(replay.counts().reallocs > 0);
    let failed = replay.largest_failed().expect("an allocation failed");
    assert_eq!(failed.size, IMPOSSIBLE as u64);
    assert!(all.is_sorted_by_key(|event| event.time));
}

#[test]
fn a_snapshot_for_later_is_of_when_it_is_taken() {
    static OTHER: GlobalTracker = GlobalTracker::new();
    assert_eq!(OTHER.snapshot_later().take().event_count(), 0);
    OTHER.start();
    let later = OTHER.snapshot_later();
    OTHER.allocated(64, 16);
    OTHER.freed(64, 16);
    let taken = thread::spawn(|| later.take().event_count());
    assert_eq!(taken.join().expect("no panic"), 2);
    // A tracker that knows itself still says what it is, and comes to an end.
    assert!(format!("{OTHER:?}").starts_with("GlobalTracker"));
}

/// On one thread nothing can come between: every free is of a block that was seen allocated, also
/// when exports happen in the middle. So the tracker's own blocks are in nobody's way.
#[test]
fn what_the_tracker_does_itself_is_not_recorded() {
    let _alone = alone();
    let before = loaded_count();
    TRACKER.start();
    let mut texts: Vec<String> = Vec::new();
    for round in 0..2000 {
        texts.push("x".repeat(round % 100 + 1));
        if round % 500 == 0 {
            // What the export's caller gets and frees is the program's own, and recorded. Several
            // threads would hand blocks to each other.
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("between.bin");
            let mut config = IntegratedConfig::default();
            config.parallel = None;
            let mut exporter = IntegratedBinaryExporter::new(config);
            exporter.export(&TRACKER, &path).expect("exports");
            drop(exporter.load(&path).expect("loads"));
        }
    }
    drop(texts);
    TRACKER.stop();
    let (trace, _) = loaded("after.bin");
    let events = trace.events().expect("decodes");
    let here = events[before..].last().expect("recorded").thread;
    let mut replay = Replay::new();
    let own = events[before..].iter().filter(|event| event.thread == here);
    for event in own {
        replay.event(event);
    }
    assert!(replay.counts().allocs > 2000);
    assert_eq!((replay.unknown_frees(), replay.double_allocations()), (0, 0));
    assert_eq!(replay.live_blocks(), 0, "{:?}", replay.unfreed());
}

fn loaded_count() -> usize {
    TRACKER.start();
    drop(std::hint::black_box(Box::new(1)));
    TRACKER.stop();
    loaded("before.bin").1 as usize
}

#[test]
fn nothing_is_recorded_after_stop() {
    let _alone = alone();
    let before = loaded_count();
    drop(std::hint::black_box(vec![0_u8; 1000]));
    assert_eq!(loaded("again.bin").1 as usize, before);
}

/// A block moved by one thread may be handed out to another before the move is recorded. Such a trace
/// is as it is, and its export must not fail for it.
#[test]
fn a_reallocation_recorded_late_does_not_make_a_capture_invalid() {
    static RACING: GlobalTracker = GlobalTracker::new();
    let _alone = alone();
    RACING.start();
    RACING.allocated(0x1000, 100);
    // Moved to 0x2000 by one thread; another gets 0x1000 and reports first.
    RACING.allocated(0x1000, 30);
    RACING.reallocated(0x1000, 100, 0x2000, 200);
    for i in 0..100_000 {
        RACING.allocated(0x10_0000 + i * 7919 * 16 % 0x100_0000, i * 31 % 1000);
    }
    RACING.stop();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("racing.bin");
    exporter().export(&RACING, &path).expect("exports, and reads back");
    let exporter = IntegratedBinaryExporter::new(IntegratedConfig::default());
    let events = exporter.load(&path).expect("loads").events().expect("decodes");
    let kinds: Vec<EventKind> = events.iter().take(4).map(|event: &Event| event.kind).collect();
    assert!(matches!(kinds[2], EventKind::Realloc { old: 0x1000, address: 0x2000, .. }));
}

/// The events of a snapshot.
fn events_of(chunks: &Chunks) -> Vec<Event> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("snapshot.bin");
    exporter().export(chunks, &path).expect("exports, and reads back");
    let exporter = IntegratedBinaryExporter::new(IntegratedConfig::default());
    exporter.load(&path).expect("loads").events().expect("decodes")
}

fn replayed(events: &[Event]) -> Replay {
    let mut replay = Replay::new();
    for event in events {
        replay.event(event);
    }
    replay
}

/// A heap that hands out numbers: who frees gives the place to whoever comes next, on any thread. It
/// reports to a tracker what `TrackedHeap` would.
struct Places {
    free: Mutex<Vec<usize>>,
    calls: AtomicU64,
}

impl Places {
    const fn new() -> Self {
        Self { free: Mutex::new(Vec::new()), calls: AtomicU64::new(0) }
    }

    fn take(&self) -> usize {
        let mut free = self.free.lock().expect("not poisoned");
        // Few places for many threads, and fresh ones when there is none.
        free.pop().unwrap_or_else(|| {
            static FRESH: AtomicU64 = AtomicU64::new(0x10_0000);
            FRESH.fetch_add(48, Ordering::Relaxed) as usize
        })
    }

    fn give(&self, place: usize) {
        self.free.lock().expect("not poisoned").push(place);
    }

    fn alloc(&self, tracker: &GlobalTracker, size: usize) -> usize {
        let place = self.take();
        self.calls.fetch_add(1, Ordering::Relaxed);
        tracker.allocated(place, size);
        place
    }

    fn free(&self, tracker: &GlobalTracker, place: usize) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        tracker.freed(place, 1);
        self.give(place);
    }

    fn realloc(&self, tracker: &GlobalTracker, old: usize, size: usize) -> usize {
        tracker.reallocating();
        let place = self.take();
        self.give(old);
        if size.is_multiple_of(3) {
            // Time enough for others to get the old place.
            thread::yield_now();
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        tracker.reallocated(old, 1, place, size);
        place
    }
}

/// Threads that allocate, hand blocks to each other, resize and free what others allocated, and free all
/// of it in the end.
fn exchange(tracker: &GlobalTracker, places: &Places, rounds: usize) {
    static SHELF: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let shelf = || SHELF.lock().expect("not poisoned");
    thread::scope(|threads| {
        for number in 0..THREADS {
            threads.spawn(move || {
                for round in 0..rounds {
                    let size = round * 7 + number;
                    let place = places.alloc(tracker, size);
                    shelf().push(place);
                    let other = {
                        let mut shelf = shelf();
                        let at = round * 31 % shelf.len().max(1);
                        (at < shelf.len()).then(|| shelf.swap_remove(at))
                    };
                    match other {
                        Some(other) if round % 4 == 0 => {
                            let moved = places.realloc(tracker, other, size);
                            shelf().push(moved);
                        }
                        Some(other) => places.free(tracker, other),
                        None => {}
                    }
                }
            });
        }
    });
    shelf().drain(..).for_each(|place| places.free(tracker, place));
}

/// What one thread reports is what comes out.
#[test]
fn one_threads_events_come_out_as_they_went_in() {
    static TOLD: GlobalTracker = GlobalTracker::new();
    let _alone = alone();
    TOLD.start();
    let mut expected = Vec::new();
    for i in 0..50_000_u64 {
        let (address, old) = (0x1000 + i * 7919 % 4096 * 16, 0x1000 + i * 31 % 4096 * 16);
        let size = i * i % 5000;
        match i % 7 {
            0..3 => {
                TOLD.allocated(address as usize, size as usize);
                expected.push(EventKind::Alloc { address, size, site: 0 });
            }
            3..5 => {
                TOLD.freed(address as usize, 0);
                expected.push(EventKind::Free { address, site: 0 });
            }
            5 => {
                TOLD.reallocating();
                TOLD.reallocated(old as usize, 0, address as usize, size as usize);
                expected.push(EventKind::Realloc { old, address, size, site: 0 });
            }
            _ => {
                TOLD.failed(size as usize);
                expected.push(EventKind::FailedAlloc { size, site: 0 });
            }
        }
    }
    TOLD.stop();
    let events = events_of(&TOLD.snapshot());
    assert!(events.iter().map(|event| event.kind).eq(expected));
    assert!(events.is_sorted_by_key(|event| event.time));
}

/// Every place goes from thread to thread all the time; in the merged trace no block is freed or moved
/// before it was allocated, and none allocated where another one is.
#[test]
fn blocks_that_change_threads_are_merged_in_order() {
    static TOLD: GlobalTracker = GlobalTracker::new();
    static PLACES: Places = Places::new();
    let _alone = alone();
    TOLD.start();
    exchange(&TOLD, &PLACES, 50_000);
    TOLD.stop();
    let events = events_of(&TOLD.snapshot());
    assert_eq!(events.len() as u64, PLACES.calls.load(Ordering::Relaxed));
    let replay = replayed(&events);
    assert_eq!((replay.unknown_frees(), replay.double_allocations()), (0, 0));
    assert_eq!(replay.live_blocks(), 0);
    assert!(events.is_sorted_by_key(|event| event.time));
}

/// A snapshot taken while threads record is of one moment, too; later ones have what earlier ones had.
#[test]
fn snapshots_while_threads_record_are_each_of_one_moment() {
    static TOLD: GlobalTracker = GlobalTracker::new();
    static PLACES: Places = Places::new();
    let _alone = alone();
    TOLD.start();
    let done = AtomicBool::new(false);
    let snapshots = thread::scope(|threads| {
        threads.spawn(|| {
            exchange(&TOLD, &PLACES, 20_000);
            done.store(true, Ordering::Release);
        });
        let mut snapshots = Vec::new();
        while !done.load(Ordering::Acquire) {
            let called = PLACES.calls.load(Ordering::Relaxed);
            // A processor may read its clock before it has that number.
            thread::sleep(Duration::from_micros(1));
            let snapshot = TOLD.snapshot();
            // A thread counts its call and then records it, so one of each may be missing.
            assert!(snapshot.event_count() + THREADS as u64 >= called);
            snapshots.push(snapshot);
        }
        snapshots
    });
    TOLD.stop();
    assert!(!snapshots.is_empty());
    let mut before = 0;
    for snapshot in snapshots.iter().filter(|snapshot| snapshot.event_count() > 0) {
        let events = events_of(snapshot);
        let replay = replayed(&events);
        assert_eq!((replay.unknown_frees(), replay.double_allocations()), (0, 0));
        assert!(events.len() >= before);
        before = events.len();
    }
    assert_eq!(TOLD.snapshot().event_count(), PLACES.calls.load(Ordering::Relaxed));
}

struct AtExit(Vec<String>);

impl Drop for AtExit {
    fn drop(&mut self) {
        // After the tracker was told that the thread ends, or before: in no order that is promised.
        let mut last = std::mem::take(&mut self.0);
        last.extend((0..20).map(|i| format!("at the end {i}")));
        last.resize(1000, String::new());
        drop(last);
    }
}

/// Threads come and go, and allocate in destructors of their thread-locals. Nothing is lost, and those
/// that come use the memory of those that went.
#[test]
fn threads_that_end_give_their_memory_back_and_lose_nothing() {
    thread_local! {
        static AT_EXIT: std::cell::RefCell<AtExit> = const { std::cell::RefCell::new(AtExit(Vec::new())) };
    }
    let _alone = alone();
    let before = loaded_count();
    TRACKER.start();
    let own = TRACKER.own_bytes();
    for _ in 0..300 {
        thread::spawn(|| {
            AT_EXIT.with_borrow_mut(|at_exit| at_exit.0.push("here".to_owned()));
            drop(vec![String::from("there"); 10]);
        })
        .join()
        .expect("no panic");
    }
    let own = TRACKER.own_bytes() - own;
    TRACKER.stop();
    let (trace, _) = loaded("threads.bin");
    let events = &trace.events().expect("decodes")[before..];
    assert!(events.len() > 300 * 60);
    assert!(own < events.len() * 4 + 200_000, "{own} bytes for {} events", events.len());
    let replay = replayed(events);
    assert_eq!((replay.unknown_frees(), replay.double_allocations()), (0, 0));
    let threads: std::collections::BTreeSet<u32> = events.iter().map(|e| e.thread).collect();
    assert!(threads.len() > 300, "each has a number of its own");
}

#[test]
fn tracking_can_be_switched_while_threads_allocate() {
    let _alone = alone();
    let done = AtomicBool::new(false);
    thread::scope(|threads| {
        for number in 0..THREADS {
            let done = &done;
            threads.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    std::hint::black_box(work_a_little(number));
                }
            });
        }
        for _ in 0..100 {
            TRACKER.start();
            thread::sleep(Duration::from_micros(300));
            TRACKER.stop();
        }
        done.store(true, Ordering::Relaxed);
    });
    let (trace, events) = loaded("switched.bin");
    assert_eq!(trace.events().expect("decodes").len() as u64, events);
}

fn work_a_little(number: usize) -> usize {
    let mut growing: Vec<usize> = Vec::new();
    (0..100).for_each(|i| growing.push(i * number));
    let texts: Vec<String> = growing.iter().map(usize::to_string).collect();
    texts.iter().map(String::len).sum()
}

/// Run by the next test in a process of its own, which has to end, whatever its threads do.
#[test]
#[ignore = "ends the process"]
fn exit_while_threads_allocate() {
    TRACKER.start();
    let running = Barrier::new(THREADS + 1);
    thread::scope(|threads| {
        for number in 0..THREADS {
            let running = &running;
            threads.spawn(move || {
                running.wait();
                loop {
                    std::hint::black_box(work_a_little(number));
                }
            });
        }
        running.wait();
        assert!(TRACKER.snapshot().event_count() > 0);
        std::process::exit(42);
    });
}

#[test]
fn a_process_ends_while_threads_allocate() {
    for _ in 0..10 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--ignored", "--exact", "exit_while_threads_allocate"])
            .spawn()
            .expect("starts");
        assert_eq!(within_a_minute(|| child.try_wait().expect("waits")).code(), Some(42));
    }
}

fn within_a_minute<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "deadlock");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A child has but the thread that forked; whatever the others were doing, it goes on recording, and
/// has all that was recorded before.
#[cfg(target_os = "linux")]
#[test]
fn a_child_process_goes_on_with_what_its_parent_recorded() {
    let _alone = alone();
    let before = loaded_count() as u64;
    TRACKER.start();
    let done = AtomicBool::new(false);
    thread::scope(|threads| {
        for number in 0..THREADS {
            let done = &done;
            threads.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    std::hint::black_box(work_a_little(number));
                    // Not too much to be read after each fork.
                    thread::sleep(Duration::from_millis(2));
                }
            });
        }
        for _ in 0..8 {
            let child = fork::fork(|| {
                let at_fork = TRACKER.snapshot().event_count();
                let texts: Vec<String> = (0..10_000).map(|i| i.to_string()).collect();
                let threads = thread::spawn(move || texts.len());
                let count = threads.join().unwrap_or(0);
                let after = TRACKER.snapshot().event_count();
                at_fork >= before && count == 10_000 && after > at_fork + 20_000
            });
            assert!(within_a_minute(|| child.ended()), "the child lost events");
        }
        done.store(true, Ordering::Relaxed);
    });
    TRACKER.stop();
}

#[cfg(target_os = "linux")]
mod fork {
    //! Only the C library forks.
    #![allow(unsafe_code)]

    pub(super) struct Child(libc::pid_t);

    /// Runs `f` in a child process, which ends with it.
    pub(super) fn fork(f: impl FnOnce() -> bool) -> Child {
        // SAFETY: the C library's allocator and locks are usable in the child; it ends without running
        // anything that belongs to the parent.
        match unsafe { libc::fork() } {
            0 => {
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
                // SAFETY: ends the process.
                unsafe { libc::_exit(if matches!(result, Ok(true)) { 0 } else { 1 }) }
            }
            child => {
                assert!(child > 0, "{}", std::io::Error::last_os_error());
                Child(child)
            }
        }
    }

    impl Child {
        /// Whether it succeeded; `None` while it runs.
        pub(super) fn ended(&self) -> Option<bool> {
            let mut status = 0;
            // SAFETY: a child of this process, and a place for its status.
            match unsafe { libc::waitpid(self.0, &raw mut status, libc::WNOHANG) } {
                0 => None,
                _ => Some(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0),
            }
        }
    }
}
