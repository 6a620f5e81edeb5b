//! What tracking costs a program: the same [`workload`] in one program for each way to track it, which
//! `cargo bench -p heapwire-tracking-bench` runs one after the other.

pub mod workload;

use std::io::Write;
use std::thread;
use std::time::Instant;

use heapwire::trace::source::ChunkSource;
use heapwire::{BinaryExport, GlobalTracker};
use serde::{Deserialize, Serialize};

/// What one run of a program took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Seconds that the workload took on all threads.
    pub seconds: f64,
    /// Seconds of processor time that its threads took, if the system tells.
    pub processor: Option<f64>,
    /// The most bytes of memory that the process had, if the system tells.
    pub peak_memory: Option<u64>,
    /// Events that were kept, and the bytes that the tracker held for them.
    pub kept: Option<Kept>,
}

/// What a tracker kept.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Allocations, reallocations and frees.
    pub events: u64,
    /// Bytes of memory for them.
    pub bytes: u64,
}

/// What heapwire's tracker kept. Everything is counted that it holds, buffers and encoders too.
///
/// # Panics
/// When the recorded events cannot be exported to where the variable `TRACKING_EXPORT` says.
#[must_use]
pub fn kept_by(tracker: &GlobalTracker) -> Option<Kept> {
    tracker.stop();
    let bytes = tracker.own_bytes() as u64;
    if let Some(path) = std::env::var_os("TRACKING_EXPORT") {
        BinaryExport::export_default(tracker, path).expect("exports");
    }
    Some(Kept { events: tracker.snapshot().event_count(), bytes })
}

/// Runs the workload as the command line says, `THREADS DOCUMENTS`, and prints the [`Run`] as JSON.
/// `kept` is asked after the clock has stopped.
///
/// # Panics
/// When the command line says something else, or standard output is closed.
pub fn run(kept: impl FnOnce() -> Option<Kept>) {
    let numbers: Vec<u64> =
        std::env::args().skip(1).map(|text| text.parse().expect("a number")).collect();
    let [threads, documents] = numbers[..] else { panic!("expected: THREADS DOCUMENTS") };
    let started = Instant::now();
    let processor = thread::scope(|scope| {
        let work = |seed| {
            std::hint::black_box(workload::run(seed, documents));
            processor_time()
        };
        let running: Vec<_> = (0..threads).map(|seed| scope.spawn(move || work(seed))).collect();
        running.into_iter().map(|thread| thread.join().ok().flatten()).sum()
    });
    let seconds = started.elapsed().as_secs_f64();
    let run = Run { seconds, processor, peak_memory: peak_memory(), kept: kept() };
    let line = serde_json::to_string(&run).expect("numbers");
    writeln!(std::io::stdout(), "{line}").expect("standard output takes a line");
}

/// Seconds of processor time that this thread took so far, as Linux tells.
fn processor_time() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: u64 = text.split(' ').next()?.parse().ok()?;
    Some(nanoseconds as f64 / 1e9)
}

/// The most bytes that this process had in memory, as Linux tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
