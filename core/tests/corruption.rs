//! Damaged and hostile chunks: refused by their checksum, and harmless even with a right one.

mod support;

use heapwire_core::{
    COLUMN_COUNT, Chunk, ChunkHeader, ChunkKind, Chunker, Codec, Columns, Decoder, Definition,
    Definitions, Event, HeapTotals, Layout, Losses, ModelSpec, Name, NameKind, Node, Placement,
    Region, Rows, Session, Shape, crc32, emit_chunk, put_definition, varint,
};
use proptest::prelude::*;
use support::{Random, SMALL, VecTables};

/// Reads a chunk, as events and as definitions. However it ends, it ends.
fn attack(bytes: &[u8]) -> Result<Vec<Event>, ()> {
    let chunk = Chunk::parse(bytes, crc32).map_err(|_| ())?;
    let mut definitions = 0;
    if let Ok(mut items) = Definitions::new(&chunk) {
        definitions = items.by_ref().count();
        assert!(items.next().is_none());
    }
    assert!(definitions <= chunk.payload.len());
    let tables = VecTables::new(chunk.header.model.shape);
    let mut decoder = Decoder::new(&chunk, tables).map_err(|_| ())?;
    let mut events = Vec::new();
    let mut failed = false;
    for event in decoder.by_ref() {
        assert!(!failed, "an item after an error");
        match event {
            Ok(event) => events.push(event),
            Err(_) => failed = true,
        }
    }
    assert!(decoder.next().is_none());
    assert!(events.len() <= chunk.header.events as usize);
    // Not even an event of the fewest bits comes from nothing.
    assert!(events.len() <= chunk.payload.len() * 2);
    if failed { Err(()) } else { Ok(events) }
}

/// Puts a right checksum at the end that the chunk states, if it is within the bytes.
fn sign(bytes: &mut [u8]) {
    let len = Chunk::length(bytes).unwrap_or(bytes.len());
    let len = if len <= bytes.len() { len } else { bytes.len() };
    if let Some((body, crc)) = bytes[..len].split_last_chunk_mut::<4>() {
        *crc = crc32(body).to_le_bytes();
    }
}

fn definitions() -> Vec<u8> {
    let all = [
        Definition::Session(Session {
            device: "thermostat",
            build: "",
            ticks_per_second: 1_000_000,
            address_bits: 32,
        }),
        Definition::Node(Node { id: 1, parent: 0, ip: 0x0800_1234 }),
        Definition::Name(Name { kind: NameKind::Scope, id: 2, text: "net::receive" }),
        Definition::Region(Region { start: 0x2000_0000, size: 65_536, name: "sram" }),
    ];
    let (mut payload, mut len) = ([0; 200], 0);
    for definition in &all {
        len += put_definition(&mut payload[len..], definition).expect("fits");
    }
    let tables = VecTables::new(SMALL);
    let chunker = Chunker::new([0; 0], Rows::new(), tables, Placement::EMBEDDED_32);
    let mut chunk = [0; 300];
    let len = chunker.emit_definitions(&mut chunk, 9, &payload[..len]).expect("fits");
    let read = Chunk::parse(&chunk, crc32).expect("a chunk");
    let read: Vec<_> = Definitions::new(&read).expect("definitions").collect();
    assert_eq!(read, all.map(Ok));
    chunk[..len].to_vec()
}

/// A chunk in each layout, with preset and explicit models, and one of definitions.
fn victims() -> Vec<Vec<u8>> {
    let embedded = Placement::EMBEDDED_32;
    let events = support::program(11, 60, embedded);
    let rows = |shape| support::encode(&events, 256, Rows::new(), VecTables::new(shape), embedded);
    let columns =
        |shape| support::encode(&events, 256, Columns::new(), VecTables::new(shape), embedded);
    let first = |(chunks, _): (Vec<Vec<u8>>, _)| chunks[0].clone();
    vec![
        first(rows(Shape::TINY)),
        first(rows(SMALL)),
        first(columns(Shape::TINY)),
        first(columns(SMALL)),
        definitions(),
    ]
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    for chunk in victims() {
        let mut bytes = chunk.clone();
        for bit in 0..chunk.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Chunk::parse(&bytes, crc32).is_err(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for cut in 0..chunk.len() {
            assert!(Chunk::parse(&chunk[..cut], crc32).is_err(), "cut at {cut}");
        }
        // More bytes behind it are none of its business.
        bytes.push(0);
        assert_eq!(Chunk::parse(&bytes, crc32).expect("a chunk").bytes, chunk);
    }
}

#[test]
fn flips_and_cuts_with_a_right_checksum_do_no_harm() {
    for chunk in victims() {
        for bit in 0..(chunk.len() - 4) * 8 {
            let mut bytes = chunk.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            sign(&mut bytes);
            let _ = attack(&bytes);
        }
        for byte in 0..chunk.len() - 4 {
            for value in [0, 1, 0x7F, 0x80, 0xFF] {
                let mut bytes = chunk.clone();
                bytes[byte] = value;
                sign(&mut bytes);
                let _ = attack(&bytes);
            }
        }
        for cut in 4..chunk.len() {
            let mut bytes = chunk[..cut].to_vec();
            let length = (cut as u16).to_le_bytes();
            bytes[2..4].copy_from_slice(&length);
            sign(&mut bytes);
            let read = attack(&bytes);
            assert!(read.is_err() || chunk[1] & 7 != 0, "cut at {cut}");
        }
    }
}

#[test]
fn one_event_more_or_less_than_the_header_says_is_an_error() {
    for chunk in victims().into_iter().take(4) {
        let events = u16::from_le_bytes([chunk[4], chunk[5]]);
        assert_eq!(attack(&chunk).expect("events").len(), usize::from(events));
        for wrong in [0, events - 1, events + 1, u16::MAX] {
            let mut bytes = chunk.clone();
            bytes[4..6].copy_from_slice(&wrong.to_le_bytes());
            sign(&mut bytes);
            // A lane's last nibble or bits of padding may pass for the beginning of one more.
            assert!(attack(&bytes).is_err(), "{wrong} instead of {events}");
        }
    }
}

#[test]
fn a_chunk_of_another_kind_codec_or_shape_is_an_error_not_events() {
    let read = |kind, codec, shape: Shape| {
        let mut bytes = [0; 200];
        let header = ChunkHeader { kind, codec, ..hostile_header(ModelSpec::EMBEDDED, 0) };
        emit_chunk(&mut bytes, &header, &[], crc32).expect("fits");
        let chunk = Chunk::parse(&bytes, crc32).expect("a chunk");
        let events = Decoder::new(&chunk, VecTables::new(shape)).is_ok();
        (events, Definitions::new(&chunk).is_ok())
    };
    assert_eq!(read(ChunkKind::Events, Codec::None, Shape::TINY), (true, false));
    assert_eq!(read(ChunkKind::Events, Codec::None, SMALL), (false, false));
    assert_eq!(read(ChunkKind::Events, Codec::Lz4, Shape::TINY), (false, false));
    assert_eq!(read(ChunkKind::Events, Codec::Zstd, Shape::TINY), (false, false));
    assert_eq!(read(ChunkKind::Definitions, Codec::None, Shape::TINY), (false, true));
    assert_eq!(read(ChunkKind::Definitions, Codec::Zstd, Shape::TINY), (false, false));
    assert_eq!(read(ChunkKind::Index, Codec::None, Shape::TINY), (false, false));
    assert_eq!(read(ChunkKind::End, Codec::None, Shape::TINY), (false, false));
}

fn hostile_header(model: ModelSpec, events: u32) -> ChunkHeader {
    ChunkHeader {
        kind: ChunkKind::Events,
        layout: Layout::Rows,
        codec: Codec::None,
        events,
        stream: u32::MAX,
        epoch: 0,
        sequence: u32::MAX,
        time: u64::MAX,
        first_event: u64::MAX,
        losses: Losses { full: u64::MAX, link: u64::MAX },
        totals: HeapTotals { allocations: u64::MAX, ..HeapTotals::default() },
        model,
    }
}

fn model() -> impl Strategy<Value = ModelSpec> {
    let bits = || prop_oneof![20 => 0..6u8, 1 => 0..=16u8];
    let shape = (bits(), bits(), bits(), bits(), bits(), bits()).prop_map(
        |(blocks, contexts, sizes, lists, holes, threads)| Shape {
            blocks,
            contexts,
            sizes,
            lists,
            holes,
            threads,
        },
    );
    let address_bits = prop_oneof![Just(16), Just(32), Just(64)];
    let edge = || prop_oneof![any::<u8>(), Just(255)];
    (shape, prop_oneof![0..=12u8, Just(12)], edge(), edge(), address_bits).prop_map(
        |(shape, granule_bits, overhead, least_granules, address_bits)| ModelSpec {
            shape,
            placement: Placement { granule_bits, overhead, least_granules, address_bits },
        },
    )
}

/// Bytes that are more often like what lanes hold than not.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => any::<u8>(), 2 => 0..40u8, 1 => Just(0), 1 => Just(0xFF)];
    prop::collection::vec(byte, 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn arbitrary_rows_do_no_harm(model in model(), events in 0..3000u32, payload in payload()) {
        let mut bytes = vec![0; 700];
        emit_chunk(&mut bytes, &hostile_header(model, events), &payload, crc32).expect("fits");
        let _ = attack(&bytes);
    }

    #[test]
    fn arbitrary_columns_do_no_harm(
        model in model(),
        events in 0..3000u32,
        seed in any::<u64>(),
    ) {
        // A right table of lengths in front, and mostly small bytes, let more of it be decoded.
        let mut random = Random(seed);
        let lanes: Vec<Vec<u8>> = (0..COLUMN_COUNT)
            .map(|_| {
                let (len, most) = (random.below(200), 1 + random.below(256));
                (0..len).map(|_| random.below(most) as u8).collect()
            })
            .collect();
        let mut payload = Vec::new();
        for lane in &lanes {
            let mut length = [0; varint::MAX_VARINT];
            let len = varint::put(&mut length, lane.len() as u64).expect("fits");
            payload.extend_from_slice(&length[..len]);
        }
        payload.extend(lanes.iter().flatten());
        let header = ChunkHeader { layout: Layout::Columns, ..hostile_header(model, events) };
        let mut bytes = vec![0; payload.len() + 300];
        emit_chunk(&mut bytes, &header, &payload, crc32).expect("fits");
        let _ = attack(&bytes);
    }

    #[test]
    fn arbitrary_tables_of_lengths_do_no_harm(model in model(), events in 0..30u32, payload in payload()) {
        let header = ChunkHeader { layout: Layout::Columns, ..hostile_header(model, events) };
        let mut bytes = vec![0; 700];
        emit_chunk(&mut bytes, &header, &payload, crc32).expect("fits");
        let _ = attack(&bytes);
    }

    #[test]
    fn arbitrary_definitions_do_no_harm(payload in payload()) {
        let header = ChunkHeader {
            kind: ChunkKind::Definitions,
            ..hostile_header(ModelSpec::EMBEDDED, 0)
        };
        let mut bytes = vec![0; 700];
        emit_chunk(&mut bytes, &header, &payload, crc32).expect("fits");
        let _ = attack(&bytes);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(flags in any::<u8>(), mut bytes in payload()) {
        if let [magic, second, ..] = &mut bytes[..] {
            (*magic, *second) = (0xB1, flags);
        }
        let _ = (Chunk::length(&bytes), ChunkHeader::parse(&bytes));
        // A length that fits, so that what follows it is read.
        if bytes.len() >= 14 && bytes.len() <= 0xFFFF {
            let wide = flags & 0x40 != 0;
            let len = (bytes.len() as u32).to_le_bytes();
            let width = if wide { 4 } else { 2 };
            bytes[2..2 + width].copy_from_slice(&len[..width]);
        }
        sign(&mut bytes);
        let _ = attack(&bytes);
    }
}
