//! What exports and parses tell about themselves, how they are cancelled, and that they do not block a
//! runtime.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod asynchronous;
mod metrics;
mod progress;
mod spans;

use std::fs;
use std::path::{Path, PathBuf};

use heapwire::{IntegratedConfig, MemoryTracker, ParallelConfig};
use tempfile::TempDir;

/// Events that [`tracker`] has: some chunks of them.
const EVENTS: u64 = 60_000;

fn tracker() -> MemoryTracker {
    let tracker = MemoryTracker::new();
    let scope = tracker.scope("parse");
    for i in 0..EVENTS as usize / 2 {
        tracker.track_allocation(64 * (i * i % 8191 + 1), 24 + i * i % 97);
        tracker.track_deallocation(64 * (i * i % 8191 + 1));
    }
    drop(scope);
    tracker
}

/// With so many threads. Chunks smaller than the tracker's are encoded anew, by all of them; larger ones
/// are moved.
fn config(threads: usize, chunk_size: usize) -> IntegratedConfig {
    let mut config = IntegratedConfig::balanced();
    config.processing.chunk_size = chunk_size;
    config.parallel = (threads > 1).then(|| {
        let mut parallel = ParallelConfig::default();
        parallel.worker_threads = threads;
        parallel
    });
    config
}

/// Every way in which an export does its work.
fn configs() -> [IntegratedConfig; 4] {
    [config(1, 256 << 10), config(1, 4 << 10), config(3, 256 << 10), config(3, 4 << 10)]
}

/// A folder with an old file, which is to stay when an export does not come to its end.
struct Folder {
    folder: TempDir,
}

impl Folder {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("output.bin"), "old").unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("output.bin")
    }

    /// Whether the old file is all there is.
    fn is_as_it_was(&self) -> bool {
        fs::read(self.path()).is_ok_and(|bytes| bytes == b"old") && names(self.folder.path()) == 1
    }
}

fn names(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}
