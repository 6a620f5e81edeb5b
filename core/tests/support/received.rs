//! What a line brought, checked as a reader would: every gap in the numbers is counted as lost, exactly.

use heapwire_core::{
    Chunk, ChunkHeader, ChunkKind, Definition, Definitions, Event, NameKind, crc32,
};

/// All that a line brought.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// Of the chunks of events.
    pub(crate) headers: Vec<ChunkHeader>,
    pub(crate) events: Vec<Event>,
    pub(crate) names: Vec<(NameKind, u32, String)>,
    pub(crate) sessions: usize,
    /// Events that came though they are counted as lost: their chunk was cut off, but whole.
    pub(crate) came_yet: u64,
}

impl Received {
    /// Of one run of one recorder. Frames that were cut off are left out.
    pub(crate) fn new(line: &[u8]) -> Self {
        let received = Self::from(line, 0, 0);
        assert_eq!(received.came_yet, 0);
        received
    }

    /// The same for a reader who comes when so many events have happened, and so many of them are lost.
    pub(crate) fn from(line: &[u8], events: u64, lost: u64) -> Self {
        let mut received = Self::default();
        let mut next = (events, lost);
        for frame in super::deframe(line, std::iter::empty(), 2000) {
            let Ok(chunk) = Chunk::parse(&frame, crc32) else { continue };
            let header = chunk.header;
            if header.kind == ChunkKind::Definitions {
                received.define(&chunk);
                continue;
            }
            let lost = header.losses.full + header.losses.link;
            let (gap, lost_since) = (header.first_event - next.0, lost - next.1);
            assert!(gap <= lost_since, "a gap of {gap} before {header:?}");
            received.came_yet += lost_since - gap;
            // Chunks that the link lost have numbers too, those without events as well.
            let before = received.headers.last().map(|before| before.sequence);
            assert!(before < Some(header.sequence), "{before:?} before {header:?}");
            next = (header.first_event + u64::from(header.events), lost);
            received.events.extend(super::decode(&frame));
            received.headers.push(header);
        }
        received
    }

    fn define(&mut self, chunk: &Chunk<'_>) {
        for definition in Definitions::new(chunk).expect("definitions") {
            match definition.expect("a definition") {
                Definition::Session(_) => self.sessions += 1,
                Definition::Name(name) => self.names.push((name.kind, name.id, name.text.into())),
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn last(&self) -> &ChunkHeader {
        self.headers.last().expect("a chunk")
    }
}
