//! What came over the line, and what should have come.

use anyhow::{Context, Result, ensure};
use heapwire::convert::text::TextReader;
use heapwire::heapwire_core::{ChunkKind, Decoder, Event};
use heapwire::io::line::{LineReader, LineState};
use heapwire::tables::HeapTables;
use heapwire::trace::Item;

/// What came over a line.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) events: Vec<Event>,
    /// Events that the device counted and did not send.
    pub(crate) lost: u64,
}

/// Decodes all that a device sent; not a byte may be strange.
pub(crate) fn decode(line: &[u8]) -> Result<Received> {
    let mut received = Received::default();
    let mut damaged = None;
    let mut reader = LineReader::new(line);
    loop {
        let state = reader
            .poll(|chunk| {
                if chunk.header.kind != ChunkKind::Events {
                    return Ok(());
                }
                received.lost = chunk.header.losses.full + chunk.header.losses.link;
                let tables = HeapTables::for_decoding(chunk.header.model.shape);
                match Decoder::new(chunk, tables).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
                    Ok(events) => received.events.extend(events),
                    Err(error) => damaged = Some((chunk.header.sequence, error)),
                }
                Ok(())
            })
            .context("read the line")?;
        if state == LineState::Closed {
            break;
        }
    }
    let stats = reader.stats();
    ensure!(damaged.is_none(), "a chunk does not decode: {damaged:?}");
    ensure!(
        stats.damaged_frames == 0 && stats.stray_bytes == 0,
        "not all of the line is chunks: {stats:?}"
    );
    Ok(received)
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
