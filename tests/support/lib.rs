//! Shared by the tests: real traces, a made-up one, and what a capture is compared with.

pub mod device;
pub mod inputs;
pub mod sample;
pub mod trace_files;

use std::collections::BTreeSet;
use std::io::BufRead;

use heapwire::convert::text::{TextReader, write_item};
use heapwire::io::capture_reader::{CaptureReader, Completeness, Damage, Part};
use heapwire::io::codec::Compression;
use heapwire::pipeline::encode::TraceEncoder;
use heapwire::pipeline::parse::{CaptureVisitor, parse};
use heapwire::plan::{Balancing, CapturePlan, MemoryPlan};
use heapwire::trace::Item;
use heapwire::{BinaryExportError, CollectionConfig, ModelSize};
use heapwire_core::{ChunkKind, Codec, Definition, Event};

/// What a trace holds: the set of its definitions, each as a line of text, and its events in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Definitions.
    pub definitions: BTreeSet<String>,
    /// Events.
    pub events: Vec<Event>,
}

impl Content {
    /// Of a text trace.
    #[must_use]
    pub fn of_text(text: &[u8]) -> Self {
        let mut content = Self::default();
        let mut reader = TextReader::new(text);
        while let Some(item) = reader.next_item().expect("the text is a trace") {
            content.add(&item);
        }
        content
    }

    /// Of a capture that is complete and not damaged.
    #[must_use]
    pub fn of_capture(capture: &[u8]) -> Self {
        let mut content = Self::default();
        let completeness = parse(capture, &mut content).expect("the capture reads");
        assert!(matches!(completeness, Completeness::Complete(_)), "{completeness:?}");
        content
    }

    /// Adds a definition or an event.
    pub fn add(&mut self, item: &Item<'_>) {
        match item {
            Item::Definition(definition) => {
                self.definitions.insert(line(definition));
            }
            Item::Event(event) => self.events.push(*event),
        }
    }
}

impl CaptureVisitor for Content {
    fn item(&mut self, item: Item<'_>) -> heapwire::Result<()> {
        self.add(&item);
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> heapwire::Result<()> {
        panic!("not damaged: {damage:?}")
    }
}

/// A definition's line of text.
#[must_use]
pub fn line(definition: &Definition<'_>) -> String {
    let mut line = Vec::new();
    write_item(&mut line, &Item::Definition(*definition)).expect("short enough");
    String::from_utf8(line).expect("UTF-8")
}

/// A plan for one thread.
#[must_use]
pub fn plan(chunk_size: usize, compression: Compression) -> CapturePlan {
    CapturePlan {
        chunk_size,
        chunked: false,
        model: ModelSize::Dense,
        compression,
        auto_select: false,
        threads: 1,
        balancing: Balancing::default(),
        read_back: false,
        collection: CollectionConfig::default(),
        memory: MemoryPlan::default(),
    }
}

/// Zstd as the default configuration has it.
pub const ZSTD: Compression = Compression::Zstd { level: 3 };

/// Every codec.
pub const CODECS: [Compression; 3] = [Compression::None, Compression::Lz4, ZSTD];

/// A text trace into a capture.
///
/// # Errors
/// What the encoder or the text reader fails with.
pub fn import(text: impl BufRead, plan: CapturePlan) -> Result<Vec<u8>, BinaryExportError> {
    let mut reader = TextReader::new(text);
    let mut encoder = TraceEncoder::new(Vec::new(), plan)?;
    while let Some(item) = reader.next_item()? {
        encoder.push(&item)?;
    }
    let (capture, length) = encoder.finish()?;
    assert_eq!(capture.len() as u64, length);
    Ok(capture)
}

/// Whether some chunk of events in a capture that is not damaged has this codec.
#[must_use]
pub fn uses(capture: &[u8], codec: Codec) -> bool {
    let mut reader = CaptureReader::new(capture).expect("a capture");
    while let Some(Part::Chunk(chunk, _)) = reader.next_part().expect("reads") {
        if chunk.header.kind == ChunkKind::Events && chunk.header.codec == codec {
            return true;
        }
    }
    false
}
