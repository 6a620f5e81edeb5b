//! The boards. Each has the same items:
//!
//! - `NAME`, QEMU's name of its machine; `SIZE`, how large its workload is; `HEAP_SIZE`, and `BUFFER_SIZE`
//!   of the recorder
//! - `TICKS_PER_SECOND`, `CLOCK_BITS` and `ticks()`, a clock that is never stopped
//! - `start()`, which starts clock and UART; `start_timer()` and `stop_timer()`, for an interrupt every
//!   millisecond that calls `timer::interrupt`
//! - `try_send(byte)`, `sent()` and `received()`, the UART; `uart_interrupt(on)`, for an interrupt that
//!   calls `drain::uart_interrupt` when the UART has room
//! - `core()`, which core is running
//! - `exit(success)`, which ends QEMU, and `reset()`

#[cfg(board = "virt")]
mod cores;
#[cfg(target_arch = "arm")]
mod cortex_m;
#[cfg(any(board = "mps2_an385", board = "mps2_an386"))]
mod mps2;

#[cfg_attr(board = "mps2_an385", path = "mps2_an385.rs")]
#[cfg_attr(board = "mps2_an386", path = "mps2_an386.rs")]
#[cfg_attr(board = "microbit", path = "microbit.rs")]
#[cfg_attr(board = "virt", path = "virt.rs")]
mod this;

pub(crate) use this::*;

use firmware_workload::Limits;

/// What fits a board's memory.
pub(crate) struct Size {
    pub(crate) limits: Limits,
    pub(crate) rounds: u32,
}

/// Which core is running.
#[cfg(target_arch = "arm")]
pub(crate) fn core() -> usize {
    0
}

/// Waits until the UART has sent these bytes.
pub(crate) fn send(bytes: &[u8]) {
    for &byte in bytes {
        while !try_send(byte) {}
    }
}
