//! Tracked by tracking-allocator, with a tracker that counts: no events are kept.

use std::alloc::System;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracking_allocator::{AllocationGroupId, AllocationRegistry, AllocationTracker, Allocator};

#[global_allocator]
static HEAP: Allocator<System> = Allocator::system();

#[derive(Default)]
struct Counter {
    allocated: AtomicUsize,
    deallocated: AtomicUsize,
}

impl AllocationTracker for Counter {
    fn allocated(&self, _: usize, object_size: usize, _: usize, _: AllocationGroupId) {
        self.allocated.fetch_add(object_size, Ordering::Relaxed);
    }

    fn deallocated(
        &self,
        _: usize,
        object_size: usize,
        _: usize,
        _: AllocationGroupId,
        _: AllocationGroupId,
    ) {
        self.deallocated.fetch_add(object_size, Ordering::Relaxed);
    }
}

fn main() {
    AllocationRegistry::set_global_tracker(Counter::default()).expect("the first tracker");
    AllocationRegistry::enable_tracking();
    heapwire_tracking_bench::run(|| None);
    AllocationRegistry::disable_tracking();
}
