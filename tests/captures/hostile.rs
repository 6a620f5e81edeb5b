//! Files made to do harm: their checksums are right, and nothing else need be. No panic, little
//! memory, an end in good time.

use heapwire::io::capture_reader::Damage;
use heapwire::io::capture_writer::CaptureWriter;
use heapwire::io::codec::{Compression, PACKED_LANES};
use heapwire::io::compressor::Compressor;
use heapwire::pipeline::parse::{CaptureVisitor, parse};
use heapwire::tables::HeapTables;
use heapwire::trace::Item;
use heapwire::validation::validate;
use heapwire::{BinaryDataParser, ParserConfig};
use heapwire_core::format::{CAPTURE_HEADER_LEN, CRC_LEN, END_MAGIC, MAX_CHUNK, MAX_HEADER};
use heapwire_core::{
    COLUMN_COUNT, Chunk, ChunkHeader, ChunkKind, Chunker, Codec, Columns, Event, EventKind,
    HeapTotals, Layout, Losses, ModelSpec, Placement, Pushed, Shape, emit_chunk, varint,
};
use heapwire_tests::sample::{self, Random};
use heapwire_tests::{CODECS, import, plan};
use proptest::prelude::*;

use crate::alloc::peak_bytes;

/// What reading a small file may take at most.
const MOST_MEMORY: usize = 64 << 20;

struct Count {
    items: u64,
    damage: usize,
}

impl CaptureVisitor for Count {
    fn item(&mut self, _: Item<'_>) -> heapwire::Result<()> {
        self.items += 1;
        Ok(())
    }

    fn damage(&mut self, _: &Damage) -> heapwire::Result<()> {
        self.damage += 1;
        Ok(())
    }
}

/// Reads a file in every way there is. Returns the items that were read, and the most memory.
fn survive(bytes: &[u8]) -> (u64, usize) {
    let mut count = Count { items: 0, damage: 0 };
    let mut config = ParserConfig::default();
    config.salvage = true;
    let salvaging = BinaryDataParser::new(config);
    let strict = BinaryDataParser::new(ParserConfig::default());
    let peaks = [
        peak_bytes(|| parse(bytes, &mut count).is_ok()).1,
        peak_bytes(|| validate(bytes).is_ok_and(|report| report.is_valid)).1,
        peak_bytes(|| salvaging.parse_streaming(bytes).is_ok()).1,
        peak_bytes(|| strict.parse_streaming(bytes).is_ok()).1,
    ];
    let most = peaks.into_iter().max().unwrap_or(0);
    assert!(most < MOST_MEMORY, "{peaks:?} bytes of memory for a file of {}", bytes.len());
    (count.items, most)
}

fn header(kind: ChunkKind, layout: Layout, codec: Codec, events: u32) -> ChunkHeader {
    ChunkHeader {
        kind,
        layout,
        codec,
        events,
        stream: 0,
        epoch: 0,
        sequence: 0,
        time: 0,
        first_event: 0,
        losses: Losses::default(),
        totals: HeapTotals::default(),
        model: ModelSpec::DESKTOP,
    }
}

fn chunk(header: &ChunkHeader, payload: &[u8]) -> Vec<u8> {
    let mut chunk = vec![0; payload.len() + MAX_HEADER + CRC_LEN];
    let crc = |bytes: &[u8]| heapwire_core::crc32(bytes);
    let len = emit_chunk(&mut chunk, header, payload, crc).expect("within the limits");
    chunk.truncate(len);
    chunk
}

/// A file header and these chunks.
fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = file_header();
    bytes.extend(chunks.concat());
    bytes
}

fn file_header() -> Vec<u8> {
    let (mut bytes, _) =
        CaptureWriter::new(Vec::new(), false).and_then(|w| w.finish(&[])).expect("into memory");
    bytes.truncate(CAPTURE_HEADER_LEN);
    bytes
}

fn varints(values: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for &value in values {
        let mut buffer = [0; varint::MAX_VARINT];
        let len = varint::put(&mut buffer, value).expect("room for the longest");
        bytes.extend_from_slice(&buffer[..len]);
    }
    bytes
}

fn pack(bytes: &[u8], compression: Compression) -> Vec<u8> {
    // The payload of an index is compressed whole, behind its length.
    let whole = header(ChunkKind::Index, Layout::Rows, Codec::None, 0);
    let mut compressor = Compressor::new(compression).expect("a codec");
    let packed = compressor.pack(&whole, bytes).expect("packs").payload;
    let (_, length) = varint::take(&packed).expect("a length");
    packed[length..].to_vec()
}

const PACKED: [(Codec, Compression); 2] =
    [(Codec::Lz4, Compression::Lz4), (Codec::Zstd, heapwire_tests::ZSTD)];

fn any_kind() -> impl Strategy<Value = ChunkKind> {
    use ChunkKind::*;
    prop::sample::select(vec![Events, Events, Events, Definitions, Index, End])
}

fn any_model() -> impl Strategy<Value = ModelSpec> {
    let table = || 0_u8..=12;
    let shape = (table(), table(), table(), table(), table(), 0_u8..=6);
    let placement = (0_u8..=12, any::<u8>(), any::<u8>(), prop::sample::select(vec![16, 32, 64]));
    (shape, placement).prop_map(
        |(shape, (granule_bits, overhead, least_granules, address_bits))| {
            let (blocks, contexts, sizes, lists, holes, threads) = shape;
            ModelSpec {
                shape: Shape { blocks, contexts, sizes, lists, holes, threads },
                placement: Placement { granule_bits, overhead, least_granules, address_bits },
            }
        },
    )
}

fn any_header() -> impl Strategy<Value = ChunkHeader> {
    let layouts = prop::sample::select(vec![Layout::Rows, Layout::Columns]);
    let codecs = prop::sample::select(vec![Codec::None, Codec::None, Codec::Lz4, Codec::Zstd]);
    let events = prop_oneof![0_u32..100, any::<u32>()];
    let place = (0_u32..3, 0_u32..3, prop_oneof![0_u32..4, any::<u32>()], any::<u64>());
    let counts = prop::array::uniform8(prop_oneof![0_u64..200, any::<u64>()]);
    let how = (any_kind(), layouts, codecs, events, any_model());
    (how, place, counts).prop_map(|((kind, layout, codec, events, model), place, counts)| {
        let (stream, epoch, sequence, time) = place;
        let [first_event, full, link, allocations, frees, failed, bytes_in_use, peak_bytes] =
            counts;
        ChunkHeader {
            kind,
            layout,
            codec,
            events,
            stream,
            epoch,
            sequence,
            time,
            first_event,
            losses: Losses { full, link },
            totals: HeapTotals { allocations, frees, failed, bytes_in_use, peak_bytes },
            model,
        }
    })
}

/// Bytes at random, or numbers as a reader expects them, small and huge.
fn any_payload() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![0_u64..40, any::<u32>().prop_map(u64::from), any::<u64>()];
    let numbers = prop::collection::vec(number, 0..40).prop_map(|values| varints(&values));
    let bytes = || prop::collection::vec(any::<u8>(), 0..400);
    let lanes = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), COLUMN_COUNT);
    let lanes = lanes.prop_map(|lanes| {
        let lengths: Vec<u64> = lanes.iter().map(|lane| lane.len() as u64).collect();
        [varints(&lengths), lanes.concat()].concat()
    });
    let numbers_then_bytes = (numbers.clone(), bytes()).prop_map(|(a, b)| [a, b].concat());
    prop_oneof![bytes(), numbers, numbers_then_bytes, lanes]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn any_bytes_behind_a_valid_header(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        survive(&[file_header(), bytes].concat());
    }

    #[test]
    fn any_chunks_with_right_checksums(
        chunks in prop::collection::vec((any_header(), any_payload()), 1..6),
        tail in any::<bool>(),
    ) {
        let mut chunks: Vec<Vec<u8>> =
            chunks.iter().map(|(header, payload)| chunk(header, payload)).collect();
        if tail && let Some(last) = chunks.last_mut() {
            let len = last.len() as u32;
            last.extend_from_slice(&len.to_le_bytes());
            last.extend_from_slice(&END_MAGIC);
        }
        survive(&file(&chunks));
    }

    /// A real capture's chunks, each with a payload that was changed and a checksum that is right.
    #[test]
    fn real_payloads_changed(seed in any::<u64>(), codec in 0..CODECS.len()) {
        let capture = import(sample::text(300).as_bytes(), plan(1024, CODECS[codec]));
        let capture = capture.expect("imported");
        let mut random = Random(seed);
        let mut reader = heapwire::io::capture_reader::CaptureReader::new(&capture[..]).expect("a capture");
        let mut chunks = Vec::new();
        while let Some(heapwire::io::capture_reader::Part::Chunk(part, _)) =
            reader.next_part().expect("reads")
        {
            let (mut header, mut payload) = (part.header, part.payload.to_vec());
            for _ in 0..random.below(3) {
                if payload.is_empty() {
                    break;
                }
                let at = random.below(payload.len());
                match random.below(5) {
                    0 => payload[at] ^= 1 << random.below(8),
                    1 => payload.insert(at, random.number() as u8),
                    2 => drop(payload.remove(at)),
                    3 => payload.truncate(at),
                    _ => header.events = header.events.wrapping_add(random.below(9) as u32 - 4),
                }
            }
            chunks.push(chunk(&header, &payload));
        }
        survive(&file(&chunks));
    }
}

#[test]
fn lanes_that_claim_more_than_there_is() {
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd] {
        let events = header(ChunkKind::Events, Layout::Columns, codec, 1000);
        for claim in
            [1 << 20, MAX_CHUNK as u64, MAX_CHUNK as u64 + 1, u64::from(u32::MAX), u64::MAX]
        {
            for raw_only in [false, true] {
                let pair = if raw_only { [claim, 10] } else { [claim, claim] };
                let lanes = if codec == Codec::None { COLUMN_COUNT } else { PACKED_LANES };
                let table = varints(&pair.repeat(lanes));
                let payload = [table, vec![0; 200]].concat();
                let (items, most) = survive(&file(&[chunk(&events, &payload)]));
                assert_eq!(items, 0);
                // A claim alone is refused before memory is taken for it.
                let table_is_refused = codec == Codec::None || !raw_only;
                assert!(!table_is_refused || most < 8 << 20, "{codec:?}, {claim}: {most} bytes");
            }
        }
    }
}

#[test]
fn payloads_that_unpack_to_another_length() {
    for (codec, compression) in PACKED {
        let large = pack(&vec![7; 64 << 20], compression);
        for claim in [0, 1, 100, 4096, MAX_CHUNK as u64, MAX_CHUNK as u64 + 1, 64 << 20, u64::MAX] {
            for kind in [ChunkKind::Definitions, ChunkKind::Index, ChunkKind::End] {
                let payload = [varints(&[claim]), large.clone()].concat();
                let bytes = file(&[chunk(&header(kind, Layout::Rows, codec, 0), &payload)]);
                assert_eq!(survive(&bytes).0, 0);
            }
            let mut lengths = [0; 2 * PACKED_LANES];
            (lengths[0], lengths[1]) = (claim, large.len() as u64);
            let payload = [varints(&lengths), large.clone()].concat();
            let events = header(ChunkKind::Events, Layout::Columns, codec, 100);
            assert_eq!(survive(&file(&[chunk(&events, &payload)])).0, 0);
        }
    }
}

/// Chunks that unpack to as much as is allowed, many times over: memory for one is enough.
#[test]
fn bombs_within_the_limits() {
    for (codec, compression) in PACKED {
        let zeros = vec![0; MAX_CHUNK];
        let packed = pack(&zeros, compression);
        let payload = [varints(&[zeros.len() as u64]), packed].concat();
        for (kind, events) in [(ChunkKind::Events, 1000), (ChunkKind::Definitions, 0)] {
            let bomb = chunk(&header(kind, Layout::Rows, codec, events), &payload);
            survive(&file(&vec![bomb; 10]));
        }
    }
}

/// A few kilobytes of file that are millions of live blocks when unpacked.
#[test]
fn a_few_bytes_that_are_many_live_blocks() {
    let tables = HeapTables::for_encoding(Shape::DENSE);
    let storage = vec![0; MAX_CHUNK / 4];
    let mut chunker = Chunker::new(storage, Columns::new(), tables, Placement::GLIBC_64);
    for i in 0..6_000_000 {
        let kind = EventKind::Alloc { address: 4096 + 32 * i, size: 24, site: 1 };
        if chunker.push(&Event { time: 0, thread: 0, kind }, 0) != Pushed::Written {
            break;
        }
    }
    let sealed = chunker.seal().expect("events are pending");
    let unpacked = Chunk::parse(sealed, heapwire_core::crc32).expect("sealed a moment ago");
    for (_, compression) in PACKED {
        let mut compressor = Compressor::new(compression).expect("a codec");
        let packed = compressor.pack(&unpacked.header, unpacked.payload).expect("packs");
        let bytes = file(&[chunk(&packed.header, &packed.payload)]);
        assert!(bytes.len() < 40_000, "{}", bytes.len());
        let (items, most) = survive(&bytes);
        println!("{} bytes are {items} live blocks, read in {most} bytes of memory", bytes.len());
        assert!(items > 3_000_000, "{items}");
    }
}

#[test]
fn end_marks_and_indexes_that_claim_much() {
    let counts = [0, 1, u64::from(u32::MAX), u64::MAX];
    for count in counts {
        let end =
            chunk(&header(ChunkKind::End, Layout::Rows, Codec::None, 0), &varints(&[count; 4]));
        let len = end.len() as u32;
        let tail = [&len.to_le_bytes()[..], &END_MAGIC].concat();
        survive(&file(&[end, tail]));
        let index = header(ChunkKind::Index, Layout::Rows, Codec::None, 0);
        survive(&file(&[chunk(&index, &varints(&[count; 50]))]));
    }
}

/// As many entries as a chunk has room for, none of them with a chunk.
#[test]
fn an_index_and_an_end_mark_as_large_as_a_chunk_may_be() {
    let payload = vec![0; MAX_CHUNK - 200];
    let index = chunk(&header(ChunkKind::Index, Layout::Rows, Codec::None, 0), &payload);
    survive(&file(&[index]));
    let streams = payload.len() as u64 / 11 - 1;
    let mut payload = varints(&[0, 0, 0, streams]);
    payload.resize(payload.len() + streams as usize * 11, 0);
    let end = chunk(&header(ChunkKind::End, Layout::Rows, Codec::None, 0), &payload);
    let len = end.len() as u32;
    let tail = [&len.to_le_bytes()[..], &END_MAGIC].concat();
    survive(&file(&[end, tail]));
}

/// Each byte may begin a chunk of 16 MiB: looking for the next whole one must not hash them all.
#[test]
fn a_file_full_of_beginnings_of_chunks() {
    let mut beginning = chunk(&header(ChunkKind::Events, Layout::Rows, Codec::None, 0), &[]);
    beginning.truncate(2);
    beginning[1] |= 1 << 6; // wide
    beginning.extend_from_slice(&(MAX_CHUNK as u32).to_le_bytes());
    beginning.extend_from_slice(&[0; 4]);
    let bytes = [file_header(), beginning.repeat((48 << 20) / beginning.len())].concat();
    assert_eq!(survive(&bytes).0, 0);
}

/// Every chunk another stream, model and epoch, in as few bytes as can be.
#[test]
fn many_small_chunks_of_many_streams_and_models() {
    let mut chunks = Vec::new();
    for number in 0..5000 {
        let mut header = header(ChunkKind::Events, Layout::Rows, Codec::None, 0);
        header.stream = number;
        header.model.shape.blocks = if number % 2 == 0 { 16 } else { 15 };
        chunks.push(chunk(&header, &[]));
    }
    survive(&file(&chunks));
}
