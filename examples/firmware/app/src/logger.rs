//! defmt's log lines on the same UART as the frames: each goes between two zeros, as frames do, in defmt's
//! default encoding (rzCOBS), which has no zeros either. The far end tells them apart by the checksum that
//! chunks have.
//!
//! With `memory` and `register`, one of the files with unsafe code: a logger is an unsafe trait.

use core::cell::RefCell;

use critical_section::{Mutex, RestoreState};
use defmt::Encoder;
use heapless::Vec;

use crate::board;

/// Lines that wait for a place between frames; one that has no room is lost whole.
const WAITING: usize = 256;

struct State {
    encoder: Encoder,
    waiting: Vec<u8, WAITING>,
    /// Where the line being written began, if it has had room so far.
    line: Option<usize>,
    restore: RestoreState,
}

static STATE: Mutex<RefCell<State>> = Mutex::new(RefCell::new(State {
    encoder: Encoder::new(),
    waiting: Vec::new(),
    line: None,
    restore: RestoreState::invalid(),
}));

defmt::timestamp!("{=u64}", board::ticks());

impl State {
    fn with<R>(f: impl FnOnce(&mut Self) -> R) -> R {
        critical_section::with(|section| f(&mut STATE.borrow_ref_mut(section)))
    }

    fn encode(&mut self, f: impl FnOnce(&mut Encoder, &mut dyn FnMut(&[u8]))) {
        let Self { encoder, waiting, line, .. } = self;
        f(encoder, &mut |bytes| {
            if let Some(start) = *line
                && waiting.extend_from_slice(bytes).is_err()
            {
                waiting.truncate(start);
                *line = None;
            }
        });
    }
}

#[defmt::global_logger]
struct Logger;

// SAFETY: `acquire` begins a critical section, which `release` ends.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        // SAFETY: released in `release`.
        let restore = unsafe { critical_section::acquire() };
        State::with(|state| {
            state.restore = restore;
            state.line = Some(state.waiting.len());
            state.encode(|encoder, write| encoder.start_frame(write));
        });
    }

    unsafe fn flush() {}

    unsafe fn release() {
        let restore = State::with(|state| {
            state.encode(|encoder, write| encoder.end_frame(write));
            state.restore
        });
        // SAFETY: acquired in `acquire`, once for each release.
        unsafe { critical_section::release(restore) };
    }

    unsafe fn write(bytes: &[u8]) {
        State::with(|state| state.encode(|encoder, write| encoder.write(bytes, write)));
    }
}

/// Sends what waits; to be called when no frame is half sent.
pub(crate) fn idle() {
    let lines = State::with(|state| core::mem::take(&mut state.waiting));
    if !lines.is_empty() {
        board::send(&[0]);
        board::send(&lines);
    }
}
