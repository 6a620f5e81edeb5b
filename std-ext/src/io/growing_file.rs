//! A file that grows piece by piece, each of which makes it whole again: what a recording that may be
//! killed at any moment is written to.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::atomic_file::AtomicFile;

/// A file to be, of which nothing is there before its first piece. That takes the place of an older file at
/// once, as an [`AtomicFile`] does; the others are appended.
#[derive(Debug)]
pub struct GrowingFile {
    path: PathBuf,
    file: Option<File>,
    len: u64,
}

impl GrowingFile {
    /// The file that shall be at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), file: None, len: 0 }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes; 0 when it is not there.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written, so that an older file is still there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.file.is_none()
    }

    /// Adds a piece in one go: whoever reads the file, or finds it after this process was killed, sees all
    /// pieces before it whole.
    ///
    /// # Errors
    /// When it cannot be written. As far as the operating system lets us, nothing of the piece is then
    /// in the file.
    pub fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        match &mut self.file {
            None => {
                let mut first = AtomicFile::create(&self.path)?;
                first.write_all(piece)?;
                first.commit()?;
                self.file = Some(OpenOptions::new().append(true).open(&self.path)?);
            }
            Some(file) => {
                if let Err(error) = file.write_all(piece) {
                    let _ = file.set_len(self.len); // the error to be told is the first one
                    return Err(error);
                }
            }
        }
        self.len += piece.len() as u64;
        Ok(())
    }

    /// Writes all through to the disk.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn an_older_file_stays_until_the_first_piece() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture");
        fs::write(&path, "older").unwrap();
        let mut file = GrowingFile::new(&path);
        assert!(file.is_empty());
        assert_eq!(fs::read(&path).unwrap(), b"older");
        for (piece, whole) in [("one", "one"), (" two", "one two"), ("", "one two")] {
            file.append(piece.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), whole);
            assert_eq!(file.len(), whole.len() as u64);
        }
        file.sync().unwrap();
        assert!(GrowingFile::new(folder.path()).append(b"x").is_err());
    }
}
