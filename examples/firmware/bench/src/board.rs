//! The board: an MPS2 with a Cortex-M3 as QEMU emulates it (`mps2-an385`), and the one file with
//! unsafe code: registers, the stack, the way out.
//!
//! Under `-icount shift=10` an instruction takes 1024 ns of the emulator's time, whatever the host
//! does, and timer 0 counts at 25 MHz. So differences of its value tell instructions exactly.

use core::arch::asm;
use core::cell::UnsafeCell;

use critical_section::RawRestoreState;

/// CMSDK timer 0: control, value, reload.
const TIMER: usize = 0x4000_0000;
/// CMSDK UARTs: data, state, control, interrupts, divider. The first carries what coders send, the
/// second what they were given.
const UARTS: [usize; 2] = [0x4000_4000, 0x4000_5000];
/// Memory that no linker script knows of, for a heap: its blocks lie where they do in every build.
pub const HEAP_START: usize = 0x2100_0000;
const NANOSECONDS_PER_TICK: u64 = 40;
const NANOSECONDS_PER_INSTRUCTION: u64 = 1024;

fn write(register: usize, value: u32) {
    // SAFETY: called with the addresses of this board's registers only.
    unsafe { (register as *mut u32).write_volatile(value) }
}

fn read(register: usize) -> u32 {
    // SAFETY: as in `write`.
    unsafe { (register as *const u32).read_volatile() }
}

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

/// The time of a trace, as a timer's register would show it.
struct TimeRegister(UnsafeCell<u32>);

// SAFETY: only ever read and written whole, as a register is.
unsafe impl Sync for TimeRegister {}

static TIME: TimeRegister = TimeRegister(UnsafeCell::new(0));

pub fn set_time(time: u32) {
    // SAFETY: nobody holds a reference to it.
    unsafe { TIME.0.get().write_volatile(time) }
}

#[inline]
#[must_use]
pub fn time() -> u32 {
    // SAFETY: as in `set_time`.
    unsafe { TIME.0.get().read_volatile() }
}

/// Sections without interrupts, as cortex-m's are, but without its fences, which may panic when they are
/// not optimized.
struct NoInterrupts;

critical_section::set_impl!(NoInterrupts);

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

/// Bytes below the stack pointer that [`stack_used_by`] looks at.
const PAINTED: usize = 4096;
const PAINT: u32 = 0xDEC0_DED5;

/// Calls `f` and returns how many bytes of stack it used: those below are painted before and looked
/// at after.
#[inline(never)]
pub fn stack_used_by(f: impl FnOnce()) -> usize {
    let top: usize;
    // SAFETY: reads the stack pointer. What lies below it belongs to nobody: no interrupt is enabled,
    // and between here and the last look only `f` calls anything.
    unsafe {
        asm!("mov {}, sp", out(reg) top, options(nomem, nostack, preserves_flags));
        for at in (top - PAINTED..top).step_by(4) {
            (at as *mut u32).write_volatile(PAINT);
        }
        f();
        let untouched = (top - PAINTED..top)
            .step_by(4)
            .take_while(|&at| (at as *const u32).read_volatile() == PAINT)
            .count();
        PAINTED - 4 * untouched
    }
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

/// What the panic handler of a program that never panics calls. There is no such function, so the
/// linker tells when a panic path is left.
#[cfg(not(feature = "panics"))]
pub fn panicked() -> ! {
    unsafe extern "Rust" {
        fn a_panic_path_is_left() -> !;
    }
    // SAFETY: a program that could get here is not linked.
    unsafe { a_panic_path_is_left() }
}

/// Stops.
#[cfg(feature = "panics")]
pub fn panicked() -> ! {
    exit(false)
}
