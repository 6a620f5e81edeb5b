//! The text trace to import: a file or standard input, plain or compressed, with a progress bar on a
//! terminal.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::{Failure, is_stdio};

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// What compressed files begin with: at most [`LONGEST_MAGIC`] bytes.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
const LONGEST_MAGIC: usize = 4;

/// Opens the input at `path`, `-` for standard input. The bar counts its bytes as they are stored; it
/// is hidden when standard error is no terminal.
pub(crate) fn open(path: &Path) -> Result<(Box<dyn BufRead>, ProgressBar), Failure> {
    let (raw, length): (Box<dyn Read>, Option<u64>) = if is_stdio(path) {
        (Box::new(io::stdin().lock()), None)
    } else {
        let file = File::open(path).map_err(|error| cannot("open", path, &error))?;
        let metadata = file.metadata().map_err(|error| cannot("open", path, &error))?;
        if metadata.is_dir() {
            return Err(Failure::Other(format!("cannot read {path:?}: it is a directory")));
        }
        (Box::new(file), Some(metadata.len()).filter(|_| metadata.is_file()))
    };
    let bar = progress_bar(length);
    let mut raw = bar.wrap_read(raw);
    let start = beginning(&mut raw).map_err(|error| cannot("read", path, &error))?;
    let compressed = |magic: &[u8]| start.starts_with(magic);
    let (is_zstd, is_gzip) = (compressed(&ZSTD_MAGIC), compressed(&GZIP_MAGIC));
    let raw = BufReader::with_capacity(BUFFER, Cursor::new(start).chain(raw));
    let input: Box<dyn BufRead> = if is_zstd {
        zstd_input(raw, path)?
    } else if is_gzip {
        Box::new(BufReader::with_capacity(BUFFER, flate2::bufread::MultiGzDecoder::new(raw)))
    } else {
        Box::new(raw)
    };
    Ok((input, bar))
}

/// The first bytes, as many as tell what the input is. A pipe may bring them one by one.
fn beginning(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(LONGEST_MAGIC);
    input.take(LONGEST_MAGIC as u64).read_to_end(&mut start)?;
    Ok(start)
}

#[cfg(feature = "zstd")]
fn zstd_input(raw: impl BufRead + 'static, path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    let decoder = zstd::stream::read::Decoder::with_buffer(raw);
    let decoder = decoder.map_err(|error| cannot("unpack", path, &error))?;
    Ok(Box::new(BufReader::with_capacity(BUFFER, decoder)))
}

#[cfg(not(feature = "zstd"))]
fn zstd_input(_: impl BufRead + 'static, path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    Err(Failure::Other(format!(
        "cannot unpack {path:?}: heapwire was built without its feature `zstd`"
    )))
}

fn cannot(action: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::Other(format!("cannot {action} {path:?}: {error}"))
}

/// A bar over `length` bytes, or a count of them when it is not known.
fn progress_bar(length: Option<u64>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => {
            (ProgressBar::new(length), "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {bytes_per_sec}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
