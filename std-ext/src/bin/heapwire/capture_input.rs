//! The capture to read: a file or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::failure::{Failure, is_stdio};

/// Opens the capture at `path`, `-` for standard input.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, Failure> {
    if is_stdio(path) {
        return Ok(Box::new(io::stdin().lock()));
    }
    let cannot = |what: String| Failure::Other(format!("cannot open {path:?}: {what}"));
    let file = File::open(path).map_err(|error| cannot(error.to_string()))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(cannot("it is a directory".to_owned())),
        _ => Ok(Box::new(file)),
    }
}
