//! Tracked by heapwire: every event, and the call stacks of allocations by frame pointers.

use std::alloc::System;

use heapwire::{GlobalTracker, TrackedHeap};
use heapwire_tracking_bench::kept_by;

static TRACKER: GlobalTracker = GlobalTracker::new();

#[global_allocator]
static HEAP: TrackedHeap<System, &GlobalTracker> = TrackedHeap::new(System, &TRACKER);

fn main() {
    assert!(TRACKER.start_with_stacks(), "call stacks are to be had on this system");
    heapwire_tracking_bench::run(|| kept_by(&TRACKER));
}
