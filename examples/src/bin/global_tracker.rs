//! A whole program under observation: every allocation goes through the tracking global allocator,
//! and at the end the program tells who allocated most, and what was never freed.
//!
//! Run it with `cargo run -p heapwire-examples --bin global_tracker`.

use std::alloc::System;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::error::Error;

use heapwire::trace::Item;
use heapwire::trace::replay::{Fate, Replay};
use heapwire::{
    BinaryExport, GlobalTracker, IntegratedBinaryExporter, IntegratedConfig, TrackedHeap,
};

/// Where the allocator reports to. It records nothing until it is started.
static TRACKER: GlobalTracker = GlobalTracker::new();

/// The system's allocator, wrapped: this line is all that a program needs.
#[global_allocator]
static HEAP: TrackedHeap<System, &GlobalTracker> = TrackedHeap::new(System, &TRACKER);

const TEXT: &str = "the heap grows where the program grows and the heap tells where that is";

const LEAKED: usize = 1000;

/// The program: counts words, and forgets a buffer.
fn count_words(text: &str) -> BTreeMap<String, usize> {
    let words: Vec<String> = {
        // A scope names the site of all that this thread allocates while it lives.
        let _scope = TRACKER.scope("split into words");
        text.split(' ').map(str::to_owned).collect()
    };
    let _scope = TRACKER.scope("count words");
    let mut counts = BTreeMap::new();
    for word in &words {
        *counts.entry(word.clone()).or_insert(0) += 1;
    }
    counts
}

fn main() -> Result<(), Box<dyn Error>> {
    TRACKER.start();
    let text = TEXT.repeat(200);
    let counts = count_words(&text);
    let most = counts.values().max().copied().unwrap_or(0);
    {
        let _scope = TRACKER.scope("cache that nobody empties");
        std::mem::forget(vec![0_u8; LEAKED]);
    }
    drop((text, counts));
    TRACKER.stop();
    println!("the most frequent word was there {most} times");

    // Store what was recorded, and load it as any other program could.
    let path = "global_tracker.hwcap";
    let result = BinaryExport::export_default(&TRACKER, path)?;
    println!("{} events in {} bytes\n", result.events, result.bytes_written);
    let trace = IntegratedBinaryExporter::new(IntegratedConfig::default()).load(path)?;

    // Replaying the events answers; the symbols know what the numbers of sites stand for.
    let mut replay = Replay::new();
    trace.for_each(|item| {
        if let Item::Event(event) = item {
            replay.event(&event);
        }
        Ok(())
    })?;
    let symbols = trace.symbols();

    println!("sites by bytes; the most at one time were {} bytes", replay.peak().bytes);
    let mut sites: Vec<_> = replay.sites().collect();
    sites.sort_by_key(|(_, totals)| Reverse(totals.bytes));
    for (site, totals) in sites.iter().take(5) {
        let name = symbols.site(*site).to_string();
        println!("  {name:<28} {:>6} bytes in {} blocks", totals.bytes, totals.allocations);
    }

    println!("never freed");
    let leaks = replay.unfreed();
    for leak in &leaks {
        let name = symbols.site(leak.site).to_string();
        println!("  {name:<28} {:>6} bytes in {} blocks", leak.bytes, leak.blocks);
    }

    let found = leaks.iter().any(|leak| {
        let name = symbols.site(leak.site).to_string();
        let all_of_it =
            (leak.fate, leak.blocks, leak.bytes) == (Fate::NeverFreed, 1, LEAKED as u64);
        name == "cache that nobody empties" && all_of_it
    });
    assert!(found, "the leak was not found: {leaks:?}");
    Ok(())
}
