//! Any form into any other and back is the same trace.

use std::io::Write;

use heapwire::io::codec::Compression;
use heapwire::io::envelope::{Form, open};
use heapwire::plan::Target;
use heapwire::validation::validate;
use heapwire::{BinaryExportError, OutputFormat};
use heapwire_tests::{Content, ZSTD, sample, trace_files};
use proptest::prelude::*;

use super::{Whole, converted, parser, targets};

/// The first lines of each recorded trace: what is defined, and this many events.
fn beginnings(events: usize) -> Vec<Vec<u8>> {
    let mut texts = vec![sample::text(3_000).into_bytes(), trace_files::firmware()];
    for file in trace_files::committed() {
        let text = file.text();
        let (mut seen, mut beginning) = (0, Vec::new());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            seen += usize::from(matches!(line[0], b'a' | b'f' | b'r'));
            beginning.extend_from_slice(line);
            if seen == events {
                break;
            }
        }
        texts.push(beginning);
    }
    texts
}

#[test]
fn any_form_becomes_any_other() {
    for text in beginnings(500) {
        let expected = Content::of_text(&text).events;
        let first = converted(&text, Target::MessagePack(ZSTD)).unwrap();
        let whole = Whole::of(&first);
        assert!(whole.content.events == expected);
        for from in targets() {
            let from = converted(&first, from).unwrap();
            assert!(Whole::of(&from) == whole);
            for to in targets() {
                let to = converted(&from, to).unwrap();
                assert!(Whole::of(&to) == whole);
            }
        }
    }
}

#[test]
fn what_was_written_once_is_written_the_same_again() {
    let text = sample::text(3_000);
    for target in targets() {
        let once = converted(text.as_bytes(), target).unwrap();
        assert!(converted(&once, target).unwrap() == once, "{target:?}");
    }
}

#[test]
fn what_is_known_by_its_beginning_need_not_be_named() {
    let text = sample::text(500);
    let forms = targets().map(|target| {
        let file = converted(text.as_bytes(), target).unwrap();
        open(&file[..]).unwrap().form
    });
    let expected = [
        Form::Capture { chunked: false },
        Form::Capture { chunked: true },
        Form::MessagePack,
        Form::MessagePack,
        Form::JsonLines,
        Form::Text,
    ];
    assert_eq!(forms, expected);
    // A capture that somebody compressed once more.
    let capture = converted(text.as_bytes(), targets()[0]).unwrap();
    let packed = zstd::encode_all(&capture[..], 1).unwrap();
    assert!(Whole::of(&packed) == Whole::of(&capture));
    assert!(validate(&packed[..]).unwrap().is_valid);
    assert_eq!(parser().parse_streaming(&packed[..]).unwrap().trace.event_count(), 500);
}

#[test]
fn message_pack_is_loaded_as_a_capture_is() {
    let text = sample::text(5_000);
    let capture = converted(text.as_bytes(), targets()[0]).unwrap();
    let expected = parser().parse_streaming(&capture[..]).unwrap();
    for compression in [Compression::None, Compression::Lz4, ZSTD] {
        let file = converted(&capture, Target::MessagePack(compression)).unwrap();
        let found = parser().parse_streaming(&file[..]).unwrap();
        assert_eq!(found.trace.events().unwrap(), expected.trace.events().unwrap());
        let [found, expected] = [&found, &expected].map(|result| {
            (result.parse_stats.structures_parsed, result.trace.symbols().session().cloned())
        });
        assert_eq!(found, expected);
        let report = validate(&file[..]).unwrap();
        assert!(report.is_valid && report.warnings.is_empty(), "{report:?}");
        assert_eq!(report.events, 5_000);
    }
}

#[test]
fn a_frame_opens_with_the_codecs_own_tools() {
    let text = sample::text(500);
    let plain = converted(text.as_bytes(), Target::MessagePack(Compression::None)).unwrap();
    let framed = converted(text.as_bytes(), Target::MessagePack(ZSTD)).unwrap();
    assert!(zstd::decode_all(&framed[..]).unwrap() == plain);
    let framed = converted(text.as_bytes(), Target::MessagePack(Compression::Lz4)).unwrap();
    let mut decoder = lz4_flex::frame::FrameDecoder::new(&framed[..]);
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(&mut decoder, &mut unpacked).unwrap();
    assert!(unpacked == plain);
    // And what they make is read.
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(&plain).unwrap();
    assert!(Whole::of(&encoder.finish().unwrap()) == Whole::of(&plain));
}

#[test]
fn the_format_given_must_be_that_of_the_bytes() {
    let text = sample::text(500);
    let chunked = OutputFormat::Chunked { chunk_size: 4096 };
    let formats = [OutputFormat::CustomBinary, chunked, OutputFormat::MessagePack];
    let files = [0, 1, 2].map(|at| converted(text.as_bytes(), targets()[at]).unwrap());
    let whole = Whole::of(&files[0]);
    for (from, file) in formats.into_iter().zip(&files) {
        for to in formats {
            let bytes = parser().convert_format(file, from, to).unwrap();
            assert!(Whole::of(&bytes) == whole);
        }
        for other in formats.into_iter().filter(|other| *other != from) {
            let error = parser().convert_format(file, other, from).unwrap_err();
            assert!(matches!(error, BinaryExportError::OtherForm { .. }), "{error}");
            let message = error.to_string();
            assert!(message.starts_with("the data is ") && message.contains(", expected "));
        }
        let error = parser().convert_format(text.as_bytes(), from, formats[0]).unwrap_err();
        assert!(error.to_string().starts_with("the data is a text trace, expected "));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever events come in whatever order: also those that no allocator makes.
    #[test]
    fn any_events_come_back(
        events in prop::collection::vec((0..7_u8, 0..6_u64, 0..6_u64, any::<u64>(), any::<u32>()), 1..300),
        path in prop::collection::vec(0..5_usize, 1..5),
    ) {
        let mut text = String::new();
        for (number, (kind, place, other, wide, id)) in events.iter().enumerate() {
            let time = if id % 5 == 0 { *wide } else { number as u64 };
            let thread = id % 3;
            // The last address is the highest there is.
            let [place, other] = [place, other].map(|place| (place * 64).wrapping_sub(64));
            text += &match kind {
                0 | 1 => format!("a {time} {thread} {place:x} {wide} {id}\n"),
                2 => format!("f {time} {thread} {place:x} {id}\n"),
                3 => format!("r {time} {thread} {place:x} {other:x} {wide} {id}\n"),
                4 => format!("n {time} {thread} {place:x} {id} {thread}\n"),
                5 => format!("g {time} {thread} {id} {}\n", *wide as i64),
                _ => format!("x {time} {thread} {wide} {id}\nm {time} {thread} {id}\n"),
            };
        }
        let expected = Content::of_text(text.as_bytes()).events;
        let mut file = text.into_bytes();
        for at in path {
            file = converted(&file, targets()[at]).unwrap();
            prop_assert!(Whole::of(&file).content.events == expected);
            if at < 4 {
                let report = validate(&file[..]).unwrap();
                prop_assert!(report.is_valid, "{report:?}");
            }
        }
    }
}
