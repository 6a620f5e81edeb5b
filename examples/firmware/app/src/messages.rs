//! A ring of messages about the timer's samples: what came in an interrupt is freed in a task.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;

use crate::recording::{self, Task};
use crate::timer;

const KEPT: usize = 6;

#[derive(Default)]
pub(crate) struct Messages {
    ring: VecDeque<String>,
}

impl Messages {
    /// Makes a message of each sample that has come; forgets the oldest.
    pub(crate) fn run(&mut self) {
        recording::within(Task::Messages, || {
            let _scope = recording::scope("messages::queue");
            while let Some(sample) = timer::take() {
                while self.ring.len() >= KEPT {
                    self.ring.pop_front();
                }
                self.ring.push_back(format!("sample {sample:?}"));
            }
        });
    }
}
