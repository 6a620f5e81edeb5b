//! Replays a trace through a coder and reports what that took.

use core::hint::black_box;

use semihosting::println;

use crate::board;
use crate::coder::Coder;
use crate::line::Line;
use crate::meter::Meter;
use crate::trace::Trace;

/// The idle loop gets its turn after so many events: about half a chunk.
const EVENTS_PER_DRAIN: usize = 32;

/// Figures go to the semihosting console, what the coder sends to the first UART.
pub fn run<C: Coder>(trace: &'static Trace, line: &mut Line) {
    let (mut hook, mut drain) = (Meter::new(), Meter::new());
    C::start(trace.sites);
    for steps in trace.steps.chunks(EVENTS_PER_DRAIN) {
        for step in steps {
            hook.call(|| C::hook(black_box(step)));
        }
        drain.call(|| C::drain(line));
    }
    drain.call(|| C::finish(line));
    board::send(0, line.bytes());
    println!("events {}", hook.calls);
    println!("hook.instructions {}", hook.total);
    println!("hook.longest {}", hook.longest);
    println!("hook.stack {}", hook.stack);
    println!("drain.instructions {}", drain.total);
    println!("drain.stack {}", drain.stack);
    println!("ram {}", C::RAM);
}
