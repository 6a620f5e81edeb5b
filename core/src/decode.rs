//! Lanes into events: the encoder's way, backwards.

mod event;

use event::decode;

use crate::chunk::Chunk;
use crate::error::ChunkError;
use crate::event::{Event, EventKind};
use crate::header::{ChunkKind, Codec, Layout};
use crate::lanes::{ColumnsReader, LaneReader, RowsReader};
use crate::model::Model;
use crate::shape::GivenPlacement;
use crate::tables::Tables;
use crate::word::Word;

/// Decodes the events of one chunk. An iterator that ends after the chunk's last event, or after
/// the first error.
#[derive(Clone, Debug)]
pub struct Decoder<'a, T: Tables> {
    model: Model<T>,
    reader: Reader<'a>,
    time: u64,
    events: u32,
    decoded: u32,
    /// Why the event after those decoded cannot be, until that is told.
    failure: Option<What>,
    failed: bool,
}

#[derive(Clone, Debug)]
enum Reader<'a> {
    Rows(RowsReader<'a>),
    Columns(ColumnsReader<'a>),
}

/// Why an event could not be decoded.
type What = &'static str;

impl<'a, T: Tables> Decoder<'a, T> {
    /// Decodes `chunk` with `tables` of the shape that its header states.
    ///
    /// # Errors
    /// When the chunk holds no events, is compressed, states another shape, or its lanes do not
    /// add up to its payload.
    pub fn new(chunk: &Chunk<'a>, tables: T) -> Result<Self, ChunkError> {
        let header = &chunk.header;
        let invalid = |what| ChunkError::InvalidPayload { what, item: 0 };
        if header.kind != ChunkKind::Events {
            return Err(invalid("not a chunk of events"));
        }
        if header.codec != Codec::None {
            return Err(ChunkError::Compressed);
        }
        if !header.model.is_valid() {
            return Err(invalid("a model beyond the limits"));
        }
        if header.model.placement.address_bits > T::Word::BITS {
            return Err(invalid("addresses wider than those of the tables"));
        }
        if tables.shape() != header.model.shape {
            return Err(invalid("the tables are not of the chunk's shape"));
        }
        let reader = match header.layout {
            Layout::Rows => Reader::Rows(RowsReader::new(chunk.payload)),
            // A chunk that was sealed for its totals alone has no table of lanes.
            Layout::Columns if header.events == 0 && chunk.payload.is_empty() => {
                Reader::Rows(RowsReader::new(&[]))
            }
            Layout::Columns => Reader::Columns(
                ColumnsReader::new(chunk.payload)
                    .ok_or(invalid("the lengths of the lanes do not add up"))?,
            ),
        };
        let mut model = Model::new(tables, GivenPlacement::new(header.model.placement));
        model.reset();
        let (time, events) = (header.time, header.events);
        Ok(Self { model, reader, time, events, decoded: 0, failure: None, failed: false })
    }

    /// Decodes the next events into `events`, from its first place on: faster than one by one. Returns how
    /// many; 0 after the chunk's last one.
    ///
    /// # Errors
    /// At the first event that cannot be decoded; the call before returned those before it.
    pub fn decode_into(&mut self, events: &mut [Event]) -> Result<usize, ChunkError> {
        if self.failed || events.is_empty() {
            return Ok(0);
        }
        let left = self.events.saturating_sub(self.decoded) as usize;
        let room = events.len().min(left);
        let mut decoded = 0;
        if self.failure.is_none()
            && let Some(events) = events.get_mut(..room)
        {
            let Self { model, reader, time, .. } = self;
            let decode = match reader {
                Reader::Rows(reader) => decode_events(model, reader, time, events),
                Reader::Columns(reader) => decode_events(model, reader, time, events),
            };
            (decoded, self.failure) = decode;
            self.decoded = self.decoded.saturating_add(decoded as u32);
        }
        if left == 0 && !self.is_exhausted() {
            self.failure = Some("the payload goes on after the last event");
        }
        match self.failure {
            Some(what) if decoded == 0 => {
                self.failed = true;
                Err(ChunkError::InvalidPayload { what, item: self.decoded })
            }
            _ => Ok(decoded),
        }
    }

    /// Returns the tables, to decode another chunk with.
    pub fn into_tables(self) -> T {
        self.model.into_tables()
    }

    fn is_exhausted(&self) -> bool {
        match &self.reader {
            Reader::Rows(reader) => reader.is_exhausted(),
            Reader::Columns(reader) => reader.is_exhausted(),
        }
    }
}

impl<T: Tables> Iterator for Decoder<'_, T> {
    type Item = Result<Event, ChunkError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut event = [Event { time: 0, thread: 0, kind: EventKind::Mark { mark: 0 } }];
        match self.decode_into(&mut event) {
            Ok(0) => None,
            Ok(_) => Some(Ok(event[0])),
            Err(error) => Some(Err(error)),
        }
    }
}

/// Decodes as many events as there is room for. Returns how many it could, and why not all.
#[inline(never)]
fn decode_events<T: Tables>(
    model: &mut Model<T>,
    reader: &mut impl LaneReader,
    time: &mut u64,
    events: &mut [Event],
) -> (usize, Option<What>) {
    let mut decoded = 0;
    for event in events {
        if let Err(what) = decode(model, reader, time, event) {
            return (decoded, Some(what));
        }
        decoded = decoded.wrapping_add(1);
    }
    (decoded, None)
}
