//! A second reader, written from FORMAT.md alone: plain, slow, with maps for tables. It holds the text
//! to what the encoder does: where they differ, one of them is wrong.

mod support;

use std::collections::HashMap;

use heapwire_core::{Columns, Event, EventKind, Lanes, Placement, Rows, Shape};
use proptest::prelude::*;
use support::{SMALL, VecTables};

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7F) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

/// The next byte.
fn first(bytes: &mut &[u8]) -> u8 {
    let (&first, rest) = bytes.split_first().expect("a byte");
    *bytes = rest;
    first
}

fn prefix_varint(bytes: &mut &[u8]) -> u64 {
    let following = bytes[0].trailing_zeros() as usize;
    let (own, rest) = bytes.split_at(following + 1);
    *bytes = rest;
    let value = own.iter().rev().fold(0_u128, |value, &byte| value << 8 | u128::from(byte));
    // Of 9 bytes the first has no 1.
    (value >> if following == 8 { 8 } else { following + 1 }) as u64
}

fn unzigzag(value: u64) -> i64 {
    if value & 1 == 0 { (value / 2) as i64 } else { -((value / 2) as i64) - 1 }
}

/// CRC-32, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

const SITE: usize = 1;
const SIZE: usize = 2;
const ADDRESS: usize = 3;
const DEPTH: usize = 4;
const AGO: usize = 5;
const OTHER: usize = 6;

/// Where the fields come from: bits with a scale for each lane and time, or lanes.
enum Fields<'a> {
    /// `near` is a number that a symbol said.
    Rows { bits: Box<dyn Iterator<Item = u64> + 'a>, scales: [u64; 8], free: u8, near: Option<u64> },
    Columns {
        lanes: Vec<&'a [u8]>,
        /// The high nibble of the event's step, once its first tag is read.
        time: Option<u8>,
    },
}

impl Fields<'_> {
    fn bits(&mut self, count: u64) -> u64 {
        let Self::Rows { bits, .. } = self else { unreachable!() };
        (0..count).fold(0, |value, _| value << 1 | bits.next().expect("a bit"))
    }

    fn zeros(&mut self) -> u64 {
        (0..8).take_while(|_| self.bits(1) == 0).count() as u64
    }

    fn row_tag(&mut self) -> u8 {
        let common = [
            ("00", 3),
            ("01", 36),
            ("100", 88),
            ("1010", 89),
            ("10110", 90),
            ("10111", 91),
            ("11000", 96),
            ("11001", 97),
            ("11010", 98),
            ("11011", 104),
            ("111000", 92),
            ("111001", 93),
            ("111010", 94),
            ("111011", 99),
            ("111100", 52),
            ("11110100", 95),
            ("11110101", 112),
            ("11110110", 113),
            ("11110111", 114),
            ("11111000", 115),
            ("11111001", 76),
            ("11111010", 83),
            ("11111011", 4),
            ("11111100", 5),
            ("11111101", 37),
            ("11111110", 53),
        ];
        let mut code = String::new();
        let mut symbol = loop {
            code.push(if self.bits(1) == 1 { '1' } else { '0' });
            if let Some((_, symbol)) = common.iter().find(|(common, _)| *common == code) {
                break *symbol;
            } else if code == "11111111" {
                break self.bits(7) as u8;
            }
        };
        let Self::Rows { free, near, .. } = self else { unreachable!() };
        // Tag and kind of a free, without its site or with it: 32 to 39 or 96 to 103, and 16 more.
        if matches!(symbol, 32..=39 | 48..=55 | 96..=103 | 112..=119) {
            let with_site = symbol / 16 % 2 == 1;
            // Of the same kind as the free before, or of the other.
            let kind = if with_site { 80 - *free } else { *free };
            symbol = if with_site { symbol - 16 } else { symbol } + kind - 32;
            *free = kind;
        }
        let (tag, number) = match symbol {
            88 => (0, None),
            89..=95 => (2, Some(symbol - 88)),
            96..=99 => (35, Some(symbol - 96)),
            104..=107 => (75, Some(symbol - 104)),
            112..=115 => (51, Some(symbol - 112)),
            _ => (symbol, None),
        };
        *near = number.map(u64::from);
        tag
    }

    fn tag(&mut self) -> u8 {
        let Self::Columns { lanes, time } = self else { return self.row_tag() };
        let common = [40, 24, 44, 43, 16, 17, 25, 41, 27, 8, 26, 0, 3, 72, 83];
        if time.is_none() {
            let step = first(&mut lanes[0]);
            *time = Some(step >> 4);
            if step & 15 < 15 {
                return common[usize::from(step & 15)];
            }
        }
        first(&mut lanes[1])
    }

    /// A number of a lane; 7 is the time step.
    fn number(&mut self, lane: usize) -> u64 {
        if let Self::Columns { lanes, time } = self {
            if lane < 7 {
                return prefix_varint(&mut lanes[3 + lane]);
            }
            let nibble = time.take().expect("behind a tag");
            return if nibble < 15 { nibble.into() } else { prefix_varint(&mut lanes[2]) + 15 };
        }
        let Self::Rows { scales, near, .. } = self else { unreachable!() };
        if let Some(near) = near.take_if(|_| lane == DEPTH || lane == AGO) {
            return near;
        }
        let k = scales[lane] / 16;
        let high = self.zeros();
        let value = match high {
            8 => {
                let length = match (self.bits(1) == 1).then(|| self.bits(1)) {
                    None => 14,
                    Some(0) => 32,
                    Some(_) => 64,
                };
                self.bits(length)
            }
            _ => (high << k) + self.bits(k),
        };
        let Self::Rows { scales, .. } = self else { unreachable!() };
        let high = if high == 8 { 3 } else { high };
        scales[lane] = (scales[lane] + 4 * high).saturating_sub(4).min(255);
        value
    }
}

#[derive(Clone, Copy)]
struct Context {
    act: u32,
    site: u32,
    confidence: u8,
    step: u32,
    distance: u32,
}

const NEW: Context = Context { act: FREE, site: 0, confidence: 0, step: 1, distance: 1 };

#[derive(Clone, Copy, Default)]
struct Block {
    address: u64,
    class: u64,
    site: u32,
    live: bool,
}

/// The newest are last.
#[derive(Default)]
struct List {
    cache: Vec<u64>,
    overflow: Vec<u64>,
    misses: u32,
}

impl List {
    fn len(&self) -> u64 {
        (self.cache.len() + self.overflow.len()) as u64
    }

    fn at(&self, depth: u64) -> u64 {
        *self.overflow.iter().chain(&self.cache).rev().nth(depth as usize).expect("an address")
    }

    fn put(&mut self, address: u64) {
        if self.cache.len() < 7 {
            return self.cache.push(address);
        }
        if self.overflow.len() == 8 {
            self.overflow.remove(0);
        }
        self.overflow.push(address);
    }

    fn give_up(&mut self, depth: u64) {
        self.misses = 0;
        let (depth, cached) = (depth as usize, self.cache.len());
        if depth < cached {
            return self.cache.truncate(cached - 1 - depth);
        }
        self.overflow.truncate(self.overflow.len() - 1 - (depth - cached));
        let stay = self.overflow.len().saturating_sub(7);
        self.cache = self.overflow.drain(stay..).rev().collect();
    }

    fn miss(&mut self) {
        self.misses += 1;
        if self.misses == 4 {
            *self = Self::default();
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Thread {
    previous: u32,
    bump: u64,
}

const FREE: u32 = 0;
const ALLOC: u32 = 2;
const REALLOC: u32 = 3;

#[derive(Default)]
struct Model {
    /// Entries of blocks, contexts, sizes, lists, holes, threads.
    entries: [u32; 6],
    granule_bits: u32,
    overhead: u64,
    least: u64,
    mask: u64,
    blocks: HashMap<u32, Block>,
    contexts: HashMap<u32, Context>,
    /// Size and class.
    sizes: HashMap<u32, (u64, u64)>,
    lists: HashMap<u32, List>,
    holes: HashMap<u32, u64>,
    threads: HashMap<u32, Thread>,
    thread: u32,
    last_site: u32,
    allocations: u32,
    last_freed: u32,
    next_hole: u32,
    last_freed_address: u64,
}

fn spread(x: u32) -> u32 {
    x.wrapping_mul(0x9E37_79B1)
}

fn slot(x: u32, entries: u32) -> u32 {
    (spread(x) >> 16) % entries
}

impl Model {
    fn thread(&mut self) -> &mut Thread {
        self.threads.entry(slot(self.thread, self.entries[5])).or_default()
    }

    fn context(&mut self) -> Option<&mut Context> {
        let previous = self.thread().previous;
        let entries = self.entries[1];
        (entries > 0).then(|| self.contexts.entry(slot(previous, entries)).or_insert(NEW))
    }

    fn class(&self, size: u64) -> u64 {
        let bytes = size.saturating_add(self.overhead).saturating_add((1 << self.granule_bits) - 1);
        self.least.max((bytes >> self.granule_bits).min((1 << 31) - 1))
    }

    fn list(&mut self, class: u64) -> Option<&mut List> {
        let entries = self.entries[3];
        let at = (class as u32).wrapping_add(spread(self.thread));
        (entries > 0).then(|| self.lists.entry(at % entries).or_default())
    }

    fn hole(&mut self, age: u64) -> &mut u64 {
        assert!(age < u64::from(self.entries[4]));
        let at = self.next_hole.wrapping_sub(1).wrapping_sub(age as u32);
        self.holes.entry(at % self.entries[4]).or_default()
    }

    fn add_hole(&mut self, address: u64) {
        self.next_hole = self.next_hole.wrapping_add(1);
        if self.entries[4] > 0 {
            *self.hole(0) = address;
        }
    }

    fn far(&mut self, code: u64) -> u64 {
        let base = if code & 1 == 0 { self.thread().bump } else { self.last_freed_address };
        let distance = (unzigzag(code >> 1) as u64).wrapping_mul(1 << self.granule_bits);
        base.wrapping_add(distance) & self.mask
    }

    fn site(&self, code: u64) -> u32 {
        let (code, last) = (i128::from(code), i128::from(self.last_site));
        let site = match code % 2 {
            _ if self.entries[1] == 0 => code,
            0 => last - code / 2,
            _ => last + (code - 1) / 2 + 1,
        };
        site.try_into().expect("32 bits")
    }

    fn act(&mut self, act: u32, site: u32, hit: bool) {
        let Some(context) = self.context() else { return };
        if hit {
            context.confidence = 3.min(context.confidence + 1);
        } else if context.confidence == 0 {
            (context.act, context.site) = (act, site);
        } else {
            context.confidence -= 1;
        }
    }

    fn place(&mut self, place: u8, depth: u64, address: u64, class: u64) {
        let end = address.wrapping_add(class << self.granule_bits) & self.mask;
        let bump = self.thread().bump;
        let listed = self.list(class).map(|list| list.len());
        if place == 5 {
            return;
        }
        if let (0 | 2, Some(listed)) = (place, listed)
            && depth < listed
        {
            return self.list(class).expect("a list").give_up(depth);
        }
        if let Some(list) = self.list(class) {
            list.miss();
        }
        match (place, listed) {
            (0 | 2, Some(listed)) => *self.hole(depth - listed) = bump,
            (0 | 2, None) => *self.hole(depth) = end,
            (1, Some(_)) => {}
            (_, Some(_)) => self.add_hole(bump),
            (_, None) => self.add_hole(end),
        }
        self.thread().bump = end;
    }

    fn freed(&mut self, address: u64, number: Option<u32>, reusable: bool) -> u32 {
        let mut origin = 0;
        if let Some(number) = number {
            let (allocations, last_freed) = (self.allocations, self.last_freed);
            if let Some(context) = self.context() {
                context.step = number.wrapping_sub(last_freed);
                context.distance = allocations.wrapping_sub(number);
            }
            let at = number % self.entries[0];
            let block = self.blocks.get_mut(&at).expect("a block");
            block.live = false;
            origin = block.site;
            let class = block.class;
            if reusable && let Some(list) = self.list(class) {
                list.put(address);
            }
            self.last_freed = number;
        }
        if reusable && self.entries[4] > 0 {
            self.add_hole(address);
        }
        self.last_freed_address = address;
        origin
    }

    fn block(&mut self, address: u64, [size, class]: [u64; 2], site: u32, sized: bool) {
        if self.entries[0] > 0 {
            let block = Block { address, class, site, live: address != 0 };
            self.blocks.insert(self.allocations % self.entries[0], block);
        }
        self.allocations = self.allocations.wrapping_add(1);
        if !sized && size < 1 << 32 && self.entries[2] > 0 {
            self.sizes.insert(site % self.entries[2], (size, class));
        }
        self.last_site = site;
    }

    fn remember(&mut self, act: u32, site: u32) {
        self.thread().previous = site.wrapping_mul(4).wrapping_add(act);
    }

    // Reading.

    fn read_site(&mut self, fields: &mut Fields<'_>, act: u32, hit: bool) -> u32 {
        if !hit {
            return self.site(fields.number(SITE));
        }
        let context = *self.context().expect("a context");
        assert_eq!(context.act, act);
        context.site
    }

    /// Size and class.
    fn read_size(&mut self, fields: &mut Fields<'_>, site: u32, sized: bool) -> [u64; 2] {
        if sized {
            let (size, class) = self.sizes[&(site % self.entries[2])];
            assert_ne!(class, 0);
            return [size, class];
        }
        let size = fields.number(SIZE);
        [size, self.class(size)]
    }

    /// Address and depth.
    fn read_place(
        &mut self,
        fields: &mut Fields<'_>,
        place: u8,
        class: u64,
        old: Option<u64>,
    ) -> (u64, u64) {
        let depth = if place == 2 { fields.number(DEPTH) } else { 0 };
        let address = match place {
            0 | 2 => match self.list(class) {
                Some(list) if depth < list.len() => list.at(depth),
                list => {
                    let listed = list.map_or(0, |list| list.len());
                    *self.hole(depth - listed)
                }
            },
            1 => self.thread().bump,
            3 => {
                let code = fields.number(ADDRESS);
                self.far(code)
            }
            4 => fields.number(ADDRESS),
            5 => old.expect("an old block"),
            _ => panic!("place {place}"),
        };
        assert!(address <= self.mask);
        (address, depth)
    }

    /// Address, and number if known.
    fn read_block(&mut self, fields: &mut Fields<'_>, block: u8) -> (u64, Option<u32>) {
        let number = match block {
            0 => self.last_freed.wrapping_add(self.context().expect("a context").step),
            1 => self.allocations.wrapping_sub(self.context().expect("a context").distance),
            2 => {
                self.context().expect("a context");
                self.last_freed.wrapping_add(1)
            }
            3 => self.allocations.wrapping_sub(1).wrapping_sub(fields.number(AGO) as u32),
            4 => {
                let code = fields.number(ADDRESS);
                return (self.far(code), None);
            }
            5 => return (fields.number(ADDRESS), None),
            _ => panic!("block {block}"),
        };
        let block = self.blocks[&(number % self.entries[0])];
        assert!(number < self.allocations && self.allocations - number <= self.entries[0]);
        assert!(block.live);
        (block.address, Some(number))
    }

    fn read_event(&mut self, fields: &mut Fields<'_>, time: &mut u64) -> Event {
        let mut tag = fields.tag();
        if tag == 83 {
            self.thread = fields.number(0) as u32;
            tag = fields.tag();
        }
        let back = tag == 84;
        if back {
            tag = fields.tag();
        }
        let mut old = None;
        if (72..80).contains(&tag) {
            old = Some(self.read_block(fields, tag - 72));
            tag = fields.tag();
        }
        let step = fields.number(7);
        *time = if back { time.wrapping_sub(step) } else { time.wrapping_add(step) };
        let kind = match tag {
            0..32 => {
                let (hit, sized, place) = (tag / 16 == 1, tag / 8 % 2 == 1, tag % 8);
                let act = if old.is_some() { REALLOC } else { ALLOC };
                let site = self.read_site(fields, act, hit);
                let size = self.read_size(fields, site, sized);
                let (address, depth) =
                    self.read_place(fields, place, size[1], old.map(|old| old.0));
                self.act(act, site, hit);
                self.place(place, depth, address, size[1]);
                if let Some((old, number)) = old {
                    self.freed(old, number, place != 5);
                }
                self.block(address, size, site, sized);
                self.remember(act, site);
                let size = size[0];
                match old {
                    Some((old, _)) => EventKind::Realloc { old, address, size, site },
                    None => EventKind::Alloc { address, size, site },
                }
            }
            _ if old.is_some() => panic!("tag {tag} behind a prefix"),
            32..64 => {
                let (act, hit) = (u32::from(tag / 16 - 2), tag / 8 % 2 == 1);
                let unknown = act == FREE && !hit;
                let site = if unknown { 0 } else { self.read_site(fields, act, hit) };
                let (address, number) = self.read_block(fields, tag % 8);
                self.act(act, site, hit);
                let origin = self.freed(address, number, true);
                if act != FREE {
                    self.last_site = site;
                }
                self.remember(act, origin);
                EventKind::Free { address, site }
            }
            64..72 => {
                let (address, _) = self.read_block(fields, tag - 64);
                let mut other = || fields.number(OTHER) as u32;
                EventKind::Name { address, variable: other(), type_name: other() }
            }
            80 => {
                let site = self.site(fields.number(SITE));
                EventKind::FailedAlloc { size: fields.number(SIZE), site }
            }
            81 => {
                let gauge = fields.number(OTHER) as u32;
                EventKind::Gauge { gauge, value: unzigzag(fields.number(OTHER)) }
            }
            82 => EventKind::Mark { mark: fields.number(OTHER) as u32 },
            _ => panic!("tag {tag}"),
        };
        Event { time: *time, thread: self.thread, kind }
    }
}

/// The events of a chunk.
fn read(chunk: &[u8]) -> Vec<Event> {
    let (body, crc) = chunk.split_last_chunk::<4>().expect("a checksum");
    assert_eq!(crc32(body).to_le_bytes(), *crc);
    assert_eq!((body[0], body[1] & 0b1011_0111), (0xB1, 0));
    let width = if body[1] & 0x40 == 0 { 2 } else { 4 };
    let fixed = |at: usize| {
        let bytes = body[at..at + width].iter().rev();
        bytes.fold(0, |value, byte| value << 8 | usize::from(*byte))
    };
    assert_eq!(fixed(2), chunk.len());
    let rest = &body[2 + 2 * width..];
    let (present, mut rest) = rest.split_first().expect("which rare fields");
    for _ in 0..present.count_ones() {
        varint(&mut rest);
    }
    let [_, mut time, ..] = [(); 6].map(|()| varint(&mut rest));
    let (preset, after) = rest.split_first().expect("a spec");
    let (spec, payload) = match preset {
        0 => (<[u8; 10]>::try_from(&after[..10]).expect("ten"), &after[10..]),
        1 => ([2, 0, 0, 0, 3, 0, 3, 0, 1, 32], after),
        2 => ([14, 14, 13, 10, 8, 6, 4, 8, 2, 64], after),
        3 => ([10, 10, 10, 8, 7, 6, 4, 8, 2, 64], after),
        4 => ([2, 0, 0, 0, 3, 0, 2, 0, 2, 32], after),
        other => panic!("preset {other}"),
    };
    let mut entries = [0, 1, 2, 3, 4, 5].map(|at| if spec[at] == 0 { 0 } else { 1 << spec[at] });
    entries[5] = entries[5].max(1);
    let mut model = Model {
        entries,
        granule_bits: spec[6].into(),
        overhead: spec[7].into(),
        least: spec[8].into(),
        mask: u64::MAX >> (64 - spec[9]),
        ..Model::default()
    };
    let mut fields = if body[1] & 8 == 0 {
        let bits =
            payload.iter().flat_map(|byte| (0..8).map(move |bit| u64::from(byte >> (7 - bit) & 1)));
        let scales = [15, 48, 87, 159, 15, 0, 63, 144];
        Fields::Rows { bits: Box::new(bits), scales, free: 48, near: None }
    } else {
        let mut rest = payload;
        let lengths: Vec<u64> = (0..10).map(|_| varint(&mut rest)).collect();
        let mut lane = |length: &u64| {
            let (lane, after) = rest.split_at(*length as usize);
            rest = after;
            lane
        };
        Fields::Columns { lanes: lengths.iter().map(&mut lane).collect(), time: None }
    };
    (0..fixed(2 + width)).map(|_| model.read_event(&mut fields, &mut time)).collect()
}

fn check<L: Lanes>(
    events: &[support::Freeing],
    size: usize,
    lanes: L,
    shape: Shape,
    placement: Placement,
) {
    let (chunks, lost) = support::encode(events, size, lanes, VecTables::new(shape), placement);
    let expected = events.iter().enumerate().filter(|(at, _)| !lost.contains(at));
    let expected = expected.map(|(_, (event, _))| support::within(event, placement));
    assert!(chunks.iter().flat_map(|chunk| read(chunk)).eq(expected));
}

#[test]
fn the_presets_are_read() {
    let events = support::program(51, 3000, Placement::EMBEDDED_32);
    check(&events, 256, Rows::new(), Shape::TINY, Placement::EMBEDDED_32);
    check(&events, 256, Columns::new(), Shape::TINY, Placement::EMBEDDED_32);
    check(&events, 256, Rows::new(), Shape::TINY, Placement::LINKED_LIST_32);
    check(&events, 1 << 14, Columns::new(), Shape::FAST, Placement::GLIBC_64);
    check(&events, 1 << 14, Rows::new(), Shape::DENSE, Placement::GLIBC_64);
    check(&events, 1 << 17, Columns::new(), Shape::DENSE, Placement::GLIBC_64);
    check(&events, 1 << 10, Columns::new(), SMALL, Placement::GLIBC_64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_model_is_read(
        seed in any::<u64>(),
        bits in any::<[u8; 6]>(),
        habits in any::<[u8; 3]>(),
        width in 0..3usize,
        size in 100..2000usize,
    ) {
        let [blocks, contexts, sizes, lists, holes, threads] = bits.map(|bits| bits % 7);
        let shape = Shape { blocks, contexts, sizes, lists, holes, threads };
        let [granule_bits, overhead, least_granules] = habits;
        let placement = Placement {
            granule_bits: granule_bits % 13,
            overhead,
            least_granules,
            address_bits: [16, 32, 64][width],
        };
        // The program's heap is of another placement half of the time.
        let heap = if seed % 2 == 0 { placement } else { Placement::GLIBC_64 };
        let events = support::program(seed, 200, heap);
        check(&events, size, Rows::new(), shape, placement);
        check(&events, size, Columns::new(), shape, placement);
    }
}
/// Bursts that fill a list's overflow, and sizes that no table remembers or that reach the largest class.
#[test]
fn bursts_are_read() {
    let mut random = support::Random(7);
    let (mut events, mut live, mut free) = (Vec::new(), Vec::new(), Vec::new());
    let (mut top, mut wanted) = (4096, 0);
    for time in 0..3000 {
        if live.len() == wanted {
            wanted = random.below(40) as usize;
        }
        let size = if random.below(50) == 0 { 1 << (31 + random.below(33)) } else { 24 };
        let kind = if live.len() < wanted {
            let fresh = size > 24 || random.below(20) == 0;
            let address = if fresh { None } else { free.pop() }.unwrap_or_else(|| {
                top += 32;
                top
            });
            live.push((address, size));
            (EventKind::Alloc { address, size, site: 1 }, 0)
        } else if live.len() > wanted {
            let (address, size) = live.remove(random.below(live.len() as u64) as usize);
            if size == 24 {
                free.push(address);
            }
            (EventKind::Free { address, site: 0 }, size)
        } else {
            (EventKind::Mark { mark: 0 }, 0)
        };
        events.push((Event { time, thread: 0, kind: kind.0 }, kind.1));
    }
    for placement in [Placement::EMBEDDED_32, Placement::GLIBC_64] {
        check(&events, 1 << 14, Rows::new(), Shape::DENSE, placement);
        check(&events, 1 << 14, Columns::new(), Shape::DENSE, placement);
        check(&events, 1 << 10, Columns::new(), SMALL, placement);
        check(&events, 256, Rows::new(), Shape::TINY, placement);
    }
}
