//! What the tests of this folder share: tables of any shape, events of every kind, and a writer.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod received;

use heapwire_core::{
    Block, Chunk, Chunker, Context, Decoder, Event, EventKind, FreeList, HeapTotals, Lanes,
    LastSize, Placement, Pushed, Shape, Slices, Tables, Thread, crc32,
};

/// Tables in vectors, of any shape.
#[derive(Clone, Debug)]
pub(crate) struct VecTables {
    shape: Shape,
    blocks: Vec<Block<u64>>,
    contexts: Vec<Context>,
    sizes: Vec<LastSize>,
    lists: Vec<FreeList<u64>>,
    holes: Vec<u64>,
    threads: Vec<Thread<u64>>,
    generation: u16,
    index: Vec<u32>,
}

impl VecTables {
    /// Without an index: the encoder searches.
    pub(crate) fn new(shape: Shape) -> Self {
        let entries = |bits: u8| if bits == 0 { 0 } else { 1 << bits };
        Self {
            shape,
            blocks: vec![Block::default(); entries(shape.blocks)],
            contexts: vec![Context::default(); entries(shape.contexts)],
            sizes: vec![LastSize::default(); entries(shape.sizes)],
            lists: vec![FreeList::default(); entries(shape.lists)],
            holes: vec![0; entries(shape.holes)],
            threads: vec![Thread::default(); 1 << shape.threads],
            generation: 0,
            index: Vec::new(),
        }
    }

    /// With an index of as many entries as blocks, which collide often.
    pub(crate) fn indexed(shape: Shape) -> Self {
        let mut tables = Self::new(shape);
        tables.index = vec![0; tables.blocks.len()];
        tables
    }
}

impl Tables for VecTables {
    type Word = u64;

    fn slices(&mut self) -> Slices<'_, u64> {
        Slices {
            blocks: &mut self.blocks,
            contexts: &mut self.contexts,
            sizes: &mut self.sizes,
            lists: &mut self.lists,
            holes: &mut self.holes,
            threads: &mut self.threads,
            generation: &mut self.generation,
            index: &mut self.index,
        }
    }

    fn shape(&self) -> Shape {
        self.shape
    }
}

/// A shape with a bit of everything that small chunks profit from.
pub(crate) const SMALL: Shape =
    Shape { blocks: 5, contexts: 5, sizes: 4, lists: 4, holes: 0, threads: 2 };

/// Random numbers that are the same everywhere (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

/// An event, and the size of the block that it frees.
pub(crate) type Freeing = (Event, u64);

/// What a program on a heap of this placement might do: `count` events of all kinds by four threads.
pub(crate) fn program(seed: u64, count: usize, placement: Placement) -> Vec<Freeing> {
    let mut random = Random(seed);
    let granule = 1u64 << placement.granule_bits.min(6);
    let base = granule * 128;
    let (mut top, mut free, mut live) = (base, Vec::<(u64, u64)>::new(), Vec::<(u64, u64)>::new());
    let mut time = random.below(1000);
    let mut thread = 0;
    let mut events = Vec::new();
    let mut allocate = |random: &mut Random, free: &mut Vec<(u64, u64)>, size: u64| {
        let class = size.div_ceil(granule);
        if let Some(at) = free.iter().rposition(|(_, free)| *free == class)
            && random.below(8) > 0
        {
            return free.remove(at).0;
        }
        let address = top;
        top = (top + class * granule) % (1 << 15);
        address
    };
    while events.len() < count {
        if random.below(10) == 0 {
            thread = random.below(4) as u32;
        }
        let pause = if random.below(10) == 0 { 100_000 } else { 40 };
        time += random.below(pause);
        let site = random.below(12) as u32;
        let size = [8, 16, 24, 40, 100, 1000][site as usize % 6];
        let mut freed = 0;
        let kind = match random.below(20) {
            0..9 => {
                let address = allocate(&mut random, &mut free, size);
                live.push((address, size));
                EventKind::Alloc { address, size, site }
            }
            9..16 if !live.is_empty() => {
                let back = random.below(live.len().min(6) as u64) as usize;
                let (address, size) = live.remove(live.len() - 1 - back);
                free.push((address, size.div_ceil(granule)));
                freed = size;
                EventKind::Free { address, site: if site < 8 { 0 } else { site } }
            }
            16 if !live.is_empty() => {
                let at = random.below(live.len() as u64) as usize;
                let (old, old_size) = live[at];
                let address = match random.below(2) {
                    0 => old,
                    _ => allocate(&mut random, &mut free, size),
                };
                live[at] = (address, size);
                freed = old_size;
                EventKind::Realloc { old, address, size, site }
            }
            17 => EventKind::FailedAlloc { size: size << 20, site },
            18 => EventKind::Gauge { gauge: site, value: random.next() as i64 >> 50 },
            19 if !live.is_empty() => {
                let (address, _) = live[random.below(live.len() as u64) as usize];
                EventKind::Name { address, variable: site, type_name: site / 2 }
            }
            _ => EventKind::Mark { mark: site },
        };
        // An interrupt reports late.
        let late = if random.below(30) == 0 { random.below(9).min(time) } else { 0 };
        events.push((Event { time: time - late, thread, kind }, freed));
    }
    events
}

/// The event with its addresses cut to what the address space holds, as encoders do.
pub(crate) fn within(event: &Event, placement: Placement) -> Event {
    let mask = u64::MAX >> (64 - u32::from(placement.address_bits));
    let mut event = *event;
    match &mut event.kind {
        EventKind::Alloc { address, .. }
        | EventKind::Free { address, .. }
        | EventKind::Name { address, .. } => *address &= mask,
        EventKind::Realloc { old, address, .. } => {
            *old &= mask;
            *address &= mask;
        }
        _ => {}
    }
    event
}

/// Totals counted plainly, apart from the crate's own.
pub(crate) fn count(totals: &mut HeapTotals, (event, freed): &Freeing) {
    let mut resize = |out: u64, back: u64, size: u64| {
        totals.allocations += out;
        totals.frees += back;
        let bytes = totals.bytes_in_use.saturating_sub(if back == 1 { *freed } else { 0 });
        totals.bytes_in_use = bytes.saturating_add(size);
        totals.peak_bytes = totals.peak_bytes.max(totals.bytes_in_use);
    };
    match event.kind {
        EventKind::Alloc { size, .. } => resize(1, 0, size),
        EventKind::Free { .. } => resize(0, 1, 0),
        EventKind::Realloc { size, .. } => resize(1, 1, size),
        EventKind::FailedAlloc { .. } => totals.failed += 1,
        _ => {}
    }
}

/// Pushes all events into chunks of at most `size` bytes; returns the chunks and the events that
/// were too large for any.
pub(crate) fn encode<L: Lanes>(
    events: &[Freeing],
    size: usize,
    lanes: L,
    tables: impl Tables,
    placement: Placement,
) -> (Vec<Vec<u8>>, Vec<usize>) {
    let mut chunker = Chunker::new(vec![0u8; size], lanes, tables, placement);
    let (mut chunks, mut lost) = (Vec::new(), Vec::new());
    for (at, (event, freed)) in events.iter().enumerate() {
        let mut pushed = chunker.push(event, *freed);
        if pushed == Pushed::Full {
            chunks.push(chunker.seal().expect("a full chunk has events").to_vec());
            pushed = chunker.push(event, *freed);
        }
        match pushed {
            Pushed::Written => {}
            Pushed::Full => panic!("an empty chunk is full"),
            Pushed::TooLarge => {
                chunker.lose(&event.kind, *freed);
                lost.push(at);
            }
        }
    }
    chunks.extend(chunker.seal().map(<[u8]>::to_vec));
    assert_eq!(chunker.seal(), None);
    (chunks, lost)
}

/// All events of a chunk that is right.
pub(crate) fn decode(chunk: &[u8]) -> Vec<Event> {
    let chunk = Chunk::parse(chunk, crc32).expect("a chunk");
    Decoder::new(&chunk, VecTables::new(chunk.header.model.shape))
        .expect("a chunk of events")
        .map(|event| event.expect("an event"))
        .collect()
}

/// Takes the frames off a line.
pub(crate) fn deframe<'a>(
    line: &[u8],
    pieces: impl Iterator<Item = usize> + 'a,
    storage: usize,
) -> Vec<Vec<u8>> {
    use heapwire_core::{Deframed, Deframer};
    let mut deframer = Deframer::new(vec![0u8; storage]);
    let (mut frames, mut rest, mut pieces) = (Vec::new(), line, pieces);
    while !rest.is_empty() {
        let piece = pieces.next().unwrap_or(rest.len()).clamp(1, rest.len());
        let (mut bytes, after) = rest.split_at(piece);
        while !bytes.is_empty() {
            let (taken, found) = deframer.push(bytes);
            if let Deframed::Frame(content) = found {
                frames.push(content.to_vec());
            }
            bytes = &bytes[taken..];
        }
        rest = after;
    }
    frames
}

/// A link that keeps what is written, and refuses on demand.
#[cfg(feature = "embedded-io")]
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) bytes: Vec<u8>,
    /// Bytes after which it refuses.
    pub(crate) refuses_after: Option<usize>,
    /// Whether it ever did.
    pub(crate) refused: bool,
}

#[cfg(feature = "embedded-io")]
impl embedded_io::ErrorType for Line {
    type Error = embedded_io::ErrorKind;
}

#[cfg(feature = "embedded-io")]
impl embedded_io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        let room = self.refuses_after.unwrap_or(usize::MAX) - self.bytes.len();
        let taken = bytes.len().min(room);
        if taken == 0 {
            self.refused = true;
            return Err(embedded_io::ErrorKind::BrokenPipe);
        }
        self.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}
