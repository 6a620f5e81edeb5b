//! heapwire's recorder, in four buffers of 256 bytes.

use embedded_io::Write;
use heapwire_core::{Device, EventKind, Placement, Recorder, Session};

use super::Coder;
use crate::board;
use crate::trace::{Act, Site, Step};

/// With what is kept beside it, a buffer has `BUFFER` bytes.
const SIZE: usize = 216;
const BUFFER: usize = 256;
const BUFFERS: usize = 4;
const SITES: usize = 8;

/// A coder for an allocator that places blocks so.
macro_rules! coder {
    ($name:ident, $placement:expr, $recorder:ident, $what:literal) => {
        #[doc = $what]
        #[derive(Debug)]
        pub struct $name;

        impl Device for $name {
            const PLACEMENT: Placement = $placement;
            const CLOCK_BITS: u32 = 32;

            fn session() -> Session<'static> {
                Session {
                    device: "bench",
                    build: "1",
                    ticks_per_second: 1_000_000,
                    address_bits: 32,
                }
            }

            fn ticks() -> u64 {
                board::time().into()
            }
        }

        static $recorder: Recorder<$name, SIZE, BUFFERS, SITES> = Recorder::new();

        impl Coder for $name {
            const RAM: usize = size_of_val(&$recorder) - BUFFERS * BUFFER;

            fn start(sites: &'static [Site]) {
                $recorder.start();
                for site in sites {
                    match site {
                        Site::Address(_) => {}
                        Site::Scope(name) => drop($recorder.scope(name)),
                    }
                }
            }

            #[inline(never)]
            fn hook(step: &Step) {
                board::set_time(step.time);
                let Step { address, act, size, freed, site, .. } = *step;
                let (address, size, site) = (address.into(), size.into(), site.into());
                let kind = match act {
                    Act::Alloc => EventKind::Alloc { address, size, site },
                    Act::Free => EventKind::Free { address, site },
                    Act::Realloc { old } => {
                        EventKind::Realloc { old: old.into(), address, size, site }
                    }
                };
                $recorder.record(kind, freed.into());
            }

            #[inline(never)]
            fn drain<W: Write>(line: &mut W) {
                // The lines of this crate never fail.
                let _ = $recorder.drain(line);
            }

            fn finish<W: Write>(line: &mut W) {
                $recorder.flush();
                Self::drain(line);
            }
        }
    };
}

coder!(Heapwire, Placement::EMBEDDED_32, RECORDER, "The recorder as an allocator's hook calls it.");
coder!(
    HeapwireOnLinkedList,
    Placement::LINKED_LIST_32,
    ON_LINKED_LIST,
    "The same for embedded-alloc."
);
