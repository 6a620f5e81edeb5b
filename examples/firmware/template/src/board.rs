//! What to write for a board of one's own; this is an MPS2 with a Cortex-M3, QEMU's `mps2-an385`.

use core::convert::Infallible;
use embedded_io::{ErrorType, Write};
use heapwire_core::Placement;

/// The allocator, and where it puts blocks.
pub use embedded_alloc::LlffHeap as Heap;
pub const PLACEMENT: Placement = Placement::LINKED_LIST_32;
pub const HEAP_SIZE: usize = 16 * 1024;

/// Registers of a timer that counts down: control, value, reload; and of a UART: data, state, control,
/// divider.
const TIMER: [usize; 3] = [0x4000_0000, 0x4000_0004, 0x4000_0008];
const UART: [usize; 4] = [0x4000_4000, 0x4000_4004, 0x4000_4008, 0x4000_4010];
pub const TICKS_PER_SECOND: u64 = 25_000_000;
pub const CLOCK_BITS: u32 = 32;

fn write(register: usize, value: u32) {
    // SAFETY: called with the addresses of this board's registers only.
    unsafe { (register as *mut u32).write_volatile(value) }
}

fn read(register: usize) -> u32 {
    // SAFETY: as in `write`.
    unsafe { (register as *const u32).read_volatile() }
}

/// Starts the clock and the UART.
pub fn start() {
    for (register, value) in [(TIMER[2], u32::MAX), (TIMER[0], 1), (UART[3], 16), (UART[2], 1)] {
        write(register, value);
    }
}

/// The clock, which counts up.
pub fn ticks() -> u64 {
    (!read(TIMER[1])).into()
}

pub struct Uart;

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for byte in bytes {
            while read(UART[1]) & 1 != 0 {} // no room for a byte
            write(UART[0], (*byte).into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
