//! Memory of whole exports, everything counted that any thread allocates, in C too: never more than is
//! worked out before, and what the presets promise.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::path::Path;

use heapwire::heapwire_core::{
    Chunker, Columns, Event, EventKind, Placement, Pushed, Shape, StreamPosition,
};
use heapwire::tables::HeapTables;
use heapwire::trace::builder::ChunkBuilder;
use heapwire::trace::source::{ChunkSource, Chunks};
use heapwire::{
    BinaryExportError, IntegratedBinaryExporter, IntegratedConfig, LoadBalancingStrategy,
    ModelSize, OutputFormat,
};
use heapwire_bench::memory::peak_bytes;

/// Numbers that look random: Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % end
    }
}

/// Events of a program with so many places for blocks, or, `wild`, such as no model foretells.
fn events(count: u64, places: u64, wild: bool) -> impl Iterator<Item = (Event, u64)> {
    let mut random = Random(88_172_645_463_325_252);
    let mut live = vec![0; places as usize];
    (0..count).map(move |at| {
        let place = random.below(places);
        let (address, size, site) = match wild {
            true => (random.below(1 << 44), random.below(1 << 30), random.below(1 << 31)),
            false => (0x5000_0000 + 128 * place, 16 + random.below(97), random.below(40)),
        };
        let freed = std::mem::take(&mut live[place as usize]);
        let kind = match freed {
            1.. if !wild => EventKind::Free { address, site: 0 },
            _ => {
                live[place as usize] = size;
                EventKind::Alloc { address, size, site: site as u32 }
            }
        };
        let thread = if wild { random.below(1 << 30) as u32 } else { 1 };
        (Event { time: at * if wild { 1 << 20 } else { 3 }, thread, kind }, freed)
    })
}

/// Chunks of this size, of so many streams, each with these events.
fn chunks(
    chunk_size: usize,
    streams: u32,
    events: impl Fn() -> Box<dyn Iterator<Item = (Event, u64)>>,
) -> Chunks {
    let mut chunks = Chunks::new();
    let mut positions = Vec::new();
    for stream in 0..streams {
        let tables = HeapTables::for_encoding(Shape::DENSE);
        let storage = vec![0; chunk_size];
        let mut chunker = Chunker::new(storage, Columns::new(), tables, Placement::GLIBC_64)
            .with_checksum(crc32fast::hash);
        chunker.set_position(StreamPosition { stream, ..StreamPosition::default() });
        for (event, freed) in events() {
            if chunker.push(&event, freed) == Pushed::Full {
                chunks.push(chunker.seal().unwrap()).unwrap();
                assert_eq!(chunker.push(&event, freed), Pushed::Written);
            }
        }
        chunks.push(chunker.seal().unwrap()).unwrap();
        positions.push(chunker.position());
    }
    chunks.set_positions(Some(positions));
    chunks
}

/// Configurations as different as can be.
fn configs() -> Vec<(String, IntegratedConfig)> {
    let mut configs = Vec::new();
    let presets = [
        ("balanced", IntegratedConfig::balanced()),
        ("high_performance", IntegratedConfig::high_performance()),
        ("memory_efficient", IntegratedConfig::memory_efficient()),
    ];
    for (name, preset) in presets {
        for threads in [1, 2, 4] {
            let mut config = preset.clone();
            if let Some(parallel) = &mut config.parallel {
                parallel.worker_threads = threads;
            } else if threads > 1 {
                continue;
            }
            configs.push((format!("{name}, threads {threads}"), config.clone()));
            if threads == 2 {
                for strategy in
                    [LoadBalancingStrategy::RoundRobin, LoadBalancingStrategy::LeastLoaded]
                {
                    let parallel = config.parallel.as_mut().unwrap();
                    (parallel.load_balancing, parallel.enable_work_stealing) = (strategy, false);
                    configs.push((format!("{name}, {strategy:?}"), config.clone()));
                }
            }
        }
        for (chunk_size, level) in [(4 << 10, 1), (64 << 10, 19), (1 << 20, 9)] {
            let mut config = preset.clone();
            config.output_format = OutputFormat::Chunked { chunk_size };
            config.compression.level = level;
            config.processing.model = ModelSize::Fast;
            configs.push((format!("{name}, chunks of {chunk_size}, level {level}"), config));
        }
    }
    configs
}

/// The peak of an export, and what was worked out for it.
fn measure(source: &Chunks, config: &IntegratedConfig, out: &Path) -> (usize, usize) {
    let export = |most: usize| {
        let mut config = config.clone();
        config.processing.max_memory_usage = most;
        let mut exporter = IntegratedBinaryExporter::new(config);
        peak_bytes(|| exporter.export(source, out))
    };
    let (refused, little) = export(0);
    let Err(BinaryExportError::OutOfMemory { requested, available: 0 }) = refused else {
        panic!("{refused:?}")
    };
    assert!(little < 64 << 10, "{little} bytes to find out that there is no room for {requested}");
    let (refused, _) = export(requested - 1);
    assert!(matches!(refused, Err(BinaryExportError::OutOfMemory { .. })), "{refused:?}");
    let (result, peak) = export(requested);
    result.unwrap();
    (peak, requested)
}

/// One test, since all threads of the process are counted.
#[test]
fn exports_stay_within_what_is_worked_out() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.hwcap");
    let usual =
        |count| move || -> Box<dyn Iterator<Item = _>> { Box::new(events(count, 2000, false)) };
    let wild = || -> Box<dyn Iterator<Item = _>> { Box::new(events(60_000, 500, true)) };
    let sources = [
        ("to be moved", chunks(64 << 10, 1, usual(200_000))),
        ("to be encoded anew", chunks(4 << 20, 1, usual(300_000))),
        ("of several streams", chunks(4 << 20, 5, usual(40_000))),
        ("wild", chunks(64 << 10, 1, wild)),
        ("wild, to be encoded anew", chunks(4 << 20, 1, wild)),
        ("few", chunks(4 << 20, 1, usual(50))),
    ];
    let mut too_much = Vec::new();
    for (what, source) in &sources {
        println!("{what}: {} events", source.event_count());
        for (name, mut config) in configs() {
            // Threads that were not asked for give way; here all have to fit.
            if let Some(parallel) = &mut config.parallel {
                parallel.worker_threads = parallel.worker_threads.max(2);
            }
            let (peak, worked_out) = measure(source, &config, &out);
            println!("  {name}: {} KiB of {}", peak >> 10, worked_out >> 10);
            if peak > worked_out {
                too_much.push(format!("{what}, {name}: {peak} bytes, worked out {worked_out}"));
            }
        }
    }
    assert!(too_much.is_empty(), "{too_much:#?}");

    presets_take_what_they_promise(&out);
    live_blocks_are_within_the_budget(&out);
}

/// `memory_efficient()` takes the least, and the same for ten and a hundred times as much. Where a tracker's
/// chunks are but compressed and moved, LZ4 takes less than any Zstd, and both a fraction of a megabyte.
fn presets_take_what_they_promise(out: &Path) {
    let peak = |config: &IntegratedConfig, source: &dyn ChunkSource| {
        let mut exporter = IntegratedBinaryExporter::new(config.clone());
        let (result, peak) = peak_bytes(|| exporter.export(source, out));
        (result.unwrap().events, peak)
    };
    // Built as a tracker builds its chunks, but with times that are the same whatever the machine does.
    let tracker = |count| {
        let mut builder = ChunkBuilder::new();
        events(count, 500, false).for_each(|(event, _)| builder.push(&event));
        builder.finish()
    };
    let least = IntegratedConfig::memory_efficient();
    let (_, first) = peak(&least, &tracker(40_000));
    for times in [10, 100] {
        let source = tracker(40_000 * times);
        let (events, more) = peak(&least, &source);
        println!("{events} events: {first} bytes, then {more}");
        assert_eq!(events, 40_000 * times);
        // A reference to each chunk of the source is all that is more: 16 bytes for 30,000 events.
        assert!(more < first + first / 8, "{times} times as much: {first} bytes, then {more}");
        assert!(more < 1 << 20, "{more} bytes");
        let (_, balanced) = peak(&of_two_threads(IntegratedConfig::balanced()), &source);
        assert!(more < balanced, "{more} bytes, {balanced} with balanced()");
    }
    let usual = || -> Box<dyn Iterator<Item = _>> { Box::new(events(300_000, 2000, false)) };
    let source = chunks(4 << 20, 1, usual);
    let (_, encoding) = peak(&least, &source);
    for other in [IntegratedConfig::balanced(), IntegratedConfig::high_performance()] {
        let (_, most) = peak(&of_two_threads(other.clone()), &source);
        assert!(encoding < most, "{encoding} bytes, {most} with {other:?}");
    }
}

fn of_two_threads(mut config: IntegratedConfig) -> IntegratedConfig {
    if let Some(parallel) = &mut config.parallel {
        parallel.worker_threads = 2;
    }
    config
}

/// Headers that say nothing of live blocks do not make an export take more than it may.
fn live_blocks_are_within_the_budget(out: &Path) {
    let tables = HeapTables::for_encoding(Shape::DENSE);
    let mut chunker = Chunker::new(vec![0; 4 << 20], Columns::new(), tables, Placement::GLIBC_64)
        .with_checksum(crc32fast::hash);
    let mut chunks = Chunks::new();
    let blocks = 300_000;
    for at in 0..blocks {
        // As if each block were gone a moment later: the totals are those of an empty heap.
        if at % 1000 == 0 {
            chunker.seal().into_iter().for_each(|chunk| chunks.push(chunk).unwrap());
            chunker.set_position(StreamPosition {
                event: at,
                sequence: at as u32 / 1000,
                ..StreamPosition::default()
            });
        }
        let kind = EventKind::Alloc { address: 0x1000 + 16 * at, size: 16, site: 1 };
        assert_eq!(chunker.push(&Event { time: at, thread: 1, kind }, 0), Pushed::Written);
    }
    chunks.push(chunker.seal().unwrap()).unwrap();
    let mut config = IntegratedConfig::memory_efficient();
    config.processing.max_memory_usage = 0;
    let refused = IntegratedBinaryExporter::new(config.clone()).export(&chunks, out);
    let Err(BinaryExportError::OutOfMemory { requested, .. }) = refused else {
        panic!("{refused:?}")
    };
    config.processing.max_memory_usage = requested;
    let mut exporter = IntegratedBinaryExporter::new(config.clone());
    let (refused, peak) = peak_bytes(|| exporter.export(&chunks, out));
    let Err(BinaryExportError::OutOfMemory { requested: more, available }) = refused else {
        panic!("{refused:?}")
    };
    println!("{peak} bytes of {available}, {more} wanted");
    assert!(peak <= available && available == requested && more > available);
    config.processing.max_memory_usage = 64 << 20;
    let mut exporter = IntegratedBinaryExporter::new(config);
    let (result, peak) = peak_bytes(|| exporter.export(&chunks, out));
    assert_eq!(result.unwrap().events, blocks);
    assert!(peak <= 64 << 20, "{peak}");
}
