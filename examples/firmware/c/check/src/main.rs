//! `heapwire-c-check STREAM [NOTES]`: the stream, as it came over the line, is whole; it has the events that
//! the notes in the text form have, in order; and what was not freed is what their comments
//! `# leak ADDRESS SCOPE` say. Without notes the stream may end within a frame.

use std::collections::BTreeSet;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use heapwire::convert::text::TextReader;
use heapwire::heapwire_core::{Event, NameKind};
use heapwire::io::line::{Arrival, LineReader, LineState};
use heapwire::trace::Item;
use heapwire::trace::entry::{Entry, for_each_entry};
use heapwire::trace::record::Records;
use heapwire::trace::source::Chunks;
use heapwire::trace::symbols::Symbols;

/// A block that was not freed, and the scope that allocated it.
type Leak = (u64, String);

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (stream, notes) = match &*arguments {
        [stream] => (stream, None),
        [stream, notes] => (stream, Some(notes)),
        _ => anyhow::bail!("one or two arguments are expected: the stream and the notes"),
    };
    let read = |path: &String| fs::read(path).with_context(|| format!("read {path}"));
    let mut stream = read(stream)?;
    if notes.is_none() {
        // Whoever wrote it was stopped at some point.
        stream.truncate(stream.iter().rposition(|byte| *byte == 0).map_or(0, |end| end + 1));
    }
    let (events, lost, leaks) = replay(&received(&stream)?)?;
    if let Some(notes) = notes {
        let notes = read(notes)?;
        ensure!(lost == 0, "{lost} events were lost");
        check_events(&events, &noted_events(&notes)?)?;
        let planted = planted_leaks(&notes)?;
        ensure!(
            !planted.is_empty() && leaks == planted,
            "never freed: {leaks:x?}, planted: {planted:x?}"
        );
    }
    ensure!(!events.is_empty(), "there are no events");
    let scopes: BTreeSet<&str> = leaks.iter().map(|(_, scope)| &**scope).collect();
    println!(
        "{} events in {} bytes, {lost} lost; {} blocks were not freed, of {scopes:?}",
        events.len(),
        stream.len(),
        leaks.len()
    );
    Ok(())
}

/// The events, how many are lost, and what was not freed.
fn replay(chunks: &Chunks) -> Result<(Vec<Event>, u64, BTreeSet<Leak>)> {
    let (mut symbols, mut events, mut records) = (Symbols::new(), Vec::new(), Records::new());
    let (mut lost, mut unfreed) = (0, Vec::new());
    for_each_entry(chunks, |entry| {
        match entry {
            Entry::Item(Item::Event(event)) => events.push(event),
            Entry::Item(Item::Definition(definition)) => {
                symbols.define(&definition);
            }
            Entry::Position(position) => lost = position.lost_full + position.lost_link,
        }
        records.entry(&entry, |_| Ok(()))
    })?;
    records.finish(|record| {
        unfreed.push((record.last_address(), record.site()));
        Ok(())
    })?;
    let scope = |site| symbols.name(NameKind::Scope, site).unwrap_or("no scope").to_owned();
    let leaks = unfreed.into_iter().map(|(address, site)| (address, scope(site))).collect();
    Ok((events, lost, leaks))
}

/// The chunks of a line; not a byte may be strange.
fn received(stream: &[u8]) -> Result<Chunks> {
    let mut chunks = Chunks::new();
    let mut reader = LineReader::new(stream);
    let mut damage = None;
    loop {
        let state = reader.poll(|arrival| {
            if let Arrival::Chunk(chunk) = arrival {
                damage = damage.take().or(chunks.push(chunk.bytes).err());
            }
            Ok(())
        });
        if state.context("read the stream")? == LineState::Closed {
            break;
        }
    }
    if let Some(error) = damage {
        return Err(error).context("take a chunk of the stream");
    }
    let stats = reader.stats();
    ensure!(stats.damaged_frames == 0 && stats.stray_bytes == 0, "not all is chunks: {stats:?}");
    Ok(chunks)
}

fn noted_events(notes: &[u8]) -> Result<Vec<Event>> {
    let mut reader = TextReader::new(notes);
    let mut events = Vec::new();
    while let Some(item) = reader.next_item().context("read the notes")? {
        if let Item::Event(event) = item {
            events.push(event);
        }
    }
    Ok(events)
}

fn planted_leaks(notes: &[u8]) -> Result<BTreeSet<Leak>> {
    let text = str::from_utf8(notes).context("read the notes")?;
    let leak = |line: &str| {
        let (address, scope) = line.split_once(' ').context("a leak has an address and a scope")?;
        let address = u64::from_str_radix(address, 16).context("an address")?;
        Ok((address, scope.to_owned()))
    };
    text.lines().filter_map(|line| line.strip_prefix("# leak ")).map(leak).collect()
}

fn check_events(found: &[Event], expected: &[Event]) -> Result<()> {
    ensure!(!expected.is_empty(), "there is nothing to compare with");
    let differs =
        (0..found.len().max(expected.len())).find(|&at| found.get(at) != expected.get(at));
    if let Some(at) = differs {
        let (found, expected) = (found.get(at), expected.get(at));
        anyhow::bail!("event {at} is {found:?}, expected {expected:?}");
    }
    Ok(())
}
