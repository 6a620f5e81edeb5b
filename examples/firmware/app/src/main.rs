//! A device with an allocator: it takes reports, keeps state, answers, samples in an interrupt, leaks a
//! little, and once asks for too much. All of it on a tracked heap, recorded, and sent over its UART.
#![no_std]
#![no_main]

extern crate alloc;

mod board;
mod memory;
mod messages;
mod planted;
mod recording;
mod register;
mod report;
mod timer;
mod uart;
mod witness;

use core::panic::PanicInfo;

use firmware_workload::Workload;

use board::SIZE;
use messages::Messages;
use recording::Scopes;

/// Names of gauges.
const LARGEST_FREE_BLOCK: u32 = 1;
const STACK: u32 = 2;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    memory::paint_stack();
    memory::start_heap();
    board::start();
    report::boot(memory::count_resets());
    witness::start();
    board::start_timer();
    work();
    let counts = witness::stop();
    recording::finish();
    report::witness(&counts);
    report::end();
    while !board::sent() {}
    board::exit(true)
}

/// All that the device does. What it does not forget is freed at the end.
fn work() {
    let mut messages = Messages::default();
    let mut workload = Workload::new(&Scopes, SIZE.limits, || {
        messages.run();
        idle();
    });
    for round in 0..SIZE.rounds {
        workload.round(round);
        planted::go_wrong(round);
        witness::gauge(LARGEST_FREE_BLOCK, memory::largest_free_block());
        witness::gauge(STACK, memory::stack_high_water());
    }
    drop(workload);
    board::stop_timer();
    messages.run();
}

/// When nothing is to be done.
fn idle() {
    recording::drain();
    if board::received() == Some(b'r') {
        board::reset();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    use core::fmt::Write;
    let _ = writeln!(uart::Uart, "\npanic {info}");
    board::exit(false)
}
