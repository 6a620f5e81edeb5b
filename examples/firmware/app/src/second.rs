//! What the second core does, while the first does its work: whenever that has been idle, a few
//! allocations, as many as the recorder has room for.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::board;
use crate::recording::SECOND;

/// How many turns it was asked for, and how many it has taken.
static ASKED: AtomicU32 = AtomicU32::new(0);
static TAKEN: AtomicU32 = AtomicU32::new(0);

/// One turn more frees everything.
const LAST: u32 = u32::MAX;

/// Whether it runs.
static RUNS: AtomicBool = AtomicBool::new(false);

/// The first core starts the second, which may not be listening yet.
pub(crate) fn start() {
    while !RUNS.load(Ordering::Acquire) {
        board::wake_second();
    }
}

/// Asks for another turn, if the last one is over.
pub(crate) fn ask() {
    let taken = TAKEN.load(Ordering::Acquire);
    if taken == ASKED.load(Ordering::Relaxed) {
        ASKED.store(taken + 1, Ordering::Release);
    }
}

/// Waits until it is done with everything.
pub(crate) fn finish() {
    ASKED.store(LAST, Ordering::Release);
    while TAKEN.load(Ordering::Acquire) != LAST {
        spin_loop();
    }
}

/// Runs on the second core.
pub(crate) fn run() -> ! {
    RUNS.store(true, Ordering::Release);
    let mut kept = VecDeque::new();
    loop {
        let asked = ASKED.load(Ordering::Acquire);
        if asked == LAST {
            break;
        }
        if asked == TAKEN.load(Ordering::Relaxed) {
            spin_loop();
            continue;
        }
        take_turn(asked, &mut kept);
        TAKEN.store(asked, Ordering::Release);
    }
    drop(kept);
    TAKEN.store(LAST, Ordering::Release);
    loop {
        riscv::asm::wfi();
    }
}

fn take_turn(turn: u32, kept: &mut VecDeque<String>) {
    let squares: Vec<u32> = {
        let _scope = SECOND.scope("second::squares");
        (turn..turn + 6).map(|number| number.wrapping_mul(number)).collect()
    };
    let _scope = SECOND.scope("second::text");
    kept.push_back(format!("{squares:?}"));
    if kept.len() > 3 {
        kept.pop_front();
    }
}
