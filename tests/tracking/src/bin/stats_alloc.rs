//! Tracked by stats_alloc: counts and bytes, no events.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let region = Region::new(HEAP);
    heapwire_tracking_bench::run(|| {
        std::hint::black_box(region.change());
        None
    });
}
