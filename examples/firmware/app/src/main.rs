//! A device with an allocator: it takes reports, keeps state, answers, samples in an interrupt, leaks a
//! little, and once asks for too much. All of it on a tracked heap, recorded, and sent over its UART.
#![no_std]
#![no_main]

extern crate alloc;

mod board;
mod drain;
#[cfg(feature = "defmt")]
mod logger;
mod memory;
mod messages;
mod planted;
mod recording;
mod register;
mod report;
#[cfg(feature = "harts")]
mod second;
mod timer;
mod uart;
mod witness;

use core::fmt;
use core::panic::PanicInfo;

use firmware_workload::Workload;

use board::SIZE;
use messages::Messages;
use recording::{RECORDER, Scopes};
use uart::Uart;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    #[cfg(feature = "harts")]
    if board::core() == 1 {
        second::run();
    }
    memory::paint_stack();
    memory::start_heap();
    board::start();
    let epoch = memory::count_resets();
    report::boot(epoch);
    recording::prepare(epoch);
    witness::start();
    board::start_timer();
    #[cfg(feature = "harts")]
    second::start();
    #[cfg(feature = "async")]
    drain::run(|spawner| spawner.spawn(work_beside_others().expect("it is spawned once")));
    #[cfg(not(feature = "async"))]
    {
        let mut messages = Messages::default();
        let mut workload = Workload::new(&Scopes, SIZE.limits, || idle(&mut messages));
        for round in 0..SIZE.rounds {
            workload.round(round);
            after(round);
        }
        drop(workload);
        end(messages)
    }
}

/// The same as a task, which lets others run after each round.
#[cfg(feature = "async")]
#[embassy_executor::task]
async fn work_beside_others() {
    let mut messages = Messages::default();
    let mut workload = Workload::new(&Scopes, SIZE.limits, || idle(&mut messages));
    for round in 0..SIZE.rounds {
        workload.round(round);
        after(round);
        embassy_futures::yield_now().await;
    }
    drop(workload);
    end(messages)
}

/// When nothing is to be done.
fn idle(messages: &mut Messages) {
    drain::idle();
    messages.run();
    drain::idle();
    #[cfg(feature = "harts")]
    second::ask();
    #[cfg(feature = "defmt")]
    logger::idle();
    reset_if_asked();
}

fn reset_if_asked() {
    if board::received() == Some(b'r') {
        board::reset();
    }
}

/// What goes wrong after a round, and what is measured.
fn after(round: u32) {
    planted::go_wrong(round);
    witness::gauge("heap: largest free block", memory::largest_free_block());
    witness::gauge("stack: high water", memory::stack_high_water());
    if cfg!(feature = "totals") {
        RECORDER.flush();
    }
    #[cfg(feature = "defmt")]
    defmt::info!("round {=u32}: {=usize} bytes in use", round, memory::heap_used());
    if cfg!(feature = "reboot") && recording::epoch() == 0 && round == SIZE.rounds / 2 {
        wait_for_reset();
    }
}

fn wait_for_reset() -> ! {
    board::stop_timer();
    let counts = witness::stop();
    send_the_rest();
    report::witness(&counts);
    report::failed(&counts);
    report::heap();
    report::waiting();
    loop {
        reset_if_asked();
    }
}

/// What is not forgotten is freed, and all there is to say is said.
fn end(mut messages: Messages) -> ! {
    board::stop_timer();
    messages.run();
    drop(messages);
    #[cfg(feature = "harts")]
    second::finish();
    let counts = witness::stop();
    send_the_rest();
    report::witness(&counts);
    report::planted();
    report::failed(&counts);
    report::heap();
    exit()
}

fn send_the_rest() {
    RECORDER.flush();
    #[cfg(feature = "harts")]
    recording::SECOND.flush();
    drain::finish();
    // A UART never fails.
    let _ = RECORDER.send_totals(&mut Uart);
    #[cfg(feature = "harts")]
    let _ = recording::SECOND.send_totals(&mut Uart);
    #[cfg(feature = "defmt")]
    logger::idle();
}

fn exit() -> ! {
    report::done();
    while !board::sent() {}
    board::exit(true)
}

/// In a panic or a fault.
fn last_words(why: fmt::Arguments<'_>) -> ! {
    memory::hold_interrupts();
    let counts = witness::stop();
    let _ = RECORDER.last_words(&mut Uart);
    report::died(why);
    report::witness(&counts);
    report::failed(&counts);
    report::heap();
    exit()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    last_words(format_args!("{info}"))
}
