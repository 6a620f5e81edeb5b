//! The two cores of `virt`, of which most variants use one. With `memory`, `register` and `logger`, one of
//! the files with unsafe code: critical sections hold back interrupts on one core, and the other core.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};

use critical_section::RawRestoreState;
use riscv::register::{mhartid, mstatus};

/// Which core is running, from 0.
pub(crate) fn core() -> usize {
    mhartid::read()
}

struct Section;

critical_section::set_impl!(Section);

/// The core that is in a critical section, from 1.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// What `acquire` says: within a critical section already; or how it was with interrupts.
const NESTED: u8 = 0;
const DISABLED: u8 = 1;
const ENABLED: u8 = 2;

// SAFETY: from `acquire` to the outermost `release` interrupts of this core are disabled, and the other core
// waits for the owner to give up. What either wrote before that, the other sees after.
unsafe impl critical_section::Impl for Section {
    unsafe fn acquire() -> RawRestoreState {
        let enabled = mstatus::read().mie();
        riscv::interrupt::disable();
        let this = core() as u32 + 1;
        if OWNER.load(Ordering::Relaxed) == this {
            return NESTED;
        }
        while OWNER.compare_exchange(0, this, Ordering::Acquire, Ordering::Relaxed).is_err() {
            spin_loop();
        }
        if enabled { ENABLED } else { DISABLED }
    }

    unsafe fn release(state: RawRestoreState) {
        if state != NESTED {
            OWNER.store(0, Ordering::Release);
        }
        if state == ENABLED {
            // SAFETY: they were enabled before.
            unsafe { riscv::interrupt::enable() };
        }
    }
}

/// The software interrupt of the second core.
#[cfg(feature = "harts")]
const WAKE: crate::register::Register = crate::register::Register(0x0200_0004);

/// Before variables have their values: the first core gives them these, the second waits for the first.
#[cfg(feature = "harts")]
#[unsafe(export_name = "_mp_hook")]
extern "Rust" fn is_first(core: usize) -> bool {
    use riscv::register::{mie, mip};

    if core > 0 {
        WAKE.write(0);
        // SAFETY: interrupts are disabled: this one only ends the wait.
        unsafe { mie::set_msoft() };
        while !mip::read().msoft() {
            riscv::asm::wfi();
        }
        // SAFETY: as above.
        unsafe { mie::clear_msoft() };
        WAKE.write(0);
    }
    core == 0
}

/// Has the second core begin, if it is listening.
#[cfg(feature = "harts")]
pub(crate) fn wake_second() {
    WAKE.write(1);
}
