//! However the bytes come, in pieces or with interruptions, the result is the same.

use std::io::{ErrorKind, Read};

use heapwire::io::capture_reader::{CaptureReader, Part};
use heapwire::io::line::{Arrival, LineReader, LineState, LineStats};
use heapwire::{BinaryDataParser, ParseResult, ParserConfig};
use heapwire_core::{Chunker, Placement, Pushed, Rows, TinyTables, write_frame};
use heapwire_tests::inputs::Pieces;
use heapwire_tests::sample::{self, Random};
use heapwire_tests::{CODECS, Content, import, plan};

/// A capture, the same cut off, and the same damaged.
fn captures() -> Vec<Vec<u8>> {
    let text = sample::text(800);
    CODECS
        .into_iter()
        .flat_map(|compression| {
            let capture = import(text.as_bytes(), plan(1024, compression)).expect("imported");
            let cut = capture[..capture.len() * 2 / 3].to_vec();
            let mut damaged = capture.clone();
            damaged[capture.len() / 3] ^= 0x10;
            damaged.remove(capture.len() / 2);
            [capture, cut, damaged]
        })
        .collect()
}

/// The bytes whole, one by one, and in random pieces, all without and with interruptions.
fn split(bytes: &[u8], error: ErrorKind) -> Vec<Pieces<'_>> {
    let mut inputs = Vec::new();
    for interrupt in [None, Some(error)] {
        for (seed, most) in [usize::MAX / 2, 1, 2, 7, 100, 5000].into_iter().enumerate() {
            inputs.push(Pieces::new(bytes, most, interrupt, seed as u64));
        }
    }
    inputs
}

/// All that a parse says, but for the time it took.
fn summary(result: &ParseResult) -> String {
    let ParseResult { trace, parse_stats, completeness, gaps, damage, .. } = result;
    let mut content = Content::default();
    let each = |item: heapwire::trace::Item<'_>| {
        content.add(&item);
        Ok(())
    };
    trace.for_each(each).expect("decodes");
    let counts = (parse_stats.structures_parsed, parse_stats.chunks, trace.event_count());
    format!("{content:?} {counts:?} {completeness:?} {gaps:?} {damage:?}")
}

#[test]
fn the_parser_takes_its_input_in_any_pieces() {
    let mut config = ParserConfig::default();
    config.salvage = true;
    let parser = BinaryDataParser::new(config);
    for capture in captures() {
        let whole = summary(&parser.parse_streaming(&capture[..]).expect("reads"));
        for input in split(&capture, ErrorKind::Interrupted) {
            let result = parser.parse_streaming(input).expect("reads");
            assert_eq!(summary(&result), whole);
        }
    }
}

fn parts(input: impl Read) -> Vec<String> {
    let mut reader = CaptureReader::new(input).expect("a capture");
    let mut parts = Vec::new();
    while let Some(part) = reader.next_part().expect("reads") {
        parts.push(match part {
            Part::Chunk(chunk, offset) => format!("{offset} {:?}", chunk.bytes),
            Part::Damage(damage) => format!("{damage:?}"),
        });
        parts.push(reader.offset().to_string());
    }
    parts.push(format!("{:?}", reader.completeness()));
    parts
}

#[test]
fn the_reader_takes_its_input_in_any_pieces() {
    for capture in captures() {
        let whole = parts(&capture[..]);
        for input in split(&capture, ErrorKind::Interrupted) {
            assert_eq!(parts(input), whole);
        }
    }
}

/// What a device sends: text, then frames, two of them damaged.
fn line_bytes() -> Vec<u8> {
    let content = Content::of_text(sample::text(1500).as_bytes());
    let tables = TinyTables::<u64>::empty();
    let placement = Placement { address_bits: 64, ..Placement::EMBEDDED_32 };
    let mut chunker = Chunker::new([0; 256], Rows::new(), tables, placement);
    let mut frames: Vec<Vec<u8>> = Vec::new();
    let mut send = |chunk: Option<&[u8]>| {
        let mut frame = Vec::new();
        let sent: Result<(), ()> = write_frame(chunk.expect("events are pending"), |bytes| {
            frame.extend_from_slice(bytes);
            Ok(())
        });
        sent.expect("never fails");
        frames.push(frame);
    };
    for event in &content.events {
        if chunker.push(event, 0) == Pushed::Full {
            send(chunker.seal());
            assert_eq!(chunker.push(event, 0), Pushed::Written);
        }
    }
    send(chunker.seal());
    assert!(frames.len() > 10);
    let middle = frames[3].len() / 2;
    frames[3][middle] ^= 1;
    frames[5].remove(middle);
    let mut bytes = b"boot ok\r\n".to_vec();
    bytes.extend(frames.concat());
    bytes
}

fn chunks(input: impl Read) -> (Vec<Vec<u8>>, LineStats) {
    let mut reader = LineReader::new(input);
    let mut chunks = Vec::new();
    loop {
        let state = reader.poll(|arrival| {
            if let Arrival::Chunk(chunk) = arrival {
                chunks.push(chunk.bytes.to_vec());
            }
            Ok(())
        });
        if state.expect("reads") == LineState::Closed {
            return (chunks, reader.stats());
        }
    }
}

#[test]
fn the_line_takes_its_bytes_in_any_pieces() {
    let bytes = line_bytes();
    let whole = chunks(&bytes[..]);
    assert_eq!(whole.1.bytes, bytes.len() as u64);
    assert!(whole.0.len() > 10);
    for kind in [ErrorKind::TimedOut, ErrorKind::WouldBlock, ErrorKind::Interrupted] {
        for input in split(&bytes, kind) {
            assert_eq!(chunks(input), whole);
        }
    }
}

/// However much noise there is, a chunk that comes off the line is one that was sent.
#[test]
fn a_noisy_line_brings_only_chunks_that_were_sent() {
    let bytes = line_bytes();
    let (sent, _) = chunks(&bytes[..]);
    for seed in 0..300 {
        let mut random = Random(seed);
        let mut noisy = bytes.clone();
        for _ in 0..=random.below(20) {
            let at = random.below(noisy.len());
            match random.below(4) {
                0 => noisy[at] ^= 1 << random.below(8),
                1 => noisy.insert(at, random.number() as u8),
                2 => drop(noisy.remove(at)),
                _ => {
                    let end = (at + random.below(600)).min(noisy.len());
                    let again = noisy[at..end].to_vec();
                    noisy.splice(at..at, again);
                }
            }
        }
        let (received, _) = chunks(&noisy[..]);
        assert!(received.iter().all(|chunk| sent.contains(chunk)), "seed {seed}");
        assert!(
            received.len() + 45 > sent.len(),
            "seed {seed}: {} of {}",
            received.len(),
            sent.len()
        );
    }
}
