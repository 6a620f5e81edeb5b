//! Made-up data that behaves as a program does: few sites do most of the work, each with its sizes and
//! its way of letting go; most blocks die young; places are used again as an allocator hands them out.
//! The same number of events gives the same data on every machine.

use fastrand::Rng;
use heapwire_core::{Definition, Event, EventKind, Name, NameKind, Node, Session};

use crate::config::{CompressionAlgorithm, IntegratedConfig, ParserConfig};
use crate::error::Result;
use crate::facade::BinaryDataParser;
use crate::pipeline::encode::TraceEncoder;
use crate::plan::CapturePlan;
use crate::trace::Item;
use crate::trace::source::{ChunkSource, Chunks};

/// Call stacks that allocate, and nodes in all.
const SITES: u32 = 600;
const NODES: u32 = 2_400;

/// Blocks that wait to be freed at most, of those that live long.
const LONG_LIVED: usize = 5_000;

/// Chunks as a tracker has them: uncompressed.
fn plan() -> Result<CapturePlan> {
    let mut config = IntegratedConfig::memory_efficient();
    config.compression.algorithm = CompressionAlgorithm::None;
    CapturePlan::try_from(&config)
}

/// This many events, as a tracker would hold them.
pub(super) fn chunks(events: u64) -> Result<Chunks> {
    let mut encoder = TraceEncoder::new(Vec::new(), plan()?)?;
    let mut program = Program::new();
    for definition in program.definitions() {
        encoder.push(&Item::Definition(definition))?;
    }
    for _ in 0..events {
        encoder.push(&Item::Event(program.next_event()))?;
    }
    let (capture, _) = encoder.finish()?;
    let parser = BinaryDataParser::new(ParserConfig { parallel: None, ..ParserConfig::default() });
    Ok(parser.parse_streaming(&capture[..])?.trace.snapshot())
}

/// What a site's blocks are like.
struct Site {
    node: u32,
    size: u64,
    /// Whether its sizes vary.
    varies: bool,
    life: Life,
}

#[derive(Clone, Copy)]
enum Life {
    /// Freed a few events later, newest first.
    Short,
    /// Freed some time later.
    Long,
    /// Resized a few times, then freed.
    Growing,
}

#[derive(Clone, Copy)]
struct Block {
    address: u64,
    size: u64,
    life: Life,
    site: u32,
}

struct Program {
    random: Rng,
    sites: Vec<Site>,
    heap: Heap,
    time: u64,
    thread: u32,
    /// Blocks of short lives, as a stack.
    short: Vec<Block>,
    long: Vec<Block>,
    /// What the work at hand does over and over: sites in turn.
    task: Vec<usize>,
    step: usize,
}

impl Program {
    fn new() -> Self {
        let mut random = Rng::with_seed(0x6865_6170);
        let sites = (0..SITES)
            .map(|number| Site {
                node: NODES - SITES + number + 1,
                size: 8 << random.u64(0..3) << random.u64(0..3) << random.u64(0..4),
                varies: random.u32(0..3) == 0,
                life: match random.u32(0..20) {
                    0 => Life::Growing,
                    1..5 => Life::Long,
                    _ => Life::Short,
                },
            })
            .collect();
        Self {
            random,
            sites,
            heap: Heap::default(),
            time: 0,
            thread: 1,
            short: Vec::new(),
            long: Vec::new(),
            task: Vec::new(),
            step: 0,
        }
    }

    /// The session, threads, and a tree of call stacks.
    fn definitions(&mut self) -> Vec<Definition<'static>> {
        let session = Session {
            device: "benchmark",
            build: "",
            ticks_per_second: 1_000_000,
            address_bits: 64,
        };
        let thread = |id, text| Definition::Name(Name { kind: NameKind::Thread, id, text });
        let mut definitions =
            vec![Definition::Session(session), thread(1, "main"), thread(2, "worker")];
        for id in 1..=NODES {
            let parent = self.random.u32(0..id.min(NODES - SITES));
            let ip = 0x5555_5555_0000 + self.random.u64(0..1 << 22);
            definitions.push(Definition::Node(Node { id, parent, ip }));
        }
        definitions
    }

    fn next_event(&mut self) -> Event {
        // Mostly within the same microsecond, now and then after a pause.
        self.time += match self.random.u32(0..100) {
            0 => self.random.u64(20..2_000),
            1..30 => self.random.u64(1..4),
            _ => 0,
        };
        if self.random.u32(0..400) == 0 {
            self.thread = 3 - self.thread;
        }
        let kind = match self.random.u32(0..100) {
            0..44 if !self.short.is_empty() => self.free_short(),
            44..48 if !self.long.is_empty() => self.change_long(),
            _ if self.long.len() > LONG_LIVED => self.change_long(),
            _ => self.allocate(),
        };
        Event { time: self.time, thread: self.thread, kind }
    }

    fn allocate(&mut self) -> EventKind {
        if self.step == self.task.len() {
            self.step = 0;
            if self.task.is_empty() || self.random.u32(0..8) == 0 {
                // Few sites do most of the work.
                let sites = self.sites.len() as f64;
                let length = self.random.usize(2..12);
                let site = |random: &mut Rng| (random.f64().powi(4) * sites) as usize;
                self.task = (0..length).map(|_| site(&mut self.random)).collect();
            }
        }
        let at = self.task[self.step];
        self.step += 1;
        let site = &self.sites[at];
        let size = match site.varies {
            true => site.size + self.random.u64(0..=site.size),
            false => site.size,
        };
        let (site, life) = (site.node, site.life);
        let address = self.heap.take(size);
        let block = Block { address, size, life, site };
        match life {
            Life::Short => self.short.push(block),
            Life::Long | Life::Growing => self.long.push(block),
        }
        EventKind::Alloc { address, size, site }
    }

    fn free_short(&mut self) -> EventKind {
        let depth = match self.random.u32(0..5) {
            0 => self.random.usize(0..self.short.len().min(6)),
            _ => 0,
        };
        let block = self.short.remove(self.short.len() - 1 - depth);
        self.free(block)
    }

    fn change_long(&mut self) -> EventKind {
        let at = self.random.usize(0..self.long.len());
        let Block { address: old, size, life, site } = self.long[at];
        if matches!(life, Life::Growing) && size < 1 << 20 && self.random.u32(0..4) > 0 {
            self.heap.give(old, size);
            let size = 2 * size;
            let address = self.heap.take(size);
            self.long[at] = Block { address, size, life, site };
            return EventKind::Realloc { old, address, size, site };
        }
        let block = self.long.swap_remove(at);
        self.free(block)
    }

    fn free(&mut self, block: Block) -> EventKind {
        self.heap.give(block.address, block.size);
        EventKind::Free { address: block.address, site: 0 }
    }
}

/// Hands out places as an allocator does: the one freed last of the same size, else a new one.
#[derive(Default)]
struct Heap {
    free: Vec<Vec<u64>>,
    used: u64,
}

impl Heap {
    /// Bytes that a block takes.
    fn room(size: u64) -> u64 {
        (size + 8).next_multiple_of(16).max(32)
    }

    fn take(&mut self, size: u64) -> u64 {
        let room = Self::room(size);
        let list = self.free.get_mut(room as usize / 16);
        list.and_then(Vec::pop).unwrap_or_else(|| {
            let address = 0x5581_2000_02a0 + self.used;
            self.used += room;
            address
        })
    }

    fn give(&mut self, address: u64, size: u64) {
        let list = Self::room(size) as usize / 16;
        if self.free.len() <= list {
            self.free.resize(list + 1, Vec::new());
        }
        self.free[list].push(address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::replay::Replay;

    #[test]
    fn the_data_is_a_heaps_and_the_same_each_time() {
        let first = chunks(20_000).unwrap();
        let mut program = Program::new();
        let _ = program.definitions();
        let mut replay = Replay::new();
        for _ in 0..20_000 {
            replay.event(&program.next_event());
        }
        assert_eq!((replay.unknown_frees(), replay.double_allocations()), (0, 0));
        let counts = replay.counts();
        assert!(
            counts.frees > 6_000 && counts.reallocs > 20 && counts.allocs > 8_000,
            "{counts:?}"
        );
        assert_eq!((first.event_count(), counts.total()), (20_000, 20_000));
        assert_eq!(first.memory(), chunks(20_000).unwrap().memory());
    }
}
