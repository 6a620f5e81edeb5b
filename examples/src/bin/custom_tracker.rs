//! A tracker of your own: a pool that hands out slots of its own memory tells who holds them. The global
//! allocator never sees that; the pool does, and whatever has events to tell can be exported.
//!
//! Run it with `cargo run -p heapwire-examples --bin custom_tracker`.

use std::cell::RefCell;
use std::error::Error;
use std::time::Instant;

use heapwire::heapwire_core::{Definition, Event, EventKind, Name, NameKind, Session};
use heapwire::trace::Item;
use heapwire::trace::builder::ChunkBuilder;
use heapwire::trace::replay::Replay;
use heapwire::trace::source::{ChunkSource, Chunks};
use heapwire::{BinaryExport, IntegratedBinaryExporter, IntegratedConfig};

const SLOTS: usize = 64;
const SLOT_BYTES: usize = 256;

/// Who may take slots. Their numbers are sites.
const OWNERS: [&str; 2] = ["receive", "retransmit"];

/// Slots for packets, and what happened to them.
struct PacketPool {
    started: Instant,
    free: RefCell<Vec<usize>>,
    recorded: RefCell<ChunkBuilder>,
}

impl PacketPool {
    fn new() -> heapwire::Result<Self> {
        let mut recorded = ChunkBuilder::new();
        recorded.define(&Definition::Session(Session {
            device: "packet pool",
            build: env!("CARGO_PKG_VERSION"),
            ticks_per_second: 1_000_000,
            address_bits: usize::BITS as u8,
        }))?;
        for (id, text) in (1..).zip(OWNERS) {
            recorded.define(&Definition::Name(Name { kind: NameKind::Scope, id, text }))?;
        }
        Ok(Self {
            started: Instant::now(),
            free: RefCell::new((0..SLOTS).map(|slot| slot * SLOT_BYTES).collect()),
            recorded: RefCell::new(recorded),
        })
    }

    fn record(&self, kind: EventKind) {
        let time = self.started.elapsed().as_micros() as u64;
        self.recorded.borrow_mut().push(&Event { time, thread: 1, kind });
    }

    /// Takes a slot, if one is free.
    fn take(&self, owner: u32) -> Option<usize> {
        let (slot, size) = (self.free.borrow_mut().pop(), SLOT_BYTES as u64);
        self.record(match slot {
            Some(slot) => EventKind::Alloc { address: slot as u64, size, site: owner },
            None => EventKind::FailedAlloc { size, site: owner },
        });
        slot
    }

    fn give_back(&self, slot: usize, owner: u32) {
        self.free.borrow_mut().push(slot);
        self.record(EventKind::Free { address: slot as u64, site: owner });
    }
}

/// This makes it a tracker: exports take whatever has chunks.
impl ChunkSource for PacketPool {
    fn snapshot(&self) -> Chunks {
        self.recorded.borrow().snapshot()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let pool = PacketPool::new()?;
    let (receive, retransmit) = (1, 2);
    for packet in 0..10_000 {
        let Some(slot) = pool.take(receive) else { continue };
        pool.give_back(slot, receive);
        // Every hundredth is kept for a retransmission that never comes.
        if packet % 100 == 0 {
            pool.take(retransmit);
        }
    }

    let path = "custom_tracker.hwcap";
    let result = BinaryExport::export_default(&pool, path)?;
    println!("{} events in {} bytes", result.events, result.bytes_written);

    let trace = IntegratedBinaryExporter::new(IntegratedConfig::default()).load(path)?;
    let mut replay = Replay::new();
    trace.for_each(|item| {
        if let Item::Event(event) = item {
            replay.event(&event);
        }
        Ok(())
    })?;
    let unfreed = replay.unfreed();
    for held in &unfreed {
        let owner = trace.symbols().site(held.site);
        println!("{owner} holds {} slots, {} bytes", held.blocks, held.bytes);
    }
    let failed = replay.counts().failed;
    println!("{failed} times no slot was free");

    assert_eq!(unfreed.len(), 1);
    assert_eq!((unfreed[0].site, unfreed[0].blocks), (retransmit, SLOTS as u64));
    assert!(failed > 0);
    std::fs::remove_file(path)?;
    Ok(())
}
