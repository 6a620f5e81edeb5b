//! The streams of a trace as one: in the order of time, as far as the heap allows.
//!
//! Time alone is wrong about two things. A reallocation that moves a block gives up the old place before it
//! is done, which is when its time is taken: if another thread got the place in between, its event has an
//! earlier time and still comes after. So an event that takes a place goes behind the reallocation that
//! gives it up, if that is what another stream goes on with. And a processor may take an event's time a
//! little before the block came from another: an event that the heap contradicts waits, and its stream
//! with it, for one that explains it, but not long.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use heapwire_core::{Chunk, ChunkHeader, ChunkKind, Definition, Event, EventKind};

use super::Item;
use super::decode::for_each_item;
use super::replay::LiveBlocks;
use super::source::Chunks;
use crate::error::{BinaryExportError, Result};
use crate::io::codec::Decompressor;
use crate::tables::HeapTables;

/// The most events that are decoded and wait for their turn, 48 bytes each.
const MAX_WAITING: usize = 1 << 24;

/// One part of a trace.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part<'a> {
    /// What a number stands for.
    Definition(Definition<'a>),
    /// A chunk of events of this header begins: its stream's next event is the first of it.
    Chunk(&'a ChunkHeader),
    /// Something that happened.
    Event(Event),
}

/// Hands out all parts: one stream's as they stand there; of several streams all definitions first, then
/// the events merged.
///
/// # Errors
/// The first error of `each`, or a codec's;
/// [`SeveralStreams`](BinaryExportError::SeveralStreams) when too many overlap.
pub(crate) fn for_each_part(
    chunks: &Chunks,
    mut each: impl FnMut(Part<'_>) -> Result<()>,
) -> Result<()> {
    if !chunks.has_several_streams() {
        return in_turn(chunks, each);
    }
    let streams = ChunkStreams::new(chunks, &mut each)?;
    Merge::new(streams, 0).for_each(|merged| match merged {
        Merged::Chunk(header) => each(Part::Chunk(&header)),
        Merged::Event(event, _) => each(Part::Event(event)),
    })
}

fn in_turn(chunks: &Chunks, mut each: impl FnMut(Part<'_>) -> Result<()>) -> Result<()> {
    let mut tables = None;
    chunks.for_each(|chunk| {
        if chunk.header.kind == ChunkKind::Events {
            each(Part::Chunk(&chunk.header))?;
        }
        decode(chunk, &mut tables, |item| match item {
            Item::Definition(definition) => each(Part::Definition(definition)),
            Item::Event(event) => each(Part::Event(event)),
        })
    })
}

fn decode(
    chunk: &Chunk<'_>,
    tables: &mut Option<HeapTables>,
    each: impl FnMut(Item<'_>) -> Result<()>,
) -> Result<()> {
    let length = chunk.bytes.len() as u64;
    for_each_item(chunk, tables, each)?.map_err(|source| BinaryExportError::Damaged {
        offset: 0,
        length,
        source,
    })
}

/// Streams to be merged, by number.
pub(crate) trait Streams {
    /// How many there are.
    fn count(&self) -> usize;
    /// The epoch and the time of what a stream goes on with; `None` at its end.
    fn turn(&self, number: usize) -> Option<(u32, u64)>;
    /// The event that a stream goes on with, unless it has to be decoded first.
    fn front(&self, number: usize) -> Option<Event>;
    /// Takes that event.
    fn pop(&mut self, number: usize) -> Option<Event>;
    /// Decodes a stream's next chunk, whose header this is.
    fn decode_next(&mut self, number: usize) -> Result<Option<ChunkHeader>>;
}

/// What comes out of a [`Merge`].
pub(crate) enum Merged {
    /// A stream has a chunk of this header next.
    Chunk(ChunkHeader),
    /// An event, and the size in bytes of the block that it frees or resizes, if that is known.
    Event(Event, u64),
}

/// Where a stream's next event stands among those of others: by the epoch, the time, and the number
/// of the stream.
type Turn = (u32, u64, usize);

/// Streams, as far as they are not merged.
pub(crate) struct Merge<S> {
    streams: S,
    /// Streams that go on, each once, but those that wait. A turn may be an earlier one of its stream.
    turns: BinaryHeap<Reverse<Turn>>,
    waiting: Vec<Waiting>,
    /// How long an event waits, in ticks.
    patience: u64,
    live: LiveBlocks,
    epoch: u32,
    /// The time of the last event, which no later one goes back behind.
    time: u64,
}

/// A stream's next event, which waits for another's.
struct Waiting {
    stream: usize,
    event: Event,
}

impl<S: Streams> Merge<S> {
    /// Of these streams. An event that the heap contradicts waits so many ticks.
    pub(crate) fn new(streams: S, patience: u64) -> Self {
        let turn = |number| {
            let (epoch, time) = streams.turn(number)?;
            Some(Reverse((epoch, time, number)))
        };
        Self {
            turns: (0..streams.count()).filter_map(turn).collect(),
            streams,
            waiting: Vec::new(),
            patience,
            live: LiveBlocks::new(),
            epoch: 0,
            time: 0,
        }
    }

    /// Hands out everything.
    ///
    /// # Errors
    /// The first error of `each`, or of the streams.
    pub(crate) fn for_each(mut self, mut each: impl FnMut(Merged) -> Result<()>) -> Result<()> {
        while let Some((epoch, _, number)) = self.next_turn(&mut each)? {
            if epoch > self.epoch {
                // A recorder that started anew has an empty heap, and a clock that begins at 0.
                (self.epoch, self.time, self.live) = (epoch, 0, LiveBlocks::new());
            }
            let Some(event) = self.streams.pop(number) else {
                self.decode_next(number, &mut each)?;
                continue;
            };
            self.hand_out_givers(number, &event, &mut each)?;
            if is_contradicted(&event.kind, &self.live) {
                self.turns.retain(|Reverse((_, _, waits))| *waits != number);
                self.waiting.push(Waiting { stream: number, event });
            } else {
                self.hand_out(event, &mut each)?;
            }
        }
        Ok(())
    }

    /// The turn of the stream that goes on; hands out first what has waited long enough.
    fn next_turn(&mut self, each: &mut impl FnMut(Merged) -> Result<()>) -> Result<Option<Turn>> {
        loop {
            let turn = self.turns.peek().map(|Reverse(turn)| *turn);
            let is_over = |waiting: &Waiting| {
                let until = waiting.event.time.saturating_add(self.patience);
                turn.is_none_or(|(epoch, time, _)| epoch > self.epoch || time > until)
            };
            let Some((epoch, time, number)) = turn else {
                if self.waiting.is_empty() {
                    return Ok(None);
                }
                self.hand_out_waiting(0, each)?;
                continue;
            };
            match self.streams.turn(number) {
                Some(now) if now == (epoch, time) => {}
                now => {
                    if let Some(mut top) = self.turns.peek_mut() {
                        match now {
                            Some((epoch, time)) => *top = Reverse((epoch, time, number)),
                            None => drop(PeekMut::pop(top)),
                        }
                    }
                    continue;
                }
            }
            match self.waiting.iter().position(is_over) {
                Some(at) => self.hand_out_waiting(at, each)?,
                None => return Ok(turn),
            }
        }
    }

    /// Hands out reallocations that other streams go on with, if they give up the place that an event
    /// takes, or that one of them takes.
    fn hand_out_givers(
        &mut self,
        number: usize,
        event: &Event,
        each: &mut impl FnMut(Merged) -> Result<()>,
    ) -> Result<()> {
        let is_taken = |place: &u64| self.live.is_live(*place);
        if place_taken(&event.kind).filter(is_taken).is_none() {
            return Ok(());
        }
        let mut givers = Vec::new();
        let (mut last, mut taken) = (*event, vec![number]);
        while let Some(place) = place_taken(&last.kind).filter(|&place| self.live.is_live(place)) {
            let Some((number, giver)) = self.take_giver(place, &taken, each)? else { break };
            last = Event { time: event.time.min(giver.time), ..giver };
            givers.push(last);
            taken.push(number);
        }
        givers.into_iter().rev().try_for_each(|giver| self.hand_out(giver, each))
    }

    /// Takes the reallocation that a stream goes on with, if it gives up this place, but none of streams
    /// that something was `taken` of for the same event.
    fn take_giver(
        &mut self,
        place: u64,
        taken: &[usize],
        each: &mut impl FnMut(Merged) -> Result<()>,
    ) -> Result<Option<(usize, Event)>> {
        for number in 0..self.streams.count() {
            let waits = self.waiting.iter().any(|waiting| waiting.stream == number);
            if waits || taken.contains(&number) {
                continue;
            }
            if self.streams.front(number).is_none() {
                self.decode_next(number, each)?;
            }
            let next = self.streams.front(number);
            if next.is_some_and(|event| moved_from(&event.kind) == Some(place)) {
                return Ok(self.streams.pop(number).map(|giver| (number, giver)));
            }
        }
        Ok(None)
    }

    fn decode_next(
        &mut self,
        number: usize,
        each: &mut impl FnMut(Merged) -> Result<()>,
    ) -> Result<()> {
        let header = self.streams.decode_next(number)?;
        header.map_or(Ok(()), |header| each(Merged::Chunk(header)))
    }

    /// Hands out an event, and those that waited for it.
    fn hand_out(
        &mut self,
        event: Event,
        each: &mut impl FnMut(Merged) -> Result<()>,
    ) -> Result<()> {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            self.time = self.time.max(event.time);
            let freed = self.live.apply(&event);
            each(Merged::Event(Event { time: self.time, ..event }, freed))?;
            let is_explained =
                |waiting: &Waiting| !is_contradicted(&waiting.event.kind, &self.live);
            if let Some(at) = self.waiting.iter().position(is_explained) {
                next = Some(self.end_waiting(at));
            }
        }
        Ok(())
    }

    /// Hands out an event that waits in vain.
    fn hand_out_waiting(
        &mut self,
        at: usize,
        each: &mut impl FnMut(Merged) -> Result<()>,
    ) -> Result<()> {
        let event = self.end_waiting(at);
        self.hand_out(event, each)
    }

    /// An event waits no more, and its stream goes on.
    fn end_waiting(&mut self, at: usize) -> Event {
        let Waiting { stream, event } = self.waiting.remove(at);
        let turn = self.streams.turn(stream);
        self.turns.extend(turn.map(|(epoch, time)| Reverse((epoch, time, stream))));
        event
    }
}

/// The streams of chunks.
struct ChunkStreams<'a> {
    chunks: &'a Chunks,
    streams: Vec<ChunkStream>,
    decompressor: Decompressor,
    tables: Option<HeapTables>,
    /// Events decoded and not taken.
    decoded: usize,
}

/// A stream, as far as it is not taken.
#[derive(Default)]
struct ChunkStream {
    /// Its chunks: where they stand, and their headers.
    chunks: VecDeque<(usize, ChunkHeader)>,
    epoch: u32,
    /// The events of the chunk before.
    events: VecDeque<Event>,
}

impl<'a> ChunkStreams<'a> {
    /// The streams of events; hands out all definitions.
    fn new(chunks: &'a Chunks, mut each: impl FnMut(Part<'_>) -> Result<()>) -> Result<Self> {
        let mut streams: BTreeMap<u32, ChunkStream> = BTreeMap::new();
        let mut at = 0;
        chunks.for_each(|chunk| {
            match chunk.header.kind {
                ChunkKind::Events => {
                    let stream = streams.entry(chunk.header.stream).or_default();
                    stream.chunks.push_back((at, chunk.header));
                }
                ChunkKind::Definitions => decode(chunk, &mut None, |item| match item {
                    Item::Definition(definition) => each(Part::Definition(definition)),
                    Item::Event(_) => Ok(()),
                })?,
                ChunkKind::Index | ChunkKind::End => {}
            }
            at += 1;
            Ok(())
        })?;
        Ok(Self {
            chunks,
            streams: streams.into_values().collect(),
            decompressor: Decompressor::new(),
            tables: None,
            decoded: 0,
        })
    }
}

impl Streams for ChunkStreams<'_> {
    fn count(&self) -> usize {
        self.streams.len()
    }

    fn turn(&self, number: usize) -> Option<(u32, u64)> {
        let stream = self.streams.get(number)?;
        match (stream.events.front(), stream.chunks.front()) {
            (Some(event), _) => Some((stream.epoch, event.time)),
            (None, Some((_, header))) => Some((header.epoch, header.time)),
            (None, None) => None,
        }
    }

    fn front(&self, number: usize) -> Option<Event> {
        self.streams.get(number)?.events.front().copied()
    }

    fn pop(&mut self, number: usize) -> Option<Event> {
        let event = self.streams.get_mut(number)?.events.pop_front()?;
        self.decoded -= 1;
        Some(event)
    }

    fn decode_next(&mut self, number: usize) -> Result<Option<ChunkHeader>> {
        let Some(stream) = self.streams.get_mut(number) else { return Ok(None) };
        let Some((at, header)) = stream.chunks.pop_front() else { return Ok(None) };
        self.decoded += header.events as usize;
        if self.decoded > MAX_WAITING {
            return Err(BinaryExportError::SeveralStreams {
                events: self.decoded,
                most: MAX_WAITING,
            });
        }
        stream.epoch = header.epoch;
        let chunk = self.chunks.unpack(at, &mut self.decompressor)?;
        decode(&chunk, &mut self.tables, |item| {
            if let Item::Event(event) = item {
                stream.events.push_back(event);
            }
            Ok(())
        })?;
        Ok(Some(header))
    }
}

/// Whether an event takes a place that is taken, or gives up one that is not.
fn is_contradicted(kind: &EventKind, live: &LiveBlocks) -> bool {
    match *kind {
        EventKind::Alloc { address, .. } => live.is_live(address),
        EventKind::Free { address, .. } => !live.is_live(address),
        EventKind::Realloc { old, address, .. } => {
            !live.is_live(old) || (old != address && live.is_live(address))
        }
        _ => false,
    }
}

/// The place that an event takes.
fn place_taken(kind: &EventKind) -> Option<u64> {
    match *kind {
        EventKind::Alloc { address, .. } => Some(address),
        EventKind::Realloc { old, address, .. } if old != address => Some(address),
        _ => None,
    }
}

/// The place that a reallocation gives up.
fn moved_from(kind: &EventKind) -> Option<u64> {
    match *kind {
        EventKind::Realloc { old, address, .. } if old != address => Some(old),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Lists(Vec<VecDeque<Event>>);

    impl Streams for Lists {
        fn count(&self) -> usize {
            self.0.len()
        }
        fn turn(&self, number: usize) -> Option<(u32, u64)> {
            Some((0, self.front(number)?.time))
        }
        fn front(&self, number: usize) -> Option<Event> {
            self.0[number].front().copied()
        }
        fn pop(&mut self, number: usize) -> Option<Event> {
            self.0[number].pop_front()
        }
        fn decode_next(&mut self, _: usize) -> Result<Option<ChunkHeader>> {
            Ok(None)
        }
    }

    fn alloc(time: u64, address: u64) -> Event {
        Event { time, thread: 0, kind: EventKind::Alloc { address, size: 8, site: 0 } }
    }

    fn free(time: u64, address: u64) -> Event {
        Event { time, thread: 0, kind: EventKind::Free { address, site: 0 } }
    }

    fn realloc(time: u64, old: u64, address: u64) -> Event {
        Event { time, thread: 0, kind: EventKind::Realloc { old, address, size: 8, site: 0 } }
    }

    /// The events of these streams, each as its time, its thread being the number of the stream, and
    /// its place.
    fn merged(streams: &[&[Event]], patience: u64) -> Vec<(u64, u32, u64)> {
        let of_stream = |(number, events): (usize, &&[Event])| {
            let numbered = events.iter().map(|event| Event { thread: number as u32, ..*event });
            numbered.collect()
        };
        let lists = Lists(streams.iter().enumerate().map(of_stream).collect());
        let mut events = Vec::new();
        let each = |merged| {
            if let Merged::Event(event, _) = merged {
                let (EventKind::Alloc { address, .. }
                | EventKind::Free { address, .. }
                | EventKind::Realloc { address, .. }) = event.kind
                else {
                    panic!("{event:?}")
                };
                events.push((event.time, event.thread, address));
            }
            Ok(())
        };
        Merge::new(lists, patience).for_each(each).expect("nothing fails");
        events
    }

    #[test]
    fn streams_are_merged_by_time() {
        let merged = merged(&[&[alloc(1, 1), alloc(4, 4)], &[alloc(2, 2), alloc(3, 3)], &[]], 0);
        assert_eq!(merged, [(1, 0, 1), (2, 1, 2), (3, 1, 3), (4, 0, 4)]);
    }

    /// Of equal times the heap tells which was first.
    #[test]
    fn a_free_waits_for_its_allocation() {
        let merged = merged(&[&[free(5, 1), alloc(6, 2)], &[alloc(5, 1), alloc(9, 3)]], 0);
        assert_eq!(merged, [(5, 1, 1), (5, 0, 1), (6, 0, 2), (9, 1, 3)]);
    }

    /// The place was free again a little later by the other processor's clock. What its own thread did
    /// next waits as well.
    #[test]
    fn an_allocation_waits_for_the_free_of_its_place() {
        let streams: [&[Event]; 2] =
            [&[alloc(10, 1), free(11, 1)], &[alloc(1, 1), alloc(12, 2), free(13, 1)]];
        let expected = [(1, 1, 1), (12, 1, 2), (13, 1, 1), (13, 0, 1), (13, 0, 1)];
        assert_eq!(merged(&streams, 3), expected);
    }

    #[test]
    fn nothing_waits_longer_than_it_may() {
        let merged = merged(&[&[free(10, 7), alloc(11, 1)], &[alloc(13, 2), alloc(14, 3)]], 3);
        assert_eq!(merged, [(13, 1, 2), (13, 0, 7), (13, 0, 1), (14, 1, 3)]);
    }

    /// A block that moved long after another thread had got its place.
    #[test]
    fn a_reallocation_comes_before_who_gets_what_it_left() {
        let streams: [&[Event]; 3] = [
            &[alloc(1, 1), realloc(50, 1, 2)],
            &[alloc(10, 1), alloc(11, 3)],
            &[alloc(2, 2), realloc(60, 2, 4)],
        ];
        let expected = [(1, 0, 1), (2, 2, 2), (10, 2, 4), (10, 0, 2), (10, 1, 1), (11, 1, 3)];
        assert_eq!(merged(&streams, 0), expected);
    }

    #[test]
    fn what_makes_no_sense_is_handed_out_in_its_order() {
        let senseless = [alloc(1, 1), alloc(2, 1), realloc(3, 1, 2), free(4, 1), free(5, 9)];
        let expected = [(1, 0, 1), (2, 0, 1), (3, 0, 2), (4, 0, 1), (5, 0, 9)];
        assert_eq!(merged(&[&senseless], 0), expected);
    }
}
