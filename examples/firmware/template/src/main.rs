//! A tracked heap on a board of one's own. `board.rs` is what to write; this is the same on every board, but for the
//! work.
#![no_std]
#![no_main]

extern crate alloc;

mod board;

use alloc::format;
use alloc::vec::Vec;
use core::panic::PanicInfo;

use board::Uart;
use cortex_m_rt::{ExceptionFrame, entry, exception};
use heapwire_core::{Device, Placement, Recorder, Session, TrackedHeap};

struct Board;

impl Device for Board {
    const PLACEMENT: Placement = board::PLACEMENT;
    const CLOCK_BITS: u32 = board::CLOCK_BITS;

    fn session() -> Session<'static> {
        Session {
            device: "template",
            build: env!("CARGO_PKG_VERSION"),
            ticks_per_second: board::TICKS_PER_SECOND,
            address_bits: 32,
        }
    }

    fn ticks() -> u64 {
        board::ticks()
    }
}

/// Four buffers of 236 bytes; names for up to 16 scopes, gauges and marks.
static RECORDER: Recorder<Board, 236, 4> = Recorder::new();

#[global_allocator]
static HEAP: TrackedHeap<board::Heap, &Recorder<Board, 236, 4>> =
    TrackedHeap::new(board::Heap::empty(), &RECORDER);

#[entry]
fn main() -> ! {
    board::start();
    let heap = HEAP.heap();
    // SAFETY: once, before the first allocation.
    unsafe {
        embedded_alloc::init!(heap, board::HEAP_SIZE);
    }
    RECORDER.start();
    let mut kept = Vec::new();
    for round in 0_u32.. {
        {
            let _scope = RECORDER.scope("log::line");
            let line = format!("round {round}");
            if round % 100 == 0 {
                kept.push(line); // forgotten
            }
        }
        if round % 10 == 0 {
            RECORDER.gauge("lines kept", kept.len() as i64);
            RECORDER.flush();
        }
        // A UART does not fail; where a line may, the chunk that it refused is counted as lost.
        let _ = RECORDER.drain(&mut Uart);
    }
    unreachable!()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    let _ = RECORDER.last_words(&mut Uart);
    loop {
        cortex_m::asm::wfi();
    }
}

// SAFETY: it never returns.
#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    let _ = RECORDER.last_words(&mut Uart);
    loop {
        cortex_m::asm::wfi();
    }
}
