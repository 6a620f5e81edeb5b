//! Any bytes behind the beginning of a MessagePack file: read without a panic; what validates reads, and
//! has as many events.
#![no_main]

use heapwire::validation::validate;
use heapwire::{BinaryDataParser, ParserConfig};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut file = b"\x8c\xa6format\xa8heapwire\xa7version\x01".to_vec();
    file.extend_from_slice(bytes);
    let mut config = ParserConfig::default();
    config.max_memory_usage = 64 << 20;
    let mut events = 0;
    let read = BinaryDataParser::new(config).for_each_item(&file[..], |item| {
        events += u64::from(matches!(item, heapwire::trace::Item::Event(_)));
        Ok(())
    });
    if let Ok(report) = validate(&file[..]) {
        assert!(read.is_ok() || !report.is_valid);
        assert!(!report.is_valid || report.events == events);
    }
});
