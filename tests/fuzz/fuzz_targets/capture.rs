//! Any bytes behind a capture's header: validated and salvaged without a panic, and only a valid
//! capture is read without salvage.
#![no_main]

use heapwire::validation::validate;
use heapwire::{BinaryDataParser, ParserConfig};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut capture = vec![0x89, b'H', b'W', b'C', b'\r', b'\n', 0x1a, b'\n', 1, 0, 0, 0];
    capture.extend_from_slice(&[0; 4]);
    capture.extend_from_slice(bytes);
    let report = validate(&capture[..]).expect("a capture, however damaged");
    assert!(!report.is_valid, "its header has no right checksum");
    let mut config = ParserConfig::default();
    assert!(BinaryDataParser::new(config.clone()).parse_streaming(&capture[..]).is_err());
    config.salvage = true;
    let result = BinaryDataParser::new(config).parse_streaming(&capture[..]);
    assert_eq!(result.expect("salvaged").trace.event_count(), report.events);
});
