//! esp-alloc's hooks report to a recorder: esp-alloc is the global allocator, and what goes past it (the
//! `malloc` of radio drivers) is recorded as well. Copy this file into your firmware and set the device.
#![no_std]

use esp_alloc::export::enumset::EnumSet;
use esp_alloc::{EspHeap, MemoryCapability};
use heapwire_core::{Device, HeapObserver, Placement, Recorder, Session};

/// Your device.
#[derive(Debug)]
pub struct Board;

impl Device for Board {
    // esp-alloc's default, linked_list_allocator.
    const PLACEMENT: Placement = Placement::LINKED_LIST_32;

    fn session() -> Session<'static> {
        Session { device: "esp32c6", build: "1", ticks_per_second: 1_000_000, address_bits: 32 }
    }

    /// With esp-hal: `Instant::now().duration_since_epoch().as_micros()`.
    fn ticks() -> u64 {
        0
    }
}

/// To be started, flushed and drained by your firmware.
pub static RECORDER: Recorder<Board, 236, 4> = Recorder::new();

/// Called after each attempt to allocate; 0 when it failed. esp-alloc reports a reallocation as an allocation
/// and a free.
#[unsafe(no_mangle)]
fn _esp_alloc_alloc(_: &EspHeap, _: EnumSet<MemoryCapability>, address: usize, size: usize) {
    match address {
        0 => RECORDER.failed(size),
        _ => RECORDER.allocated(address, size),
    }
}

/// Called before each free.
#[unsafe(no_mangle)]
fn _esp_alloc_dealloc(_: &EspHeap, address: usize, size: usize) {
    if address != 0 {
        RECORDER.freed(address, size);
    }
}
