//! In an interrupt, byte by byte: of the UART, when it has room; or of the timer, as many as a line of
//! 115200 baud carries from one to the next, as QEMU's UART is faster than any line.

use core::cell::RefCell;

use critical_section::Mutex;

use crate::board;
use crate::recording::{RECORDER, Sender};

static SENDER: Mutex<RefCell<Sender>> = Mutex::new(RefCell::new(Sender::new(&RECORDER)));

/// Sends a byte if the UART has room and there is one. False when there is none.
fn send() -> bool {
    critical_section::with(|section| {
        if !board::sent() {
            return true;
        }
        let mut byte = [0];
        let any = SENDER.borrow_ref_mut(section).fill(&mut byte) > 0;
        any && board::try_send(byte[0])
    })
}

/// The UART has room, or `sealed` asked for this.
#[cfg(feature = "interrupt")]
pub(crate) fn uart_interrupt() {
    if !send() {
        board::uart_interrupt(false);
    }
}

/// A millisecond has passed.
#[cfg(feature = "slow")]
pub(crate) fn timer_interrupt() {
    const BYTES: usize = 11;
    let _ = (0..BYTES).all(|_| send());
}

pub(crate) fn idle() {}

pub(crate) fn sealed() {
    #[cfg(feature = "interrupt")]
    board::uart_interrupt(true);
}

pub(crate) fn finish() {
    while send() {}
}
