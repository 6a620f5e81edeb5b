//! Tracked by heapwire: every event with its time, thread, address and size.

use std::alloc::System;

use heapwire::{GlobalTracker, TrackedHeap};
use heapwire_tracking_bench::kept_by;

static TRACKER: GlobalTracker = GlobalTracker::new();

#[global_allocator]
static HEAP: TrackedHeap<System, &GlobalTracker> = TrackedHeap::new(System, &TRACKER);

fn main() {
    TRACKER.start();
    heapwire_tracking_bench::run(|| kept_by(&TRACKER));
}
