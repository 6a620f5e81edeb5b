//! Benchmarks that anyone can run: whole exports and reads beside JSON, on this machine, with made-up
//! data or your own.
//!
//! Compared is what a program does that has recorded its heap and wants a file, or has a file and wants
//! what it recorded. Both sides start from the same and end with the same:
//!
//! - **Write**: from the chunks that a tracker has in memory to a file in its place, written through to
//!   the disk. For heapwire that is
//!   [`IntegratedBinaryExporter::export`](crate::IntegratedBinaryExporter::export) of a preset, reading
//!   back included where the preset does so. JSON is written as the chunks are decoded.
//! - **Read**: from a file to every event or record, handed out one after another, on as many threads as
//!   the preset says.
//! - **Load**: the same, and a vector of all of them in memory. Beyond a few megabytes, much of this time is
//!   the system's, which it takes to give so much memory to either side.
//!
//! `serde_json` writes one value a line, without white space, in each of three forms:
//!
//! - `json`, which heapwire is compared with: an object for each event and definition.
//!   ```json
//!   {"Alloc":{"time":1712,"thread":1,"address":94305632,"size":64,"site":25}}
//!   {"Free":{"time":1718,"thread":1,"address":94305632}}
//!   ```
//! - `json_arrays`, as compact as JSON gets: the same without names, the first number says what it is.
//!   ```json
//!   [0,1712,1,94305632,64,25]
//!   [1,1718,1,94305632]
//!   ```
//! - `json_records`: an object for each [`Record`](crate::trace::record::Record), one allocation's whole
//!   life, without what it does not have. Beside it, heapwire's file is the same as ever, and records are
//!   made of its events as they are read.
//!   ```json
//!   {"id":3,"address":94305632,"size":64,"allocated":{"event":6,"time":1712,"thread":1,"site":25},
//!    "freed":{"event":9,"time":1718,"thread":1,"site":0},"fate":"freed"}
//!   ```
//!
//! What is read is compared with what was written. Times are of several rounds in turn. Memory is what the
//! process had resident beyond what it had before, where the system tells.
//!
//! ```no_run
//! use heapwire::benchmarks;
//!
//! let results = benchmarks::run_quick_benchmark()?;
//! println!("improvement: {:.2}x", results.comparison.avg_speed_improvement);
//! # Ok::<(), heapwire::BinaryExportError>(())
//! ```

mod array;
mod config;
mod contender;
mod data;
mod json;
mod line;
mod results;
mod runner;
#[cfg(test)]
mod tests;
mod workload;

pub use crate::measure::Timing;
pub use config::{BenchmarkConfig, BenchmarkPreset, BenchmarkSource};
pub use data::Content;
pub use results::{BenchmarkResults, Comparison, ContenderResult, DataResult, Machine};
pub use runner::BenchmarkRunner;

use crate::error::Result;

/// Measures the default configuration beside JSON on 100,000 made-up events, in a few seconds.
///
/// # Errors
/// When the folder for temporary files cannot be written to.
pub fn run_quick_benchmark() -> Result<BenchmarkResults> {
    BenchmarkRunner::new(BenchmarkConfig::quick())?.run_all_benchmarks()
}
