//! The format itself, and every number of it, once. A test holds text and numbers together.
//!
#![doc = include_str!("../FORMAT.md")]

/// The high nibble of a chunk's first byte.
pub const CHUNK_MAGIC: u8 = 0xB0;
/// The format version that this crate writes: the low nibble of a chunk's first byte.
pub const VERSION: u8 = 1;
/// The oldest version that this crate reads.
pub const OLDEST_VERSION: u8 = 1;

/// Bytes of the smallest storage in which building chunks is worth while; not enforced.
pub const MIN_CHUNK: usize = 64;
/// Bytes of the largest chunk, stored or unpacked: a reader allocates no more than this for one.
pub const MAX_CHUNK: usize = 16 << 20;
/// Chunks whose storage is larger than this many bytes have 4-byte lengths, others 2-byte ones.
pub const MAX_NARROW: usize = 0xFFFF;
/// Bytes of the CRC-32 that ends a chunk.
pub const CRC_LEN: usize = 4;
/// The longest header: the fixed part, a byte of bits, twelve varints, the model.
pub const MAX_HEADER: usize = 11 + 12 * crate::varint::MAX_VARINT + MODEL_LEN;
/// Bytes that state the model's tables when they are not a preset.
pub const MODEL_LEN: usize = 11;

/// The largest table of a model: 2 to this many entries.
pub const MAX_TABLE_BITS: u8 = 16;
/// The longest name or other text in a definition, in bytes.
pub const MAX_TEXT: usize = 1024;

/// Bytes that separate frames on a line.
pub const FRAME_DELIMITER: u8 = 0;

/// The first bytes of a capture. As in PNG: a byte that is no text, a name, and line ends that a
/// transfer as text would change.
pub const CAPTURE_MAGIC: [u8; 8] = [0x89, b'H', b'W', b'C', b'\r', b'\n', 0x1a, b'\n'];
/// The version of captures that this crate describes, in their file header.
pub const CAPTURE_VERSION: u16 = 1;
/// Bytes of a capture's file header: magic, version, layout hint, reserved byte, CRC-32.
pub const CAPTURE_HEADER_LEN: usize = 16;
/// An index chunk is written after at most this many chunks of events and definitions.
pub const INDEX_EVERY: usize = 4096;
/// The most streams that an end chunk tells of.
pub const MAX_STREAMS: usize = 1 << 16;
/// The last bytes of a complete capture, behind the length of its end chunk.
pub const END_MAGIC: [u8; 4] = *b"HWE\n";
/// Bytes behind an end chunk: its length in 4 bytes, [`END_MAGIC`].
pub const END_TAIL_LEN: usize = 8;

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;
    use crate::lanes::{COLUMN_COUNT, Lane, columns, rows};
    use crate::shape::ModelSpec;
    use crate::tag::Tag;

    const TEXT: &str = include_str!("../FORMAT.md");

    /// The cells of the table after `mark`, without its heading.
    fn table(mark: &str) -> Vec<Vec<&'static str>> {
        let (_, after) = TEXT.split_once(mark).expect(mark);
        let rows = after.lines().skip_while(|line| !line.starts_with("|---"));
        let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
        rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
    }

    fn number(cell: &str) -> u64 {
        cell.parse().expect(cell)
    }

    /// The numbers of the table's first row, but for its first cell.
    fn numbers(mark: &str) -> Vec<u64> {
        table(mark)[0][1..].iter().map(|cell| number(cell)).collect()
    }

    #[test]
    fn limits_are_those_of_the_text() {
        let limits = [
            ("MIN_CHUNK", MIN_CHUNK),
            ("MAX_CHUNK", MAX_CHUNK),
            ("MAX_NARROW", MAX_NARROW),
            ("MAX_HEADER", MAX_HEADER),
            ("MODEL_LEN", MODEL_LEN),
            ("CRC_LEN", CRC_LEN),
            ("MAX_TABLE_BITS", MAX_TABLE_BITS.into()),
            ("MAX_TEXT", MAX_TEXT),
            ("INDEX_EVERY", INDEX_EVERY),
            ("MAX_STREAMS", MAX_STREAMS),
            ("CAPTURE_HEADER_LEN", CAPTURE_HEADER_LEN),
            ("END_TAIL_LEN", END_TAIL_LEN),
        ];
        let stated = table("## Limits");
        assert_eq!(stated.len(), limits.len());
        for (row, (name, value)) in stated.iter().zip(limits) {
            assert_eq!((row[0], number(row[1])), (name, value as u64));
        }
        let longest = std::format!("18 to {} with its checksum", MAX_HEADER + CRC_LEN);
        let unpacked = std::format!("unpacked is at most {MAX_CHUNK} bytes");
        let index = std::format!("at most {INDEX_EVERY} chunks");
        for words in [longest, unpacked, index] {
            assert!(TEXT.contains(&words), "{words}");
        }
    }

    #[test]
    fn the_version_is_that_of_the_text() {
        assert!(TEXT.starts_with(&std::format!("# The heapwire format, version {VERSION}\n")));
        assert_eq!(table("## Version history").last().expect("a version")[0], VERSION.to_string());
        assert_eq!((CHUNK_MAGIC, OLDEST_VERSION), (0xB0, 1));
        let version = &table("## Captures")[1];
        assert_eq!(version[3], CAPTURE_VERSION.to_string());
    }

    #[test]
    fn magic_numbers_are_those_of_the_text() {
        let hex = |bytes: &[u8]| {
            let bytes: Vec<_> = bytes.iter().map(|byte| std::format!("{byte:02x}")).collect();
            std::format!("`{}`", bytes.join(" "))
        };
        assert!(TEXT.contains(&hex(&CAPTURE_MAGIC)));
        assert!(TEXT.contains(&hex(&END_MAGIC)));
        assert_eq!(FRAME_DELIMITER, 0);
    }

    #[test]
    fn presets_are_those_of_the_text() {
        let stated = table("## Model spec");
        let presets =
            [ModelSpec::EMBEDDED, ModelSpec::DESKTOP, ModelSpec::FAST, ModelSpec::LINKED_LIST];
        for (column, preset) in (2..).zip(presets) {
            let ModelSpec { shape, placement } = preset;
            let fields = [
                shape.blocks,
                shape.contexts,
                shape.sizes,
                shape.lists,
                shape.holes,
                shape.threads,
                placement.granule_bits,
                placement.overhead,
                placement.least_granules,
                placement.address_bits,
            ];
            let stated: Vec<_> = stated.iter().map(|row| number(row[column])).collect();
            assert_eq!(stated, fields.map(u64::from));
        }
        assert!(stated[..6].iter().all(|row| number(row[6]) == MAX_TABLE_BITS.into()));
    }

    #[test]
    fn common_tags_and_first_scales_are_those_of_the_text() {
        let codes = rows::COMMON.map(|(_, code)| std::format!("{code:b}").split_off(1));
        assert!(TEXT.contains(&std::format!("| code | {} |\n", codes.join(" | "))));
        assert_eq!(numbers("| code "), rows::COMMON.map(|(tag, _)| u64::from(tag)));
        assert_eq!(numbers("| nibble "), columns::COMMON.map(u64::from));
        assert_eq!(numbers("| lane | 0 thread"), rows::FIRST_SCALES.map(u64::from));
    }

    #[test]
    fn tags_are_those_of_the_text() {
        let ranges: Vec<(u64, u64)> = table("## Tags")
            .iter()
            .map(|row| row[0].split_once(" to ").unwrap_or((row[0], row[0])))
            .map(|(first, last)| (number(first), number(last)))
            .collect();
        let kind = |number: u64| match Tag(number as u8) {
            tag if tag < Tag::FREE => 0,
            tag if tag < Tag::FREE_AT => 1,
            tag if tag < Tag::NAME => 2,
            tag if tag < Tag::REALLOC => 3,
            tag if tag < Tag::FAILED_ALLOC => 4,
            Tag::FAILED_ALLOC => 5,
            Tag::GAUGE => 6,
            Tag::MARK => 7,
            Tag::SWITCH => 8,
            Tag::BACK => 9,
            _ => 10,
        };
        let stated = ranges.iter().enumerate();
        let stated = stated.flat_map(|(kind, (first, last))| (*first..=*last).map(move |_| kind));
        assert!((0..=255).map(kind).eq(stated));
    }

    #[test]
    fn lanes_are_as_many_as_in_the_text() {
        let stated = table("| lane | holds |");
        assert_eq!(stated.len(), COLUMN_COUNT);
        let names = ["thread", "site", "size", "address", "depth", "ago", "other"];
        assert_eq!(names.len(), Lane::COUNT);
        for (at, (row, name)) in stated[3..].iter().zip(names).enumerate() {
            assert!(row[0].starts_with(&std::format!("{} {name}", at + 3)), "{}", row[0]);
        }
    }
}
