//! What was measured.

use serde::Serialize;

use super::data::Content;
use crate::measure::{Timing, ratio};

/// What was measured.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct BenchmarkResults {
    /// On what.
    pub machine: Machine,
    /// How often everything was measured.
    pub rounds: usize,
    /// One entry for each set of data.
    pub data: Vec<DataResult>,
    /// The first preset beside JSON.
    pub comparison: Comparison,
}

/// The machine, and how this program was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Machine {
    /// The operating system.
    pub os: &'static str,
    /// The processor's architecture.
    pub arch: &'static str,
    /// Processors that this program may use.
    pub processors: usize,
    /// heapwire's version.
    pub heapwire: &'static str,
    /// Whether heapwire was built without debug assertions, as a release is; otherwise times mean little.
    pub is_release: bool,
}

/// What was measured on one set of data.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DataResult {
    /// Which data.
    pub name: String,
    /// Events in it.
    pub events: u64,
    /// Records that they make: mostly one an allocation.
    pub records: u64,
    /// heapwire: one entry for each preset, read into events; then one for each, read into records.
    pub presets: Vec<ContenderResult>,
    /// JSON in its three forms: `json`, `json_arrays`, `json_records`.
    pub json: Vec<ContenderResult>,
}

/// What was measured of one way to store the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ContenderResult {
    /// Which.
    pub name: String,
    /// What it is read into.
    pub content: Content,
    /// The file's length in bytes.
    pub bytes: u64,
    /// From the tracker's chunks to the file in its place.
    pub write: Timing,
    /// From the file to every event or record, handed out one after another.
    pub read: Timing,
    /// From the file to all events or records in memory.
    pub load: Timing,
    /// The most bytes resident while it was written, beyond those before; if the system tells.
    pub write_memory: Option<u64>,
    /// The same while it was read.
    pub read_memory: Option<u64>,
    /// The same while it was loaded, what was loaded included.
    pub load_memory: Option<u64>,
}

/// How many times better the first preset is than JSON that is read into the same: geometric means over
/// all data, of ratios of medians unless it says otherwise. More than 1 is better.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// Which form of JSON.
    pub json: String,
    /// How many times as fast: the geometric mean of writing and reading.
    pub avg_speed_improvement: f64,
    /// How many times as fast it is written.
    pub avg_write_improvement: f64,
    /// How many times as fast it is read.
    pub avg_read_improvement: f64,
    /// How many times as fast it is loaded.
    pub avg_load_improvement: f64,
    /// How many times as fast it is written, by the least times.
    pub least_write_improvement: f64,
    /// How many times as fast it is read, by the least times.
    pub least_read_improvement: f64,
    /// How many times as fast it is loaded, by the least times.
    pub least_load_improvement: f64,
    /// How many times smaller the file is.
    pub avg_size_improvement: f64,
    /// The same beside the other forms of JSON.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Comparison>,
}

impl Comparison {
    pub(super) fn of(data: &[DataResult]) -> Self {
        let forms = data.first().map_or(0, |result| result.json.len());
        let others = (1..forms).map(|form| Self::with(data, form)).collect();
        Self { others, ..Self::with(data, 0) }
    }

    /// Beside one of the forms.
    fn with(data: &[DataResult], form: usize) -> Self {
        let mean = |of: fn(&ContenderResult, &ContenderResult) -> f64| {
            let one = |data: &DataResult| {
                let json = data.json.get(form)?;
                let ours = data.presets.iter().find(|ours| ours.content == json.content)?;
                Some(of(ours, json))
            };
            geometric_mean(data.iter().filter_map(one))
        };
        let write = mean(|ours, json| ratio(json.write.median, ours.write.median));
        let read = mean(|ours, json| ratio(json.read.median, ours.read.median));
        let name = |data: &DataResult| Some(data.json.get(form)?.name.clone());
        Self {
            json: data.first().and_then(name).unwrap_or_default(),
            avg_speed_improvement: (write * read).sqrt(),
            avg_write_improvement: write,
            avg_read_improvement: read,
            avg_load_improvement: mean(|ours, json| ratio(json.load.median, ours.load.median)),
            least_write_improvement: mean(|ours, json| ratio(json.write.least, ours.write.least)),
            least_read_improvement: mean(|ours, json| ratio(json.read.least, ours.read.least)),
            least_load_improvement: mean(|ours, json| ratio(json.load.least, ours.load.least)),
            avg_size_improvement: mean(|ours, json| json.bytes as f64 / ours.bytes as f64),
            others: Vec::new(),
        }
    }
}

impl Machine {
    pub(super) fn this() -> Self {
        Self {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            heapwire: env!("CARGO_PKG_VERSION"),
            is_release: !cfg!(debug_assertions),
        }
    }
}

/// The geometric mean; 1 when there is no value.
fn geometric_mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values {
        sum += value.ln();
        count += 1;
    }
    f64::exp(sum / f64::from(count.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometric_means() {
        assert!((geometric_mean([1.0, 4.0, 16.0]) - 4.0).abs() < 1e-12);
        assert_eq!(geometric_mean([]), 1.0);
    }
}
