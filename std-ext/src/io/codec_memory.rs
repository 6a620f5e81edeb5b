//! How much memory codecs take, before they take it.

use super::codec::Compression;

/// The most that Zstd's context takes to compress inputs of up to so many bytes, in KiB, by level from
/// 1 to 22, rounded down: what the library says of contexts that compressed such inputs. It has no stable function
/// that says so before.
const ZSTD_KIB: [(usize, [u32; 22]); 8] = [
    (
        16 << 10,
        [
            213, 213, 277, 213, 213, 213, 213, 213, 277, 277, 422, 501, 501, 565, 565, 565, 565,
            565, 565, 565, 565, 565,
        ],
    ),
    (
        64 << 10,
        [
            297, 393, 649, 1033, 905, 905, 905, 905, 905, 905, 1289, 1289, 1434, 1749, 1749, 1749,
            1749, 1749, 1749, 1749, 1749, 1749,
        ],
    ),
    (
        128 << 10,
        [
            537, 633, 889, 1529, 1145, 1145, 1145, 1145, 1145, 1145, 1529, 2041, 2186, 2816, 2816,
            2816, 2816, 2816, 2816, 2816, 2816, 2816,
        ],
    ),
    (
        256 << 10,
        [
            569, 633, 1017, 1529, 1785, 3065, 3065, 3065, 3065, 3065, 3577, 4601, 3722, 4352, 4352,
            5376, 5376, 5376, 5376, 5376, 5376, 5376,
        ],
    ),
    (
        512 << 10,
        [
            569, 761, 1273, 2553, 3065, 3065, 5625, 5625, 5625, 5625, 5625, 5625, 8697, 8697, 8697,
            8842, 8842, 9472, 9472, 9472, 9472, 9472,
        ],
    ),
    (
        1 << 20,
        [
            569, 761, 1273, 2553, 3065, 3065, 5625, 5625, 10745, 10745, 10745, 10745, 16889, 16889,
            16889, 17034, 17034, 17664, 17664, 17664, 17664, 17664,
        ],
    ),
    (
        4 << 20,
        [
            569, 761, 1273, 2553, 3065, 3065, 5625, 5625, 10745, 20985, 20985, 41465, 33273, 49657,
            66041, 33418, 49802, 50432, 50432, 66816, 66816, 66816,
        ],
    ),
    (
        16 << 20,
        [
            569, 761, 1273, 2553, 3065, 3065, 5625, 5625, 10745, 20985, 20985, 41465, 33273, 49657,
            66041, 33418, 49802, 50432, 83200, 165_120, 197_888, 263_424,
        ],
    ),
];

/// A context before its first input.
const ZSTD_IDLE: usize = 8 << 10;
/// What decompresses Zstd.
const ZSTD_DECOMPRESSION: usize = 160 << 10;
/// The table of LZ4, for as long as it compresses.
const LZ4_TABLE: usize = 16 << 10;

/// Buffers of a compressor: steps apart, what the parts became, and the payload they become, each while it grows.
const BUFFERS: usize = 6;
/// Buffers of a decompressor: the payload, and steps apart; the same.
const UNPACKING_BUFFERS: usize = 4;

/// The most bytes that compressing chunks of up to `chunk` bytes takes, what was made of the last one
/// included. Whatever costs less takes no more.
pub(crate) fn compression(compression: Compression, chunk: usize) -> usize {
    let context = match compression {
        Compression::None => 0,
        Compression::Lz4 => LZ4_TABLE,
        Compression::Zstd { level } => zstd(level, chunk),
    };
    context + ZSTD_IDLE + BUFFERS * chunk
}

/// The most bytes that unpacking chunks of up to `chunk` bytes takes.
pub(crate) fn decompression(chunk: usize) -> usize {
    ZSTD_DECOMPRESSION + UNPACKING_BUFFERS * chunk
}

fn zstd(level: i32, input: usize) -> usize {
    let class = ZSTD_KIB.iter().find(|(most, _)| input <= *most).or(ZSTD_KIB.last());
    let by_level = class.map(|(_, by_level)| by_level.iter()).unwrap_or_default();
    let levels = usize::try_from(level).unwrap_or(0);
    by_level.take(levels).max().map_or(0, |&kib| (kib as usize + 1) * 1024)
}

#[cfg(all(test, feature = "zstd"))]
mod tests {
    use super::*;

    /// What a context takes that compressed an input of this length.
    fn measured(level: i32, length: usize) -> usize {
        let input = vec![0; length];
        let mut compressor = zstd::bulk::Compressor::new(level).expect("a level");
        compressor.compress(&input).expect("compresses");
        compressor.context_mut().sizeof()
    }

    #[test]
    fn no_context_takes_more_and_none_of_the_usual_much_less() {
        for length in [1 << 10, 16 << 10, 40 << 10, 64 << 10, 128 << 10, 256 << 10, 1 << 20] {
            for level in [1, 2, 3, 6, 9, 12, 15, 19, 22] {
                let (takes, most) = (measured(level, length), zstd(level, length));
                assert!(takes <= most, "level {level}, {length} bytes: {takes}, planned {most}");
            }
        }
        for (level, length) in [(1, 64 << 10), (3, 64 << 10), (3, 256 << 10), (19, 256 << 10)] {
            let (takes, most) = (measured(level, length), zstd(level, length));
            assert!(takes * 5 > most * 4, "level {level}, {length} bytes: {takes}, planned {most}");
        }
        assert!(measured(3, 16 << 20) <= zstd(3, 16 << 20));
        assert!(
            ZSTD_IDLE > zstd::bulk::Compressor::new(22).expect("a level").context_mut().sizeof()
        );
        assert!(ZSTD_DECOMPRESSION > zstd::zstd_safe::DCtx::create().sizeof());
    }
}
