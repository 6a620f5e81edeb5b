//! MessagePack and JSON lines that are cut, damaged or made to harm.

use heapwire::io::codec::Compression;
use heapwire::plan::Target;
use heapwire::validation::{FindingKind, validate};
use heapwire_tests::sample::{self, Random};

use super::{Whole, converted, parser};

fn file(compression: Compression) -> Vec<u8> {
    converted(sample::text(300).as_bytes(), Target::MessagePack(compression)).unwrap()
}

/// Reads it in every way; the message of the error.
fn refused(file: &[u8]) -> String {
    let error = parser().parse_streaming(file).expect_err("refused");
    assert!(parser().for_each_record(file, |_, _| Ok(())).is_err());
    let mut message = error.to_string();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(&error);
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}

#[test]
fn a_file_that_is_cut_says_so() {
    for compression in [Compression::None, Compression::Lz4, Compression::Zstd { level: 3 }] {
        let file = file(compression);
        for cut in (32..file.len()).step_by(211).chain([file.len() - 1]) {
            refused(&file[..cut]);
            if let Ok(report) = validate(&file[..cut]) {
                assert!(!report.is_valid, "{compression:?} cut at {cut}");
                let kind = report.errors[0].kind;
                assert!(kind == FindingKind::CutOff || kind == FindingKind::Damage, "{report:?}");
            }
        }
    }
    let plain = file(Compression::None);
    let cut = plain.len() * 2 / 3;
    assert!(refused(&plain[..cut]).contains(&format!("it ends at offset {cut}")));
    let report = validate(&plain[..cut]).unwrap();
    assert_eq!((report.errors[0].kind, report.errors[0].offset), (FindingKind::CutOff, cut as u64));
}

#[test]
fn a_bit_that_flipped_is_found() {
    let mut random = Random(1);
    for compression in [Compression::None, Compression::Lz4, Compression::Zstd { level: 3 }] {
        let file = file(compression);
        for _ in 0..150 {
            let mut damaged = file.clone();
            let at = 24 + random.below(file.len() - 24);
            damaged[at] ^= 1 << random.below(8);
            refused(&damaged);
            if let Ok(report) = validate(&damaged[..]) {
                assert!(!report.is_valid && report.errors.len() == 1, "{compression:?} at {at}");
            }
        }
    }
}

/// With a right checksum, whatever else is wrong: nothing panics, what is read has as many events as it
/// says, and what validates has the records that its events make.
#[test]
fn a_right_checksum_does_not_help_a_wrong_file() {
    let mut random = Random(2);
    let file = file(Compression::None);
    let body = file.len() - 4;
    let (mut wrong, mut right) = (0, 0);
    for _ in 0..600 {
        let mut made = file.clone();
        for _ in 0..1 + random.below(2) {
            let at = 24 + random.below(body - 24);
            made[at] = match random.below(3) {
                0 => made[at] ^ 1 << random.below(8),
                1 => made[at].wrapping_add(1),
                _ => random.number() as u8,
            };
        }
        let mut crc = flate2::Crc::new();
        crc.update(&made[..body - 1]);
        made[body..].copy_from_slice(&crc.sum().to_be_bytes());
        let mut events = 0;
        let read = parser().for_each_item(&made[..], |item| {
            events += u64::from(matches!(item, heapwire::trace::Item::Event(_)));
            Ok(())
        });
        let report = validate(&made[..]).unwrap();
        assert!(read.is_ok() || !report.is_valid);
        if report.is_valid {
            right += 1;
            assert_eq!((events, report.events), (300, 300));
        } else {
            wrong += 1;
        }
    }
    // Such as another time.
    assert!(wrong > 100 && right > 10, "{wrong} wrong, {right} right");
}

/// A map of ours with these entries behind the first three.
fn map(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0x80 | (3 + entries.len()) as u8];
    bytes.extend_from_slice(b"\xa6format\xa8heapwire\xa7version\x01\xa6events\x02");
    for (key, value) in entries {
        bytes.push(0xa0 | key.len() as u8);
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(value);
    }
    bytes
}

#[test]
fn lengths_that_claim_much_allocate_little() {
    const MOST: &[u8] = &[0xdd, 0xff, 0xff, 0xff, 0xff];
    let text = [&[0xdb, 0xff, 0xff, 0xff, 0xff][..], b"abc"].concat();
    let long = [&[0xdb, 0, 0xff, 0xff, 0xff][..], &vec![b'x'; 1 << 20]].concat();
    let deep = [&vec![0x91; 100_000][..], &[0xc0]].concat();
    let none = ("positions", &[0x90][..]);
    for file in [
        map(&[("names", MOST)]),
        map(&[("unknown", MOST)]),
        map(&[("unknown", &text)]),
        map(&[("unknown", &deep)]),
        map(&[("sessions", &[&[0x91, 0x81, 0xa6][..], b"device", &text].concat())]),
        map(&[("sessions", &[&[0x91, 0x81, 0xa6][..], b"device", &long].concat())]),
        map(&[none, ("other_events", &[0x90]), ("records", MOST)]),
        map(&[("records", &[0x90])]),
        map(&[]),
        [&[0xdf, 0xff, 0xff, 0xff, 0xff], &map(&[])[1..]].concat(),
    ] {
        let (_, peak) = crate::alloc::peak_bytes(|| refused(&file));
        assert!(peak < 4 << 20, "{peak} bytes for {} bytes", file.len());
    }
    let message = refused(&map(&[none, ("other_events", &[0x90]), ("records", &[0x90])]));
    assert!(message.ends_with("event 0 is missing, or there twice"), "{message}");
}

#[test]
fn a_newer_version_is_refused_by_its_number() {
    let mut newer = file(Compression::None);
    let at = newer.windows(8).position(|bytes| bytes == b"version\x01").unwrap();
    newer[at + 7] = 2;
    assert!(refused(&newer).ends_with("it is of version 2, expected at most 1"));
    assert!(!validate(&newer[..]).unwrap().is_valid);
}

#[test]
fn json_lines_are_checked_line_by_line() {
    let json = converted(sample::text(100).as_bytes(), Target::JsonLines(Compression::None));
    let json = String::from_utf8(json.unwrap()).unwrap();
    let lines: Vec<&str> = json.lines().collect();
    let whole = Whole::of(json.as_bytes());
    assert_eq!(whole.content.events.len(), 100);
    let read =
        |text: &str| parser().for_each_item(text.as_bytes(), |_| Ok(())).unwrap_err().to_string();
    let cut = lines[..lines.len() - 1].join("\n");
    assert!(read(&cut).contains("found the end of the input"), "{}", read(&cut));
    let fewer = [&lines[..50], &lines[51..]].concat().join("\n");
    assert!(read(&fewer).contains("100 events are counted, 99 were before"), "{}", read(&fewer));
    let error = read(&json.replacen("\"thread\":", "\"thread\":-", 1));
    assert!(error.starts_with("cannot read the JSON lines: line "), "{error}");
    let newer = json.replacen("\"version\":1", "\"version\":2", 1);
    assert!(read(&newer).contains("line 1: format \"heapwire\", version 2"));
    let long = format!("{}\n{{\"mark\":{}", lines[0], " ".repeat(100_000));
    assert!(read(&long).contains("line 2: it has more than 65536 bytes"));
    assert!(read(&(json.clone() + "{}")).contains("it is behind the end"));
}
