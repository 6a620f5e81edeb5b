//! Any bytes on a line: however they are split, the same frames come out.
#![no_main]

use heapwire_core::{Deframed, Deframer};
use libfuzzer_sys::fuzz_target;

fn frames(bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut deframer = Deframer::new([0; 64]);
    let mut frames = Vec::new();
    for mut rest in bytes.chunks(piece) {
        while !rest.is_empty() {
            let (taken, found) = deframer.push(rest);
            if let Deframed::Frame(content) = found {
                frames.push(content.to_vec());
            }
            rest = &rest[taken..];
        }
    }
    frames
}

fuzz_target!(|bytes: &[u8]| {
    let whole = frames(bytes, bytes.len().max(1));
    assert_eq!(whole, frames(bytes, 1));
    assert_eq!(whole, frames(bytes, 7));
});
