//! The shortest way from an allocation to a file that is known to be right.
//!
//! Run it with `cargo run -p heapwire-examples --bin quick_start`, then look at what it wrote with
//! `cargo run --release -- info quick_start.hwcap`.

use std::error::Error;

use heapwire::{BinaryExport, MemoryTracker, validate_binary_file};

fn main() -> Result<(), Box<dyn Error>> {
    let tracker = MemoryTracker::new();

    // A tracker is told what happens: an address and a size, as an allocator would know them.
    tracker.track_allocation(0x5000, 64);
    tracker.associate_var(0x5000, "line", "String");
    tracker.track_allocation(0x6000, 4096);
    tracker.track_deallocation(0x5000);

    // One line exports everything. The file appears whole or not at all.
    let result = BinaryExport::export_default(&tracker, "quick_start.hwcap")?;
    println!("exported {} events in {} bytes", result.events, result.bytes_written);
    assert_eq!(result.events, 4);

    // Every byte is checked: checksums, counts, and that each event decodes.
    let report = validate_binary_file("quick_start.hwcap")?;
    assert!(report.is_valid, "{:?}", report.errors);
    println!("the file is valid");
    Ok(())
}
