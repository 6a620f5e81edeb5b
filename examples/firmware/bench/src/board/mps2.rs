//! An MPS2 with a Cortex-M3 or M4F (`mps2-an385`, `mps2-an386`), which runs a Cortex-M0's code, too.
//!
//! Under `-icount shift=10` an instruction takes 1024 ns of the emulator's time, whatever the host
//! does, and timer 0 counts at 25 MHz. So differences of its value tell instructions exactly.

use core::arch::asm;

use critical_section::RawRestoreState;

use super::{NoInterrupts, read, write};

/// CMSDK timer 0: control, value, reload.
const TIMER: usize = 0x4000_0000;
/// CMSDK UARTs: data, state, control, interrupts, divider. The first carries what coders send, the
/// second what they were given.
const UARTS: [usize; 2] = [0x4000_4000, 0x4000_5000];
/// Memory that no linker script knows of, for a heap: its blocks lie where they do in every build.
pub const HEAP_START: usize = 0x2100_0000;
const NANOSECONDS_PER_TICK: u64 = 40;
const NANOSECONDS_PER_INSTRUCTION: u64 = 1024;

/// Starts the timer and the UARTs.
pub fn start() {
    write(TIMER + 8, u32::MAX);
    write(TIMER + 4, u32::MAX);
    write(TIMER, 1);
    for uart in UARTS {
        write(uart + 16, 16);
        write(uart + 8, 1);
    }
}

// SAFETY: one core, and interrupts are disabled from `acquire` to the outermost `release`.
unsafe impl critical_section::Impl for NoInterrupts {
    unsafe fn acquire() -> RawRestoreState {
        let masked: u32;
        // SAFETY: disabling interrupts harms nobody.
        unsafe { asm!("mrs {}, PRIMASK", "cpsid i", out(reg) masked, options(nostack)) };
        masked & 1 == 0
    }

    unsafe fn release(were_enabled: RawRestoreState) {
        if were_enabled {
            // SAFETY: they were enabled before.
            unsafe { asm!("cpsie i", options(nostack)) };
        }
    }
}

/// A moment, on a clock of instructions.
#[derive(Clone, Copy, Debug)]
pub struct Moment(u32);

impl Moment {
    #[inline(always)]
    pub fn now() -> Self {
        Self(read(TIMER + 4))
    }

    /// Instructions from `earlier` to this moment; at most 160 million.
    pub fn since(self, earlier: Self) -> u32 {
        let ticks = u64::from(earlier.0.wrapping_sub(self.0));
        ((ticks * NANOSECONDS_PER_TICK + NANOSECONDS_PER_INSTRUCTION / 2)
            / NANOSECONDS_PER_INSTRUCTION) as u32
    }
}

/// Sends bytes on a UART.
pub fn send(uart: usize, bytes: &[u8]) {
    const TRANSMIT_FULL: u32 = 1;
    let Some(&uart) = UARTS.get(uart) else { return };
    for &byte in bytes {
        while read(uart + 4) & TRANSMIT_FULL != 0 {}
        write(uart, u32::from(byte));
    }
}

#[inline(always)]
pub(super) fn stack_pointer() -> usize {
    let top: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, sp", out(reg) top, options(nomem, nostack, preserves_flags)) };
    top
}

/// Ends the emulation. Needs no string and no formatting, so that it weighs next to nothing.
pub fn exit(success: bool) -> ! {
    const SYS_EXIT: u32 = 0x18;
    const STOPPED: u32 = 0x20026;
    const RUN_TIME_ERROR: u32 = 0x20023;
    let reason = if success { STOPPED } else { RUN_TIME_ERROR };
    loop {
        // SAFETY: the semihosting call that ends the program.
        unsafe { asm!("bkpt 0xAB", inout("r0") SYS_EXIT => _, in("r1") reason, options(nostack)) }
    }
}
