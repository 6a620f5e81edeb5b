//! Events into lanes: asks the model what it foretold and writes down what it did not.

use crate::event::{Event, EventKind, NO_SITE};
use crate::lanes::{Lane, Lanes};
use crate::model::{Model, Place, Placed, Which};
use crate::shape::{ModelSpec, Placement};
use crate::tables::{Act, Tables};
use crate::tag::Tag;
use crate::varint::zigzag;
use crate::word::Word;

/// Encodes the events of one chunk at a time. All or nothing: an event that does not fit leaves
/// encoder and payload as they were.
#[derive(Clone, Debug)]
pub(crate) struct Encoder<L, T: Tables> {
    model: Model<T>,
    lanes: L,
    time: u64,
}

impl<L: Lanes, T: Tables> Encoder<L, T> {
    pub(crate) const fn new(lanes: L, tables: T, placement: Placement) -> Self {
        Self { model: Model::new(tables, placement), lanes, time: 0 }
    }

    pub(crate) fn spec(&self) -> ModelSpec {
        self.model.spec()
    }

    /// Begins a chunk whose payload may take `start..end` of the storage.
    pub(crate) fn begin(&mut self, start: usize, end: usize, time: u64) {
        self.model.reset();
        self.lanes.begin(start, end);
        self.time = time;
    }

    /// Writes `event`, or returns false when it does not fit.
    #[inline(always)]
    pub(crate) fn encode(&mut self, storage: &mut [u8], event: &Event) -> bool {
        loop {
            let before = (!self.lanes.is_roomy(storage)).then(|| self.lanes.clone());
            let former_thread = self.model.thread();
            if self.write(storage, event) {
                self.time = event.time;
                return true;
            }
            self.model.switch_thread(former_thread);
            // An event that was sure to fit does fit.
            if !before.is_some_and(|before| self.lanes.undo(before, storage)) {
                return false;
            }
        }
    }

    /// Completes the payload and returns where it ends.
    pub(crate) fn finish(&mut self, storage: &mut [u8]) -> usize {
        self.lanes.finish(storage)
    }

    /// Writes `event` and, if it fitted, lets the model learn it.
    #[inline(always)]
    fn write(&mut self, storage: &mut [u8], event: &Event) -> bool {
        match event.kind {
            EventKind::Alloc { address, size, site } => {
                self.write_alloc(storage, event, None, address, size, site)
            }
            EventKind::Realloc { old, address, size, site } => {
                self.write_alloc(storage, event, Some(old), address, size, site)
            }
            EventKind::Free { address, site } => self.write_free(storage, event, address, site),
            _ => self.write_other(storage, event),
        }
    }

    #[inline]
    fn cut(&self, address: u64) -> T::Word {
        T::Word::cut(address & self.model.address_mask())
    }

    /// Writes an allocation, or a reallocation of the block at `old`.
    #[inline(always)]
    fn write_alloc(
        &mut self,
        storage: &mut [u8],
        event: &Event,
        old: Option<u64>,
        address: u64,
        size: u64,
        site: u32,
    ) -> bool {
        let switched = self.switch_thread(event.thread);
        let (old, address) = (old.map(|old| self.cut(old)), self.cut(address));
        let act = if old.is_some() { Act::Realloc } else { Act::Alloc };
        let hit = self.model.foretold(act) == Some(site);
        let last = self.model.last_size(site);
        let (sized, class) = match last {
            Some(last) if u64::from(last.size) == size && last.class != 0 => (true, last.class),
            _ => (false, self.model.class(size)),
        };
        let place = match old {
            Some(old) if old == address => Place::Same,
            _ => self.model.place(address, class),
        };
        let old = old.map(|old| self.model.refer(old));
        self.start(storage, event, switched);
        let which = old.map(|old| self.model.which(old));
        if let Some(which) = which {
            self.lanes.tag(storage, Tag::of_block(Tag::REALLOC, which.number()));
        }
        self.lanes.tag(storage, Tag::alloc(hit, sized, place.number()));
        self.stamp(storage, event, switched);
        if let Some(which) = which {
            self.which(storage, which);
        }
        if !hit {
            self.site(storage, site);
        }
        if !sized {
            self.lanes.value(storage, Lane::Size, size);
        }
        match place {
            Place::Deep(depth) => self.lanes.value(storage, Lane::Depth, depth),
            Place::Far(code) | Place::Absolute(code) => {
                self.lanes.value(storage, Lane::Address, code);
            }
            Place::Top | Place::Bump | Place::Same => {}
        }
        let fits = self.lanes.fits();
        if fits {
            let block = Placed { address, size, class, site };
            self.model.learn_alloc(old, hit, sized, place, block);
        }
        fits
    }

    #[inline(always)]
    fn write_free(&mut self, storage: &mut [u8], event: &Event, address: u64, site: u32) -> bool {
        let switched = self.switch_thread(event.thread);
        let (act, kind) = match site {
            NO_SITE => (Act::Free, Tag::FREE),
            _ => (Act::FreeAt, Tag::FREE_AT),
        };
        let hit = self.model.foretold(act) == Some(site);
        let freed = self.model.refer(self.cut(address));
        let which = self.model.which(freed);
        self.start(storage, event, switched);
        self.lanes.tag(storage, Tag::free(kind, hit, which.number()));
        self.stamp(storage, event, switched);
        self.which(storage, which);
        if !hit && site != NO_SITE {
            self.site(storage, site);
        }
        let fits = self.lanes.fits();
        if fits {
            self.model.learn_free(hit, act, site, freed);
        }
        fits
    }

    /// Writes an event that the model learns nothing from.
    #[inline(never)]
    fn write_other(&mut self, storage: &mut [u8], event: &Event) -> bool {
        let switched = self.switch_thread(event.thread);
        self.start(storage, event, switched);
        let mut named = None;
        let tag = match event.kind {
            EventKind::Name { address, .. } => {
                let block = self.model.refer(self.cut(address));
                let which = self.model.which(block);
                named = Some(which);
                Tag::of_block(Tag::NAME, which.number())
            }
            EventKind::Gauge { .. } => Tag::GAUGE,
            EventKind::Mark { .. } => Tag::MARK,
            _ => Tag::FAILED_ALLOC,
        };
        self.lanes.tag(storage, tag);
        self.stamp(storage, event, switched);
        if let Some(which) = named {
            self.which(storage, which);
        }
        match event.kind {
            EventKind::Name { variable, type_name, .. } => {
                self.lanes.value(storage, Lane::Other, u64::from(variable));
                self.lanes.value(storage, Lane::Other, u64::from(type_name));
            }
            EventKind::Gauge { gauge, value } => {
                self.lanes.value(storage, Lane::Other, u64::from(gauge));
                self.lanes.value(storage, Lane::Other, zigzag(value));
            }
            EventKind::Mark { mark } => self.lanes.value(storage, Lane::Other, u64::from(mark)),
            EventKind::FailedAlloc { size, site } => {
                self.site(storage, site);
                self.lanes.value(storage, Lane::Size, size);
            }
            EventKind::Alloc { .. } | EventKind::Free { .. } | EventKind::Realloc { .. } => {}
        }
        self.lanes.fits()
    }

    /// Turns the model to the event's thread; says whether it was another.
    #[inline(always)]
    fn switch_thread(&mut self, thread: u32) -> bool {
        let switched = thread != self.model.thread();
        if switched {
            self.model.switch_thread(thread);
        }
        switched
    }

    /// The tags that stand before an event's own.
    #[inline(always)]
    fn start(&mut self, storage: &mut [u8], event: &Event, switched: bool) {
        if switched {
            self.lanes.tag(storage, Tag::SWITCH);
        }
        if (event.time.wrapping_sub(self.time) as i64) < 0 {
            self.lanes.tag(storage, Tag::BACK);
        }
    }

    /// What stands behind the tags: the time step, and the thread if it changes.
    #[inline(always)]
    fn stamp(&mut self, storage: &mut [u8], event: &Event, switched: bool) {
        let step = event.time.wrapping_sub(self.time) as i64;
        self.lanes.time(storage, step.unsigned_abs());
        if switched {
            self.lanes.value(storage, Lane::Thread, u64::from(event.thread));
        }
    }

    #[inline]
    fn site(&mut self, storage: &mut [u8], site: u32) {
        let code = self.model.site_code(site);
        self.lanes.value(storage, Lane::Site, code);
    }

    #[inline]
    fn which(&mut self, storage: &mut [u8], which: Which) {
        match which {
            Which::Ago(ago) => self.lanes.value(storage, Lane::Ago, ago),
            Which::Far(code) | Which::Absolute(code) => {
                self.lanes.value(storage, Lane::Address, code);
            }
            Which::Step | Which::Distance | Which::Next => {}
        }
    }
}
