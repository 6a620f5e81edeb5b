//! What all Cortex-M boards have in common.

use cortex_m_rt::{ExceptionFrame, exception};
use cortex_m_semihosting::debug;

use crate::register::Register;

/// Which interrupts are let through.
const ENABLED: Register = Register(0xE000_E100);
#[cfg(any(feature = "interrupt", feature = "async"))]
const PENDING: Register = Register(0xE000_E200);

pub(crate) fn enable_interrupt(number: u32) {
    ENABLED.write(1 << number);
}

/// Has an interrupt come as soon as it may.
#[cfg(any(feature = "interrupt", feature = "async"))]
pub(crate) fn pend_interrupt(number: u32) {
    PENDING.write(1 << number);
}

/// All interrupts of peripherals: no other handler is defined.
#[exception]
unsafe fn DefaultHandler(number: i16) {
    super::interrupt(number);
}

/// Ends QEMU.
pub(crate) fn exit(success: bool) -> ! {
    debug::exit(if success { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

/// Starts anew, with the memory as it is.
pub(crate) fn reset() -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}

/// Bus faults and all others.
#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    crate::last_words(format_args!("hard fault"))
}
