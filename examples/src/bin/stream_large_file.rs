//! Reads a capture of any size in constant memory: a visitor is handed one event after the other and
//! keeps only what it counts.
//!
//! `cargo run --release -p heapwire-examples --bin stream_large_file -- FILE` reads a capture of
//! yours. Without an argument it makes one of a million events first.

use std::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use heapwire::heapwire_core::{Event, EventKind};
use heapwire::io::atomic_file::AtomicFile;
use heapwire::io::capture_reader::{Completeness, Damage};
use heapwire::pipeline::encode::TraceEncoder;
use heapwire::pipeline::parse::{CaptureVisitor, parse};
use heapwire::plan::CapturePlan;
use heapwire::trace::Item;
use heapwire::{IntegratedConfig, Result};

const EVENTS: u64 = 1_000_000;

/// What this program wants to know of a capture. It is all that it keeps.
#[derive(Debug, Default)]
struct Sizes {
    events: u64,
    allocations: u64,
    bytes: u64,
    largest: u64,
    unreadable: u64,
}

impl CaptureVisitor for Sizes {
    fn item(&mut self, item: Item<'_>) -> Result<()> {
        let Item::Event(event) = item else { return Ok(()) };
        self.events += 1;
        if let EventKind::Alloc { size, .. } | EventKind::Realloc { size, .. } = event.kind {
            self.allocations += 1;
            self.bytes = self.bytes.saturating_add(size);
            self.largest = self.largest.max(size);
        }
        Ok(())
    }

    // Returning `Ok` reads on behind what is damaged; an error would end the parse.
    fn damage(&mut self, damage: &Damage) -> Result<()> {
        self.unreadable += damage.length;
        Ok(())
    }
}

/// Reads a capture from anything that can be read: a file, a socket, standard input.
fn read(input: impl Read) -> Result<Sizes> {
    let mut sizes = Sizes::default();
    match parse(input, &mut sizes)? {
        Completeness::Complete(_) => {}
        Completeness::CutOff { offset } => println!("the capture is cut off at {offset} bytes"),
    }
    Ok(sizes)
}

/// Writes a capture event by event, in constant memory as well.
fn write(path: &Path) -> std::result::Result<u64, Box<dyn Error>> {
    let plan = CapturePlan::try_from(&IntegratedConfig::memory_efficient())?;
    let mut encoder = TraceEncoder::new(AtomicFile::create(path)?, plan)?;
    for i in 0..EVENTS / 2 {
        let (address, size) = (0x7f00_0000_0000 + 64 * (i % 100), 1 + i % 64);
        let at = |time, kind| Item::Event(Event { time, thread: 1, kind });
        encoder.push(&at(10 * i, EventKind::Alloc { address, size, site: 0 }))?;
        encoder.push(&at(10 * i + 5, EventKind::Free { address, site: 0 }))?;
    }
    let (file, _) = encoder.finish()?;
    Ok(file.commit()?)
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    if let Some(path) = std::env::args_os().nth(1) {
        println!("{:#?}", read(File::open(path)?)?);
        return Ok(());
    }

    let path = Path::new("stream_large_file.hwcap");
    let length = write(path)?;
    let sizes = read(File::open(path)?)?;
    fs::remove_file(path)?;

    println!("{length} bytes held {sizes:#?}");
    assert_eq!((sizes.events, sizes.allocations), (EVENTS, EVENTS / 2));
    assert_eq!((sizes.largest, sizes.unreadable), (64, 0));
    Ok(())
}
