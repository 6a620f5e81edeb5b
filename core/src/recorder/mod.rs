//! The recorder: events in at one side, from an allocator's hooks; frames out at the other, to any
//! [`embedded_io::Write`]. It fits a `static`, never allocates, and by default never waits.
//!
//! The hook encodes in a critical section. Checksum and framing run in the drain, outside of it.

mod clock;
mod state;

pub use clock::Clock;

use core::cell::RefCell;

use crate::chunk::seal;
use crate::definition::{Session, put_definition};
use crate::event::{Event, EventKind, NO_SITE};
use crate::frame::write_frame;
use crate::shape::Placement;
use critical_section::Mutex;
use embedded_io::Write;
use state::{ANNOUNCE_EVERY, State};

/// What the hook does when all buffers are full.
#[derive(Clone, Copy, Debug)]
pub enum WhenFull {
    /// Lose the event and count it.
    Lose,
    /// Call `relax` and look again, at most so many times; then lose the event.
    Wait {
        /// How many times to look.
        attempts: u32,
        /// What to do in between, outside the critical section: yield, sleep, drain.
        relax: fn(),
    },
}

/// Records events in 1 + `QUEUED` buffers of `SIZE` bytes: one being filled and the others sealed,
/// on their way. Up to `SCOPES` scopes name sites.
///
/// ```
/// use heapwire_core::{Clock, EventKind, Placement, Recorder, Session};
/// # fn ticks() -> u64 { 0 }
///
/// static RECORDER: Recorder<256, 3> = Recorder::new(Clock::new(ticks, 32), Placement::EMBEDDED_32);
///
/// RECORDER.start(Session {
///     device: "thermostat",
///     build: "1.4.2",
///     ticks_per_second: 1_000_000,
///     address_bits: 32,
/// });
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
#[derive(Debug)]
pub struct Recorder<const SIZE: usize, const QUEUED: usize, const SCOPES: usize = 16> {
    state: Mutex<RefCell<State<SIZE, QUEUED, SCOPES>>>,
    clock: Clock,
    thread: fn() -> u32,
    when_full: WhenFull,
}

impl<const SIZE: usize, const QUEUED: usize, const SCOPES: usize> Recorder<SIZE, QUEUED, SCOPES> {
    /// A recorder that does not record yet, for an allocator that places blocks so.
    #[must_use]
    pub const fn new(clock: Clock, placement: Placement) -> Self {
        let state = Mutex::new(RefCell::new(State::new(placement)));
        Self { state, clock, thread: || 0, when_full: WhenFull::Lose }
    }

    /// Uses a function that tells the running thread, task or core.
    #[must_use]
    pub const fn with_thread(mut self, thread: fn() -> u32) -> Self {
        self.thread = thread;
        self
    }

    /// Says what to do when all buffers are full.
    #[must_use]
    pub const fn with_when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// Records from now on. The session is sent first, and again now and then.
    pub fn start(&self, session: Session<'static>) {
        self.with(|state| {
            if state.session.is_none() {
                state.time = self.clock.first();
            }
            state.session = Some(session);
            state.recording = true;
            state.chunks_since_announced = ANNOUNCE_EVERY;
        });
    }

    /// Ignores events from now on. What is recorded stays, to be flushed and drained.
    pub fn stop(&self) {
        self.with(|state| state.recording = false);
    }

    /// Enters a scope: until the guard is dropped, events come from the site of this name. Scopes
    /// nest. When there is no place for another name, its site is unknown.
    pub fn scope(&self, name: &'static str) -> Scope<'_, SIZE, QUEUED, SCOPES> {
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

    /// Records what happened just now. `freed` is the size in bytes of a block freed or resized.
    pub fn record(&self, kind: EventKind, freed: u64) {
        self.record_with(freed, |_| kind);
    }

    fn record_with(&self, freed: u64, kind: impl Fn(u32) -> EventKind) {
        let mut waits = match self.when_full {
            WhenFull::Lose => 0,
            WhenFull::Wait { attempts, .. } => attempts,
        };
        loop {
            let recorded = self.with(|state| {
                if !state.recording {
                    return true;
                }
                let time = self.clock.after(state.time);
                let event = Event { time, thread: (self.thread)(), kind: kind(state.site) };
                state.record(&event, freed, waits == 0)
            });
            if recorded != Some(false) {
                return;
            }
            if let WhenFull::Wait { relax, .. } = self.when_full {
                relax();
            }
            waits = waits.saturating_sub(1);
        }
    }

    /// Seals the chunk being filled, however little is in it, so that [`drain`](Self::drain) sends
    /// it: at the end, before a long sleep, or every so often to keep the reader up to date.
    pub fn flush(&self) {
        self.with(State::seal);
    }

    /// Sends everything sealed, with definitions where they are due. Returns how many chunks of
    /// events went out. To be called from one place: an idle loop, a task of low priority, a timer.
    ///
    /// # Errors
    /// The first error of the link. The chunk that it refused is lost, and counted so.
    pub fn drain<W: Write>(&self, link: &mut W) -> Result<usize, W::Error> {
        let mut sent = 0;
        while let Some((mut chunk, announce)) = self.with(State::next).flatten() {
            if let Some(len) = seal(&mut chunk.bytes, chunk.body_len, crate::crc::crc32) {
                let bytes = chunk.bytes.get(..len).unwrap_or_default();
                if let Err(refused) = self.send(link, bytes, announce) {
                    self.with(|state| {
                        state.chunker.lose_link(u64::from(chunk.events));
                        if announce {
                            // They may not have got through either.
                            state.chunks_since_announced = ANNOUNCE_EVERY;
                        }
                    });
                    return Err(refused);
                }
                sent += 1;
            }
        }
        Ok(sent)
    }

    /// Sends a chunk, and the definitions before it if they are due.
    fn send<W: Write>(&self, link: &mut W, chunk: &[u8], announce: bool) -> Result<(), W::Error> {
        if announce {
            self.announce(link)?;
        }
        write_frame(chunk, |piece| link.write_all(piece))?;
        link.flush()
    }

    /// Sends a chunk without events, for the totals in its header, if no event waits: at the end, so
    /// that the reader knows how everything stood, or now and then on a quiet line.
    ///
    /// # Errors
    /// The first error of the link.
    pub fn send_totals<W: Write>(&self, link: &mut W) -> Result<(), W::Error> {
        let chunk = self.with(|state| {
            let idle = state.waiting.is_none() && state.queue.is_empty();
            let time = self.clock.after(state.time);
            let len = if idle { state.chunker.seal_totals(time)?.len() } else { return None };
            Some((*state.chunker.storage(), len))
        });
        if let Some((bytes, len)) = chunk.flatten() {
            let bytes = bytes.get(..len).unwrap_or_default();
            write_frame(bytes, |piece| link.write_all(piece))?;
            link.flush()?;
        }
        Ok(())
    }

    /// Sends the session and the names of all scopes, in as many chunks as they need.
    fn announce<W: Write>(&self, link: &mut W) -> Result<(), W::Error> {
        let mut chunk = [0; SIZE];
        let mut payload = [0; SIZE];
        let emit = |chunk: &mut [u8; SIZE], payload: &[u8]| {
            self.with(|state| state.chunker.emit_definitions(chunk, state.time, payload)).flatten()
        };
        // Header and checksum as they are now, and a byte for each counter that may grow by one.
        let taken = emit(&mut chunk, &[]).unwrap_or(SIZE).saturating_add(COUNTERS);
        let room = SIZE.saturating_sub(taken);
        let mut len = 0;
        let mut item = 0;
        loop {
            let definition = self.with(|state| state.definition(item)).flatten();
            let put = |len: usize, payload: &mut [u8; SIZE]| {
                put_definition(payload.get_mut(len..room)?, &definition?)
            };
            if let Some(written) = put(len, &mut payload) {
                len += written;
                item += 1;
                continue;
            }
            if len > 0 {
                let emitted = emit(&mut chunk, payload.get(..len).unwrap_or_default());
                if let Some(bytes) = emitted.and_then(|len| chunk.get(..len)) {
                    write_frame(bytes, |piece| link.write_all(piece))?;
                }
                len = 0;
            } else if definition.is_some() {
                // A name too long for any chunk of this size: its site stays a number.
                item += 1;
            } else {
                return Ok(());
            }
        }
    }

    /// Runs `f` in a critical section; `None` when an event interrupted the recorder itself (from an
    /// interrupt that critical sections do not hold back), which is then not recorded.
    fn with<R>(&self, f: impl FnOnce(&mut State<SIZE, QUEUED, SCOPES>) -> R) -> Option<R> {
        critical_section::with(|section| {
            self.state.borrow(section).try_borrow_mut().ok().map(|mut state| f(&mut state))
        })
    }
}

/// Counters in a header that grow while definitions are sent: sequence, time, first event, lost to
/// full buffers, allocations, frees, failed, bytes in use, peak.
const COUNTERS: usize = 9;

/// While it lives, events come from its site. Returned by [`Recorder::scope`].
#[derive(Debug)]
#[must_use]
pub struct Scope<'a, const SIZE: usize, const QUEUED: usize, const SCOPES: usize> {
    recorder: &'a Recorder<SIZE, QUEUED, SCOPES>,
    former: u32,
}

impl<const SIZE: usize, const QUEUED: usize, const SCOPES: usize> Drop
    for Scope<'_, SIZE, QUEUED, SCOPES>
{
    fn drop(&mut self) {
        self.recorder.with(|state| state.site = self.former);
    }
}

#[cfg(feature = "alloc-hook")]
impl<const SIZE: usize, const QUEUED: usize, const SCOPES: usize> crate::heap::HeapObserver
    for Recorder<SIZE, QUEUED, SCOPES>
{
    fn allocated(&self, address: usize, size: usize) {
        let (address, size) = (address as u64, size as u64);
        self.record_with(0, |site| EventKind::Alloc { address, size, site });
    }

    fn freed(&self, address: usize, size: usize) {
        let address = address as u64;
        self.record_with(size as u64, |site| EventKind::Free { address, site });
    }

    fn reallocated(&self, old: usize, old_size: usize, address: usize, size: usize) {
        let (old, address, size) = (old as u64, address as u64, size as u64);
        self.record_with(old_size as u64, |site| EventKind::Realloc { old, address, size, site });
    }

    fn failed(&self, size: usize) {
        let size = size as u64;
        self.record_with(0, |site| EventKind::FailedAlloc { size, site });
    }
}
