//! Room: storage of every size gives the same bytes or says that it is full, and a refusal leaves no
//! trace.

mod support;

use heapwire_core::{
    Chunk, ChunkHeader, ChunkKind, Chunker, Codec, Columns, Decoder, Definition, Event, EventKind,
    HeapTotals, Lanes, Layout, Losses, ModelSpec, Name, NameKind, Placement, Pushed, Rows, Shape,
    TinyTables, crc32, emit_chunk, format, max_frame_len, put_definition, write_frame,
};
use support::{Freeing, SMALL, VecTables};

/// Few events, of every kind, that take few bytes and many.
fn some_events() -> Vec<Freeing> {
    let mut events = support::program(3, 25, Placement::EMBEDDED_32);
    let far = EventKind::Realloc {
        old: u64::MAX,
        address: 0x1234_5678_9ABC_DEF1,
        size: u64::MAX,
        site: u32::MAX,
    };
    events.insert(9, (Event { time: u64::MAX, thread: u32::MAX, kind: far }, 0));
    events
}

/// Pushes all events into storage of `size` bytes; those it accepted, and the sealed chunk.
fn fill<L: Lanes>(size: usize, lanes: L, events: &[Freeing]) -> (Vec<Freeing>, Option<Vec<u8>>) {
    let tables = VecTables::new(SMALL);
    let mut chunker = Chunker::new(vec![0xAA; size], lanes, tables, Placement::GLIBC_64);
    let mut accepted = Vec::new();
    for event in events {
        let before = (chunker.position(), chunker.pending_events());
        let pushed = chunker.push(&event.0, event.1);
        if pushed == Pushed::Written {
            accepted.push(*event);
            continue;
        }
        assert_eq!(pushed == Pushed::TooLarge, accepted.is_empty());
        assert_eq!((chunker.position(), chunker.pending_events()), before);
    }
    let sealed = chunker.seal().map(<[u8]>::to_vec);
    (accepted, sealed)
}

fn every_size<L: Lanes + Clone>(lanes: L) {
    let events = some_events();
    let (all, whole) = fill(4096, lanes.clone(), &events);
    let needed = whole.expect("room for all").len();
    assert_eq!(all, events);
    let mut most = 0;
    // A lane that grows may ask for more room than the sealed chunk takes.
    for size in 0..=needed + 100 {
        let (accepted, sealed) = fill(size, lanes.clone(), &events);
        let Some(sealed) = sealed else {
            assert!(accepted.is_empty());
            continue;
        };
        assert!(sealed.len() <= size);
        let (again, roomy) = fill(4096, lanes.clone(), &accepted);
        assert_eq!(again, accepted);
        assert_eq!(sealed, roomy.expect("sealed"), "storage of {size} bytes");
        most = most.max(accepted.len());
    }
    assert_eq!(most, events.len());
}

#[test]
fn rows_in_every_storage() {
    every_size(Rows::new());
}

#[test]
fn rows_take_no_more_storage_than_they_are_long() {
    let events = some_events();
    let needed = fill(4096, Rows::new(), &events).1.expect("sealed").len();
    assert_eq!(fill(needed, Rows::new(), &events).0.len(), events.len());
    assert!(fill(needed - 1, Rows::new(), &events).0.len() < events.len());
}

#[test]
fn columns_in_every_storage() {
    every_size(Columns::new());
}

#[test]
fn columns_do_not_depend_on_how_their_lanes_were_moved() {
    let events = support::program(5, 2000, Placement::GLIBC_64);
    let whole = fill(1 << 15, Columns::new(), &events).1.expect("sealed");
    for size in [whole.len() + whole.len() / 20, whole.len() + whole.len() / 8, 0xFFFF] {
        let (accepted, sealed) = fill(size, Columns::new(), &events);
        assert_eq!(accepted.len(), events.len(), "storage of {size} bytes");
        assert_eq!(sealed.as_ref(), Some(&whole));
    }
}

#[test]
fn storage_of_more_than_16_bits_is_wide() {
    let events = some_events();
    for (size, wide) in [(0xFFFF, 0), (0x1_0000, 0x40)] {
        let sealed = fill(size, Rows::new(), &events).1.expect("sealed");
        assert_eq!(sealed[1] & 0x40, wide);
        let decoded = support::decode(&sealed);
        assert!(decoded.into_iter().eq(events.iter().map(|(event, _)| *event)));
    }
}

fn header(events: u32) -> ChunkHeader {
    ChunkHeader {
        kind: ChunkKind::Events,
        layout: Layout::Columns,
        codec: Codec::Zstd,
        events,
        stream: 1,
        epoch: 2,
        sequence: u32::MAX,
        time: u64::MAX,
        first_event: 1 << 40,
        losses: Losses { full: 300, link: 5 },
        totals: HeapTotals {
            allocations: u64::MAX,
            frees: 1,
            failed: 2,
            bytes_in_use: 1 << 33,
            peak_bytes: 1 << 34,
        },
        model: ModelSpec { shape: SMALL, placement: Placement::EMBEDDED_32 },
    }
}

#[test]
fn whatever_is_emitted_takes_any_storage() {
    let payload = [7; 30];
    let mut whole = [0; 300];
    let len = emit_chunk(&mut whole, &header(3), &payload, crc32).expect("fits");
    let chunk = Chunk::parse(&whole, crc32).expect("a chunk");
    assert_eq!((chunk.header, chunk.payload), (header(3), &payload[..]));
    let (_, header_len) = ChunkHeader::parse(&whole).expect("a header");
    for size in 0..=len + 1 {
        let mut out = vec![0; size];
        let emitted = emit_chunk(&mut out, &header(3), &payload, crc32);
        assert_eq!(emitted, (size >= len).then_some(len));
        assert!(emitted.is_none() || out[..len] == whole[..len]);
        let mut out = vec![0; size];
        let emitted = header(3).emit(&mut out, len, false);
        assert_eq!(emitted, (size >= header_len).then_some(header_len));
        assert!(emitted.is_none() || out[..header_len] == whole[..header_len]);
    }
}

#[test]
fn definitions_take_any_storage() {
    let name = Name { kind: NameKind::Gauge, id: 70_000, text: "largest free block" };
    let mut whole = [0; 64];
    let len = put_definition(&mut whole, &Definition::Name(name)).expect("fits");
    for size in 0..=len + 1 {
        let mut out = vec![0; size];
        let written = put_definition(&mut out, &Definition::Name(name));
        assert_eq!(written, (size >= len).then_some(len));
        assert!(written.is_none() || out[..len] == whole[..len]);
    }
    let chunker = Chunker::new([0; 0], Rows::new(), VecTables::new(SMALL), Placement::EMBEDDED_32);
    let mut chunk = [0; 200];
    let chunk_len = chunker.emit_definitions(&mut chunk, 5, &whole[..len]).expect("fits");
    for size in 0..=chunk_len + 1 {
        let mut out = vec![0; size];
        let emitted = chunker.emit_definitions(&mut out, 5, &whole[..len]);
        assert_eq!(emitted, (size >= chunk_len).then_some(chunk_len));
    }
}

#[test]
fn a_text_that_no_reader_takes_is_not_written() {
    let mut out = vec![0; 4 * format::MAX_TEXT];
    for (len, fits) in [(format::MAX_TEXT, true), (format::MAX_TEXT + 1, false)] {
        let text = "x".repeat(len);
        let name = Name { kind: NameKind::Type, id: 1, text: &text };
        assert_eq!(put_definition(&mut out, &Definition::Name(name)).is_some(), fits);
    }
}

#[test]
fn totals_alone_take_any_storage() {
    let totals = |size| {
        let tables = VecTables::new(Shape::TINY);
        let mut chunker =
            Chunker::new(vec![0; size], Columns::new(), tables, Placement::EMBEDDED_32);
        let alloc = EventKind::Alloc { address: 64, size: 100, site: 1 };
        chunker.lose(&alloc, 0);
        let sealed = chunker.seal_totals(1_000_000).map(<[u8]>::to_vec);
        assert_eq!(chunker.position().sequence, u32::from(sealed.is_some()));
        sealed
    };
    let whole = totals(300).expect("fits");
    let chunk = Chunk::parse(&whole, crc32).expect("a chunk");
    assert_eq!(
        (chunk.header.events, chunk.header.first_event, chunk.header.losses.full),
        (0, 1, 1)
    );
    assert_eq!(chunk.header.totals.bytes_in_use, 100);
    let decoder = Decoder::new(&chunk, VecTables::new(Shape::TINY)).expect("no events are events");
    assert_eq!(decoder.count(), 0);
    for size in 0..=whole.len() + 1 {
        assert_eq!(totals(size), (size >= whole.len()).then(|| whole.clone()));
    }
}

#[test]
fn a_small_payload_of_many_events_keeps_their_number() {
    // As a codec makes one: 70,000 events in a few hundred bytes.
    let mut out = [0; 700];
    let len = emit_chunk(&mut out, &header(70_000), &[1; 300], crc32).expect("fits");
    let chunk = Chunk::parse(&out[..len], crc32).expect("a chunk");
    assert_eq!(chunk.header.events, 70_000);
}

#[test]
fn a_narrow_header_does_not_hold_what_is_wide() {
    let mut out = [0; format::MAX_HEADER];
    assert!(header(0xFFFF).emit(&mut out, 0xFFFF, false).is_some());
    assert_eq!(header(0x1_0000).emit(&mut out, 100, false), None);
    assert_eq!(header(1).emit(&mut out, 0x1_0000, false), None);
    assert!(header(0x1_0000).emit(&mut out, 0x1_0000, true).is_some());
}

#[test]
fn a_model_that_no_reader_takes_is_not_written() {
    let wrong_shape = |bits| Shape { contexts: bits, ..SMALL };
    let odd = |granule_bits, address_bits| Placement {
        granule_bits,
        overhead: 255,
        least_granules: 255,
        address_bits,
    };
    let spec = |shape, placement| ModelSpec { shape, placement };
    for model in [
        spec(wrong_shape(17), Placement::GLIBC_64),
        spec(wrong_shape(255), Placement::GLIBC_64),
        spec(SMALL, odd(13, 64)),
        spec(SMALL, odd(64, 64)),
        spec(SMALL, odd(255, 64)),
        spec(SMALL, odd(4, 0)),
        spec(SMALL, odd(4, 24)),
        spec(SMALL, odd(4, 65)),
        spec(SMALL, odd(4, 255)),
    ] {
        let mut out = [0; 600];
        let header = ChunkHeader { codec: Codec::None, model, ..header(0) };
        assert_eq!(header.emit(&mut out, 100, true), None);
        assert_eq!(emit_chunk(&mut out, &header, &[], crc32), None);
        // Nothing can be recorded with it, and a header made by hand is refused.
        let event = Event { time: 1, thread: 0, kind: EventKind::Mark { mark: 1 } };
        if model.shape == SMALL {
            let tables = VecTables::new(SMALL);
            let mut chunker = Chunker::new([0; 300], Rows::new(), tables, model.placement);
            assert_eq!(chunker.push(&event, 0), Pushed::TooLarge);
            assert_eq!(chunker.seal_totals(1), None);
            let chunk = Chunk { header, payload: &[], bytes: &[] };
            assert!(Decoder::new(&chunk, VecTables::new(SMALL)).is_err());
        }
    }
}

#[test]
fn a_layout_used_by_itself_does_not_panic() {
    let mut storage = [0; 100];
    for (start, end) in [(0, 0), (0, 100), (50, 10), (200, 300), (usize::MAX, usize::MAX)] {
        let mut rows = Rows::new();
        rows.begin(start, end);
        assert_eq!(rows.finish(&mut storage), start);
        let mut columns = Columns::new();
        columns.begin(start, end);
        columns.finish(&mut storage);
    }
}

#[test]
fn frames_are_never_longer_than_said() {
    for len in (0..600).chain([5000, 65_535]) {
        for byte in [0u8, 1] {
            let mut written = 0;
            let result: Result<(), ()> = write_frame(&vec![byte; len], |piece| {
                written += piece.len();
                Ok(())
            });
            assert!(result.is_ok() && written <= max_frame_len(len), "length {len}");
        }
    }
    assert_eq!(max_frame_len(usize::MAX), usize::MAX);
}

#[test]
fn addresses_wider_than_the_tables_are_refused() {
    let event = Event { time: 1, thread: 0, kind: EventKind::Mark { mark: 1 } };
    let mut narrow = Chunker::new([0; 128], Rows::new(), TinyTables::new(), Placement::GLIBC_64);
    assert_eq!(narrow.push(&event, 0), Pushed::TooLarge);
    let mut wide =
        Chunker::new([0; 128], Rows::new(), TinyTables::<u64>::empty(), Placement::GLIBC_64);
    assert_eq!(wide.push(&event, 0), Pushed::Written);
    let sealed = wide.seal().expect("a chunk");
    let chunk = Chunk::parse(sealed, crc32).expect("sealed a moment ago");
    assert!(Decoder::new(&chunk, TinyTables::new()).is_err());
    assert!(Decoder::new(&chunk, TinyTables::<u64>::empty()).is_ok());
}

#[test]
fn events_come_in_pieces_of_any_size_and_then_their_error() {
    for columns in [false, true] {
        let events = some_events();
        let (_, whole) = match columns {
            true => fill(4096, Columns::new(), &events),
            false => fill(4096, Rows::new(), &events),
        };
        let whole = whole.expect("room for all");
        let chunk = Chunk::parse(&whole, crc32).expect("a chunk");
        // Whole, with an event less than it says, and with one more.
        for more in [0, 1, -1_i32] {
            let events = chunk.header.events.checked_add_signed(more).expect("some");
            let header = ChunkHeader { events, ..chunk.header };
            let chunk = Chunk { header, ..chunk };
            let decoder = || Decoder::new(&chunk, VecTables::new(SMALL)).expect("events");
            let one_by_one: Vec<_> = decoder().collect();
            assert_eq!(one_by_one.iter().filter(|event| event.is_err()).count() == 0, more == 0);
            for size in 1..=events as usize + 2 {
                let mut decoder = decoder();
                let mut piece = vec![Event { time: 9, ..some_events()[0].0 }; size];
                let mut pieces = Vec::new();
                assert_eq!(decoder.decode_into(&mut []), Ok(0));
                let error = loop {
                    match decoder.decode_into(&mut piece) {
                        Ok(0) => break None,
                        Ok(decoded) => {
                            pieces.extend(piece[..decoded].iter().map(|event| Ok(*event)))
                        }
                        Err(error) => break Some(Err(error)),
                    }
                };
                pieces.extend(error);
                assert_eq!(pieces, one_by_one, "{size} at once");
                assert_eq!((decoder.decode_into(&mut piece), decoder.next()), (Ok(0), None));
            }
        }
    }
}
