//! postcard: a message an event, with a CRC-16, as a COBS frame.

use core::cell::RefCell;

use crc::{CRC_16_IBM_SDLC, Crc};
use critical_section::Mutex;
use embedded_io::Write;
use firmware_bench::coder::Coder;
use firmware_bench::trace::{Act, Site, Step};
use serde::Serialize;

use crate::queue::Queue;

/// A site is what is known of it without a table: a return address, or a scope's number.
#[derive(Serialize)]
enum Event {
    Alloc { time: u32, address: u32, size: u32, site: u32 },
    Free { time: u32, address: u32, site: u32 },
    Realloc { time: u32, old: u32, address: u32, size: u32, site: u32 },
}

/// The longest message with its checksum, stuffed.
const LONGEST: usize = 32;

static CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_SDLC);

static QUEUE: Mutex<RefCell<Queue>> = Mutex::new(RefCell::new(Queue::new()));
static SITES: Mutex<RefCell<&[Site]>> = Mutex::new(RefCell::new(&[]));

/// postcard messages.
#[derive(Debug)]
pub struct PostcardMessages;

impl Coder for PostcardMessages {
    const RAM: usize = 0;

    fn start(sites: &'static [Site]) {
        critical_section::with(|section| *SITES.borrow_ref_mut(section) = sites);
    }

    #[inline(never)]
    fn hook(step: &Step) {
        critical_section::with(|section| {
            let site = crate::site(*SITES.borrow_ref(section), step.site);
            let Step { time, act, address, size, .. } = *step;
            let event = match act {
                Act::Alloc => Event::Alloc { time, address, size, site },
                Act::Free => Event::Free { time, address, site },
                Act::Realloc { old } => Event::Realloc { time, old, address, size, site },
            };
            let mut message = [0; LONGEST];
            let Ok(written) = postcard::to_slice(&event, &mut message) else { return };
            let len = written.len();
            let checksum = CRC.checksum(written).to_le_bytes();
            let Some(end) = message.get_mut(len..len + 2) else { return };
            end.copy_from_slice(&checksum);
            let mut frame = [0; LONGEST + 2];
            let len = cobs::encode(&message[..len + 2], &mut frame);
            QUEUE.borrow_ref_mut(section).push(&frame[..len + 1]);
        });
    }

    #[inline(never)]
    fn drain<W: Write>(line: &mut W) {
        critical_section::with(|section| QUEUE.borrow_ref_mut(section).drain(line));
    }

    fn finish<W: Write>(line: &mut W) {
        Self::drain(line);
    }
}
