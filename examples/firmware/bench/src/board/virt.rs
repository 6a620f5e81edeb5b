//! QEMU's RISC-V machine (`virt`). Under `-icount shift=0` its counter of instructions is exact.

use core::arch::asm;

use critical_section::RawRestoreState;

use super::{NoInterrupts, write};

/// A 16550: data, and the state of the line 5 bytes on.
const UART: usize = 0x1000_0000;
/// Ends the emulation.
const TEST: usize = 0x0010_0000;

pub fn start() {}

/// The bit of `mstatus` that lets interrupts through.
const ENABLED: usize = 8;

// SAFETY: one core, and interrupts are disabled from `acquire` to the outermost `release`.
unsafe impl critical_section::Impl for NoInterrupts {
    unsafe fn acquire() -> RawRestoreState {
        let former: usize;
        // SAFETY: disabling interrupts harms nobody.
        unsafe { asm!("csrrci {}, mstatus, 8", out(reg) former, options(nostack)) };
        former & ENABLED != 0
    }

    unsafe fn release(were_enabled: RawRestoreState) {
        if were_enabled {
            // SAFETY: they were enabled before.
            unsafe { asm!("csrsi mstatus, 8", options(nostack)) };
        }
    }
}

/// A moment, on a clock of instructions.
#[derive(Clone, Copy, Debug)]
pub struct Moment(u32);

impl Moment {
    #[inline(always)]
    pub fn now() -> Self {
        let count: u32;
        // SAFETY: reads a counter.
        unsafe { asm!("csrr {}, minstret", out(reg) count, options(nostack)) };
        Self(count)
    }

    /// Instructions from `earlier` to this moment.
    pub fn since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
}

/// Sends bytes on the UART, of which there is only the first.
pub fn send(_uart: usize, bytes: &[u8]) {
    const EMPTY: u8 = 1 << 5;
    for &byte in bytes {
        // SAFETY: the UART's registers, which have a byte each.
        unsafe {
            while ((UART + 5) as *const u8).read_volatile() & EMPTY == 0 {}
            (UART as *mut u8).write_volatile(byte);
        }
    }
}

#[inline(always)]
pub(super) fn stack_pointer() -> usize {
    let top: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mv {}, sp", out(reg) top, options(nomem, nostack, preserves_flags)) };
    top
}

/// Ends the emulation.
pub fn exit(success: bool) -> ! {
    const PASS: u32 = 0x5555;
    const FAIL: u32 = 1 << 16 | 0x3333;
    loop {
        write(TEST, if success { PASS } else { FAIL });
    }
}
