//! Lanes into events: the encoder's way, backwards.

use crate::chunk::Chunk;
use crate::error::ChunkError;
use crate::event::{Event, EventKind, NO_SITE};
use crate::header::{ChunkKind, Codec, Layout};
use crate::lanes::{ColumnsReader, Lane, LaneReader, RowsReader};
use crate::model::{Model, Place, Symbol, Which};
use crate::tables::{Act, Tables};
use crate::tag::Tag;
use crate::varint::unzigzag;

/// Decodes the events of one chunk. An iterator that ends after the chunk's last event, or after
/// the first error.
#[derive(Clone, Debug)]
pub struct Decoder<'a, T> {
    model: Model<T>,
    reader: Reader<'a>,
    time: u64,
    events: u32,
    decoded: u32,
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
        let mut model = Model::new(tables, header.model.placement);
        model.reset();
        let (time, events) = (header.time, header.events);
        Ok(Self { model, reader, time, events, decoded: 0, failed: false })
    }

    fn step(&mut self) -> Result<Event, What> {
        match &mut self.reader {
            Reader::Rows(reader) => decode(&mut self.model, reader, &mut self.time),
            Reader::Columns(reader) => decode(&mut self.model, reader, &mut self.time),
        }
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

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let result = if self.decoded < self.events {
            self.step()
        } else if self.is_exhausted() {
            return None;
        } else {
            Err("the payload goes on after the last event")
        };
        let item = self.decoded;
        self.decoded = item.saturating_add(1);
        Some(result.map_err(|what| {
            self.failed = true;
            ChunkError::InvalidPayload { what, item }
        }))
    }
}

const CUT: What = "a lane ends early or holds what no encoder writes";

/// Reads one event and lets the model learn it.
#[inline]
fn decode<T: Tables>(
    model: &mut Model<T>,
    reader: &mut impl LaneReader,
    time: &mut u64,
) -> Result<Event, What> {
    let mut tag = read_tag(reader)?;
    let mut switched = false;
    if tag == Tag::Switch {
        switched = true;
        tag = read_tag(reader)?;
    }
    let backwards = tag == Tag::Back;
    if backwards {
        tag = read_tag(reader)?;
    }
    let step = reader.time().ok_or(CUT)?;
    *time = if backwards { time.wrapping_sub(step) } else { time.wrapping_add(step) };
    if switched {
        model.thread = read_u32(reader, Lane::Thread)?;
    }
    let kind = match tag {
        Tag::Alloc { hit, sized, place } => {
            let site = read_symbol(model, reader, Act::Alloc, hit)?.site;
            let size = read_size(model, reader, site, sized)?;
            let place = read_place(reader, place)?;
            let address = place_address(model, place, size, 0)?;
            model.learn_alloc(place, address, size, site);
            EventKind::Alloc { address, size, site }
        }
        Tag::Free { hit, which } | Tag::FreeAt { hit, which } => {
            let act = if matches!(tag, Tag::Free { .. }) { Act::Free } else { Act::FreeAt };
            let symbol = read_symbol(model, reader, act, hit)?;
            let freed = read_block(model, reader, which)?;
            model.learn_free(symbol, freed);
            EventKind::Free { address: freed.address, site: symbol.site }
        }
        Tag::Realloc { hit, sized, which, place } => {
            let site = read_symbol(model, reader, Act::Realloc, hit)?.site;
            let size = read_size(model, reader, site, sized)?;
            let old = read_block(model, reader, which)?;
            let place = read_place(reader, place)?;
            let address = place_address(model, place, size, old.address)?;
            model.learn_realloc(old, place, address, size, site);
            EventKind::Realloc { old: old.address, address, size, site }
        }
        Tag::FailedAlloc => {
            let site = read_site(model, reader)?;
            let size = reader.value(Lane::Size).ok_or(CUT)?;
            EventKind::FailedAlloc { size, site }
        }
        Tag::Name { which } => {
            let address = read_block(model, reader, which)?.address;
            let variable = read_u32(reader, Lane::Other)?;
            let type_name = read_u32(reader, Lane::Other)?;
            EventKind::Name { address, variable, type_name }
        }
        Tag::Gauge => {
            let gauge = read_u32(reader, Lane::Other)?;
            let value = unzigzag(reader.value(Lane::Other).ok_or(CUT)?);
            EventKind::Gauge { gauge, value }
        }
        Tag::Mark => EventKind::Mark { mark: read_u32(reader, Lane::Other)? },
        Tag::Switch | Tag::Back => return Err("a tag where none may stand"),
    };
    Ok(Event { time: *time, thread: model.thread, kind })
}

#[inline]
fn read_tag(reader: &mut impl LaneReader) -> Result<Tag, What> {
    Tag::from_number(reader.tag().ok_or(CUT)?).ok_or("a tag that the format does not know")
}

#[inline]
fn read_u32(reader: &mut impl LaneReader, lane: Lane) -> Result<u32, What> {
    let value = reader.value(lane).ok_or(CUT)?;
    u32::try_from(value).map_err(|_| "a number of more than 32 bits")
}

#[inline]
fn read_symbol<T: Tables>(
    model: &mut Model<T>,
    reader: &mut impl LaneReader,
    act: Act,
    hit: bool,
) -> Result<Symbol, What> {
    if hit {
        let foretold = model.predicted().filter(|symbol| symbol.act == act);
        return foretold.ok_or("a prediction said to be true that the model did not make");
    }
    let site = if act == Act::Free { NO_SITE } else { read_site(model, reader)? };
    Ok(Symbol { act, site })
}

#[inline]
fn read_site<T: Tables>(model: &Model<T>, reader: &mut impl LaneReader) -> Result<u32, What> {
    let code = reader.value(Lane::Site).ok_or(CUT)?;
    model.site(code).ok_or("a site of more than 32 bits")
}

#[inline]
fn read_size<T: Tables>(
    model: &mut Model<T>,
    reader: &mut impl LaneReader,
    site: u32,
    sized: bool,
) -> Result<u64, What> {
    if sized {
        return model.last_size(site).ok_or("a size from a table that the model does not have");
    }
    reader.value(Lane::Size).ok_or(CUT)
}

#[inline]
fn read_place(reader: &mut impl LaneReader, number: u8) -> Result<Place, What> {
    let place = match number {
        0 => Some(Place::Top),
        1 => Some(Place::Bump),
        2 => reader.value(Lane::Depth).map(Place::Deep),
        3 => reader.value(Lane::Address).map(Place::Far),
        4 => reader.value(Lane::Address).map(Place::Absolute),
        _ => Some(Place::Same),
    };
    place.ok_or(CUT)
}

#[inline]
fn place_address<T: Tables>(
    model: &mut Model<T>,
    place: Place,
    size: u64,
    old: u64,
) -> Result<u64, What> {
    let address = model.address(place, size, old).ok_or("a place that the model does not have")?;
    in_address_space(model, address)
}

#[inline]
fn read_block<T: Tables>(
    model: &mut Model<T>,
    reader: &mut impl LaneReader,
    number: u8,
) -> Result<crate::model::Referred, What> {
    let which = match number {
        0 => Some(Which::Step),
        1 => Some(Which::Distance),
        2 => Some(Which::Next),
        3 => reader.value(Lane::Ago).map(Which::Ago),
        4 => reader.value(Lane::Address).map(Which::Far),
        _ => reader.value(Lane::Address).map(Which::Absolute),
    };
    let block =
        model.referred(which.ok_or(CUT)?).ok_or("a block that is not remembered as live")?;
    in_address_space(model, block.address)?;
    Ok(block)
}

#[inline]
fn in_address_space<T: Tables>(model: &Model<T>, address: u64) -> Result<u64, What> {
    match address & !model.address_mask() {
        0 => Ok(address),
        _ => Err("an address beyond the address space"),
    }
}
