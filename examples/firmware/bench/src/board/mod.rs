//! The board that QEMU emulates. The files of this folder are the ones with unsafe code: registers, the
//! stack, the way out.

#[cfg_attr(target_arch = "arm", path = "mps2.rs")]
#[cfg_attr(target_arch = "riscv32", path = "virt.rs")]
mod this;

pub use this::*;

use core::cell::UnsafeCell;

/// Sections without interrupts, as those of the architectures' crates are, but without their fences, which
/// may panic when they are not optimized.
struct NoInterrupts;

critical_section::set_impl!(NoInterrupts);

fn write(register: usize, value: u32) {
    // SAFETY: called with the addresses of this board's registers only.
    unsafe { (register as *mut u32).write_volatile(value) }
}

#[cfg(target_arch = "arm")]
fn read(register: usize) -> u32 {
    // SAFETY: as in `write`.
    unsafe { (register as *const u32).read_volatile() }
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

/// Bytes below the stack pointer that [`stack_used_by`] looks at.
const PAINTED: usize = 4096;
const PAINT: u32 = 0xDEC0_DED5;

/// Calls `f` and returns how many bytes of stack it used: those below are painted before and looked
/// at after.
#[inline(never)]
pub fn stack_used_by(f: impl FnOnce()) -> usize {
    let top = this::stack_pointer();
    // SAFETY: what lies below the stack pointer belongs to nobody: no interrupt is enabled, and between
    // here and the last look only `f` calls anything.
    unsafe {
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
