//! defmt's log lines among the frames.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSymbol};

/// Decodes what was on the line besides frames and text as the log line of each round; how many there are.
pub(crate) fn check(image: &Path, logged: &[Vec<u8>]) -> Result<usize> {
    let elf = fs::read(image).with_context(|| format!("read {}", image.display()))?;
    let file = object::File::parse(&*elf).context("parse the image")?;
    // A line is known by the address of a symbol whose name has its text.
    let is_line = |name: &str| name.contains("\"round {=u32}: {=usize} bytes in use\"");
    let mut symbols = file.symbols();
    let line = symbols.find(|symbol| symbol.name().is_ok_and(is_line));
    let index = line.context("the image has no such log line")?.address() as u16;
    for (round, bytes) in (0_u32..).zip(logged) {
        let line = rzcobs::decode(bytes).ok().with_context(|| format!("no log: {bytes:x?}"))?;
        // Index, time, round, bytes in use; and zeros, as rzCOBS ends at no certain byte.
        let (found, rest) = (line.get(..2), line.get(10..14));
        ensure!(
            found == Some(&index.to_le_bytes()) && rest == Some(&round.to_le_bytes()),
            "round {round} logs {line:x?}"
        );
    }
    Ok(logged.len())
}
