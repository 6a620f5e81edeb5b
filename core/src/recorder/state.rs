//! What hook and drain share: buffers being filled, sealed and sent in turn.

use heapless::Vec;

use super::device::{Clock, Device, Known};
use crate::definition::{Definition, Name, NameKind};
use crate::encode::{Allocated, Encoder};
use crate::event::{EventKind, HeapTotals, NO_SITE};
use crate::format::CRC_LEN;
use crate::header::{ChunkHeader, ChunkKind, Codec, Layout, Losses};
use crate::lanes::Rows;
use crate::shape::ModelSpec;
use crate::tables::{Tables, TinyTables};
use crate::word::{OwnWord, Word};

/// Some definitions are repeated after so many chunks of events, for readers that attach late: often
/// enough to wait for, rarely enough to cost little.
pub(super) const REPEAT_EVERY: u16 = 32;

/// No more bytes of a buffer are used: what fits in it is counted with 16 bits.
const MOST_PAYLOAD: usize = 0x7FFF;

/// What happened, in the words of the machine.
#[derive(Clone, Copy)]
pub(super) enum What<'a> {
    /// An allocation, or a reallocation of an old block of so many bytes.
    Allocated { old: Option<(OwnWord, OwnWord)>, address: OwnWord, size: OwnWord },
    /// A free of a block of so many bytes.
    Freed { address: OwnWord, size: OwnWord },
    /// Something else.
    Other(&'a EventKind),
}

/// Whose doing it was.
#[derive(Clone, Copy)]
pub(super) enum Whose {
    /// That of the scope we are in.
    Scope,
    Site(u32),
}

/// What became of an event.
pub(super) enum Recorded {
    Done,
    /// It had no room in the chunk, which is sealed now.
    Again,
    /// All buffers are sealed.
    NoRoom,
    /// No buffer is large enough.
    TooLarge,
}

/// Running counts. The first two and `surplus` wrap, and the drain knows how often; the others stop at
/// their end.
#[derive(Clone, Copy, Debug)]
struct Counts {
    allocations: u32,
    frees: u32,
    failed: u32,
    /// Other events, less the reallocations, which count twice above.
    surplus: u32,
    lost: u32,
    bytes_in_use: OwnWord,
    peak_bytes: OwnWord,
}

impl Counts {
    const ZERO: Self = Self {
        allocations: 0,
        frees: 0,
        failed: 0,
        surplus: 0,
        lost: 0,
        bytes_in_use: OwnWord::ZERO,
        peak_bytes: OwnWord::ZERO,
    };

    #[inline(always)]
    fn count(&mut self, what: What<'_>) {
        match what {
            What::Allocated { old, size, .. } => {
                if let Some((_, size)) = old {
                    self.surplus = self.surplus.wrapping_sub(1);
                    self.remove(size);
                }
                self.allocations = self.allocations.wrapping_add(1);
                self.bytes_in_use = self.bytes_in_use.saturating_add(size);
                self.peak_bytes = self.peak_bytes.max(self.bytes_in_use);
            }
            What::Freed { size, .. } => self.remove(size),
            What::Other(EventKind::FailedAlloc { .. }) => {
                self.failed = self.failed.saturating_add(1)
            }
            What::Other(_) => self.surplus = self.surplus.wrapping_add(1),
        }
    }

    #[inline(always)]
    fn remove(&mut self, size: OwnWord) {
        self.frees = self.frees.wrapping_add(1);
        self.bytes_in_use = self.bytes_in_use.saturating_sub(size);
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

/// The drain's part: what the chunks that it took said.
#[derive(Clone, Copy, Debug)]
struct Taken {
    sequence: u32,
    allocations: u64,
    frees: u64,
    surplus: u64,
    lost_by_link: u64,
}

pub(super) struct State<D, const SIZE: usize, const BUFFERS: usize, const SCOPES: usize> {
    encoder: Encoder<Rows, TinyTables<OwnWord>, Known<D>>,
    buffers: [Buffer<SIZE>; BUFFERS],
    /// The buffer being filled, the events in it, and how many before it are sealed.
    filling: usize,
    events: u16,
    sealed: usize,
    counts: Counts,
    time: u64,
    pub(super) recording: bool,
    started: bool,
    pub(super) site: u32,
    scopes: Vec<&'static str, SCOPES>,
    taken: Taken,
    /// Definitions that were sent: the session, then scopes.
    defined: usize,
    /// The definition to repeat next, and in how many chunks.
    repeat: usize,
    repeat_in: u16,
}

impl<D: Device, const SIZE: usize, const BUFFERS: usize, const SCOPES: usize>
    State<D, SIZE, BUFFERS, SCOPES>
{
    /// Not recording. All zeros, so that a static recorder takes no flash.
    pub(super) const fn new() -> Self {
        const {
            assert!(
                D::PLACEMENT.address_bits <= OwnWord::BITS as u8,
                "addresses wider than pointers"
            );
        }
        let counts = Counts::ZERO;
        Self {
            encoder: Encoder::new(Rows::new(), TinyTables::empty(), Known::new()),
            buffers: [Buffer { time: 0, counts, events: 0, len: 0, payload: [0; SIZE] }; BUFFERS],
            filling: 0,
            events: 0,
            sealed: 0,
            counts,
            time: 0,
            recording: false,
            started: false,
            site: NO_SITE,
            scopes: Vec::new(),
            taken: Taken { sequence: 0, allocations: 0, frees: 0, surplus: 0, lost_by_link: 0 },
            defined: 0,
            repeat: 0,
            repeat_in: 0,
        }
    }

    pub(super) fn start(&mut self) {
        if !self.started {
            self.time = Clock::<D>::first();
        }
        (self.started, self.recording) = (true, true);
        self.define_again();
    }

    pub(super) fn stop(&mut self) {
        self.recording = false;
    }

    /// Records what happened just now.
    #[inline(never)]
    pub(super) fn record(&mut self, what: &What<'_>, whose: Whose) -> Recorded {
        let (time, mut moment) = Clock::<D>::after(self.time);
        self.time = time;
        if self.events == 0 {
            if !self.open() {
                return Recorded::NoRoom;
            }
            (moment.step, moment.back) = (0, false);
        }
        let site = match whose {
            Whose::Scope => self.site,
            Whose::Site(site) => site,
        };
        let Some(buffer) = self.buffers.get_mut(self.filling) else { return Recorded::NoRoom };
        let written = self.encoder.attempt(&mut buffer.payload, |encoder, payload| match *what {
            What::Allocated { old, address, size } => {
                let old = old.map(|(old, _)| old.widen());
                let (address, size) = (address.widen(), size.widen());
                let allocated = Allocated { old, address, size, site };
                encoder.write_alloc(payload, moment, allocated)
            }
            What::Freed { address, .. } => {
                encoder.write_free(payload, moment, address.widen(), site)
            }
            What::Other(kind) => encoder.write_other(payload, moment, kind),
        });
        if !written {
            return self.refuse();
        }
        self.events = self.events.wrapping_add(1);
        self.counts.count(*what);
        Recorded::Done
    }

    /// An event had no room in the chunk.
    #[cold]
    #[inline(never)]
    fn refuse(&mut self) -> Recorded {
        if self.events == 0 {
            return Recorded::TooLarge;
        }
        self.seal();
        Recorded::Again
    }

    /// Counts an event that could not be recorded.
    #[cold]
    #[inline(never)]
    pub(super) fn lose(&mut self, what: &What<'_>) {
        self.counts.lost = self.counts.lost.saturating_add(1);
        self.counts.count(*what);
    }

    /// Begins a chunk; false when all buffers are sealed.
    #[cold]
    #[inline(never)]
    fn open(&mut self) -> bool {
        if self.sealed >= BUFFERS {
            return false;
        }
        let Some(buffer) = self.buffers.get_mut(self.filling) else { return false };
        let (time, counts) = (self.time, self.counts);
        (buffer.time, buffer.counts) = (time, counts);
        let end = SIZE.min(MOST_PAYLOAD).saturating_sub(CRC_LEN);
        self.encoder.begin(0, end);
        true
    }

    /// Completes the chunk being filled, if any event is in it.
    #[cold]
    #[inline(never)]
    pub(super) fn seal(&mut self) {
        if self.events == 0 {
            return;
        }
        if let Some(buffer) = self.buffers.get_mut(self.filling) {
            buffer.len = self.encoder.finish(&mut buffer.payload) as u16;
            buffer.events = self.events;
        }
        self.events = 0;
        self.sealed = self.sealed.wrapping_add(1);
        self.filling = self.filling.wrapping_add(1);
        if self.filling >= BUFFERS {
            self.filling = 0;
        }
    }

    /// Whether a chunk is sealed.
    pub(super) fn is_ready(&self) -> bool {
        self.sealed > 0
    }

    /// Takes the oldest sealed chunk: its header and the length of its payload.
    pub(super) fn take(&mut self, payload: &mut [u8; SIZE]) -> Option<(ChunkHeader, usize)> {
        self.sealed = self.sealed.checked_sub(1)?;
        let behind = self.sealed.wrapping_add(1);
        let at = self.filling.checked_sub(behind);
        let at = at.unwrap_or(self.filling.wrapping_add(BUFFERS).wrapping_sub(behind));
        let &Buffer { time, counts, events, len, payload: ref bytes } = self.buffers.get(at)?;
        *payload = *bytes;
        self.repeat_in = self.repeat_in.saturating_sub(1);
        let header = self.header(time, counts, events.into());
        Some((header, len.into()))
    }

    /// The header of a chunk without events, if none waits.
    pub(super) fn totals(&mut self) -> Option<ChunkHeader> {
        let idle = self.sealed == 0 && self.events == 0;
        idle.then(|| self.header(Clock::<D>::after(self.time).0, self.counts, 0))
    }

    /// The header of the next chunk.
    fn header(&mut self, time: u64, counts: Counts, events: u32) -> ChunkHeader {
        let taken = &mut self.taken;
        grow(&mut taken.allocations, counts.allocations);
        grow(&mut taken.frees, counts.frees);
        let step = counts.surplus.wrapping_sub(taken.surplus as u32).cast_signed();
        taken.surplus = taken.surplus.wrapping_add_signed(step.into());
        let sequence = taken.sequence;
        taken.sequence = sequence.wrapping_add(1);
        let totals = HeapTotals {
            allocations: taken.allocations,
            frees: taken.frees,
            failed: counts.failed.into(),
            bytes_in_use: counts.bytes_in_use.widen(),
            peak_bytes: counts.peak_bytes.widen(),
        };
        ChunkHeader {
            kind: ChunkKind::Events,
            layout: Layout::Rows,
            codec: Codec::None,
            events,
            stream: 0,
            epoch: 0,
            sequence,
            time,
            first_event: totals.events().wrapping_add(taken.surplus),
            losses: Losses { full: counts.lost.into(), link: taken.lost_by_link },
            totals,
            model: ModelSpec {
                shape: TinyTables::<OwnWord>::empty().shape(),
                placement: D::PLACEMENT,
            },
        }
    }

    /// Counts the events of a chunk that the link refused. Definitions may not have got through either.
    pub(super) fn lose_link(&mut self, events: u32) {
        let link = &mut self.taken.lost_by_link;
        *link = link.saturating_add(events.into());
        self.define_again();
    }

    pub(super) fn define_again(&mut self) {
        self.defined = 0;
    }

    /// The definitions to be sent now: the first of them, and whether all after it or only as many as
    /// one chunk holds.
    pub(super) fn due(&mut self) -> Option<(usize, bool)> {
        if self.defined <= self.scopes.len() {
            let first = self.defined;
            self.defined = self.scopes.len().wrapping_add(1);
            self.repeat_in = REPEAT_EVERY;
            Some((first, true))
        } else if self.repeat_in == 0 {
            self.repeat_in = REPEAT_EVERY;
            Some((self.repeat, false))
        } else {
            None
        }
    }

    /// The repetition got as far as that: the next goes on from there.
    pub(super) fn repeated(&mut self, next: usize) {
        self.repeat = if next <= self.scopes.len() { next } else { 0 };
    }

    /// A definition by number.
    pub(super) fn definition(&self, item: usize) -> Option<Definition<'static>> {
        let Some(scope) = item.checked_sub(1) else {
            return Some(Definition::Session(D::session()));
        };
        let text = self.scopes.get(scope)?;
        Some(Definition::Name(Name { kind: NameKind::Scope, id: item as u32, text }))
    }

    /// The site of a scope's name: its number among the names, from 1.
    pub(super) fn site_of(&mut self, name: &'static str) -> u32 {
        let known = self.scopes.iter().position(|scope| *scope == name);
        let at = known.or_else(|| {
            self.scopes.push(name).ok()?;
            self.scopes.len().checked_sub(1)
        });
        at.map_or(NO_SITE, |at| at as u32 + 1)
    }
}

/// `total` becomes the next number that ends with these 32 bits.
fn grow(total: &mut u64, low: u32) {
    *total = total.wrapping_add(low.wrapping_sub(*total as u32).into());
}
