//! Events into lanes: asks the model what it foretold and writes down what it did not.

use crate::event::{Event, EventKind, NO_SITE};
use crate::lanes::{Fields, Lane, Lanes};
use crate::model::{Model, Place, Referred, Symbol, Which};
use crate::shape::{ModelSpec, Placement};
use crate::tables::{Act, Tables};
use crate::tag::Tag;
use crate::varint::zigzag;

/// Encodes the events of one chunk at a time. All or nothing: an event that does not fit leaves
/// encoder and storage as they were.
#[derive(Clone, Debug)]
pub(crate) struct Encoder<L, T> {
    model: Model<T>,
    lanes: L,
    time: u64,
}

/// What the model has to learn once an event is written.
enum Lesson {
    Alloc { place: Place, address: u64, size: u64, site: u32 },
    Free { symbol: Symbol, freed: Referred },
    Realloc { old: Referred, place: Place, address: u64, size: u64, site: u32 },
    None,
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
    #[inline]
    pub(crate) fn encode(&mut self, storage: &mut [u8], event: &Event) -> bool {
        let mut fields = Fields::new();
        let former_thread = self.model.thread;
        if event.thread != former_thread {
            fields.tag(Tag::Switch);
            fields.value(Lane::Thread, u64::from(event.thread));
            self.model.thread = event.thread;
        }
        let step = event.time.wrapping_sub(self.time) as i64;
        if step < 0 {
            fields.tag(Tag::Back);
        }
        fields.time = step.unsigned_abs();
        let lesson = self.describe(&mut fields, &event.kind);
        if !self.lanes.write(storage, &fields) {
            self.model.thread = former_thread;
            return false;
        }
        self.time = event.time;
        match lesson {
            Lesson::Alloc { place, address, size, site } => {
                self.model.learn_alloc(place, address, size, site);
            }
            Lesson::Free { symbol, freed } => self.model.learn_free(symbol, freed),
            Lesson::Realloc { old, place, address, size, site } => {
                self.model.learn_realloc(old, place, address, size, site);
            }
            Lesson::None => {}
        }
        true
    }

    /// Completes the payload and returns where it ends.
    pub(crate) fn finish(&mut self, storage: &mut [u8]) -> usize {
        self.lanes.finish(storage)
    }

    /// The tag and the values of what happened.
    #[inline]
    fn describe(&mut self, fields: &mut Fields, kind: &EventKind) -> Lesson {
        let mask = self.model.address_mask();
        match *kind {
            EventKind::Alloc { address, size, site } => {
                let address = address & mask;
                let hit = self.symbol(fields, Symbol { act: Act::Alloc, site });
                let sized = self.size(fields, site, size);
                let place = self.model.place(address, size);
                put_place(fields, place);
                fields.tag(Tag::Alloc { hit, sized, place: place.number() });
                Lesson::Alloc { place, address, size, site }
            }
            EventKind::Free { address, site } => {
                let act = if site == NO_SITE { Act::Free } else { Act::FreeAt };
                let symbol = Symbol { act, site };
                let hit = self.symbol(fields, symbol);
                let freed = self.model.refer(address & mask);
                let which = self.model.which(freed);
                put_which(fields, which);
                fields.tag(match act {
                    Act::Free => Tag::Free { hit, which: which.number() },
                    _ => Tag::FreeAt { hit, which: which.number() },
                });
                Lesson::Free { symbol, freed }
            }
            EventKind::Realloc { old, address, size, site } => {
                let (old, address) = (old & mask, address & mask);
                let hit = self.symbol(fields, Symbol { act: Act::Realloc, site });
                let sized = self.size(fields, site, size);
                let old = self.model.refer(old);
                let which = self.model.which(old);
                put_which(fields, which);
                let place = match address == old.address {
                    true => Place::Same,
                    false => self.model.place(address, size),
                };
                put_place(fields, place);
                let (which, number) = (which.number(), place.number());
                fields.tag(Tag::Realloc { hit, sized, which, place: number });
                Lesson::Realloc { old, place, address, size, site }
            }
            EventKind::FailedAlloc { size, site } => {
                self.site(fields, site);
                fields.value(Lane::Size, size);
                fields.tag(Tag::FailedAlloc);
                Lesson::None
            }
            EventKind::Name { address, variable, type_name } => {
                let named = self.model.refer(address & mask);
                let which = self.model.which(named);
                put_which(fields, which);
                fields.value(Lane::Other, u64::from(variable));
                fields.value(Lane::Other, u64::from(type_name));
                fields.tag(Tag::Name { which: which.number() });
                Lesson::None
            }
            EventKind::Gauge { gauge, value } => {
                fields.value(Lane::Other, u64::from(gauge));
                fields.value(Lane::Other, zigzag(value));
                fields.tag(Tag::Gauge);
                Lesson::None
            }
            EventKind::Mark { mark } => {
                fields.value(Lane::Other, u64::from(mark));
                fields.tag(Tag::Mark);
                Lesson::None
            }
        }
    }

    /// Writes the site unless the context foretold it; says whether it did.
    #[inline]
    fn symbol(&mut self, fields: &mut Fields, symbol: Symbol) -> bool {
        let hit = self.model.predicted() == Some(symbol);
        if !hit && symbol.act != Act::Free {
            self.site(fields, symbol.site);
        }
        hit
    }

    #[inline]
    fn site(&mut self, fields: &mut Fields, site: u32) {
        fields.value(Lane::Site, self.model.site_code(site));
    }

    /// Writes the size unless the site asked for the same last; says whether it did.
    #[inline]
    fn size(&mut self, fields: &mut Fields, site: u32, size: u64) -> bool {
        let sized = self.model.last_size(site) == Some(size);
        if !sized {
            fields.value(Lane::Size, size);
        }
        sized
    }
}

#[inline]
fn put_place(fields: &mut Fields, place: Place) {
    match place {
        Place::Deep(depth) => fields.value(Lane::Depth, depth),
        Place::Far(code) | Place::Absolute(code) => fields.value(Lane::Address, code),
        Place::Top | Place::Bump | Place::Same => {}
    }
}

#[inline]
fn put_which(fields: &mut Fields, which: Which) {
    match which {
        Which::Ago(ago) => fields.value(Lane::Ago, ago),
        Which::Far(code) | Which::Absolute(code) => fields.value(Lane::Address, code),
        Which::Step | Which::Distance | Which::Next => {}
    }
}
