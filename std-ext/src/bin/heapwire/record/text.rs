//! Text that a device prints between its frames: to standard error, or as it is to a file.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use heapwire::trace::symbols::escaped;

use super::display::Display;
use crate::failure::Failure;

/// Bytes of a line that wait for its end at most.
const LONGEST_LINE: usize = 4096;

/// Where it goes.
pub(super) enum TextOutput {
    /// Lines, escaped; the last is not complete.
    Lines(String),
    /// The text and nothing else.
    File(PathBuf, File),
    /// All that is no chunk, with the zeros behind it: frames of defmt's rzCOBS.
    Defmt(PathBuf, File),
}

impl TextOutput {
    pub(super) fn new(text: Option<&Path>, defmt: Option<&Path>) -> Result<Self, Failure> {
        let create = |path: &Path| {
            File::create(path)
                .map(|file| (path.to_owned(), file))
                .map_err(Failure::io("create", path))
        };
        match (text, defmt) {
            (_, Some(path)) => create(path).map(|(path, file)| Self::Defmt(path, file)),
            (Some(path), None) => create(path).map(|(path, file)| Self::File(path, file)),
            (None, None) => Ok(Self::Lines(String::new())),
        }
    }

    pub(super) fn text(
        &mut self,
        text: &str,
        ends: bool,
        display: &Display,
    ) -> Result<(), Failure> {
        match self {
            Self::File(path, file) => write(path, file, &[text.as_bytes()]),
            Self::Defmt(path, file) => {
                let zero: &[u8] = if ends { &[0] } else { &[] };
                write(path, file, &[text.as_bytes(), zero])
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

    /// What is neither text nor a chunk.
    pub(super) fn other(&mut self, piece: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Defmt(path, file) => write(path, file, &[piece, &[0]]),
            Self::Lines(_) | Self::File(..) => Ok(()),
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

fn write(path: &Path, file: &mut File, pieces: &[&[u8]]) -> Result<(), Failure> {
    file.write_all(&pieces.concat()).map_err(Failure::io("write", path))
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
