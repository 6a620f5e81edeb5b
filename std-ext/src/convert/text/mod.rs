//! The text form of a trace: one line an item, for people, for golden tests, and for import from
//! other tools. [`TextReader`] and [`write_item`] are exact opposites.
//!
//! | line | meaning |
//! |---|---|
//! | `h TICKS_PER_SECOND ADDRESS_BITS "DEVICE" "BUILD"` | who records, and in which units |
//! | `p START SIZE NAME` | a region of addresses |
//! | `s ID PARENT IP` | a call-stack node, before its first use; parent 0 is the root |
//! | `d KIND ID TEXT` | the name of a `scope`, `variable`, `type`, `thread`, `gauge` or `mark` |
//! | `a TIME TID PTR SIZE SITE` | an allocation |
//! | `r TIME TID OLD NEW SIZE SITE` | a reallocation |
//! | `f TIME TID PTR [SITE]` | a free; site 0 is left out |
//! | `x TIME TID SIZE SITE` | an allocation that failed |
//! | `n TIME TID PTR VARIABLE TYPE` | a block gets a name: two numbers that `d` lines explain |
//! | `g TIME TID GAUGE VALUE` | the value of a gauge, which may be negative |
//! | `m TIME TID MARK` | a mark |
//! | `# …` | a comment, skipped as empty lines are |
//!
//! Times are in ticks. Addresses (`PTR`, `OLD`, `NEW`, `IP`, `START`) are hex without `0x`, all
//! other numbers decimal. Exactly one space stands between fields. `NAME` and `TEXT` reach to the
//! end of the line and may be empty. In them and in quotes a backslash is written `\\`, a newline
//! `\n`, a carriage return `\r`, another control character `\u{1b}`; in quotes `"` is `\"`. Lines
//! end with a newline, or a carriage return and a newline, and have at most [`MAX_LINE`] bytes.
//!
//! One of each:
//!
//! ```text
//! h 1000000 32 "sensor \"north\"" "v1.2-8c1f"
//! p 20000000 65536 main heap
//! s 1 0 800460d
//! d scope 2 parse\n\u{1b}[0m
//! a 450 1 20000010 21 1
//! r 512 1 20000010 200000f8 64 1
//! f 2844 3 200000f8 2
//! f 2850 3 20000400
//! x 2900 1 4294967296 2
//! n 2901 1 20000010 7 4
//! g 3000 0 1 -15
//! m 3001 0 9
//! ```

mod fields;
mod line;
mod reader;
mod writer;

use heapwire_core::NameKind;

pub use self::reader::TextReader;
pub use self::writer::write_item;
pub use crate::error::TextError;

/// The longest line that is read or written, in bytes, its end not counted.
pub const MAX_LINE: usize = 64 * 1024;

/// The words of `d` lines, in both directions.
const NAME_KINDS: [NameKind; 6] = [
    NameKind::Scope,
    NameKind::Variable,
    NameKind::Type,
    NameKind::Thread,
    NameKind::Gauge,
    NameKind::Mark,
];

fn name_kind_word(kind: NameKind) -> &'static str {
    match kind {
        NameKind::Scope => "scope",
        NameKind::Variable => "variable",
        NameKind::Type => "type",
        NameKind::Thread => "thread",
        NameKind::Gauge => "gauge",
        NameKind::Mark => "mark",
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, BufRead, BufReader, Read};

    use heapwire_core::{Definition, Event, EventKind, Name, Node, Region, Session};
    use proptest::prelude::*;

    use super::*;
    use crate::trace::Item;

    /// The lines of the module's documentation, one of each kind.
    fn documented_lines() -> String {
        include_str!("mod.rs")
            .lines()
            .map_while(|line| line.strip_prefix("//!"))
            .skip_while(|line| *line != " ```text")
            .skip(1)
            .take_while(|line| *line != " ```")
            .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap()))
            .collect()
    }

    fn rewrite(input: impl BufRead) -> Result<String, TextError> {
        let mut reader = TextReader::new(input);
        let mut out = Vec::new();
        while let Some(item) = reader.next_item()? {
            write_item(&mut out, &item).unwrap();
        }
        Ok(String::from_utf8(out).unwrap())
    }

    /// The message of the first error in `text`.
    fn error(text: impl AsRef<[u8]>) -> String {
        rewrite(text.as_ref()).unwrap_err().to_string()
    }

    fn event(thread: u32, kind: EventKind) -> Item<'static> {
        Item::Event(Event { time: 7, thread, kind })
    }

    #[test]
    fn documented_lines_read_and_write_back_equal() {
        let lines = documented_lines();
        assert_eq!(lines.lines().count(), 12);
        assert_eq!(rewrite(lines.as_bytes()).unwrap(), lines);
    }

    #[test]
    fn fields_land_where_they_belong() {
        let text = "h 48000000 32 \"a b\" \"\"\np 20000000 65536 SRAM 1\ns 2 1 Ff\nd type 3 Vec<u8>\n\
                    a 7 2 10 3 4\nf 7 2 10 4\nf 7 2 10 0\nr 7 2 10 20 3 4\nx 7 2 3 4\nn 7 2 10 3 4\n\
                    g 7 2 3 -4\nm 7 2 3\n";
        let device =
            Session { device: "a b", build: "", ticks_per_second: 48_000_000, address_bits: 32 };
        let region = Region { start: 0x2000_0000, size: 65536, name: "SRAM 1" };
        let name = Name { kind: NameKind::Type, id: 3, text: "Vec<u8>" };
        let expected = [
            Item::Definition(Definition::Session(device)),
            Item::Definition(Definition::Region(region)),
            Item::Definition(Definition::Node(Node { id: 2, parent: 1, ip: 255 })),
            Item::Definition(Definition::Name(name)),
            event(2, EventKind::Alloc { address: 16, size: 3, site: 4 }),
            event(2, EventKind::Free { address: 16, site: 4 }),
            event(2, EventKind::Free { address: 16, site: 0 }),
            event(2, EventKind::Realloc { old: 16, address: 32, size: 3, site: 4 }),
            event(2, EventKind::FailedAlloc { size: 3, site: 4 }),
            event(2, EventKind::Name { address: 16, variable: 3, type_name: 4 }),
            event(2, EventKind::Gauge { gauge: 3, value: -4 }),
            event(2, EventKind::Mark { mark: 3 }),
        ];
        let mut reader = TextReader::new(text.as_bytes());
        for (index, item) in expected.into_iter().enumerate() {
            assert_eq!(reader.next_item().unwrap(), Some(item));
            assert_eq!(reader.line_number(), index as u64 + 1);
        }
        assert_eq!(reader.next_item().unwrap(), None);
        assert_eq!(reader.next_item().unwrap(), None);
        assert_eq!(reader.line_number(), 12);
    }

    #[test]
    fn numbers_at_their_limits_survive() {
        let lines = "h 18446744073709551615 255 \"\" \"\"\n\
             r 18446744073709551615 4294967295 ffffffffffffffff ffffffffffffffff \
             18446744073709551615 4294967295\n\
             g 0 0 4294967295 -9223372036854775808\n\
             g 0 0 0 9223372036854775807\n\
             g 0 0 0 0\n\
             a 9 99 f 100 1000\n\
             s 4294967295 4294967295 ffffffffffffffff\n";
        assert_eq!(rewrite(lines.as_bytes()).unwrap(), lines);
        let zeros = "a 00000000000000000000000000 0 0000000000000000000000F 0001 0\n";
        assert_eq!(rewrite(zeros.as_bytes()).unwrap(), "a 0 0 f 1 0\n");
    }

    #[test]
    fn line_ends_comments_and_empty_lines() {
        let text = "# one\r\n\r\n\nm 1 2 3\r\n#\nd scope 1\nd scope 1 \nd mark 1  a \r\nm 4 5 6";
        let expected = "m 1 2 3\nd scope 1\nd scope 1\nd mark 1  a \nm 4 5 6\n";
        assert_eq!(rewrite(text.as_bytes()).unwrap(), expected);
        assert_eq!(rewrite(&b""[..]).unwrap(), "");
        assert_eq!(rewrite(&b"# nothing"[..]).unwrap(), "");
    }

    #[test]
    fn texts_are_escaped_only_where_they_must_be() {
        let text = "\\ \n \r \t \0 \u{7f} \u{85} \" ä ❤ \u{10ffff} ";
        let item = |text| {
            let name = Name { kind: NameKind::Variable, id: 1, text };
            Item::Definition(Definition::Name(name))
        };
        let mut out = Vec::new();
        write_item(&mut out, &item(text)).unwrap();
        let written = r#"d variable 1 \\ \n \r \u{9} \u{0} \u{7f} \u{85} " ä ❤ "#;
        assert_eq!(str::from_utf8(&out).unwrap(), format!("{written}\u{10ffff} \n"));
        assert_eq!(TextReader::new(&out[..]).next_item().unwrap(), Some(item(text)));
        let lenient = "d variable 1 \\u{00E4}\\\"\t\n";
        assert_eq!(TextReader::new(lenient.as_bytes()).next_item().unwrap(), Some(item("ä\"\t")));
    }

    #[test]
    fn every_split_of_the_input_reads_equal() {
        let lines = documented_lines().replace('\n', "\r\n") + "\r\n# end\nm 1 2 3";
        let whole = rewrite(lines.as_bytes()).unwrap();
        for capacity in 1..=40 {
            let split = rewrite(BufReader::with_capacity(capacity, lines.as_bytes()));
            assert_eq!(split.unwrap(), whole, "capacity {capacity}");
        }
    }

    #[test]
    fn bad_lines_are_named() {
        let time = "expected a time in ticks (decimal, below 2^64)";
        let thread = "expected a thread number (decimal, below 2^32)";
        let address = "expected an address (hex without 0x, below 2^64)";
        let size = "expected a size in bytes (decimal, below 2^64)";
        let site = "expected a site (decimal, below 2^32)";
        let id = "expected the number of a name (decimal, below 2^32)";
        let gauge = "expected the value of a gauge (decimal, from -2^63 to below 2^63)";
        let letter = "expected one of the letters a f r x n g m s d p h, then a space";
        let kind = "expected scope, variable, type, thread, gauge or mark";
        let escape = r#"expected an escape: \\ \" \n \r or \u{hex digits}"#;
        let quoted = "expected a text in double quotes";
        let end = "expected the end of the line";
        for (line, column, found, expected) in [
            ("q 1 2 3", 1, "\"q\"", letter),
            ("A 1 1 1 1 1", 1, "\"A\"", letter),
            ("alloc 1 1 1 1 1", 1, "\"alloc\"", letter),
            (" a 1 1 1 1 1", 1, "\" a 1 1 1 1 1\"", letter),
            ("ä", 1, "\"ä\"", letter),
            ("a", 2, "the end of the line", time),
            ("a ", 3, "the end of the line", time),
            ("a  1 1 1 1 1", 3, "\" 1 1 1 1 1\"", time),
            ("a +1 1 1 1 1", 3, "\"+1\"", time),
            ("a 18446744073709551616 1 1 1 1", 3, "\"18446744073709551616\"", time),
            ("a 1", 4, "the end of the line", thread),
            ("a 1 4294967296 1 1 1", 5, "\"4294967296\"", thread),
            ("a 1 -1 1 1 1", 5, "\"-1\"", thread),
            ("a 1 1 0x10 1 1", 7, "\"0x10\"", address),
            ("a 1 1 xyz 1 1", 7, "\"xyz\"", address),
            ("a 1 1 10000000000000000 1 1", 7, "\"10000000000000000\"", address),
            ("a 1 1 1 1f 1", 9, "\"1f\"", size),
            ("a 1 1 1 1\t1", 9, "\"1\\t1\"", size),
            ("a 1 1 1 1", 10, "the end of the line", site),
            ("a 1 1 1 1 4294967296", 11, "\"4294967296\"", site),
            ("a 1 1 1 1 1 2 3", 13, "\"2\"", end),
            ("a 1 1 1 1 1 ", 12, "\" \"", end),
            ("f 1 1 1 1 1", 11, "\"1\"", end),
            ("f 1 1 1 ", 9, "the end of the line", site),
            ("f 1 1", 6, "the end of the line", address),
            ("r 1 1 1 1 1", 12, "the end of the line", site),
            ("r 1 1 1 g 1 1", 9, "\"g\"", address),
            ("x 1 1 1", 8, "the end of the line", site),
            ("n 1 1 1 1", 10, "the end of the line", id),
            ("g 1 1 1 --1", 9, "\"--1\"", gauge),
            ("g 1 1 1 -", 9, "\"-\"", gauge),
            ("g 1 1 1 -9223372036854775809", 9, "\"-9223372036854775809\"", gauge),
            ("g 1 1 1 9223372036854775808", 9, "\"9223372036854775808\"", gauge),
            ("m 1 1", 6, "the end of the line", id),
            ("s 1 1 1 1", 9, "\"1\"", end),
            ("d thing 1 a", 3, "\"thing\"", kind),
            ("d", 2, "the end of the line", kind),
            ("d scope a b", 9, "\"a\"", id),
            (r"d scope 1 a\t", 12, r#""\\t""#, escape),
            (r"d scope 1 a\", 12, r#""\\""#, escape),
            (r"d scope 1 \u{d800}", 11, r#""\\u{d800}""#, escape),
            (r"d scope 1 \u{110000}", 11, r#""\\u{110000}""#, escape),
            (r"d scope 1 \u{}", 11, r#""\\u{}""#, escape),
            (r"d scope 1 \u{1 }", 11, r#""\\u{1""#, escape),
            (r"d scope 1 \u{41", 11, r#""\\u{41""#, escape),
            (r"d scope 1 \u41", 11, r#""\\u41""#, escape),
            ("h 1 256 \"\" \"\"", 5, "\"256\"", "expected bits in an address (decimal, below 256)"),
            ("h 1 32 a b", 8, "\"a\"", quoted),
            ("h 1 32 \"a\"", 11, "the end of the line", quoted),
            ("h 1 32 \"a\"\"b\"", 11, "\"\\\"b\\\"\"", quoted),
            ("h 1 32 \"a b\\\"", 14, "the end of the line", "expected a closing double quote"),
            ("h 1 32 \"a\" \"b\"xyz", 15, "\"xyz\"", end),
            ("p 1 x a", 5, "\"x\"", size),
        ] {
            let message = format!("line 2, column {column}: found {found}, {expected}");
            assert_eq!(error(format!("#\n{line}\nm 1 1 1\n")), message, "{line:?}");
        }
        assert_eq!(
            error(b"#\nd scope 1 caf\xe9 au\n"),
            "line 2, column 14: found \"\\xe9\", expected text in UTF-8"
        );
    }

    #[test]
    fn an_excerpt_is_bounded() {
        let message = error(format!("#\n{}\n", "z".repeat(60_000)));
        assert!(message.contains(&format!("\"{}\"…", "z".repeat(32))), "{message}");
    }

    #[test]
    fn reading_goes_on_after_a_bad_line() {
        let text = format!("m 1 1\nm 1 1 1\n#{}\nm 1 1 2\n", "x".repeat(3 * MAX_LINE));
        let mut reader = TextReader::new(text.as_bytes());
        assert!(matches!(reader.next_item(), Err(TextError::Line { line: 1, .. })));
        assert!(matches!(reader.next_item(), Ok(Some(_))));
        let message = reader.next_item().unwrap_err().to_string();
        let expected = "found more than 65536 bytes, expected the end of the line";
        assert_eq!(message, format!("line 3, column 65537: {expected}"));
        assert_eq!(
            reader.next_item().unwrap(),
            Some(Item::Event(Event { time: 1, thread: 1, kind: EventKind::Mark { mark: 2 } }))
        );
    }

    #[test]
    fn the_longest_line_reads_and_a_longer_one_does_not() {
        for end in ["", "\n", "\r\n", "\nm 1 1 1\n"] {
            let name = "x".repeat(MAX_LINE - "d scope 1 ".len());
            let line = format!("d scope 1 {name}{end}");
            assert!(rewrite(line.as_bytes()).unwrap().starts_with(line.trim_end()), "{end:?}");
            assert!(
                error(format!("d scope 1 {name}x{end}")).contains("more than 65536"),
                "{end:?}"
            );
        }
    }

    #[test]
    fn a_line_without_end_is_an_error_of_bounded_cost() {
        let message = rewrite(BufReader::new(io::repeat(b'1'))).unwrap_err().to_string();
        assert!(message.contains("more than 65536 bytes"), "{message}");
        let message = rewrite(BufReader::new(io::repeat(0))).unwrap_err().to_string();
        assert!(message.starts_with("not a text trace"), "{message}");
    }

    #[test]
    fn what_is_not_text_is_called_so() {
        let zstd = b"\x28\xb5\x2f\xfd\x04\x58 rest\n";
        assert_eq!(error(zstd), r#"not a text trace: it begins with "(\xb5/\xfd\x04X rest""#);
        assert!(error(b"a 1 1 1\0\n").starts_with("not a text trace"));
        assert!(error(b"\x7fELF\n").starts_with("not a text trace"));
    }

    #[test]
    fn a_failing_input_keeps_its_cause() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("unplugged"))
            }
        }
        let input = BufReader::new((&b"m 1 1 1\nm 1"[..]).chain(Broken));
        let mut reader = TextReader::new(input);
        assert!(matches!(reader.next_item(), Ok(Some(_))));
        let error = reader.next_item().unwrap_err();
        assert_eq!(error.to_string(), "could not read line 2");
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(cause.as_deref(), Some("unplugged"));
    }

    #[test]
    fn a_name_too_long_for_a_line_is_not_written() {
        let text = "\n".repeat(40_000);
        let name = Name { kind: NameKind::Scope, id: 1, text: &text };
        let mut out = Vec::new();
        let error = write_item(&mut out, &Item::Definition(Definition::Name(name))).unwrap_err();
        assert_eq!(error.to_string(), "a line of 80010 bytes, expected at most 65536");
        assert!(out.is_empty());
    }

    fn kinds() -> impl Strategy<Value = EventKind> {
        let number = || prop_oneof![any::<u64>(), 0..300u64, any::<u64>().prop_map(|n| n >> 30)];
        let id = || prop_oneof![any::<u32>(), 0..3u32];
        prop_oneof![
            (number(), number(), id()).prop_map(|(address, size, site)| EventKind::Alloc {
                address,
                size,
                site
            }),
            (number(), id()).prop_map(|(address, site)| EventKind::Free { address, site }),
            (number(), number(), number(), id()).prop_map(|(old, address, size, site)| {
                EventKind::Realloc { old, address, size, site }
            }),
            (number(), id()).prop_map(|(size, site)| EventKind::FailedAlloc { size, site }),
            (number(), id(), id()).prop_map(|(address, variable, type_name)| {
                EventKind::Name { address, variable, type_name }
            }),
            (id(), any::<i64>()).prop_map(|(gauge, value)| EventKind::Gauge { gauge, value }),
            id().prop_map(|mark| EventKind::Mark { mark }),
        ]
    }

    proptest! {
        #[test]
        fn events_round_trip(time: u64, thread: u32, kind in kinds()) {
            let item = Item::Event(Event { time, thread, kind });
            let mut line = Vec::new();
            write_item(&mut line, &item).unwrap();
            let mut reader = TextReader::new(&line[..]);
            prop_assert_eq!(reader.next_item().unwrap(), Some(item));
        }

        #[test]
        fn definitions_round_trip(
            kind in prop::sample::select(&NAME_KINDS[..]),
            (id, parent, address_bits) in any::<(u32, u32, u8)>(),
            (start, size) in any::<(u64, u64)>(),
            (one, two) in any::<(String, String)>(),
        ) {
            let definitions = [
                Definition::Node(Node { id, parent, ip: start }),
                Definition::Name(Name { kind, id, text: &one }),
                Definition::Region(Region { start, size, name: &two }),
                Definition::Session(Session {
                    device: &one,
                    build: &two,
                    ticks_per_second: size,
                    address_bits,
                }),
            ];
            let mut lines = Vec::new();
            for definition in definitions {
                write_item(&mut lines, &Item::Definition(definition)).unwrap();
            }
            let mut reader = TextReader::new(&lines[..]);
            for definition in definitions {
                prop_assert_eq!(reader.next_item().unwrap(), Some(Item::Definition(definition)));
            }
            prop_assert_eq!(reader.next_item().unwrap(), None);
        }

        #[test]
        fn any_bytes_read_without_panic(bytes: Vec<u8>, letter in "[afrxngmsdph] [ -~\n]{0,40}") {
            for input in [&bytes[..], &[letter.as_bytes(), &bytes].concat()] {
                let mut reader = TextReader::new(input);
                while !matches!(reader.next_item(), Ok(None)) {}
                prop_assert!(reader.line_number() <= input.len() as u64);
            }
        }
    }
}
