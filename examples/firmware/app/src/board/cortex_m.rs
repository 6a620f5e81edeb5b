//! What all Cortex-M boards have in common.

use cortex_m_rt::exception;
use cortex_m_semihosting::debug;

use crate::register::Register;

/// Which interrupts are let through.
const ENABLED: Register = Register(0xE000_E100);

pub(crate) fn enable_interrupt(number: u32) {
    ENABLED.write(1 << number);
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
