//! One event out of its lanes.

use super::What;
use crate::event::{Event, EventKind, NO_SITE};
use crate::lanes::{Lane, LaneReader};
use crate::model::{Model, Place, Placed, Referred, Which};
use crate::tables::{Act, Tables};
use crate::tag::Tag;
use crate::varint::unzigzag;
use crate::word::Word;

const CUT: What = "a lane ends early or holds what no encoder writes";
const NO_PLACE: What = "a place that the model does not have";

/// Reads one event and lets the model learn it. Each field is written where it is to be: read as a whole
/// right after it was put together, an event would have the processor wait for its parts.
#[inline(always)]
pub(super) fn decode<T: Tables>(
    model: &mut Model<T>,
    reader: &mut impl LaneReader,
    time: &mut u64,
    event: &mut Event,
) -> Result<(), What> {
    let rank = reader.rank().ok_or(CUT)?;
    if let Some(read) = read_quickly(model, reader, rank, time, event) {
        return read;
    }
    let tag = reader.ranked(rank).ok_or(CUT)?;
    if tag >= Tag::REALLOC {
        return decode_behind(model, reader, time, tag, event);
    }
    stamp(model, reader, time, event)?;
    read_tagged(model, reader, tag, &mut event.kind)
}

/// Reads when and on which thread an event was, which is the thread of the event before.
#[inline(always)]
fn stamp<T: Tables>(
    model: &Model<T>,
    reader: &mut impl LaneReader,
    time: &mut u64,
    event: &mut Event,
) -> Result<(), What> {
    *time = time.wrapping_add(reader.time().ok_or(CUT)?);
    (event.time, event.thread) = (*time, model.thread());
    Ok(())
}

/// Reads what is behind a tag that no other stands before, if its rank is among the most frequent ones. For each
/// of them there is code that knows the tag: one jump instead of one for each thing that it says.
#[inline(always)]
fn read_quickly<T: Tables, R: LaneReader>(
    model: &mut Model<T>,
    reader: &mut R,
    rank: u8,
    time: &mut u64,
    event: &mut Event,
) -> Option<Result<(), What>> {
    macro_rules! read {
        ($($rank:literal)*) => {
            match rank {
                $($rank if const { is_quick::<R>($rank) } => {
                    if let Err(cut) = stamp(model, reader, time, event) {
                        return Some(Err(cut));
                    }
                    let tag = const { Tag(quick_tag::<R>($rank)) };
                    Some(read_tagged(model, reader, tag, &mut event.kind))
                })*
                _ => None,
            }
        };
    }
    read!(0 1 2 3 4 5 6 7 8 9 10 11 12)
}

/// The tag of a rank that there is code of its own for, or any.
const fn quick_tag<R: LaneReader>(rank: usize) -> u8 {
    if is_quick::<R>(rank) { R::QUICK[rank] } else { 0 }
}

const fn is_quick<R: LaneReader>(rank: usize) -> bool {
    rank < R::QUICK.len() && R::QUICK[rank] < Tag::REALLOC.0
}

/// Reads the rest of an event whose first `tag` may stand before others.
#[inline(never)]
fn decode_behind<T: Tables>(
    model: &mut Model<T>,
    reader: &mut impl LaneReader,
    time: &mut u64,
    tag: Tag,
    event: &mut Event,
) -> Result<(), What> {
    let (before, tag) = read_before(model, reader, tag)?;
    let step = reader.time().ok_or(CUT)?;
    *time = if before.backwards { time.wrapping_sub(step) } else { time.wrapping_add(step) };
    (event.time, event.thread) = (*time, model.thread());
    match before.resized {
        None => read_tagged(model, reader, tag, &mut event.kind),
        resized => read_alloc(model, reader, tag, resized, &mut event.kind),
    }
}

#[inline(always)]
fn read_tagged<T: Tables>(
    model: &mut Model<T>,
    reader: &mut impl LaneReader,
    tag: Tag,
    kind: &mut EventKind,
) -> Result<(), What> {
    if tag < Tag::FREE {
        read_alloc(model, reader, tag, None, kind)
    } else if tag < Tag::NAME {
        read_free(model, reader, tag, kind)
    } else {
        *kind = read_other(model, reader, tag)?;
        Ok(())
    }
}

/// What the tags before an event's own say, but for its thread.
struct Before<W> {
    backwards: bool,
    /// The block of a reallocation.
    resized: Option<Referred<W>>,
}

/// The tags before an event's own, the first of which may be `tag`; and its own.
#[inline]
fn read_before<T: Tables>(
    model: &mut Model<T>,
    reader: &mut impl LaneReader,
    mut tag: Tag,
) -> Result<(Before<T::Word>, Tag), What> {
    let mut before = Before { backwards: false, resized: None };
    if tag == Tag::SWITCH {
        model.switch_thread(read_u32(reader, Lane::Thread)?);
        tag = reader.further_tag().ok_or(CUT)?;
    }
    if tag == Tag::BACK {
        before.backwards = true;
        tag = reader.further_tag().ok_or(CUT)?;
    }
    if (Tag::REALLOC..Tag::FAILED_ALLOC).contains(&tag) {
        before.resized = Some(read_block(model, reader, tag.choice())?);
        tag = reader.further_tag().ok_or(CUT)?;
        if tag >= Tag::FREE {
            return Err("a reallocation without an allocation");
        }
    }
    Ok((before, tag))
}

#[inline(always)]
fn read_alloc<T: Tables>(
    model: &mut Model<T>,
    reader: &mut impl LaneReader,
    tag: Tag,
    old: Option<Referred<T::Word>>,
    kind: &mut EventKind,
) -> Result<(), What> {
    let act = if old.is_some() { Act::Realloc } else { Act::Alloc };
    let (hit, sized) = (tag.is_hit_alloc(), tag.is_sized());
    let site = read_actor(model, reader, act, hit)?;
    let (size, class) = if sized {
        let last = model.last_size(site).filter(|last| last.class != 0);
        let last = last.ok_or("a size from a table that the model does not have")?;
        (u64::from(last.size), last.class)
    } else {
        let size = reader.value(Lane::Size).ok_or(CUT)?;
        (size, model.class(size))
    };
    let place = match tag.choice() {
        0 => Place::Top,
        1 => Place::Bump,
        2 => {
            let depth = reader.value(Lane::Depth).ok_or(CUT)?;
            Place::Deep(usize::try_from(depth).map_err(|_| NO_PLACE)?)
        }
        3 => Place::Far(reader.value(Lane::Address).ok_or(CUT)?),
        4 => Place::Absolute(reader.value(Lane::Address).ok_or(CUT)?),
        5 if old.is_some() => Place::Same,
        _ => return Err("a tag that the format does not know"),
    };
    let before = old.map_or(T::Word::ZERO, |old| old.address);
    let address = model.address(place, class, before).ok_or(NO_PLACE)?;
    model.learn_alloc(old, hit, sized, &place, Placed { address, size, class, site });
    let address = address.widen();
    *kind = match old {
        Some(old) => EventKind::Realloc { old: old.address.widen(), address, size, site },
        None => EventKind::Alloc { address, size, site },
    };
    Ok(())
}

#[inline(always)]
fn read_free<T: Tables>(
    model: &mut Model<T>,
    reader: &mut impl LaneReader,
    tag: Tag,
    kind: &mut EventKind,
) -> Result<(), What> {
    let act = if tag < Tag::FREE_AT { Act::Free } else { Act::FreeAt };
    let hit = tag.is_hit_free();
    let site = match (act, hit) {
        (Act::Free, false) => NO_SITE,
        _ => read_actor(model, reader, act, hit)?,
    };
    let freed = read_block(model, reader, tag.choice())?;
    model.learn_free(hit, act, site, freed);
    *kind = EventKind::Free { address: freed.address.widen(), site };
    Ok(())
}

#[cold]
fn read_other<T: Tables>(
    model: &mut Model<T>,
    reader: &mut impl LaneReader,
    tag: Tag,
) -> Result<EventKind, What> {
    Ok(match tag {
        Tag::FAILED_ALLOC => {
            let site = read_site(model, reader)?;
            let size = reader.value(Lane::Size).ok_or(CUT)?;
            EventKind::FailedAlloc { size, site }
        }
        Tag::GAUGE => {
            let gauge = read_u32(reader, Lane::Other)?;
            let value = unzigzag(reader.value(Lane::Other).ok_or(CUT)?);
            EventKind::Gauge { gauge, value }
        }
        Tag::MARK => EventKind::Mark { mark: read_u32(reader, Lane::Other)? },
        _ if tag < Tag::REALLOC => {
            let address = read_block(model, reader, tag.choice())?.address.widen();
            let variable = read_u32(reader, Lane::Other)?;
            let type_name = read_u32(reader, Lane::Other)?;
            EventKind::Name { address, variable, type_name }
        }
        _ => return Err("a tag that the format does not know, or not here"),
    })
}

#[inline]
fn read_u32(reader: &mut impl LaneReader, lane: Lane) -> Result<u32, What> {
    let value = reader.value(lane).ok_or(CUT)?;
    u32::try_from(value).map_err(|_| "a number of more than 32 bits")
}

/// The site that acts: the one foretold, or another.
#[inline(always)]
fn read_actor<T: Tables>(
    model: &mut Model<T>,
    reader: &mut impl LaneReader,
    act: Act,
    hit: bool,
) -> Result<u32, What> {
    match hit {
        true => {
            model.foretold(act).ok_or("a prediction said to be true that the model did not make")
        }
        false => read_site(model, reader),
    }
}

#[inline]
fn read_site<T: Tables>(model: &mut Model<T>, reader: &mut impl LaneReader) -> Result<u32, What> {
    let code = reader.value(Lane::Site).ok_or(CUT)?;
    model.site(code).ok_or("a site of more than 32 bits")
}

#[inline(always)]
fn read_block<T: Tables>(
    model: &mut Model<T>,
    reader: &mut impl LaneReader,
    which: u8,
) -> Result<Referred<T::Word>, What> {
    let which = match which {
        0 => Which::Step,
        1 => Which::Distance,
        2 => Which::Next,
        3 => Which::Ago(reader.value(Lane::Ago).ok_or(CUT)?),
        4 => Which::Far(reader.value(Lane::Address).ok_or(CUT)?),
        5 => Which::Absolute(reader.value(Lane::Address).ok_or(CUT)?),
        _ => return Err("a tag that the format does not know"),
    };
    model.referred(which).ok_or("a block that is not remembered as live, or no address")
}
