//! A capture into definitions and events, in bounded memory, whatever state the capture is in.

use std::io::Read;

use heapwire_core::{Chunk, ChunkError, Event};

use crate::error::{BinaryExportError, Result};
use crate::io::capture_reader::{CaptureReader, Completeness, Damage, Part};
use crate::io::codec::Decompressor;
use crate::monitoring::{Meter, Times};
use crate::plan::Workers;
use crate::trace::Item;
use crate::trace::continuity::{Continuity, Follows};
use crate::trace::decode::{Decoded, EventDecoder, for_each_decoded};

/// Who is told what a capture holds, in the order in which it stands there.
pub trait CaptureVisitor {
    /// A chunk begins: of any kind, `stored` as it is in the capture at `offset`, and how it follows
    /// the chunk before (chunks of events only).
    ///
    /// # Errors
    /// Its own; they end the parse.
    fn chunk(&mut self, stored: &Chunk<'_>, offset: u64, follows: Follows) -> Result<()> {
        let _ = (stored, offset, follows);
        Ok(())
    }

    /// A definition or an event.
    ///
    /// # Errors
    /// Its own; they end the parse.
    fn item(&mut self, item: Item<'_>) -> Result<()>;

    /// Whether it wants the events, which are decoded either way and so checked. Asked of each chunk.
    fn wants_events(&self) -> bool {
        true
    }

    /// Some events that follow one another: by default, each of them is an [`item`](Self::item). Whoever
    /// can do with many at once what takes time for each, does it here.
    ///
    /// # Errors
    /// Its own; they end the parse.
    fn events(&mut self, events: &[Event]) -> Result<()> {
        events.iter().try_for_each(|event| self.item(Item::Event(*event)))
    }

    /// The chunk ends: all its items were handed out. Its payload is unpacked, its bytes are as
    /// stored.
    ///
    /// # Errors
    /// Its own; they end the parse.
    fn chunk_end(&mut self, unpacked: &Chunk<'_>) -> Result<()> {
        let _ = unpacked;
        Ok(())
    }

    /// Bytes that cannot be read; what follows can.
    ///
    /// # Errors
    /// Its own; they end the parse. To go on is to salvage.
    fn damage(&mut self, damage: &Damage) -> Result<()>;
}

/// Reads the capture from `input` and tells `visitor` all that is in it. A chunk that was there
/// before is handed out without its items.
///
/// # Errors
/// When `input` fails or is no capture, a codec is missing, or `visitor` gives up.
pub fn parse(input: impl Read, visitor: &mut impl CaptureVisitor) -> Result<Completeness> {
    let mut reader = CaptureReader::new(input)?;
    let mut decoder = PartDecoder::default();
    while let Some(part) = reader.next_part()? {
        match part {
            Part::Damage(damage) => visitor.damage(&damage)?,
            Part::Chunk(chunk, offset) => decoder.decode(&chunk, offset, visitor)?,
        }
    }
    Ok(reader.completeness().clone())
}

/// Does what [`parse`] does on these threads, of which the caller's is one and calls `visitor`: the
/// others decode what comes next. If `visitor` wants the events, those of up to two chunks for each thread
/// wait for their turn, mostly of one for each of the others: up to 6 MB a chunk.
///
/// # Errors
/// As [`parse`]; or when the operating system refuses threads.
pub fn parse_on(
    workers: impl Into<Workers>,
    input: impl Read,
    visitor: &mut impl CaptureVisitor,
) -> Result<Completeness> {
    parse_measured(workers, input, visitor, &Meter::default()).map(|(completeness, _)| completeness)
}

/// As [`parse_on`]; returns the times of this thread and of all others besides.
pub(super) fn parse_measured(
    workers: impl Into<Workers>,
    input: impl Read,
    visitor: &mut impl CaptureVisitor,
    meter: &Meter,
) -> Result<(Completeness, [Times; 2])> {
    let workers = workers.into();
    match workers.threads {
        #[cfg(feature = "parallel")]
        2.. => super::ahead::parse(workers, input, visitor, meter),
        _ => {
            let _ = meter; // only others need one
            Ok((parse(input, visitor)?, [Times::default(); 2]))
        }
    }
}

/// Decodes chunks as they come: what [`parse`] is made of, for those who have the chunks.
#[derive(Debug, Default)]
pub struct PartDecoder {
    decompressor: Decompressor,
    events: EventDecoder,
    continuity: Continuity,
}

impl PartDecoder {
    /// Tells `visitor` what is in a chunk that was found at `offset`.
    ///
    /// # Errors
    /// When a codec is missing, or `visitor` gives up.
    pub fn decode(
        &mut self,
        chunk: &Chunk<'_>,
        offset: u64,
        visitor: &mut impl CaptureVisitor,
    ) -> Result<()> {
        let follows = self.continuity.follow_chunk(&chunk.header);
        visitor.chunk(chunk, offset, follows)?;
        if follows == Follows::Repeated {
            return Ok(());
        }
        let decoded = match self.decompressor.unpack(*chunk)? {
            Ok(unpacked) => visit(&unpacked, &mut self.events, visitor)?.map(|()| unpacked),
            Err(error) => Err(error),
        };
        end_chunk(decoded, chunk, offset, visitor)
    }
}

/// Tells `visitor` what is in an uncompressed chunk. The inner error is the chunk's.
pub(super) fn visit(
    unpacked: &Chunk<'_>,
    decoder: &mut EventDecoder,
    visitor: &mut impl CaptureVisitor,
) -> Result<Result<(), ChunkError>> {
    let wants_events = visitor.wants_events();
    for_each_decoded(unpacked, decoder, |decoded| match decoded {
        Decoded::Definition(definition) => visitor.item(Item::Definition(definition)),
        Decoded::Events(events) if wants_events => visitor.events(events),
        Decoded::Events(_) => Ok(()),
    })
}

/// Tells `visitor` how a chunk ended that was found at `offset`.
pub(super) fn end_chunk(
    decoded: Result<Chunk<'_>, ChunkError>,
    stored: &Chunk<'_>,
    offset: u64,
    visitor: &mut impl CaptureVisitor,
) -> Result<()> {
    match decoded {
        Ok(unpacked) => visitor.chunk_end(&unpacked),
        Err(error) => visitor.damage(&Damage { offset, length: stored.bytes.len() as u64, error }),
    }
}

/// The error of a reader that does not salvage.
pub(crate) fn damaged(damage: &Damage) -> BinaryExportError {
    let Damage { offset, length, error } = *damage;
    BinaryExportError::Damaged { offset, length, source: error }
}
