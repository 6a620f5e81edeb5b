//! What the tracker keeps of a whole workload: every event, in an order that makes sense, in few bytes.

use std::alloc::System;
use std::thread;

use heapwire::trace::replay::Replay;
use heapwire::{
    BinaryExport, GlobalTracker, IntegratedBinaryExporter, IntegratedConfig, TrackedHeap,
};
use heapwire_tracking_bench::{kept_by, workload};

static TRACKER: GlobalTracker = GlobalTracker::new();

#[global_allocator]
static HEAP: TrackedHeap<System, &GlobalTracker> = TrackedHeap::new(System, &TRACKER);

#[test]
fn an_event_takes_at_most_four_bytes() {
    TRACKER.start();
    let threads: Vec<_> =
        (0..4).map(|seed| thread::spawn(move || workload::run(seed, 6))).collect();
    threads.into_iter().for_each(|thread| assert!(thread.join().is_ok()));
    let kept = kept_by(&TRACKER).expect("it kept events");
    let bytes = kept.bytes as f64 / kept.events as f64;
    println!("{bytes:.2} bytes of memory for each of {} events", kept.events);
    assert!(kept.events > 1_000_000);
    assert!(bytes <= 4.0, "{bytes}");

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kept.hwcap");
    let exported = BinaryExport::export_default(&TRACKER, &path).expect("exports, and reads back");
    assert_eq!(exported.events, kept.events);
    let exporter = IntegratedBinaryExporter::new(IntegratedConfig::default());
    let mut replay = Replay::new();
    let trace = exporter.load(&path).expect("loads");
    for event in trace.events().expect("decodes") {
        replay.event(&event);
    }
    assert_eq!((replay.unknown_frees(), replay.double_allocations()), (0, 0));
}
