//! A whole program under the `GlobalTracker`: this one. Its global allocator reports every allocation.

use std::alloc::System;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use heapwire::trace::capture::Trace;
use heapwire::trace::replay::Replay;
use heapwire::{
    BinaryExport, GlobalTracker, IntegratedBinaryExporter, IntegratedConfig, TrackedHeap,
    validate_binary_file,
};
use heapwire_core::{Event, EventKind, NameKind};

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

fn loaded(name: &str) -> (Trace, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    let result = BinaryExport::export_default(&TRACKER, &path).expect("exports, and reads back");
    let report = validate_binary_file(&path).expect("reads");
    assert!(report.is_valid, "{:?}", report.errors);
    assert_eq!(report.warnings, []);
    let exporter = IntegratedBinaryExporter::new(IntegratedConfig::default());
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
            // What the export's caller gets and frees is the program's own, and recorded.
            drop(loaded("between.bin"));
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
    use heapwire_core::HeapObserver;
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
    BinaryExport::export_default(&RACING, &path).expect("exports, and reads back");
    let exporter = IntegratedBinaryExporter::new(IntegratedConfig::default());
    let events = exporter.load(&path).expect("loads").events().expect("decodes");
    let kinds: Vec<EventKind> = events.iter().take(4).map(|event: &Event| event.kind).collect();
    assert!(matches!(kinds[2], EventKind::Realloc { old: 0x1000, address: 0x2000, .. }));
}
