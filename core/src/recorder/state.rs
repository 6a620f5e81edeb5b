//! What hook and drain share: buffers being filled, sealed and sent in turn. The hook's part is in [`recording`],
//! the drain's in [`sending`].

mod recording;
mod sending;

pub(super) use sending::Next;

use sending::Taken;

use super::device::{Clock, Detail, Device, Known, WhenFull};
use super::names::Names;
use crate::definition::NameKind;
use crate::encode::Encoder;
use crate::event::{EventKind, NO_SITE};
use crate::lanes::Rows;
use crate::tables::TinyTables;
use crate::word::{OwnWord, Word};

/// No more bytes of a buffer are used: what fits in it is counted with 16 bits.
const MOST_PAYLOAD: usize = 0x7FFF;

/// What happened.
#[derive(Clone, Copy)]
pub(super) struct What<'a> {
    pub(super) act: Act<'a>,
    /// Not 0 unless it is an allocation or a free. A word, which is looked at together with another.
    pub(super) rare: u32,
    /// Whether it was refused before.
    pub(super) again: bool,
}

impl<'a> What<'a> {
    pub(super) const ALLOCATED: Self = Self::new(Act::Allocated);
    pub(super) const FREED: Self = Self::new(Act::Freed);

    pub(super) const fn new(act: Act<'a>) -> Self {
        let rare = !matches!(act, Act::Allocated | Act::Freed);
        Self { act, rare: rare as u32, again: false }
    }
}

/// What was done, mostly to a block.
#[derive(Clone, Copy)]
pub(super) enum Act<'a> {
    Allocated,
    Freed,
    /// And what the block was before.
    Reallocated(Block),
    /// Something else, and to no block.
    Other(&'a EventKind),
}

/// A block, in the words of the machine.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) address: OwnWord,
    pub(super) size: OwnWord,
}

/// Whose doing it was.
#[derive(Clone, Copy)]
pub(super) enum Whose {
    /// That of the scope we are in.
    Scope,
    Site(u32),
}

/// An event was not recorded, as all buffers are sealed.
#[derive(Clone, Copy)]
pub(super) struct Refused;

/// Running counts. Allocations, frees and `others` wrap, and the drain knows how often; what else is counted stops
/// at its end.
#[derive(Clone, Copy, Debug)]
struct Counts {
    /// Those before the chunk being filled, of which the model knows how many are in it.
    allocations: u32,
    frees: u32,
    /// Other events, less the reallocations, which count twice above.
    others: u32,
    /// Of the other events, failed allocations.
    failed: u32,
    lost: u32,
    bytes_in_use: OwnWord,
    peak_bytes: OwnWord,
}

impl Counts {
    const ZERO: Self = Self {
        allocations: 0,
        frees: 0,
        others: 0,
        failed: 0,
        lost: 0,
        bytes_in_use: OwnWord::ZERO,
        peak_bytes: OwnWord::ZERO,
    };

    /// Counts an event that is in no chunk.
    fn count(&mut self, what: &What<'_>, block: Block) {
        if let Act::Reallocated(old) = what.act {
            self.resize(old.size);
        }
        match what.act {
            Act::Allocated | Act::Reallocated(_) => {
                self.allocations = self.allocations.wrapping_add(1);
                self.add(block.size);
            }
            Act::Freed => self.remove(block.size),
            Act::Other(kind) => self.count_other(kind),
        }
    }

    #[inline(always)]
    fn add(&mut self, size: OwnWord) {
        self.bytes_in_use = self.bytes_in_use.saturating_add(size);
        self.peak_bytes = self.peak_bytes.max(self.bytes_in_use);
    }

    #[inline(always)]
    fn remove(&mut self, size: OwnWord) {
        self.frees = self.frees.wrapping_add(1);
        self.bytes_in_use = self.bytes_in_use.saturating_sub(size);
    }

    /// Counts a reallocation of a block of `size` bytes, but for what it allocates.
    #[inline(never)]
    fn resize(&mut self, size: OwnWord) {
        self.others = self.others.wrapping_sub(1);
        self.remove(size);
    }

    fn count_other(&mut self, kind: &EventKind) {
        self.others = self.others.wrapping_add(1);
        if matches!(kind, EventKind::FailedAlloc { .. }) {
            self.failed = self.failed.saturating_add(1);
        }
    }

    /// Events that were not lost. Wraps.
    fn events(&self) -> u32 {
        let blocks = self.allocations.wrapping_add(self.frees);
        blocks.wrapping_add(self.others).wrapping_sub(self.lost)
    }
}

/// A chunk but for its header and checksum.
#[derive(Clone, Copy, Debug)]
struct Buffer<const SIZE: usize> {
    /// When its first event happened, and how everything stood before.
    time: u64,
    counts: Counts,
    /// How many events and bytes are in it, known when it is sealed.
    events: u16,
    len: u16,
    payload: [u8; SIZE],
}

impl<const SIZE: usize> Buffer<SIZE> {
    // A function, for the compiler to see that what is copied is apart.
    #[inline]
    fn begin(&mut self, time: u64, counts: &Counts) {
        (self.time, self.counts) = (time, *counts);
    }
}

// Small fields first, which takes smaller instructions.
#[repr(C)]
pub(super) struct State<D, const SIZE: usize, const BUFFERS: usize, const NAMES: usize> {
    /// Whether events are to be recorded; also needs `running` and the detail for it.
    pub(super) recording: bool,
    running: bool,
    started: bool,
    /// Whether a chunk is begun in the buffer being filled.
    is_open: bool,
    detail: Detail,
    /// Whether a chunk of totals is to be sent.
    totals_due: bool,
    /// The buffer being filled, and how many before it are sealed.
    filling: u16,
    sealed: u16,
    /// The definition to send next: the session, then names; and in how many chunks of events to begin
    /// anew.
    defined: u16,
    repeat_in: u32,
    pub(super) site: u32,
    /// Events that were overwritten: before all chunks that are still to be sent.
    overwritten: u32,
    counts: Counts,
    time: u64,
    taken: Taken,
    encoder: Encoder<Rows, TinyTables<OwnWord>, Known<D>>,
    names: Names<NAMES>,
    buffers: [Buffer<SIZE>; BUFFERS],
}

impl<D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize>
    State<D, SIZE, BUFFERS, NAMES>
{
    /// Not recording. All zeros, so that a static recorder takes no flash.
    pub(super) const fn new() -> Self {
        const {
            assert!(
                D::PLACEMENT.address_bits <= OwnWord::BITS as u8,
                "addresses wider than pointers"
            );
            assert!(Self::IS_LARGE, "buffers too small for an event");
            assert!(D::PLACEMENT.is_valid(), "a placement that no reader takes");
            assert!(BUFFERS <= u16::MAX as usize, "more buffers than 16 bits count");
            assert!(NAMES <= Names::<NAMES>::MOST, "more names than can be numbered");
        }
        let counts = Counts::ZERO;
        Self {
            encoder: Encoder::new(Rows::new(), TinyTables::empty(), Known::new()),
            buffers: [Buffer { time: 0, counts, events: 0, len: 0, payload: [0; SIZE] }; BUFFERS],
            filling: 0,
            sealed: 0,
            defined: 0,
            repeat_in: 0,
            counts,
            time: 0,
            recording: false,
            running: false,
            started: false,
            is_open: false,
            detail: Detail::Events,
            totals_due: false,
            site: NO_SITE,
            overwritten: 0,
            names: Names::new(),
            taken: Taken::NOTHING,
        }
    }

    pub(super) fn start(&mut self) {
        if !self.started {
            (self.time, self.taken.epoch) = (Clock::<D>::first(), D::epoch());
        }
        (self.started, self.running) = (true, true);
        self.recording = self.detail == Detail::Events;
        self.defined = 0;
    }

    pub(super) fn stop(&mut self) {
        (self.running, self.recording) = (false, false);
    }

    pub(super) fn set_detail(&mut self, detail: Detail) {
        self.detail = detail;
        self.recording = self.running && detail == Detail::Events;
        match detail {
            Detail::Totals => self.seal(),
            // The next chunk of events has them, and they would be too late while events wait for it.
            Detail::Events => self.totals_due = false,
        }
    }

    /// Counts an event that is not to be recorded.
    #[cold]
    #[inline(never)]
    fn pass_over(&mut self, what: &What<'_>, block: Block) {
        if self.running {
            // Read, or its wrapping around might be missed.
            self.time = Clock::<D>::after(self.time).0;
            self.lose(what, block);
        }
    }

    /// Counts an event that could not be recorded.
    #[cold]
    #[inline(never)]
    pub(super) fn lose(&mut self, what: &What<'_>, block: Block) {
        self.counts.lost = self.counts.lost.saturating_add(1);
        self.counts.count(what, block);
    }

    /// Begins a chunk for an event, unless all buffers are sealed.
    #[cold]
    #[inline(never)]
    fn open(&mut self, what: &What<'_>, block: Block) -> Result<(), Refused> {
        if usize::from(self.sealed) >= BUFFERS && (Self::RETRIES || !self.insist(what, block)) {
            return Err(Refused);
        }
        if let Some(buffer) = self.buffers.get_mut(usize::from(self.filling)) {
            buffer.begin(self.time, &self.counts);
        }
        self.encoder.begin(0, SIZE.min(MOST_PAYLOAD));
        self.is_open = true;
        Ok(())
    }

    /// How many events are in the chunk being filled.
    fn events(&self) -> u32 {
        match self.buffers.get(usize::from(self.filling)) {
            Some(buffer) if self.is_open => {
                let before = buffer.counts.events();
                self.counts.events().wrapping_sub(before).wrapping_add(self.encoder.allocations())
            }
            _ => 0,
        }
    }

    /// The next event is the first of a chunk.
    fn close(&mut self) {
        self.is_open = false;
        self.encoder.lanes().be_careful();
    }

    /// An event was refused, and nobody waits for room: makes it some at the cost of older events, or counts it as
    /// lost. Whether to try again.
    #[cold]
    #[inline(never)]
    pub(super) fn insist(&mut self, what: &What<'_>, block: Block) -> bool {
        // There is nothing that a reader would rather know than which allocation failed.
        let overwrite = matches!(D::WHEN_FULL, WhenFull::Overwrite)
            || matches!(what.act, Act::Other(EventKind::FailedAlloc { .. }));
        // When all buffers are sealed, the next is also the oldest.
        match self.buffers.get(usize::from(self.filling)) {
            // An interrupt may have come in between.
            _ if usize::from(self.sealed) < BUFFERS => true,
            Some(oldest) if overwrite => {
                self.overwritten = self.overwritten.saturating_add(oldest.events.into());
                self.sealed = self.sealed.saturating_sub(1);
                true
            }
            _ => {
                self.lose(what, block);
                false
            }
        }
    }

    /// Completes the chunk being filled, if any event is in it, or else has totals sent instead of events.
    pub(super) fn flush(&mut self) {
        self.seal();
        if self.started && self.detail == Detail::Totals {
            self.make_totals_due();
            D::sealed();
        }
    }

    /// Has totals sent, as they are now. No event may wait.
    fn make_totals_due(&mut self) {
        self.time = Clock::<D>::after(self.time).0;
        self.totals_due = true;
    }

    /// Completes the chunk being filled, if any event is in it.
    #[cold]
    #[inline(never)]
    pub(super) fn seal(&mut self) {
        let events = self.events();
        self.close();
        if events == 0 {
            return;
        }
        if let Some(buffer) = self.buffers.get_mut(usize::from(self.filling)) {
            buffer.len = self.encoder.finish(&mut buffer.payload) as u16;
            buffer.events = events as u16;
        }
        self.counts.allocations = self.counts.allocations.wrapping_add(self.encoder.allocations());
        self.sealed = self.sealed.wrapping_add(1);
        self.filling = self.filling.wrapping_add(1);
        if usize::from(self.filling) >= BUFFERS {
            self.filling = 0;
        }
        D::sealed();
    }

    /// The number of a name.
    pub(super) fn number(&mut self, kind: NameKind, name: &'static str) -> u32 {
        self.names.number(kind, name)
    }

    pub(super) fn name_thread(&mut self, thread: u32, name: &'static str) {
        if let Some(at) = self.names.name_thread(thread, name) {
            // Its definition has the next number.
            self.defined = self.defined.min((at as u16).wrapping_add(1));
        }
    }
}
