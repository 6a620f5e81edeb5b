//! A serial line that flips, drops, inserts and repeats bytes: whole chunks or none come out of it.

mod support;

use std::collections::HashSet;
use std::ops::Range;

use heapwire_core::{Chunk, Placement, Rows, TinyTables, crc32, write_frame};
use support::Random;

/// Larger than any frame of the tests.
const STORAGE: usize = 160;

struct Sent {
    line: Vec<u8>,
    /// Each frame's place on the line, delimiters included.
    frames: Vec<Range<usize>>,
    chunks: Vec<Vec<u8>>,
}

/// Some chunks as frames, and text between some of them.
fn sent() -> Sent {
    let events = support::program(21, 500, Placement::EMBEDDED_32);
    let (chunks, lost) =
        support::encode(&events, 128, Rows::new(), TinyTables::new(), Placement::EMBEDDED_32);
    assert!(lost.is_empty() && chunks.len() > 10, "{} chunks", chunks.len());
    let (mut line, mut frames) = (b"boot: 0x1b\r\n".to_vec(), Vec::new());
    for (at, chunk) in chunks.iter().enumerate() {
        let start = line.len();
        let written: Result<(), ()> = write_frame(chunk, |bytes| {
            line.extend_from_slice(bytes);
            Ok(())
        });
        assert!(written.is_ok());
        frames.push(start..line.len());
        if at % 3 == 0 {
            line.extend_from_slice(b"warning: heap is low\r\n");
        }
    }
    Sent { line, frames, chunks }
}

/// The chunks on a line: whole frames with a right checksum that fill their frame.
fn received(line: &[u8], pieces: impl Iterator<Item = usize>) -> Vec<Vec<u8>> {
    let frames = support::deframe(line, pieces, STORAGE).into_iter();
    let whole = |frame: &Vec<u8>| {
        Chunk::parse(frame, crc32).is_ok_and(|chunk| chunk.bytes.len() == frame.len())
    };
    frames.filter(whole).collect()
}

#[test]
fn an_undamaged_line_brings_all_chunks_through_every_split() {
    let Sent { line, chunks, .. } = sent();
    for piece in 1..200 {
        assert_eq!(received(&line, std::iter::repeat(piece)), chunks, "pieces of {piece}");
    }
    assert_eq!(received(&line, std::iter::empty()), chunks);
}

#[test]
fn a_damaged_line_brings_whole_chunks_only_and_loses_no_untouched_one() {
    let Sent { line, frames, chunks } = sent();
    let known: HashSet<&Vec<u8>> = chunks.iter().collect();
    let mut damaged_frames = 0;
    for seed in 0..1000 {
        let mut random = Random(seed);
        let mut damaged = Vec::with_capacity(line.len() * 2);
        let mut touched = HashSet::new();
        let rate = 20 + random.below(3000);
        let frame_of = |at: usize| frames.iter().position(|frame| frame.contains(&at));
        let mut at = 0;
        while at < line.len() {
            let harm = if random.below(rate) == 0 { 1 + random.below(6) } else { 0 };
            if harm > 0 {
                touched.extend(frame_of(at));
            }
            match harm {
                1 => damaged.push(line[at] ^ 1 << random.below(8)),
                2 => damaged.push(random.next() as u8),
                3 => {}
                4 => damaged.extend_from_slice(&[random.next() as u8, line[at]]),
                5 => {
                    // An overrun: a run of bytes is missing.
                    let end = line.len().min(at + random.below(300) as usize);
                    touched.extend((at..end).filter_map(frame_of));
                    at = end.max(at + 1) - 1;
                }
                6 => {
                    let run = &line[at..line.len().min(at + 1 + random.below(40) as usize)];
                    damaged.extend_from_slice(run);
                    damaged.push(line[at]);
                }
                _ => damaged.push(line[at]),
            }
            at += 1;
        }
        let whole = received(&damaged, std::iter::empty());
        assert!(whole.iter().all(|chunk| known.contains(chunk)), "seed {seed}");
        let bytewise = received(&damaged, std::iter::repeat(1));
        assert_eq!(bytewise, whole, "seed {seed}");
        let mut lengths = Random(seed);
        let pieces = std::iter::repeat_with(move || 1 + lengths.below(300) as usize);
        assert_eq!(received(&damaged, pieces), whole, "seed {seed}");
        for (at, chunk) in chunks.iter().enumerate() {
            assert!(touched.contains(&at) || whole.contains(chunk), "seed {seed}, frame {at}");
        }
        damaged_frames += touched.len();
    }
    assert!(damaged_frames > 1000, "only {damaged_frames} frames were damaged");
}

#[test]
fn attaching_anywhere_works_from_the_next_whole_frame() {
    let Sent { line, frames, chunks } = sent();
    for from in 0..=line.len() {
        // The delimiter before a frame may be missed: the line was silent, the deframer empty.
        let next = frames.iter().position(|frame| frame.start + 1 >= from).unwrap_or(frames.len());
        assert_eq!(received(&line[from..], std::iter::empty()), chunks[next..], "from {from}");
    }
}

#[test]
fn any_storage_ends_and_gives_whole_frames_or_none() {
    let Sent { line, chunks, .. } = sent();
    let content = |chunk: &Vec<u8>| chunk.len() + 1;
    for storage in 0..STORAGE {
        let frames = support::deframe(&line, std::iter::empty(), storage);
        let mut whole = frames.into_iter().filter(|frame| Chunk::parse(frame, crc32).is_ok());
        let fitting = chunks.iter().filter(|chunk| content(chunk) <= storage);
        for chunk in fitting {
            assert_eq!(whole.next().as_ref(), Some(chunk), "storage of {storage} bytes");
        }
        assert_eq!(whole.next(), None, "storage of {storage} bytes");
    }
}
