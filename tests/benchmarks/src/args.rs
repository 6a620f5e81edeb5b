//! The command line: words to types.

use std::path::PathBuf;

use clap::Parser;

/// Measures heapwire beside its peers on recorded traces: bytes, time and memory an event.
///
/// Times are medians over rounds in which all contenders take turns, on one thread; ratios to
/// serde_json, with and without Zstd, are taken round by round. Memory is what a coder allocates
/// besides input and output.
#[derive(Clone, Debug, Parser)]
#[command(name = "heapwire bench", bin_name = "heapwire bench", version)]
pub struct Args {
    /// A text trace, plain or compressed with zstd; may be given several times
    /// [default: those in the folder HEAPWIRE_TRACES, or of this repository]
    #[arg(long = "trace", value_name = "FILE")]
    pub traces: Vec<PathBuf>,
    /// How many events of each trace, the first ones
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = at_least_one)]
    pub events: usize,
    /// How often each contender is timed
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = at_least_one)]
    pub rounds: usize,
    /// Only contenders with this in their name, and the two that all are compared with; may be given
    /// several times
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Print JSON: every number of every round
    #[arg(long)]
    pub json: bool,
    /// Plot bytes against time into this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// What `cargo bench` says to every benchmark
    #[arg(long, hide = true)]
    pub bench: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("expected a number from 1".to_owned()),
    }
}
