//! A line that flips bits.

use std::io::{self, Read};

/// Flips each bit that is read with the same chance.
pub(crate) struct NoisyLine<R> {
    line: R,
    random: fastrand::Rng,
    rate: f64,
    /// Bits until the next one that is flipped.
    until_flip: u64,
}

impl<R: Read> NoisyLine<R> {
    /// `rate` is the chance of a bit to be flipped, from 0 to 1; `seed` makes it repeatable.
    pub(crate) fn new(line: R, rate: f64, seed: u64) -> Self {
        let mut noisy = Self { line, random: fastrand::Rng::with_seed(seed), rate, until_flip: 0 };
        noisy.until_flip = noisy.next_distance();
        noisy
    }

    /// How many bits stay right before the next flip: geometrically distributed.
    fn next_distance(&mut self) -> u64 {
        let chance = 1.0 - self.random.f64(); // never 0
        (chance.ln() / (1.0 - self.rate).ln()) as u64 // without noise infinite: as many as there are
    }
}

impl<R: Read> Read for NoisyLine<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.line.read(buffer)?;
        if self.rate <= 0.0 {
            return Ok(read);
        }
        let bits = 8 * read as u64;
        let mut at = 0;
        while self.until_flip < bits - at {
            at += self.until_flip;
            buffer[(at / 8) as usize] ^= 1 << (at % 8);
            at += 1;
            self.until_flip = self.next_distance();
        }
        self.until_flip -= bits - at;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flipped(rate: f64, len: usize) -> u32 {
        let mut bytes = Vec::new();
        let zeros = vec![0; len];
        let mut line = NoisyLine::new(&zeros[..], rate, 7);
        line.read_to_end(&mut bytes).expect("a slice can be read");
        bytes.iter().map(|byte| byte.count_ones()).sum()
    }

    #[test]
    fn flips_about_as_many_bits_as_asked() {
        assert_eq!(flipped(0.0, 100_000), 0);
        assert_eq!(flipped(1.0, 1000), 8000);
        assert!((700..900).contains(&flipped(1e-3, 100_000)), "800 expected");
    }
}
