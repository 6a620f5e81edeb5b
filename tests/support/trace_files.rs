//! The recorded traces: those in this repository, and longer ones where there are any.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The environment variable that names a folder with longer recordings.
pub const FOLDER_VARIABLE: &str = "HEAPWIRE_TRACES";

/// The names of the recorded traces. `firmware_2000` is made, and not among them.
pub const NAMES: [&str; 5] =
    ["cargo_metadata", "git_log_p", "jq_doc", "rg_mt_realtime", "sqlite3_20k"];

/// A recorded trace.
#[derive(Clone, Debug)]
pub struct TraceFile {
    /// Which program.
    pub name: &'static str,
    /// Whether it is from the folder of longer recordings.
    pub is_long: bool,
    /// Where it is.
    pub path: PathBuf,
}

impl TraceFile {
    /// Its text, unpacked.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let file = fs::File::open(&self.path).unwrap_or_else(|e| panic!("{:?}: {e}", self.path));
        let mut text = Vec::new();
        zstd::Decoder::new(file).and_then(|mut d| d.read_to_end(&mut text)).expect("Zstd");
        text
    }
}

/// The traces of this repository.
#[must_use]
pub fn committed() -> Vec<TraceFile> {
    in_folder(&folder(), false)
}

/// The longer traces; none when the environment does not say where they are.
#[must_use]
pub fn long() -> Vec<TraceFile> {
    let folder = std::env::var_os(FOLDER_VARIABLE);
    folder.map(|folder| in_folder(Path::new(&folder), true)).unwrap_or_default()
}

/// The text of the made-up trace of a microcontroller.
#[must_use]
pub fn firmware() -> Vec<u8> {
    fs::read(folder().join("firmware_2000.trace")).expect("the file is in the repository")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("traces")
}

fn in_folder(folder: &Path, is_long: bool) -> Vec<TraceFile> {
    let file = |name| TraceFile { name, is_long, path: folder.join(format!("{name}.trace.zst")) };
    NAMES.map(file).into()
}
