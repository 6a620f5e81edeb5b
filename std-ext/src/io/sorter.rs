//! Byte strings in the order of a number, and byte strings for later: in memory while they are few, in
//! temporary files when they are more. The files are in the system's folder for such, without names, and
//! go with the process.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

/// Bytes that a sorter has in memory before it writes a run.
const IN_MEMORY: usize = 8 << 20;
/// Runs that are merged at one time, each with a buffer of [`BUFFER`] bytes.
const FAN_IN: usize = 64;
const BUFFER: usize = 32 << 10;
/// Bytes that a spool has in memory before it becomes a file.
const SPOOLED: usize = 1 << 20;

/// Sorts byte strings by number: sorted runs go to files, which are merged. Those of the same number
/// come out in the order in which they came in.
#[derive(Debug)]
pub struct Sorter {
    in_memory: usize,
    fan_in: usize,
    bytes: Vec<u8>,
    /// The number, beginning and length of each string in `bytes`.
    strings: Vec<(u64, usize, usize)>,
    /// Runs, by how often they were merged; those of the first level are the latest.
    levels: Vec<Vec<File>>,
    count: u64,
}

impl Default for Sorter {
    fn default() -> Self {
        Self::new()
    }
}

impl Sorter {
    /// Nothing to sort yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with(IN_MEMORY, FAN_IN)
    }

    fn with(in_memory: usize, fan_in: usize) -> Self {
        let (bytes, strings, levels) = (Vec::new(), Vec::new(), Vec::new());
        Self { in_memory, fan_in, bytes, strings, levels, count: 0 }
    }

    /// How many strings there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds a string of at most 4 GiB.
    ///
    /// # Errors
    /// When a temporary file cannot be written.
    pub fn push(&mut self, number: u64, string: &[u8]) -> io::Result<()> {
        let taken = self.bytes.len() + self.strings.len() * size_of::<(u64, usize, usize)>();
        if taken + string.len() > self.in_memory && !self.strings.is_empty() {
            self.write_run()?;
        }
        self.strings.push((number, self.bytes.len(), string.len()));
        self.bytes.extend_from_slice(string);
        self.count += 1;
        Ok(())
    }

    /// Hands all out, sorted.
    ///
    /// # Errors
    /// The first error of `each`, or of a temporary file.
    pub fn for_each<E: From<io::Error>>(
        mut self,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.levels.is_empty() {
            self.sort();
            return self.strings().try_for_each(|(number, string)| each(number, string));
        }
        self.write_run()?;
        (self.bytes, self.strings) = (Vec::new(), Vec::new());
        // The oldest first.
        let mut runs: Vec<File> = self.levels.into_iter().rev().flatten().collect();
        while runs.len() > self.fan_in {
            let merged = merge_to_file(runs.drain(..self.fan_in).collect())?;
            runs.insert(0, merged);
        }
        merge(runs, each)
    }

    fn sort(&mut self) {
        // Mostly they are nearly sorted, which a stable sort finds out.
        self.strings.sort_by_key(|(number, _, _)| *number);
    }

    fn strings(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.strings.iter().map(|&(number, from, length)| {
            (number, self.bytes.get(from..from + length).unwrap_or_default())
        })
    }

    fn write_run(&mut self) -> io::Result<()> {
        self.sort();
        let mut run = Run::create()?;
        self.strings().try_for_each(|(number, string)| run.write(number, string))?;
        self.bytes.clear();
        self.strings.clear();
        self.add(run.finish()?, 0)
    }

    /// Adds a run, and merges those of a level that is full.
    fn add(&mut self, run: File, level: usize) -> io::Result<()> {
        if self.levels.len() <= level {
            self.levels.push(Vec::new());
        }
        let Some(runs) = self.levels.get_mut(level) else { return Ok(()) };
        runs.push(run);
        if runs.len() < self.fan_in {
            return Ok(());
        }
        let full = std::mem::take(runs);
        let merged = merge_to_file(full)?;
        self.add(merged, level + 1)
    }
}

/// A run being written.
struct Run(BufWriter<File>);

impl Run {
    fn create() -> io::Result<Self> {
        Ok(Self(BufWriter::with_capacity(BUFFER, tempfile::tempfile()?)))
    }

    fn write(&mut self, number: u64, string: &[u8]) -> io::Result<()> {
        let length = u32::try_from(string.len()).map_err(io::Error::other)?;
        self.0.write_all(&number.to_le_bytes())?;
        self.0.write_all(&length.to_le_bytes())?;
        self.0.write_all(string)
    }

    fn finish(self) -> io::Result<File> {
        let mut file = self.0.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }
}

/// A run being read, and the string that it goes on with.
struct Reading {
    input: BufReader<File>,
    string: Vec<u8>,
}

impl Reading {
    /// Reads the next string; its number, or `None` at the end.
    fn next(&mut self) -> io::Result<Option<u64>> {
        let mut head = [0; 12];
        if self.input.read(&mut head[..1])? == 0 {
            return Ok(None);
        }
        self.input.read_exact(&mut head[1..])?;
        let [a, b, c, d, e, f, g, h, length @ ..] = head;
        self.string.resize(u32::from_le_bytes(length) as usize, 0);
        self.input.read_exact(&mut self.string)?;
        Ok(Some(u64::from_le_bytes([a, b, c, d, e, f, g, h])))
    }
}

fn merge_to_file(runs: Vec<File>) -> io::Result<File> {
    let mut merged = Run::create()?;
    merge(runs, |number, string| merged.write(number, string))?;
    merged.finish()
}

fn merge<E: From<io::Error>>(
    runs: Vec<File>,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut turns = BinaryHeap::new();
    let mut readings = Vec::new();
    for (at, run) in runs.into_iter().enumerate() {
        let input = BufReader::with_capacity(BUFFER, run);
        let mut reading = Reading { input, string: Vec::new() };
        turns.extend(reading.next()?.map(|number| Reverse((number, at))));
        readings.push(reading);
    }
    while let Some(Reverse((number, at))) = turns.pop() {
        let Some(reading) = readings.get_mut(at) else { break };
        each(number, &reading.string)?;
        turns.extend(reading.next()?.map(|number| Reverse((number, at))));
    }
    Ok(())
}

/// Bytes for later: written now, read when all are there.
#[derive(Debug)]
pub struct Spool {
    out: BufWriter<SpooledTempFile>,
    count: u64,
}

impl Default for Spool {
    fn default() -> Self {
        Self::new()
    }
}

impl Spool {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let out = BufWriter::with_capacity(BUFFER, SpooledTempFile::new(SPOOLED));
        Self { out, count: 0 }
    }

    /// Adds a string.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub fn push(&mut self, string: &[u8]) -> io::Result<()> {
        self.count += 1;
        self.out.write_all(string)
    }

    /// How many strings there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All the strings, one behind the other.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub fn into_reader(self) -> io::Result<BufReader<SpooledTempFile>> {
        let mut file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(BufReader::with_capacity(BUFFER, file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out of a sorter with so much memory.
    fn sorted(numbers: impl Iterator<Item = u64>, in_memory: usize) -> Vec<(u64, Vec<u8>)> {
        let mut sorter = Sorter::with(in_memory, 4);
        for (at, number) in numbers.enumerate() {
            sorter.push(number, format!("{number} {at}").as_bytes()).unwrap();
        }
        let mut all = Vec::new();
        let each = |number, string: &[u8]| {
            all.push((number, string.to_vec()));
            Ok::<_, io::Error>(())
        };
        sorter.for_each(each).unwrap();
        all
    }

    #[test]
    fn any_memory_sorts_the_same() {
        let numbers = || (0..9_000_u64).map(|i| i * i % 1_009);
        let mut expected: Vec<(u64, Vec<u8>)> =
            (0..).zip(numbers()).map(|(at, n): (u64, _)| (n, format!("{n} {at}").into())).collect();
        expected.sort_by_key(|(number, _)| *number);
        // The least makes more runs than are merged at one time, several times over.
        for in_memory in [2_000, 10_000, 100_000, IN_MEMORY] {
            assert!(sorted(numbers(), in_memory) == expected, "{in_memory} bytes");
        }
        assert_eq!(sorted(std::iter::empty(), 10), []);
    }

    #[test]
    fn a_spool_gives_back_what_it_was_given() {
        let mut spool = Spool::new();
        let string = [7; 1000];
        for _ in 0..3 * SPOOLED / string.len() {
            spool.push(&string).unwrap();
        }
        let count = spool.count() as usize;
        let mut back = Vec::new();
        spool.into_reader().unwrap().read_to_end(&mut back).unwrap();
        assert_eq!(back, string.repeat(count));
    }
}
