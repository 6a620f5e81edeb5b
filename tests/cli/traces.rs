//! Text traces to import.

use std::fmt::Write as _;
use std::io::{self, Write};

/// One line of each kind, definitions first, as a dump prints them.
pub(super) const EVERY_KIND: &str = "\
h 1000 32 \"sensor\" \"v1.2\"
p 20000000 65536 main heap
s 1 0 800460d
s 2 1 8001059
d scope 3 parse
d thread 1 idle
d gauge 1 queue
d mark 1 ready
a 450 1 20000010 21 1
a 500 1 20001000 100 3
r 512 1 20000010 200000f8 64 2
x 600 2 4294967296 2
f 700 1 200000f8 1
n 710 1 20001000 1 2
g 800 0 1 -15
m 2450 0 1
";

/// A trace of this many events on at most [`LIVE`] blocks, with its own session, as a dump prints it.
pub(super) fn text(events: u64) -> String {
    let mut text = String::from("h 1000000 64 \"program\" \"\"\n");
    for site in 1..=SITES {
        writeln!(text, "s {site} {} {:x}", site / 2, 0x40_1000 + 16 * site).unwrap();
    }
    let mut lines = Vec::new();
    write_events(&mut lines, events).unwrap();
    text + &String::from_utf8(lines).unwrap()
}

const SITES: u64 = 20;
const LIVE: u64 = 1000;

/// Writes the lines of that many events: after each block a block is freed that was allocated up to
/// [`LIVE`] blocks before. A trace ten times as long has as many live blocks.
pub(super) fn write_events(out: &mut impl Write, events: u64) -> io::Result<()> {
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = |below: u64| {
        // Marsaglia's xorshift: the same numbers on every machine.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut blocks = vec![false; LIVE as usize];
    let mut time = 0;
    for _ in 0..events {
        time += next(50);
        let slot = next(LIVE);
        let (address, thread) = (0x5555_0000_0000_u64 + 1024 * slot, 1 + slot % 3);
        let live = &mut blocks[slot as usize];
        if *live {
            writeln!(out, "f {time} {thread} {address:x}")?;
        } else {
            let (size, site) = (8 + next(100) * next(10), 1 + slot % SITES);
            writeln!(out, "a {time} {thread} {address:x} {size} {site}")?;
        }
        *live = !*live;
    }
    Ok(())
}
