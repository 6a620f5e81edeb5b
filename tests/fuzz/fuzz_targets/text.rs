//! Any text: read without a panic, and what is read is written so that it reads back equal.
#![no_main]

use heapwire::convert::text::{TextReader, write_item};
use libfuzzer_sys::fuzz_target;

/// What can be read, written again; lines that cannot are left out.
fn rewrite(text: &[u8]) -> Vec<u8> {
    let mut reader = TextReader::new(text);
    let mut written = Vec::new();
    loop {
        match reader.next_item() {
            Ok(Some(item)) => write_item(&mut written, &item).expect("short enough to write"),
            Ok(None) => return written,
            Err(heapwire::convert::text::TextError::Line { .. }) => {}
            Err(_) => return written,
        }
    }
}

fuzz_target!(|text: &[u8]| {
    let once = rewrite(text);
    assert_eq!(rewrite(&once), once);
});
