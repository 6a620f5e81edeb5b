//! QEMU's RISC-V machine, `virt`: a 16550, the standard's timer, and a device that ends the emulation.

use super::Size;
pub(crate) use super::cores::core;
#[cfg(feature = "harts")]
pub(crate) use super::cores::wake_second;
use crate::register::{ByteRegister, Register};
use crate::timer;
use firmware_workload::Limits;
use riscv::interrupt::Interrupt;
use riscv_rt::core_interrupt;

pub(crate) const NAME: &str = "virt";
pub(crate) const SIZE: Size = Size { limits: Limits::ROOMY, rounds: 60 };
pub(crate) const HEAP_SIZE: usize = 32 * 1024;
pub(crate) const BUFFER_SIZE: usize = 216;

const UART: usize = 0x1000_0000;
/// A 64-bit clock, and the time at which it interrupts the first core.
const TIME: usize = 0x0200_BFF8;
const TIME_COMPARED: usize = 0x0200_4000;
const FREQUENCY: u64 = 10_000_000;
const TEST: Register = Register(0x0010_0000);

const UNUSED_BITS: u32 = 3;
pub(crate) const CLOCK_BITS: u32 = 64 - UNUSED_BITS;
pub(crate) const TICKS_PER_SECOND: u64 = FREQUENCY >> UNUSED_BITS;

pub(crate) fn start() {
    const LINE_CONTROL: usize = 3;
    const BITS_8: u8 = 3;
    ByteRegister(UART + LINE_CONTROL).write(BITS_8);
}

fn time() -> u64 {
    loop {
        let high = Register(TIME + 4).read();
        let low = Register(TIME).read();
        if high == Register(TIME + 4).read() {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

pub(crate) fn ticks() -> u64 {
    time() >> UNUSED_BITS
}

fn interrupt_at(time: u64) {
    // Never a time in between that has come.
    Register(TIME_COMPARED + 4).write(u32::MAX);
    Register(TIME_COMPARED).write(time as u32);
    Register(TIME_COMPARED + 4).write((time >> 32) as u32);
}

pub(crate) fn start_timer() {
    interrupt_at(time() + FREQUENCY / 1000);
    crate::memory::enable_interrupts();
}

pub(crate) fn stop_timer() {
    interrupt_at(u64::MAX);
}

#[core_interrupt(Interrupt::MachineTimer)]
fn machine_timer() {
    interrupt_at(time() + FREQUENCY / 1000);
    timer::interrupt();
}

/// The interrupt controller: a priority for each, which are enabled, and which it is.
#[cfg(any(feature = "interrupt", feature = "async"))]
mod plic {
    use crate::register::Register;

    pub(super) const UART: u32 = 10;
    pub(super) const UART_PRIORITY: Register = Register(0x0C00_0000 + 4 * UART as usize);
    pub(super) const ENABLED: Register = Register(0x0C00_2000);
    pub(super) const CLAIM: Register = Register(0x0C20_0004);
}

/// Whether the UART interrupts when it has room.
#[cfg(any(feature = "interrupt", feature = "async"))]
pub(crate) fn uart_interrupt(on: bool) {
    const WHEN_SENT: u8 = 2;
    plic::UART_PRIORITY.write(1);
    plic::ENABLED.write(1 << plic::UART);
    // Turned on anew it interrupts at once if there is room.
    const INTERRUPTS: ByteRegister = ByteRegister(UART + 1);
    INTERRUPTS.write(0);
    if on {
        INTERRUPTS.write(WHEN_SENT);
    }
}

#[cfg(any(feature = "interrupt", feature = "async"))]
#[core_interrupt(Interrupt::MachineExternal)]
fn machine_external() {
    let claimed = plic::CLAIM.read();
    // Takes the interrupt back.
    let _ = ByteRegister(UART + 2).read();
    crate::drain::uart_interrupt();
    plic::CLAIM.write(claimed);
}

/// All exceptions.
#[unsafe(no_mangle)]
extern "C" fn ExceptionHandler() -> ! {
    crate::last_words(format_args!("exception"))
}

const LINE_STATE: ByteRegister = ByteRegister(UART + 5);

/// Whether the UART has sent the last byte.
pub(crate) fn sent() -> bool {
    const EMPTY: u8 = 1 << 5;
    LINE_STATE.read() & EMPTY != 0
}

/// False when the UART has not sent the last byte yet.
pub(crate) fn try_send(byte: u8) -> bool {
    let ready = sent();
    if ready {
        ByteRegister(UART).write(byte);
    }
    ready
}

/// A byte that came.
pub(crate) fn received() -> Option<u8> {
    const ARRIVED: u8 = 1;
    (LINE_STATE.read() & ARRIVED != 0).then(|| ByteRegister(UART).read())
}

/// Ends QEMU.
pub(crate) fn exit(success: bool) -> ! {
    const PASS: u32 = 0x5555;
    const FAIL: u32 = 1 << 16 | 0x3333;
    TEST.write(if success { PASS } else { FAIL });
    loop {
        riscv::asm::wfi();
    }
}

/// Starts anew, with the memory as it is.
pub(crate) fn reset() -> ! {
    const RESET: u32 = 0x7777;
    TEST.write(RESET);
    loop {
        riscv::asm::wfi();
    }
}
