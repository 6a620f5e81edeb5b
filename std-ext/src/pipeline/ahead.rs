//! A capture into definitions and events on several threads: while the caller hands out one chunk, the
//! next ones are decoded.

use std::io::Read;

use heapwire_core::format::CRC_LEN;
use heapwire_core::{Chunk, ChunkError, ChunkHeader, ChunkKind, Event};

use super::ordered::{Ordered, Taken, Work};
use super::parse::{CaptureVisitor, end_chunk, visit};
use crate::error::Result;
use crate::io::capture_reader::{CaptureReader, Completeness, Damage, Part};
use crate::io::codec::Decompressor;
use crate::monitoring::{Meter, Stage, Times};
use crate::plan::Workers;
use crate::trace::continuity::{Continuity, Follows};
use crate::trace::decode::EventDecoder;

/// Chunks of fewer events are decoded sooner than handed over, of more would take too much memory: the
/// caller decodes them itself.
const WORTH_IT: std::ops::RangeInclusive<u32> = 256..=1 << 17;

/// Reads the capture from `input` with so many threads, at least 2, and tells `visitor` all that is in
/// it. Returns the times of this thread and of all others besides; `meter` is one like theirs.
pub(super) fn parse(
    Workers { threads, balancing }: Workers,
    input: impl Read,
    visitor: &mut impl CaptureVisitor,
    meter: &Meter,
) -> Result<(Completeness, [Times; 2])> {
    let mut reader = CaptureReader::new(input)?;
    let new_tools = || Tools { meter: meter.another(), ..Tools::default() };
    let tools = (1..threads).map(|_| new_tools());
    let ordered: Ordered<Ahead> = Ordered::new(tools.collect(), balancing)?;
    let (mut tools, mut continuity) = (new_tools(), Continuity::new());
    let mut turn = (0..threads).cycle();
    // Parts that were told, each with its memory: no more than are under way at once.
    let mut spare: Vec<Ahead> = Vec::new();
    let end = loop {
        if ordered.under_way() >= most_parts(threads) {
            spare.extend(take(&ordered, &mut tools, visitor)?);
            continue;
        }
        let part = match reader.next_part() {
            Ok(Some(part)) => part,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        let mut next = spare.pop().unwrap_or_default();
        next.load(part, &mut continuity);
        next.wants_events = visitor.wants_events();
        if !next.is_worth_it() {
            ordered.hand_in_done(next);
        } else if turn.next() == Some(0) {
            ordered.hand_in_for_caller(next);
        } else {
            ordered.hand_in(next);
        }
    };
    while take(&ordered, &mut tools, visitor)?.is_some() {}
    end?;
    let (all_tools, waited) = ordered.end();
    let (mut own, mut others) = (Times::default(), Times::default());
    own.add(Stage::Waiting, waited);
    all_tools.iter().for_each(|tools| others.add_all(tools.meter.times()));
    Ok((reader.completeness().clone(), [own, others]))
}

/// How many parts are under way at most with so many threads: each has one and the next one, of which the
/// caller decodes its own when their turn has come and hands out the events as it does; and one more, so
/// that nobody has to take another's while the caller reads on.
const fn most_parts(threads: usize) -> usize {
    2 * threads + 1
}

/// Tells `visitor` the oldest part; `None` when there is none.
fn take(
    ordered: &Ordered<Ahead>,
    tools: &mut Tools,
    visitor: &mut impl CaptureVisitor,
) -> Result<Option<Ahead>> {
    let Some(taken) = ordered.take_oldest(tools) else { return Ok(None) };
    let (Taken::Done(mut part) | Taken::Waiting(mut part)) = taken;
    part.tell(tools, visitor)?;
    Ok(Some(part))
}

/// What a thread decodes with.
#[derive(Debug, Default)]
struct Tools {
    decompressor: Decompressor,
    events: EventDecoder,
    meter: Meter,
}

/// A part of a capture, decoded ahead of its turn.
#[derive(Debug, Default)]
struct Ahead {
    found: Option<Found>,
    /// A chunk's bytes as stored.
    stored: Vec<u8>,
    /// Its payload, if it was compressed.
    payload: Vec<u8>,
    events: Vec<Event>,
    wants_events: bool,
    /// How decoding its events ended, with the header of the unpacked chunk; the outer error is that of
    /// a codec. `None` when they are not decoded yet.
    decoded: Option<Result<Result<ChunkHeader, ChunkError>>>,
}

/// What was found in the capture.
#[derive(Debug)]
enum Found {
    Damage(Damage),
    Chunk { header: ChunkHeader, offset: u64, payload_len: usize, follows: Follows },
}

impl Ahead {
    fn load(&mut self, part: Part<'_>, continuity: &mut Continuity) {
        self.decoded = None;
        self.stored.clear();
        self.found = Some(match part {
            Part::Damage(damage) => Found::Damage(damage),
            Part::Chunk(chunk, offset) => {
                self.stored.extend_from_slice(chunk.bytes);
                let follows = continuity.follow_chunk(&chunk.header);
                let (header, payload_len) = (chunk.header, chunk.payload.len());
                Found::Chunk { header, offset, payload_len, follows }
            }
        });
    }

    fn is_worth_it(&self) -> bool {
        let Some(Found::Chunk { header, follows, .. }) = &self.found else { return false };
        header.kind == ChunkKind::Events
            && WORTH_IT.contains(&header.events)
            && *follows != Follows::Repeated
    }

    /// Tells `visitor` what was found and decoded; decodes what is not.
    fn tell(&mut self, tools: &mut Tools, visitor: &mut impl CaptureVisitor) -> Result<()> {
        let (header, offset, payload_len, follows) = match self.found.take() {
            Some(Found::Chunk { header, offset, payload_len, follows }) => {
                (header, offset, payload_len, follows)
            }
            Some(Found::Damage(damage)) => return visitor.damage(&damage),
            None => return Ok(()),
        };
        let stored = chunk(header, &self.stored, payload_len);
        visitor.chunk(&stored, offset, follows)?;
        if follows == Follows::Repeated {
            return Ok(());
        }
        let decoded = match self.decoded.take() {
            Some(decoded) => {
                visitor.events(&self.events)?;
                decoded?.map(|header| unpacked(header, stored, &self.payload))
            }
            None => match tools.decompressor.unpack(stored)? {
                Ok(unpacked) => visit(&unpacked, &mut tools.events, visitor)?.map(|()| unpacked),
                Err(error) => Err(error),
            },
        };
        end_chunk(decoded, &stored, offset, visitor)
    }
}

impl Work for Ahead {
    type Tools = Tools;

    fn run(&mut self, tools: &mut Tools) {
        let Self { found, stored, payload, events, wants_events, decoded } = self;
        events.clear();
        let Some(Found::Chunk { header, payload_len, .. }) = found else { return };
        let stored = chunk(*header, stored, *payload_len);
        if *wants_events {
            events.reserve(header.events as usize);
        }
        let begun = tools.meter.begin(Stage::Decoding);
        *decoded = Some(tools.decompressor.unpack_into(stored, payload).map(|header| {
            let unpacked = unpacked(header?, stored, payload);
            tools.events.decode(&unpacked, |block| {
                if *wants_events {
                    events.extend_from_slice(block);
                }
            })?;
            Ok(unpacked.header)
        }));
        tools.meter.end(begun);
    }
}

/// The chunk with this header and these bytes, of which its payload takes so many.
fn chunk(header: ChunkHeader, bytes: &[u8], payload_len: usize) -> Chunk<'_> {
    let end = bytes.len().saturating_sub(CRC_LEN);
    let payload = bytes.get(end.saturating_sub(payload_len)..end).unwrap_or_default();
    Chunk { header, payload, bytes }
}

/// The same chunk unpacked; only if it was compressed, `payload` is its payload.
fn unpacked<'a>(header: ChunkHeader, stored: Chunk<'a>, payload: &'a [u8]) -> Chunk<'a> {
    let is_packed = stored.header.codec != header.codec;
    Chunk { header, payload: if is_packed { payload } else { stored.payload }, ..stored }
}

#[cfg(test)]
mod tests {
    use heapwire_core::EventKind;

    use super::*;
    use crate::config::IntegratedConfig;
    use crate::error::BinaryExportError;
    use crate::pipeline::encode::TraceEncoder;
    use crate::pipeline::parse::parse_on;
    use crate::plan::CapturePlan;
    use crate::trace::Item;

    /// Writes down whatever it is told, and gives up after so many calls.
    struct Log {
        told: Vec<String>,
        patience: usize,
    }

    impl Log {
        fn add(&mut self, what: String) -> Result<()> {
            self.told.push(what);
            match self.told.len() > self.patience {
                true => Err(BinaryExportError::NoDataToExport),
                false => Ok(()),
            }
        }
    }

    impl CaptureVisitor for Log {
        fn chunk(&mut self, stored: &Chunk<'_>, offset: u64, follows: Follows) -> Result<()> {
            let sum = crc32fast::hash(stored.payload);
            self.add(format!("{offset}: {:?}, {sum}, {follows:?}", stored.header))
        }

        fn item(&mut self, item: Item<'_>) -> Result<()> {
            self.add(format!("{item:?}"))
        }

        fn chunk_end(&mut self, unpacked: &Chunk<'_>) -> Result<()> {
            let sums = [unpacked.payload, unpacked.bytes].map(crc32fast::hash);
            self.add(format!("{:?}, {sums:?}", unpacked.header))
        }

        fn damage(&mut self, damage: &Damage) -> Result<()> {
            self.add(format!("{damage:?}"))
        }
    }

    /// What a parse tells, and how it ends.
    fn parsed(threads: usize, capture: &[u8], patience: usize) -> (Vec<String>, String) {
        let mut log = Log { told: Vec::new(), patience };
        let end = parse_on(threads, capture, &mut log);
        (log.told, format!("{end:?}"))
    }

    fn capture(chunk_size: usize) -> Vec<u8> {
        let mut config = IntegratedConfig::memory_efficient();
        config.output_format = crate::OutputFormat::Chunked { chunk_size };
        let plan = CapturePlan::try_from(&config).unwrap();
        let mut encoder = TraceEncoder::new(Vec::new(), plan).unwrap();
        for i in 0..40_000_u64 {
            let address = 16 * (i * i % 5_000 + 1);
            let kind = match i % 3 {
                0 => EventKind::Free { address, site: 0 },
                _ => EventKind::Alloc { address, size: i % 1_000, site: i as u32 % 50 },
            };
            encoder.push(&Item::Event(Event { time: 3 * i, thread: 1, kind })).unwrap();
        }
        encoder.finish().unwrap().0
    }

    #[test]
    fn any_number_of_threads_tells_the_same() {
        // Of chunks that are worth it, and of some that are not.
        for chunk_size in [1 << 10, 8 << 10, 64 << 10] {
            let whole = capture(chunk_size);
            let mut damaged = whole.clone();
            for at in [1, 2, 3, 7].map(|nth| nth * whole.len() / 9) {
                damaged[at] ^= 0x10;
            }
            let doubled = [&whole[..whole.len() / 2], &whole[16..]].concat();
            let cut = &whole[..whole.len() * 4 / 5];
            for capture in [&whole[..], &damaged, &doubled, cut, &whole[..10], b"no capture"] {
                for patience in [usize::MAX, 30_000, 1] {
                    let expected = parsed(1, capture, patience);
                    for threads in [2, 5] {
                        assert!(
                            parsed(threads, capture, patience) == expected,
                            "{threads} threads"
                        );
                    }
                }
            }
        }
    }
}
