//! A small trace with every kind of event and definition: the same on every run and machine.

use std::fmt::Write;

/// A generator of numbers that look random (splitmix64). The same seed gives the same numbers.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() % end as u64) as usize
    }
}

/// The text of a trace of this many events, definitions between them.
#[must_use]
pub fn text(events: usize) -> String {
    let mut random = Random(events as u64);
    let mut text = String::from(HEADER);
    let mut live: Vec<u64> = Vec::new();
    let (mut time, mut top, mut nodes) = (1000, 0x5600_0000_1010_u64, 0);
    for _ in 0..events {
        time += random.number() % 40;
        let thread = 1 + random.below(3);
        let site = 1 + random.below(nodes + 2);
        if site > nodes {
            nodes += 1;
            let ip = 0x7f00_0000 + random.below(1 << 20);
            let _ = writeln!(text, "s {nodes} {} {ip:x}", random.below(nodes));
        }
        let site = site.min(nodes);
        let size = [16, 24, 40, 64, 1000, 24][random.below(6)];
        let block = (!live.is_empty()).then(|| random.below(live.len()));
        let _ = match (random.below(100), block) {
            (0, _) => writeln!(text, "x {time} {thread} {} {site}", 1_u64 << 40),
            (1, _) => writeln!(text, "g {time} {thread} 1 {}", 500 - random.below(1000) as i64),
            (2, _) => writeln!(text, "m {time} {thread} 1"),
            (3..6, Some(block)) => writeln!(text, "n {time} {thread} {:x} 1 1", live[block]),
            (6..12, Some(block)) => {
                let old = live[block];
                if random.below(2) == 0 {
                    top += 2048;
                    live[block] = top;
                }
                writeln!(text, "r {time} {thread} {old:x} {:x} {} {site}", live[block], 2 * size)
            }
            (12..50, Some(block)) => {
                let address = live.swap_remove(block);
                match random.below(4) {
                    0 => writeln!(text, "f {time} {thread} {address:x} {site}"),
                    _ => writeln!(text, "f {time} {thread} {address:x}"),
                }
            }
            _ => {
                top += (size + 8_u64).next_multiple_of(16);
                live.push(top);
                writeln!(text, "a {time} {thread} {top:x} {size} {site}")
            }
        };
    }
    text
}

const HEADER: &str = r#"# Made by tests/support/sample.rs
h 1000000 64 "sample \"device\"" "v1-8c1f"
p 560000000000 1048576 main heap
d variable 1 line
d type 1 String
d gauge 1 largest free block
d mark 1 request \\ done\n
d thread 1 main
d scope 1000 parse
"#;
