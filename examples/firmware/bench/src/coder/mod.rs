//! Coders of events, all driven alike.

mod heapwire;

pub use heapwire::{Heapwire, HeapwireOnLinkedList};

use crate::trace::{Site, Step};
use embedded_io::Write;

/// Something that turns events into bytes on a line.
pub trait Coder {
    /// Bytes of its state, besides buffers.
    const RAM: usize;

    /// Before the first event.
    fn start(sites: &'static [Site]);
    /// What an allocator's hook would call.
    fn hook(step: &Step);
    /// What an idle loop would call: sends what is ready.
    fn drain<W: Write>(line: &mut W);
    /// At the end: sends all there is.
    fn finish<W: Write>(line: &mut W);
}

/// Codes nothing: what the rest of a program weighs.
#[derive(Debug)]
pub struct Nothing;

impl Coder for Nothing {
    const RAM: usize = 0;

    fn start(sites: &'static [Site]) {
        core::hint::black_box(sites);
    }

    #[inline(never)]
    fn hook(step: &Step) {
        core::hint::black_box(step);
    }

    #[inline(never)]
    fn drain<W: Write>(line: &mut W) {
        // Both ends of a line are needed by all coders.
        let _ = line.write_all(core::hint::black_box(&[]));
    }

    fn finish<W: Write>(line: &mut W) {
        Self::drain(line);
    }
}
