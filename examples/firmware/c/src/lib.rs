//! The recorder behind `heapwire.h`. Set what is below as your device needs it.
#![no_std]

mod ffi;

use heapwire_core::{Device, Placement, Recorder, Session};

/// Bytes of events in a chunk, and buffers: one is filled while the others wait to be sent.
const SIZE: usize = 236;
const BUFFERS: usize = 4;
/// Scopes, gauges, marks and threads that have names.
const NAMES: usize = 32;

/// The program that records.
struct Program;

impl Device for Program {
    /// Where newlib and FreeRTOS put blocks; on the host, glibc.
    const PLACEMENT: Placement =
        if usize::BITS == 64 { Placement::GLIBC_64 } else { Placement::EMBEDDED_32 };

    fn session() -> Session<'static> {
        Session {
            device: "c program",
            build: env!("CARGO_PKG_VERSION"),
            ticks_per_second: 1_000_000,
            address_bits: usize::BITS as u8,
        }
    }

    fn epoch() -> u32 {
        ffi::epoch()
    }

    fn ticks() -> u64 {
        ffi::ticks()
    }

    fn thread() -> Option<u32> {
        Some(ffi::thread())
    }
}

static RECORDER: Recorder<Program, SIZE, BUFFERS, NAMES> = Recorder::new();
