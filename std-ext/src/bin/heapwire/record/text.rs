//! Text that a device prints between its frames: to standard error, or as it is to a file.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use heapwire::trace::symbols::escaped;

use super::display::Display;
use crate::failure::Failure;

/// Bytes of a line that wait for its end at most.
const LONGEST_LINE: usize = 4096;

pub(super) enum TextOutput {
    /// Lines, escaped; the last is not complete.
    Lines(String),
    File(PathBuf, File),
}

impl TextOutput {
    pub(super) fn new(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::Lines(String::new())) };
        let file = File::create(path).map_err(Failure::io("create", path))?;
        Ok(Self::File(path.to_owned(), file))
    }

    pub(super) fn write(&mut self, text: &str, display: &Display) -> Result<(), Failure> {
        match self {
            Self::File(path, file) => {
                file.write_all(text.as_bytes()).map_err(Failure::io("write", path))
            }
            Self::Lines(last) => {
                last.push_str(text);
                while let Some(end) = last.find('\n') {
                    display.print(&shown(&last[..end]));
                    last.drain(..=end);
                }
                if last.len() > LONGEST_LINE {
                    display.print(&shown(last));
                    last.clear();
                }
                Ok(())
            }
        }
    }

    /// Prints what no line end followed.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        if let Self::Lines(last) = self
            && !last.is_empty()
        {
            eprintln!("{}", shown(last));
            last.clear();
        }
        Ok(())
    }
}

/// A device's line: tabs stay, all else that could move a cursor is escaped.
fn shown(line: &str) -> String {
    let line = line.strip_suffix('\r').unwrap_or(line);
    line.split('\t').map(|part| escaped(part).to_string()).collect::<Vec<_>>().join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_cannot_paint_the_terminal() {
        assert_eq!(shown("temp\t21 °C\r"), "temp\t21 °C");
        let painted = shown("\u{1b}[2Jgone");
        assert!(!painted.contains('\u{1b}') && painted.contains("gone"), "{painted}");
    }
}
