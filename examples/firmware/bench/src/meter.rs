//! Counts what calls cost.

use crate::board::{self, Moment};

/// Sums up calls of one function.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    /// Instructions between two readings of the clock with nothing between them.
    reading: u32,
    pub calls: u32,
    /// Instructions of all calls.
    pub total: u32,
    /// Instructions of the longest call.
    pub longest: u32,
    /// Most bytes of stack that a call used.
    pub stack: usize,
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

impl Meter {
    #[must_use]
    pub fn new() -> Self {
        Self { reading: instructions(|| {}), calls: 0, total: 0, longest: 0, stack: 0 }
    }

    /// Calls `f`, which should be a call of a function that is not inlined.
    pub fn call(&mut self, f: impl FnOnce()) {
        let mut taken = 0;
        let stack = board::stack_used_by(|| taken = instructions(f));
        let taken = taken.saturating_sub(self.reading);
        self.calls += 1;
        self.total += taken;
        self.longest = self.longest.max(taken);
        self.stack = self.stack.max(stack);
    }
}

#[inline(always)]
fn instructions(f: impl FnOnce()) -> u32 {
    let before = Moment::now();
    f();
    Moment::now().since(before)
}
