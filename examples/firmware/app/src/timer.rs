//! What the timer's interrupt does: it takes a sample every millisecond.

use alloc::vec::Vec;
use core::cell::RefCell;

use critical_section::Mutex;
use heapless::Deque;

use crate::recording::{self, Task};

/// Samples that nobody has taken yet. When it is full no more are made: the interrupt allocates no more
/// than the recorder and the heap have room for, however late it is.
static SAMPLES: Mutex<RefCell<Deque<Vec<u8>, 8>>> = Mutex::new(RefCell::new(Deque::new()));

/// Called in the interrupt. Every other sample replaces the oldest, which is freed here.
pub(crate) fn interrupt() {
    recording::within(Task::Timer, || {
        let _scope = recording::scope("timer::sample");
        critical_section::with(|section| {
            let mut samples = SAMPLES.borrow_ref_mut(section);
            if samples.is_full() {
                return;
            }
            if samples.len() % 4 == 3 {
                drop(samples.pop_front());
            }
            let mut sample = Vec::new();
            if sample.try_reserve_exact(12 + 4 * samples.len()).is_ok() {
                sample.push(samples.len() as u8);
                let _ = samples.push_back(sample);
            }
        });
    });
    #[cfg(feature = "slow")]
    crate::drain::timer_interrupt();
}

/// The oldest sample.
pub(crate) fn take() -> Option<Vec<u8>> {
    critical_section::with(|section| SAMPLES.borrow_ref_mut(section).pop_front())
}
