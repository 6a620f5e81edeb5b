//! Nothing but a program that links: esp-alloc finds its hooks. Firmware has esp-hal for what is below `_start`.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use core::hint::black_box;
use core::panic::PanicInfo;

use critical_section::RawRestoreState;
use heapwire_esp_alloc::RECORDER;

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    RECORDER.start();
    drop(black_box(Box::new(1)));
    loop {
        core::hint::spin_loop();
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

struct OneCore;

critical_section::set_impl!(OneCore);

// SAFETY: this program does not run.
unsafe impl critical_section::Impl for OneCore {
    unsafe fn acquire() -> RawRestoreState {}

    unsafe fn release((): RawRestoreState) {}
}
