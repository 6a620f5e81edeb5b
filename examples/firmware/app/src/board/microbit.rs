//! The BBC micro:bit, `microbit`: an nRF51822 with a Cortex-M0, which has no compare-and-swap, and
//! 16 KiB of memory.

pub(crate) use super::cortex_m::{exit, reset};
use core::sync::atomic::{AtomicBool, Ordering};

use super::Size;
use super::cortex_m::enable_interrupt;
use crate::register::Register;
use crate::timer;
use firmware_workload::Limits;

pub(crate) const NAME: &str = "microbit";
pub(crate) const SIZE: Size = Size { limits: Limits::TIGHT, rounds: 40 };
pub(crate) const HEAP_SIZE: usize = 7 * 1024;
pub(crate) const BUFFER_SIZE: usize = 120;

const UART: usize = 0x4000_2000;
const CLOCK: usize = 0x4000_8000;
const TIMER: usize = 0x4000_9000;
const TIMER_INTERRUPT: u32 = 9;

/// Of a timer: tasks, events, and the rest.
const START: usize = 0;
const STOP: usize = 4;
const CAPTURE: usize = 0x40;
const COMPARED: usize = 0x140;
const SHORTCUTS: usize = 0x200;
const ENABLE_INTERRUPTS: usize = 0x304;
const WIDTH: usize = 0x508;
const PRESCALER: usize = 0x510;
const COMPARE: usize = 0x540;

/// 16 MHz by 2 to the power of this make microseconds.
const MICROSECONDS: u32 = 4;
pub(crate) const CLOCK_BITS: u32 = 32;
pub(crate) const TICKS_PER_SECOND: u64 = 1_000_000;

pub(crate) fn start() {
    const BITS_32: u32 = 3;
    Register(CLOCK + WIDTH).write(BITS_32);
    Register(CLOCK + PRESCALER).write(MICROSECONDS);
    Register(CLOCK + START).write(1);
    const ENABLE: usize = 0x500;
    const ENABLED: u32 = 4;
    const BAUD_RATE: usize = 0x524;
    const BAUD_115200: u32 = 0x01D7_E000;
    Register(UART + BAUD_RATE).write(BAUD_115200);
    Register(UART + ENABLE).write(ENABLED);
    const START_RECEIVER: usize = 0;
    const START_TRANSMITTER: usize = 8;
    Register(UART + START_RECEIVER).write(1);
    Register(UART + START_TRANSMITTER).write(1);
}

pub(crate) fn ticks() -> u64 {
    // The value captured is read before an interrupt captures another.
    critical_section::with(|_| {
        Register(CLOCK + CAPTURE).write(1);
        Register(CLOCK + COMPARE).read().into()
    })
}

pub(crate) fn start_timer() {
    const BITS_16: u32 = 0;
    const CLEAR_WHEN_COMPARED: u32 = 1;
    const WHEN_COMPARED: u32 = 1 << 16;
    Register(TIMER + WIDTH).write(BITS_16);
    Register(TIMER + PRESCALER).write(MICROSECONDS);
    Register(TIMER + COMPARE).write(1000);
    Register(TIMER + SHORTCUTS).write(CLEAR_WHEN_COMPARED);
    Register(TIMER + ENABLE_INTERRUPTS).write(WHEN_COMPARED);
    enable_interrupt(TIMER_INTERRUPT);
    Register(TIMER + START).write(1);
}

pub(crate) fn stop_timer() {
    Register(TIMER + STOP).write(1);
}

pub(super) fn interrupt(number: i16) {
    if number == TIMER_INTERRUPT as i16 {
        Register(TIMER + COMPARED).write(0);
        timer::interrupt();
    }
    #[cfg(feature = "interrupt")]
    if number == UART_INTERRUPT as i16 {
        crate::drain::uart_interrupt();
    }
}

#[cfg(feature = "interrupt")]
const UART_INTERRUPT: u32 = 2;

/// Whether the UART interrupts when it has room.
#[cfg(feature = "interrupt")]
pub(crate) fn uart_interrupt(on: bool) {
    const DISABLE_INTERRUPTS: usize = 0x308;
    const WHEN_SENT: u32 = 1 << 7;
    Register(UART + if on { ENABLE_INTERRUPTS } else { DISABLE_INTERRUPTS }).write(WHEN_SENT);
    enable_interrupt(UART_INTERRUPT);
    if on && sent() {
        super::cortex_m::pend_interrupt(UART_INTERRUPT);
    }
}

/// Whether a byte was given to the UART.
static SENDING: AtomicBool = AtomicBool::new(false);
const SENT: Register = Register(UART + 0x11C);

/// Whether the UART has sent the last byte.
pub(crate) fn sent() -> bool {
    !SENDING.load(Ordering::Relaxed) || SENT.read() != 0
}

/// False when the UART has not sent the last byte yet.
pub(crate) fn try_send(byte: u8) -> bool {
    const DATA: usize = 0x51C;
    let ready = sent();
    if ready {
        SENT.write(0);
        SENDING.store(true, Ordering::Relaxed);
        Register(UART + DATA).write(byte.into());
    }
    ready
}

/// A byte that came.
pub(crate) fn received() -> Option<u8> {
    const ARRIVED: usize = 0x108;
    const DATA: usize = 0x518;
    (Register(UART + ARRIVED).read() != 0).then(|| {
        Register(UART + ARRIVED).write(0);
        Register(UART + DATA).read() as u8
    })
}
