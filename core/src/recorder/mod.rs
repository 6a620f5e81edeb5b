//! The recorder: events in at one side, from an allocator's hooks; frames out at the other, to any
//! [`embedded_io::Write`]. It fits a `static`, never allocates, and by default never waits.
//!
//! The hook encodes in a critical section. Headers, checksums and framing are the drain's, outside of
//! it.

mod device;
mod state;

pub use device::{Device, WhenFull};

use core::cell::RefCell;

use crate::crc::Crc32;
use crate::definition::put_definition;
use crate::event::{EventKind, NO_SITE};
use crate::format::{CRC_LEN, MAX_HEADER};
use crate::frame::write_frame_of;
use crate::header::{ChunkHeader, ChunkKind, set_counts};
use crate::word::{OwnWord, Word};
use critical_section::Mutex;
use embedded_io::Write;
use state::{Recorded, State, What, Whose};

/// Records events of a [`Device`] in `BUFFERS` buffers, one being filled while the others are sealed and
/// on their way. A buffer holds what a chunk has between its header and its end, `SIZE` bytes: on the
/// line a chunk is about 20 bytes longer. Up to `SCOPES` scopes name sites.
///
/// ```
/// use heapwire_core::{Device, EventKind, Placement, Recorder, Session};
///
/// struct Thermostat;
///
/// impl Device for Thermostat {
///     const PLACEMENT: Placement = Placement::EMBEDDED_32;
///     const CLOCK_BITS: u32 = 32;
///
///     fn session() -> Session<'static> {
///         Session {
///             device: "thermostat",
///             build: "1.4.2",
///             ticks_per_second: 1_000_000,
///             address_bits: 32,
///         }
///     }
///
///     fn ticks() -> u64 {
///         0 // a timer's register
///     }
/// }
///
/// static RECORDER: Recorder<Thermostat, 236, 4> = Recorder::new();
///
/// RECORDER.start();
/// {
///     let _scope = RECORDER.scope("net::receive");
///     RECORDER.record(EventKind::Alloc { address: 0x2000_0010, size: 64, site: RECORDER.site() }, 0);
/// }
/// let mut line = Vec::new(); // anything that is `embedded_io::Write`
/// RECORDER.flush();
/// RECORDER.drain(&mut Line(&mut line)).unwrap();
/// assert!(!line.is_empty());
/// # struct Line<'a>(&'a mut Vec<u8>);
/// # impl embedded_io::ErrorType for Line<'_> { type Error = core::convert::Infallible; }
/// # impl embedded_io::Write for Line<'_> {
/// #     fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
/// #         self.0.extend_from_slice(bytes);
/// #         Ok(bytes.len())
/// #     }
/// #     fn flush(&mut self) -> Result<(), Self::Error> { Ok(()) }
/// # }
/// ```
pub struct Recorder<D: Device, const SIZE: usize, const BUFFERS: usize, const SCOPES: usize = 16> {
    state: Mutex<RefCell<State<D, SIZE, BUFFERS, SCOPES>>>,
}

impl<D: Device, const SIZE: usize, const BUFFERS: usize, const SCOPES: usize> Default
    for Recorder<D, SIZE, BUFFERS, SCOPES>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Device, const SIZE: usize, const BUFFERS: usize, const SCOPES: usize>
    Recorder<D, SIZE, BUFFERS, SCOPES>
{
    /// A recorder that does not record yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: Mutex::new(RefCell::new(State::new())) }
    }

    /// Records from now on. The session is sent first, and again now and then.
    pub fn start(&self) {
        self.with(State::start);
    }

    /// Ignores events from now on. What is recorded stays, to be flushed and drained.
    pub fn stop(&self) {
        self.with(State::stop);
    }

    /// Enters a scope: until the guard is dropped, events come from the site of this name. Scopes
    /// nest. When there is no place for another name, its site is unknown.
    pub fn scope(&self, name: &'static str) -> Scope<'_, D, SIZE, BUFFERS, SCOPES> {
        let former = self.with(|state| {
            let site = state.site_of(name);
            core::mem::replace(&mut state.site, site)
        });
        Scope { recorder: self, former: former.unwrap_or(NO_SITE) }
    }

    /// The site of the scope we are in, or [`NO_SITE`].
    pub fn site(&self) -> u32 {
        self.with(|state| state.site).unwrap_or(NO_SITE)
    }

    /// Records what happened just now. `freed` is the size in bytes of a block freed or resized. Sizes
    /// are cut to what a pointer may span.
    #[inline]
    pub fn record(&self, kind: EventKind, freed: u64) {
        let freed = OwnWord::saturate(freed);
        match kind {
            EventKind::Alloc { address, size, site } => {
                let (address, size) = (OwnWord::cut(address), OwnWord::saturate(size));
                self.report(What::Allocated { old: None, address, size }, Whose::Site(site));
            }
            EventKind::Realloc { old, address, size, site } => {
                let old = Some((OwnWord::cut(old), freed));
                let (address, size) = (OwnWord::cut(address), OwnWord::saturate(size));
                self.report(What::Allocated { old, address, size }, Whose::Site(site));
            }
            EventKind::Free { address, site } => {
                let address = OwnWord::cut(address);
                self.report(What::Freed { address, size: freed }, Whose::Site(site));
            }
            _ => self.report(What::Other(&kind), Whose::Scope),
        }
    }

    fn report(&self, what: What<'_>, whose: Whose) {
        let recorded = self.with(|state| match state.recording {
            true => state.record(&what, whose),
            false => Recorded::Done,
        });
        if let Some(Recorded::Again | Recorded::NoRoom | Recorded::TooLarge) = recorded {
            self.report_again(&what, whose);
        }
    }

    #[cold]
    #[inline(never)]
    fn report_again(&self, what: &What<'_>, whose: Whose) {
        let (mut attempts, relax) = match D::WHEN_FULL {
            WhenFull::Lose => (0, None),
            WhenFull::Wait { attempts, relax } => (attempts, Some(relax)),
        };
        loop {
            let recorded = self.with(|state| {
                let recorded = state.record(what, whose);
                let lost = match recorded {
                    Recorded::NoRoom => attempts == 0,
                    Recorded::TooLarge => true,
                    Recorded::Done | Recorded::Again => false,
                };
                if lost {
                    state.lose(what);
                    return Recorded::Done;
                }
                recorded
            });
            match (recorded, relax) {
                (Some(Recorded::Again), _) => {}
                (Some(Recorded::NoRoom), Some(relax)) => {
                    relax();
                    attempts -= 1;
                }
                _ => return,
            }
        }
    }

    /// Seals the chunk being filled, however little is in it, so that [`drain`](Self::drain) sends
    /// it: at the end, before a long sleep, or every so often to keep the reader up to date.
    pub fn flush(&self) {
        self.with(State::seal);
    }

    /// Sends everything sealed, with definitions where they are due: all at first, new names before the
    /// chunks that they are used in, and some of the others, in turn, after every 32 chunks. Returns how
    /// many chunks of events went out. To be called from one place: an idle loop, a task of low priority,
    /// a timer.
    ///
    /// # Errors
    /// The first error of the link. The chunk that it refused is lost, and counted so.
    pub fn drain<W: Write>(&self, link: &mut W) -> Result<usize, W::Error> {
        let mut sent = 0;
        if !self.with(|state| state.is_ready()).unwrap_or(false) {
            return Ok(sent);
        }
        let mut body = [0; SIZE];
        while let Some((header, len)) = self.with(|state| state.take(&mut body)).flatten() {
            let result = match self.announce(link, &header) {
                Ok(()) => send(link, &header, &mut body, len),
                refused => refused,
            };
            if let Err(refused) = result {
                self.with(|state| state.lose_link(header.events));
                return Err(refused);
            }
            sent += 1;
        }
        Ok(sent)
    }

    /// Sends a chunk without events, for the totals in its header, if no event waits: at the end, so
    /// that the reader knows how everything stood, or now and then on a quiet line.
    ///
    /// # Errors
    /// The first error of the link.
    pub fn send_totals<W: Write>(&self, link: &mut W) -> Result<(), W::Error> {
        match self.with(State::totals).flatten() {
            Some(header) => send(link, &header, &mut [0; CRC_LEN], 0),
            None => Ok(()),
        }
    }

    /// Sends the definitions that are due before the chunk with this header.
    fn announce<W: Write>(&self, link: &mut W, header: &ChunkHeader) -> Result<(), W::Error> {
        let Some((mut item, all)) = self.with(State::due).flatten() else { return Ok(()) };
        let header = ChunkHeader { kind: ChunkKind::Definitions, events: 0, ..*header };
        let mut body = [0; SIZE];
        loop {
            let mut len = 0;
            let next = loop {
                let next = self.with(|state| state.definition(item)).flatten();
                let room = body.get_mut(len..SIZE.saturating_sub(CRC_LEN)).unwrap_or_default();
                let Some(definition) = next else { break false };
                match put_definition(room, &definition) {
                    Some(written) => len += written,
                    // A name too long for any chunk of this size: its site stays a number.
                    None if len == 0 => {}
                    None => break true,
                }
                item += 1;
            };
            if len > 0 {
                send(link, &header, &mut body, len)?;
            }
            if !all {
                self.with(|state| state.repeated(item));
            }
            if !(next && all) {
                return Ok(());
            }
        }
    }

    /// Runs `f` in a critical section; `None` when an event interrupted the recorder itself (from an
    /// interrupt that critical sections do not hold back), which is then not recorded.
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut State<D, SIZE, BUFFERS, SCOPES>) -> R) -> Option<R> {
        critical_section::with(|section| {
            self.state.borrow(section).try_borrow_mut().ok().map(|mut state| f(&mut state))
        })
    }
}

/// Sends a chunk of the `len` first bytes of `body`, behind which is room for its checksum.
fn send<W: Write>(
    link: &mut W,
    header: &ChunkHeader,
    body: &mut [u8],
    len: usize,
) -> Result<(), W::Error> {
    let mut head = [0; MAX_HEADER];
    // No header is longer, so there is nothing to be told.
    let Some(head_len) = header.emit(&mut head, 0, false) else { return Ok(()) };
    let end = len.saturating_add(CRC_LEN);
    set_counts(&mut head, head_len.saturating_add(end), header.events, false);
    let head = head.get(..head_len).unwrap_or_default();
    let checksum = Crc32::new().update(head).update(body.get(..len).unwrap_or_default()).value();
    if let Some(room) = body.get_mut(len..).and_then(|room| room.first_chunk_mut()) {
        *room = checksum.to_le_bytes();
    }
    write_frame_of(head, body.get(..end).unwrap_or_default(), |piece| link.write_all(piece))?;
    link.flush()
}

/// While it lives, events come from its site. Returned by [`Recorder::scope`].
#[must_use]
pub struct Scope<'a, D: Device, const SIZE: usize, const BUFFERS: usize, const SCOPES: usize> {
    recorder: &'a Recorder<D, SIZE, BUFFERS, SCOPES>,
    former: u32,
}

impl<D: Device, const SIZE: usize, const BUFFERS: usize, const SCOPES: usize> Drop
    for Scope<'_, D, SIZE, BUFFERS, SCOPES>
{
    fn drop(&mut self) {
        self.recorder.with(|state| state.site = self.former);
    }
}

#[cfg(feature = "alloc-hook")]
impl<D: Device, const SIZE: usize, const BUFFERS: usize, const SCOPES: usize>
    crate::heap::HeapObserver for Recorder<D, SIZE, BUFFERS, SCOPES>
{
    fn allocated(&self, address: usize, size: usize) {
        let (address, size) = (address as OwnWord, size as OwnWord);
        self.report(What::Allocated { old: None, address, size }, Whose::Scope);
    }

    fn freed(&self, address: usize, size: usize) {
        let (address, size) = (address as OwnWord, size as OwnWord);
        self.report(What::Freed { address, size }, Whose::Scope);
    }

    fn reallocated(&self, old: usize, old_size: usize, address: usize, size: usize) {
        let old = Some((old as OwnWord, old_size as OwnWord));
        let (address, size) = (address as OwnWord, size as OwnWord);
        self.report(What::Allocated { old, address, size }, Whose::Scope);
    }

    fn failed(&self, size: usize) {
        let (size, site) = (size as u64, self.site());
        self.record(EventKind::FailedAlloc { size, site }, 0);
    }
}
