//! What came over the line, and what should have come.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, ensure};
use heapwire::convert::text::TextReader;
use heapwire::heapwire_core::format::MAX_NARROW;
use heapwire::heapwire_core::{
    Chunk, ChunkKind, Decoder, Definition, Definitions, Deframed, Deframer, Event, HeapTotals,
    Name, NameKind, crc32, max_frame_len,
};
use heapwire::tables::HeapTables;
use heapwire::trace::Item;

/// What came over a line.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) events: Vec<Event>,
    /// Events that the device counted and did not send.
    pub(crate) lost: u64,
    /// How the heap stood before the last chunk.
    pub(crate) totals: HeapTotals,
    pub(crate) names: HashMap<(NameKind, u32), String>,
}

/// Decodes all that a device sent; not a byte may be strange.
pub(crate) fn decode(line: &[u8]) -> Result<Received> {
    let (mut streams, others) = decode_among_others(line)?;
    let strange: usize = others.iter().map(Vec::len).sum();
    ensure!(strange == 0, "{strange} bytes of the line are in no chunk");
    ensure!(streams.len() <= 1, "there are {} streams", streams.len());
    Ok(streams.pop_first().unwrap_or_default().1)
}

/// What came, by epoch and stream.
pub(crate) type Streams = BTreeMap<(u32, u32), Received>;

/// Decodes the chunks that a device sent; with what else was on the line, cut at its zeros.
pub(crate) fn decode_among_others(line: &[u8]) -> Result<(Streams, Vec<Vec<u8>>)> {
    let mut streams = Streams::new();
    let mut others = Vec::new();
    let mut deframer = Deframer::new(vec![0; max_frame_len(MAX_NARROW)]);
    for piece in line.split(|&byte| byte == 0).filter(|piece| !piece.is_empty()) {
        deframer.push(piece);
        let content = match deframer.push(&[0]) {
            (_, Deframed::Frame(content)) => content,
            _ => &[],
        };
        match Chunk::parse(content, crc32) {
            Ok(chunk) => {
                let stream = (chunk.header.epoch, chunk.header.stream);
                streams.entry(stream).or_default().take(&chunk)?;
            }
            Err(_) => others.push(piece.to_vec()),
        }
    }
    Ok((streams, others))
}

impl Received {
    fn take(&mut self, chunk: &Chunk<'_>) -> Result<()> {
        if chunk.header.kind == ChunkKind::Definitions {
            for definition in Definitions::new(chunk)? {
                if let Definition::Name(Name { kind, id, text }) = definition? {
                    self.names.insert((kind, id), text.to_owned());
                }
            }
            return Ok(());
        }
        self.lost = chunk.header.losses.full + chunk.header.losses.link;
        self.totals = chunk.header.totals;
        let tables = HeapTables::for_decoding(chunk.header.model.shape);
        let events: Result<Vec<_>, _> = Decoder::new(chunk, tables).and_then(Iterator::collect);
        let sequence = chunk.header.sequence;
        self.events.extend(events.with_context(|| format!("chunk {sequence} does not decode"))?);
        Ok(())
    }
}

/// The events of a trace in the text form. Sites are numbered as a recorder numbers them; threads are
/// not told apart.
pub(crate) fn text_events(text: &[u8]) -> Result<Vec<Event>> {
    let mut reader = TextReader::new(text);
    let mut events = Vec::new();
    while let Some(item) = reader.next_item().context("read the trace")? {
        if let Item::Event(event) = item {
            events.push(Event { thread: 0, ..event });
        }
    }
    Ok(events)
}

/// Fails at the first difference.
pub(crate) fn check_equal(found: &[Event], expected: &[Event]) -> Result<()> {
    ensure!(!expected.is_empty(), "there is nothing to compare with");
    let differs =
        (0..found.len().max(expected.len())).find(|&at| found.get(at) != expected.get(at));
    if let Some(at) = differs {
        anyhow::bail!(
            "event {at} of {} is {:?}, expected {:?}",
            expected.len(),
            found.get(at),
            expected.get(at)
        );
    }
    Ok(())
}
