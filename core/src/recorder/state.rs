//! What hook and drain share: the chunk being filled, and those that wait for the line.

use heapless::{Deque, Vec};

use crate::chunk::{Chunker, Pushed};
use crate::definition::{Definition, Name, NameKind, Session};
use crate::event::{Event, NO_SITE};
use crate::lanes::Rows;
use crate::shape::Placement;
use crate::tables::TinyTables;
use crate::word::OwnWord;

/// Definitions are repeated after so many chunks of events, for readers that attach late: often enough
/// to wait for, rarely enough to cost little.
pub(super) const ANNOUNCE_EVERY: u32 = 8;

/// A sealed chunk on its way, still without its checksum.
#[derive(Clone, Debug)]
pub(super) struct Sealed<const SIZE: usize> {
    pub(super) bytes: [u8; SIZE],
    pub(super) body_len: usize,
    pub(super) events: u32,
}

#[derive(Debug)]
pub(super) struct State<const SIZE: usize, const QUEUED: usize, const SCOPES: usize> {
    pub(super) chunker: Chunker<[u8; SIZE], Rows, TinyTables<OwnWord>>,
    pub(super) queue: Deque<Sealed<SIZE>, QUEUED>,
    /// A chunk in the chunker's storage that is complete, but has no place in the queue: its length
    /// without checksum, and its events. Until it has, events are lost.
    pub(super) waiting: Option<(usize, u32)>,
    pub(super) scopes: Vec<&'static str, SCOPES>,
    pub(super) site: u32,
    pub(super) time: u64,
    pub(super) recording: bool,
    pub(super) session: Option<Session<'static>>,
    /// Chunks of events since the definitions were sent.
    pub(super) chunks_since_announced: u32,
    pub(super) scopes_announced: usize,
}

impl<const SIZE: usize, const QUEUED: usize, const SCOPES: usize> State<SIZE, QUEUED, SCOPES> {
    /// Not recording, for an allocator that places blocks so.
    pub(super) const fn new(placement: Placement) -> Self {
        Self {
            chunker: Chunker::new([0; SIZE], Rows::new(), TinyTables::empty(), placement),
            queue: Deque::new(),
            waiting: None,
            scopes: Vec::new(),
            site: NO_SITE,
            time: 0,
            recording: false,
            session: None,
            chunks_since_announced: 0,
            scopes_announced: 0,
        }
    }

    /// Records an event; false when it has to wait. It is lost rather than refused if `last`.
    pub(super) fn record(&mut self, event: &Event, freed: u64, last: bool) -> bool {
        self.time = event.time;
        self.enqueue();
        if self.waiting.is_none() {
            match self.chunker.push(event, freed) {
                Pushed::Written => return true,
                Pushed::TooLarge => {
                    self.chunker.lose(&event.kind, freed);
                    return true;
                }
                Pushed::Full => self.seal(),
            }
            if self.waiting.is_none() && self.chunker.push(event, freed) == Pushed::Written {
                return true;
            }
        }
        if last {
            self.chunker.lose(&event.kind, freed);
        }
        last
    }

    /// Completes the open chunk and queues it if there is a place.
    pub(super) fn seal(&mut self) {
        let events = self.chunker.pending_events();
        if let Some(body_len) = self.chunker.close() {
            self.waiting = Some((body_len, events));
        }
        self.enqueue();
    }

    /// Moves a waiting chunk into the queue if there is a place.
    fn enqueue(&mut self) {
        if let Some((body_len, events)) = self.waiting
            && !self.queue.is_full()
        {
            let sealed = Sealed { bytes: *self.chunker.storage(), body_len, events };
            self.waiting = self.queue.push_back(sealed).err().map(|_| (body_len, events));
        }
    }

    /// The next chunk to send, and whether definitions are due before it.
    pub(super) fn next(&mut self) -> Option<(Sealed<SIZE>, bool)> {
        let sealed = self.queue.pop_front()?;
        self.enqueue();
        let announce = self.chunks_since_announced >= ANNOUNCE_EVERY
            || self.scopes_announced < self.scopes.len();
        if announce {
            self.chunks_since_announced = 0;
            self.scopes_announced = self.scopes.len();
        }
        self.chunks_since_announced += 1;
        Some((sealed, announce))
    }

    /// The definitions to announce, by number.
    pub(super) fn definition(&self, item: usize) -> Option<Definition<'static>> {
        let Some(scope) = item.checked_sub(1) else {
            return self.session.map(Definition::Session);
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
