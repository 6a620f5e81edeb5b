//! The recorder: events in at one side, from an allocator's hooks; frames out at the other, to any
//! [`embedded_io::Write`]. It fits a `static`, never allocates, and by default never waits.
//!
//! The hook encodes in a critical section. Headers are the drain's, in another; checksums and framing are
//! made outside of any.

mod device;
mod names;
mod outgoing;
mod state;

pub use device::{Detail, Device, WhenFull};
pub use outgoing::FrameSender;

use core::cell::RefCell;

use crate::definition::NameKind;
use crate::event::{EventKind, NO_SITE};
use crate::word::{OwnWord, Word};
use critical_section::Mutex;
use embedded_io::Write;
use outgoing::Outgoing;
use state::{Act, Block, Next, Refused, State, What, Whose};

/// Records events of a [`Device`] in `BUFFERS` buffers, one being filled while the others are sealed and
/// on their way. A buffer holds what a chunk has between its header and its end, `SIZE` bytes: on the line a chunk
/// is about 20 bytes longer. 64 are enough for any event; buffers that are too small for some do not compile. Up to
/// `NAMES` scopes, gauges, marks and threads have names.
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
pub struct Recorder<D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize = 16> {
    state: Mutex<RefCell<State<D, SIZE, BUFFERS, NAMES>>>,
}

impl<D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize> Default
    for Recorder<D, SIZE, BUFFERS, NAMES>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize>
    Recorder<D, SIZE, BUFFERS, NAMES>
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
    pub fn scope(&self, name: &'static str) -> Scope<'_, D, SIZE, BUFFERS, NAMES> {
        Scope { recorder: self, former: self.enter_scope(name) }
    }

    /// Enters a scope where a guard cannot live, as between functions of another language. Returns the
    /// site of the scope around it, for [`leave_scope`](Self::leave_scope).
    pub fn enter_scope(&self, name: &'static str) -> u32 {
        let former = self.with(|state| {
            let site = state.number(NameKind::Scope, name);
            core::mem::replace(&mut state.site, site)
        });
        former.unwrap_or(NO_SITE)
    }

    /// Leaves a scope: `former` is what entering it returned.
    pub fn leave_scope(&self, former: u32) {
        self.with(|state| state.site = former);
    }

    /// The site of the scope we are in, or [`NO_SITE`].
    pub fn site(&self) -> u32 {
        self.with(|state| state.site).unwrap_or(NO_SITE)
    }

    /// Records the value of a gauge: the largest free block, the depth of a queue, any number over time.
    /// Gauges that found no place among the names have number 0 in common.
    pub fn gauge(&self, name: &'static str, value: i64) {
        let gauge = self.number(NameKind::Gauge, name);
        self.record(EventKind::Gauge { gauge, value }, 0);
    }

    /// Marks a point in time worth finding again. Marks that found no place among the names have
    /// number 0 in common.
    pub fn mark(&self, name: &'static str) {
        let mark = self.number(NameKind::Mark, name);
        self.record(EventKind::Mark { mark }, 0);
    }

    /// Names a thread, task or core, by the number that [`Device::thread`] gives it; a name given before
    /// gives way. Threads with numbers above 8,000, and those that find no place, stay numbers.
    pub fn name_thread(&self, thread: u32, name: &'static str) {
        self.with(|state| state.name_thread(thread, name));
    }

    /// How much is recorded from now on, whether recording has started or not. What is left out is
    /// counted, so that totals stay exact and the gap has a size.
    pub fn set_detail(&self, detail: Detail) {
        self.with(|state| state.set_detail(detail));
    }

    fn number(&self, kind: NameKind, name: &'static str) -> u32 {
        self.with(|state| state.number(kind, name)).unwrap_or(0)
    }

    /// Records what happened just now. `freed` is the size in bytes of a block freed or resized. Sizes
    /// are cut to what a pointer may span.
    #[inline]
    pub fn record(&self, kind: EventKind, freed: u64) {
        match kind {
            EventKind::Alloc { address, size, site } => {
                self.report::<false>(
                    &What::ALLOCATED,
                    Self::block(address, size),
                    Whose::Site(site),
                );
            }
            EventKind::Realloc { old, address, size, site } => {
                let (old, block) = (Self::block(old, freed), Self::block(address, size));
                self.report::<false>(&What::new(Act::Reallocated(old)), block, Whose::Site(site));
            }
            EventKind::Free { address, site } => {
                self.report::<true>(&What::FREED, Self::block(address, freed), Whose::Site(site));
            }
            _ => {
                self.report::<false>(
                    &What::new(Act::Other(&kind)),
                    Self::block(0, 0),
                    Whose::Scope,
                );
            }
        }
    }

    #[inline(always)]
    fn block(address: u64, size: u64) -> Block {
        let address = OwnWord::cut(address & D::PLACEMENT.address_mask());
        Block { address, size: OwnWord::saturate(size) }
    }

    /// Records an event. What is refused is looked after here, so that a hook ends with a jump to here; but a further
    /// attempt only says that it was refused. No loop: what is the same each time around would be computed before
    /// it, and kept in memory. It is there twice, for frees and for all other events.
    #[inline(never)]
    fn report<const FREES: bool>(
        &self,
        what: &What<'_>,
        block: Block,
        whose: Whose,
    ) -> Option<Refused> {
        let mut refused = None;
        self.with(|state| refused = state.record::<FREES>(what, block, whose).err());
        if State::<D, SIZE, BUFFERS, NAMES>::RETRIES && refused.is_some() {
            if what.again {
                return refused;
            }
            self.report_again(what, block, whose);
        }
        None
    }

    #[cold]
    #[inline(never)]
    fn report_again(&self, what: &What<'_>, block: Block, whose: Whose) {
        let mut attempts = match D::WHEN_FULL {
            WhenFull::Lose | WhenFull::Overwrite => 0,
            WhenFull::Wait { attempts, .. } => attempts,
        };
        let what = &What { again: true, ..*what };
        while self.is_to_try_again(what, block, &mut attempts) {
            let refused = if matches!(what.act, Act::Freed) {
                self.report::<true>(what, block, whose)
            } else {
                self.report::<false>(what, block, whose)
            };
            if refused.is_none() {
                return;
            }
        }
    }

    /// Whether to try once more to record an event that was refused.
    #[cold]
    #[inline(never)]
    fn is_to_try_again(&self, what: &What<'_>, block: Block, attempts: &mut u32) -> bool {
        match D::WHEN_FULL {
            WhenFull::Wait { relax, .. } if *attempts > 0 => {
                relax();
                *attempts -= 1;
                true
            }
            _ => self.with(|state| state.insist(what, block)).unwrap_or(false),
        }
    }

    /// Seals the chunk being filled, however little is in it, so that a drain sends it; with
    /// [`Detail::Totals`], has one sent without events. At the end, before a long sleep, or every so often
    /// to keep the reader up to date.
    pub fn flush(&self) {
        self.with(State::flush);
    }

    /// Sends everything sealed, with definitions where they are due: all at first, new names before the
    /// chunks that they are used in, and all again after every 32 chunks, or 32 for each chunk that they
    /// take. Returns how many chunks of events went out. To be called from one place: an idle loop, a task of
    /// low priority, a timer.
    ///
    /// # Errors
    /// The first error of the link. The chunk that it refused is lost, and counted so.
    pub fn drain<W: Write>(&self, link: &mut W) -> Result<usize, W::Error> {
        let mut chunk = Outgoing::new();
        let (mut chunks, mut sent) = (0, false);
        while self.next(&mut chunk, sent) {
            loop {
                let piece = chunk.piece(usize::MAX);
                if piece.is_empty() {
                    break;
                }
                link.write_all(piece)?;
            }
            link.flush()?;
            sent = true;
            chunks += usize::from(chunk.events > 0);
        }
        Ok(chunks)
    }

    /// Sends a chunk without events, for the totals in its header, if no event waits: at the end, so
    /// that the reader knows how everything stood, or now and then on a quiet line.
    ///
    /// # Errors
    /// The first error of the link.
    pub fn send_totals<W: Write>(&self, link: &mut W) -> Result<(), W::Error> {
        self.with(State::want_totals);
        self.drain(link).map(drop)
    }

    /// What can still be said in a panic handler or a fault handler: stops recording and sends all that was
    /// recorded, however far a drain had come, then the totals. The last event is often the allocation that
    /// failed: it has made itself room even if all buffers were full. Never waits but for the link.
    ///
    /// A chunk that was on its way when the panic struck, whoever sent it, is lost and counted so. Returns
    /// false when the panic struck within the hook itself (by a fault, or in a function of the [`Device`]
    /// that the hook calls, such as its clock): then nothing can be sent.
    ///
    /// # Errors
    /// The first error of the link.
    pub fn last_words<W: Write>(&self, link: &mut W) -> Result<bool, W::Error> {
        let flushed = self.with(|state| {
            state.stop();
            state.flush();
        });
        self.drain(link)?;
        self.send_totals(link)?;
        Ok(flushed.is_some())
    }

    /// Makes the next chunk for the line; false when there is none. `sent` says whether the one before was
    /// sent. All drains go this way: what one took and never said to have sent, because the link refused it
    /// or the drain was cancelled or died, is counted as lost by the next.
    fn next(&self, chunk: &mut Outgoing<SIZE>, sent: bool) -> bool {
        loop {
            match self.with(|state| state.next(sent, chunk)) {
                Some(Next::Complete) => break,
                Some(Next::Grows) => {}
                Some(Next::Nothing) | None => return false,
            }
        }
        chunk.complete();
        true
    }

    /// Runs `f` in a critical section; `None` when an event interrupted the recorder itself (from an
    /// interrupt that critical sections do not hold back), which is then not recorded.
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut State<D, SIZE, BUFFERS, NAMES>) -> R) -> Option<R> {
        critical_section::with(|section| {
            self.state.borrow(section).try_borrow_mut().ok().map(|mut state| f(&mut state))
        })
    }
}

/// While it lives, events come from its site. Returned by [`Recorder::scope`].
#[must_use]
pub struct Scope<'a, D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize> {
    recorder: &'a Recorder<D, SIZE, BUFFERS, NAMES>,
    former: u32,
}

impl<D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize> Drop
    for Scope<'_, D, SIZE, BUFFERS, NAMES>
{
    fn drop(&mut self) {
        self.recorder.leave_scope(self.former);
    }
}

#[cfg(feature = "alloc-hook")]
impl<D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize>
    crate::heap::HeapObserver for Recorder<D, SIZE, BUFFERS, NAMES>
{
    fn allocated(&self, address: usize, size: usize) {
        self.report::<false>(
            &What::ALLOCATED,
            Self::block(address as u64, size as u64),
            Whose::Scope,
        );
    }

    fn freed(&self, address: usize, size: usize) {
        self.report::<true>(&What::FREED, Self::block(address as u64, size as u64), Whose::Scope);
    }

    fn reallocated(&self, old: usize, old_size: usize, address: usize, size: usize) {
        let blocks = [(old, old_size), (address, size)];
        let [old, block] = blocks.map(|(address, size)| Self::block(address as u64, size as u64));
        self.report::<false>(&What::new(Act::Reallocated(old)), block, Whose::Scope);
    }

    fn failed(&self, size: usize) {
        let (size, site) = (size as u64, self.site());
        self.record(EventKind::FailedAlloc { size, site }, 0);
    }
}
