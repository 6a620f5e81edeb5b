//! ARM's MPS2 boards: CMSDK timers and UART.

use super::cortex_m::enable_interrupt;
pub(crate) use super::cortex_m::{exit, reset};
use crate::register::Register;
use crate::timer;

const CLOCK: usize = 0x4000_0000;
const TIMER: usize = 0x4000_1000;
const TIMER_INTERRUPT: u32 = 9;
const UART: usize = 0x4000_4000;

/// Of a timer: control, what it counts down, where it begins again, interrupts to take back.
const CONTROL: usize = 0;
const VALUE: usize = 4;
const RELOAD: usize = 8;
const INTERRUPT: usize = 12;
const FREQUENCY: u32 = 25_000_000;

/// The clock has 32 bits, of which the lowest are finer than is needed.
const UNUSED_BITS: u32 = 5;
pub(crate) const CLOCK_BITS: u32 = 32 - UNUSED_BITS;
pub(crate) const TICKS_PER_SECOND: u64 = (FREQUENCY >> UNUSED_BITS) as u64;

const SEND_AND_RECEIVE: u32 = 3;

pub(crate) fn start() {
    Register(CLOCK + RELOAD).write(u32::MAX);
    // It wraps soon after the start, rather than for the first time when nobody looks.
    Register(CLOCK + VALUE).write(FREQUENCY / 100);
    Register(CLOCK + CONTROL).write(1);
    const BAUD_DIVIDER: usize = 16;
    Register(UART + BAUD_DIVIDER).write(FREQUENCY / 115_200);
    Register(UART + 8).write(SEND_AND_RECEIVE);
}

pub(crate) fn ticks() -> u64 {
    u64::from(!Register(CLOCK + VALUE).read() >> UNUSED_BITS)
}

pub(crate) fn start_timer() {
    const ENABLE_WITH_INTERRUPT: u32 = 1 | 1 << 3;
    Register(TIMER + RELOAD).write(FREQUENCY / 1000 - 1);
    Register(TIMER + VALUE).write(FREQUENCY / 1000 - 1);
    enable_interrupt(TIMER_INTERRUPT);
    Register(TIMER + CONTROL).write(ENABLE_WITH_INTERRUPT);
}

pub(crate) fn stop_timer() {
    Register(TIMER + CONTROL).write(0);
}

pub(super) fn interrupt(number: i16) {
    if number == TIMER_INTERRUPT as i16 {
        Register(TIMER + INTERRUPT).write(1);
        timer::interrupt();
    }
    #[cfg(any(feature = "interrupt", feature = "async"))]
    if number == UART_INTERRUPT as i16 {
        Register(UART + INTERRUPT).write(1);
        crate::drain::uart_interrupt();
    }
}

#[cfg(any(feature = "interrupt", feature = "async"))]
const UART_INTERRUPT: u32 = 1;

/// Whether the UART interrupts when it has room.
#[cfg(any(feature = "interrupt", feature = "async"))]
pub(crate) fn uart_interrupt(on: bool) {
    const INTERRUPT_WHEN_SENT: u32 = 4;
    Register(UART + 8).write(if on {
        SEND_AND_RECEIVE | INTERRUPT_WHEN_SENT
    } else {
        SEND_AND_RECEIVE
    });
    enable_interrupt(UART_INTERRUPT);
    if on && sent() {
        super::cortex_m::pend_interrupt(UART_INTERRUPT);
    }
}

/// Whether the UART has taken the last byte from us.
pub(crate) fn sent() -> bool {
    const FULL: u32 = 1;
    Register(UART + 4).read() & FULL == 0
}

/// False when the UART cannot take another byte yet.
pub(crate) fn try_send(byte: u8) -> bool {
    let ready = sent();
    if ready {
        Register(UART).write(byte.into());
    }
    ready
}

/// A byte that came.
pub(crate) fn received() -> Option<u8> {
    const ARRIVED: u32 = 2;
    (Register(UART + 4).read() & ARRIVED != 0).then(|| Register(UART).read() as u8)
}
