//! Benchmarks that anyone can run: whole exports and reads beside JSON, on this machine, with made-up
//! data or your own.
//!
//! Compared is what a program does that has recorded its heap and wants a file, or has a file and wants
//! records:
//!
//! - **Write**: from what the tracker has in memory to a file in its place, written through to the disk.
//!   For heapwire that is [`IntegratedBinaryExporter::export`](crate::IntegratedBinaryExporter::export) of
//!   a preset, reading back included where the preset does so. For JSON the records are in memory already:
//!   making them out of events costs it nothing.
//! - **Read**: from a file to all records and definitions in memory, the same type for both.
//!
//! A record is one allocation's whole life. `serde_json` writes one a line, without white space, in each
//! of three forms:
//!
//! - `json`, which heapwire is compared with: an object, without the fields that a record does not have.
//!   Call stacks are definitions, one node a line, before the records.
//!   ```json
//!   {"id":3,"address":94305632,"size":64,"allocated":1712,"thread":1,"site":25,"freed":1718}
//!   ```
//! - `json_arrays`, as compact as JSON gets: the same without names of fields.
//!   ```json
//!   [3,94305632,64,1712,1,25,0,1718,null]
//!   ```
//! - `json_with_stacks`, records that stand alone, as most tools write them: the object, with the addresses
//!   of its call stack.
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

mod config;
mod contender;
mod json;
mod record;
mod results;
mod runner;
mod workload;

pub use crate::measure::Timing;
pub use config::{BenchmarkConfig, BenchmarkPreset, BenchmarkSource};
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
