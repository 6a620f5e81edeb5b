//! What goes into chunks comes out of them: any events, in every layout, model and chunk size, with
//! headers that count right.

mod support;

use heapwire_core::{
    Chunk, Columns, Event, EventKind, HeapTotals, Lanes, Placement, Rows, Shape, TinyTables, crc32,
};
use proptest::prelude::*;
use support::{Freeing, SMALL, VecTables};

/// Encodes, decodes, and compares everything there is to compare. Returns the bytes it took.
fn check<L: Lanes>(
    events: &[Freeing],
    size: usize,
    lanes: L,
    shape: Shape,
    indexed: bool,
    placement: Placement,
) -> usize {
    let tables = if indexed { VecTables::indexed(shape) } else { VecTables::new(shape) };
    let (chunks, lost) = support::encode(events, size, lanes, tables, placement);
    let mut rest = events.iter().enumerate().peekable();
    let (mut totals, mut losses) = (HeapTotals::default(), 0);
    for (sequence, bytes) in chunks.iter().enumerate() {
        while let Some((_, event)) = rest.next_if(|(at, _)| lost.contains(at)) {
            support::count(&mut totals, event);
            losses += 1;
        }
        let first = rest.peek().expect("an event for each chunk").0;
        let Chunk { header, bytes: all, .. } = Chunk::parse(bytes, crc32).expect("a chunk");
        assert!(all.len() == bytes.len() && bytes.len() <= size);
        assert_eq!(Chunk::length(bytes), Ok(bytes.len()));
        assert_eq!((header.sequence as usize, header.first_event as usize), (sequence, first));
        assert_eq!((header.totals, header.losses.full), (totals, losses));
        assert_eq!(header.time, events[first].0.time);
        let decoded = support::decode(bytes);
        assert_eq!(decoded.len(), header.events as usize);
        for event in decoded {
            let (at, expected) = rest.next().expect("no more events than went in");
            assert_eq!(event, support::within(&expected.0, placement), "event {at}");
            support::count(&mut totals, expected);
        }
    }
    assert!(rest.all(|(at, _)| lost.contains(&at)));
    chunks.iter().map(Vec::len).sum()
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => any::<u64>(),
        6 => 0..200u64,
        6 => (0..60u64).prop_map(|n| 0x4000 + n * 8),
        2 => (0..64u32, 0..3u64).prop_map(|(shift, by)| (1u64 << shift).wrapping_sub(1) + by - by / 2),
        1 => Just(u64::MAX),
    ]
}

fn small() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..20u32, 1 => any::<u32>(), 1 => Just(u32::MAX)]
}

fn kind() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        8 => (number(), number(), small())
            .prop_map(|(address, size, site)| EventKind::Alloc { address, size, site }),
        6 => (number(), small()).prop_map(|(address, site)| EventKind::Free { address, site }),
        3 => (number(), number(), number(), small())
            .prop_map(|(old, address, size, site)| EventKind::Realloc { old, address, size, site }),
        1 => (number(), small()).prop_map(|(size, site)| EventKind::FailedAlloc { size, site }),
        1 => (number(), small(), small())
            .prop_map(|(address, variable, type_name)| EventKind::Name { address, variable, type_name }),
        1 => (small(), any::<i64>()).prop_map(|(gauge, value)| EventKind::Gauge { gauge, value }),
        1 => small().prop_map(|mark| EventKind::Mark { mark }),
    ]
}

/// Arbitrary events: mostly a little later than the one before, sometimes at any time at all.
fn arbitrary_events() -> impl Strategy<Value = Vec<Freeing>> {
    let step = prop_oneof![8 => 0..50i64, 1 => -50..0i64, 1 => any::<i64>()];
    let thread = prop_oneof![4 => 0..3u32, 1 => any::<u32>()];
    prop::collection::vec((step, thread, kind(), number()), 0..150).prop_map(|events| {
        let mut time = 0u64;
        let event = |(step, thread, kind, freed)| {
            time = time.wrapping_add_signed(step);
            (Event { time, thread, kind }, freed)
        };
        events.into_iter().map(event).collect()
    })
}

fn shape() -> impl Strategy<Value = Shape> {
    let bits = || 0..7u8;
    let any = (bits(), bits(), bits(), bits(), bits(), bits()).prop_map(
        |(blocks, contexts, sizes, lists, holes, threads)| Shape {
            blocks,
            contexts,
            sizes,
            lists,
            holes,
            threads,
        },
    );
    prop_oneof![2 => Just(Shape::TINY), 2 => Just(SMALL), 4 => any]
}

fn placement() -> impl Strategy<Value = Placement> {
    let bits = prop_oneof![Just(16), Just(32), Just(64)];
    let any = (0..=12u8, any::<u8>(), any::<u8>(), bits).prop_map(
        |(granule_bits, overhead, least_granules, address_bits)| Placement {
            granule_bits,
            overhead,
            least_granules,
            address_bits,
        },
    );
    prop_oneof![1 => Just(Placement::EMBEDDED_32), 1 => Just(Placement::GLIBC_64), 2 => any]
}

fn chunk_size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 64..600usize, 2 => 600..9000usize, 1 => Just(0xFFFF), 1 => Just(0x10000), 1 => Just(1 << 20)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arbitrary_events_come_back(
        events in arbitrary_events(),
        size in chunk_size(),
        shape in shape(),
        indexed in any::<bool>(),
        placement in placement(),
    ) {
        check(&events, size, Rows::new(), shape, indexed, placement);
        check(&events, size, Columns::new(), shape, indexed, placement);
    }

    #[test]
    fn programs_come_back(
        seed in any::<u64>(),
        count in 0..400usize,
        size in chunk_size(),
        shape in shape(),
        indexed in any::<bool>(),
        placement in placement(),
    ) {
        let events = support::program(seed, count, placement);
        check(&events, size, Rows::new(), shape, indexed, placement);
        check(&events, size, Columns::new(), shape, indexed, placement);
    }
}

#[test]
fn large_models_and_chunks_come_back_and_are_small() {
    let events = support::program(7, 30_000, Placement::GLIBC_64);
    for size in [1 << 16, 1 << 20] {
        for indexed in [false, true] {
            // Without an index the search takes its time.
            let events = if indexed { &events[..] } else { &events[..3000] };
            let bytes =
                check(events, size, Columns::new(), Shape::DENSE, indexed, Placement::GLIBC_64);
            assert!(bytes < events.len() * 8, "{bytes} bytes for {} events", events.len());
        }
    }
}

#[test]
fn the_largest_tables_come_back() {
    let shape = Shape { blocks: 16, contexts: 16, sizes: 16, lists: 16, holes: 16, threads: 16 };
    let events = support::program(8, 500, Placement::GLIBC_64);
    check(&events, 4096, Rows::new(), shape, true, Placement::GLIBC_64);
    check(&events, 4096, Columns::new(), shape, true, Placement::GLIBC_64);
}

#[test]
fn tiny_tables_and_any_other_of_their_shape_understand_each_other() {
    let events = support::program(9, 500, Placement::EMBEDDED_32);
    let placement = Placement::EMBEDDED_32;
    let (tiny, _) = support::encode(&events, 256, Rows::new(), TinyTables::new(), placement);
    let tables = VecTables::new(Shape::TINY);
    let (other, _) = support::encode(&events, 256, Rows::new(), tables, placement);
    assert_eq!(tiny, other);
    let decoded: Vec<Event> = tiny.iter().flat_map(|chunk| support::decode(chunk)).collect();
    assert!(decoded.iter().eq(events.iter().map(|(event, _)| event)));
}

#[test]
fn more_events_than_16_bits_count_begin_another_narrow_chunk() {
    // Six bits an event: the count is full before a narrow chunk's bytes are.
    let kind = EventKind::Free { address: 0, site: 1 };
    let events: Vec<Freeing> =
        (0..70_000).map(|_| (Event { time: 5, thread: 0, kind }, 0)).collect();
    for (size, counts) in [(0xFFFF, &[65_535, 4_465][..]), (0x1_0000, &[70_000])] {
        let (chunks, lost) =
            support::encode(&events, size, Rows::new(), TinyTables::new(), Placement::EMBEDDED_32);
        assert!(lost.is_empty());
        let decoded: Vec<Vec<Event>> = chunks.iter().map(|chunk| support::decode(chunk)).collect();
        assert!(decoded.iter().map(Vec::len).eq(counts.iter().copied()));
        assert!(decoded.iter().flatten().eq(events.iter().map(|(event, _)| event)));
    }
}

#[test]
fn time_steps_over_the_whole_range() {
    let times =
        [0, u64::MAX, 0, 1 << 63, 0, (1 << 63) + 1, 1, (1 << 63) - 1, u64::MAX, 14, 0, 15, 31];
    let mark = |time| (Event { time, thread: 0, kind: EventKind::Mark { mark: 1 } }, 0);
    let events: Vec<Freeing> = times.into_iter().map(mark).collect();
    check(&events, 600, Rows::new(), Shape::TINY, false, Placement::EMBEDDED_32);
    check(&events, 600, Columns::new(), Shape::TINY, false, Placement::EMBEDDED_32);
}
