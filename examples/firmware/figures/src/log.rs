//! defmt's log lines among the frames.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use defmt_decoder::Table;

/// Decodes what was on the line besides frames and text, as log lines of this image; how many there are.
pub(crate) fn check(image: &Path, logged: &[Vec<u8>]) -> Result<usize> {
    let elf = fs::read(image).with_context(|| format!("read {}", image.display()))?;
    let table = Table::parse(&elf)?.context("the image has no log")?;
    let mut lines = 0;
    for bytes in logged {
        let mut decoder = table.new_stream_decoder();
        decoder.received(bytes);
        decoder.received(&[0]);
        let frame = decoder.decode().with_context(|| format!("a log line: {bytes:x?}"))?;
        let message = frame.display_message().to_string();
        ensure!(
            message.starts_with(&format!("round {lines}: ")),
            "log line {lines} says {message:?}"
        );
        lines += 1;
    }
    Ok(lines)
}
