//! All that was recorded up to one moment, taken while threads go on recording.

use std::thread;

use heapwire_core::{ChunkHeader, Definition, Event};

use super::GlobalTracker;
use super::log::Reader;
use crate::error::Result;
use crate::trace::builder::ChunkBuilder;
use crate::trace::merge::{Merge, Merged, Streams};
use crate::trace::source::Chunks;
use crate::tracker::session::with_session;

/// The logs of all slots up to a moment.
struct Logs<'a> {
    streams: Vec<LogStream<'a>>,
    moment: u64,
}

struct LogStream<'a> {
    next: Option<Event>,
    rest: Reader<'a>,
}

impl Streams for Logs<'_> {
    fn count(&self) -> usize {
        self.streams.len()
    }

    // What happened after the moment has no turn. A reallocation among it may be asked for all the same:
    // one that was not done by then, but had given up a place that another thread got.
    fn turn(&self, number: usize) -> Option<(u32, u64)> {
        let event = self.front(number).filter(|event| event.time <= self.moment)?;
        Some((0, event.time))
    }

    fn front(&self, number: usize) -> Option<Event> {
        self.streams.get(number)?.next
    }

    fn pop(&mut self, number: usize) -> Option<Event> {
        let stream = self.streams.get_mut(number)?;
        std::mem::replace(&mut stream.next, stream.rest.next())
    }

    fn decode_next(&mut self, _: usize) -> Result<Option<ChunkHeader>> {
        Ok(None)
    }
}

impl GlobalTracker {
    /// Everything recorded until now, as one stream. Slots are read one after the other, and threads go on
    /// recording, so what happened later is left out: an event could be in without the one that it follows
    /// from.
    pub(super) fn chunks(&self) -> Chunks {
        let Some(clock) = self.clock.get() else { return Chunks::new() };
        let moment = clock.now();
        self.await_reallocations(moment);
        let streams = self.slots.iter().map(|(_, slot)| {
            let mut rest = slot.log().reader();
            LogStream { next: rest.next(), rest }
        });
        let logs = Logs { streams: streams.collect(), moment };

        let mut builder = ChunkBuilder::new();
        // Only now, since every site of an event that is to be read is defined by then.
        let mut define = |definition: &Definition<'_>| {
            let defined = builder.define(definition);
            debug_assert!(defined.is_ok(), "{defined:?}");
        };
        with_session(&mut define);
        self.sites.for_each(&mut define);

        let merged = Merge::new(logs, clock.ticks_in_a_microsecond()).for_each(|merged| {
            if let Merged::Event(event, freed) = merged {
                let event = Event { time: clock.microseconds(event.time), ..event };
                builder.push_freeing(&event, freed);
            }
            Ok(())
        });
        debug_assert!(merged.is_ok(), "{merged:?}");
        builder.finish()
    }

    /// Waits until all reallocations that began before `then` are recorded: what they left behind may
    /// be in use again.
    fn await_reallocations(&self, then: u64) {
        let process = std::process::id();
        for (_, slot) in &self.slots {
            while slot.is_resizing(process, then) {
                thread::yield_now();
            }
        }
    }
}
