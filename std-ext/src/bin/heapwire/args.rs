//! The command line: words to types. No work is done here.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use heapwire::io::link::Source;

/// Memory-tracker data: recorded on a microcontroller, stored and answered on the desktop.
#[derive(Debug, Parser)]
#[command(name = "heapwire", version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Record a real program over a serial line and answer who eats its heap
    #[cfg(all(feature = "serial", unix))]
    Demo(DemoArgs),
    /// The recorded end of the demo's line
    #[cfg(all(feature = "serial", unix))]
    #[command(hide = true)]
    DemoDevice(DeviceArgs),
    /// Record what a device sends over a serial line, a socket or a pipe
    Record(RecordArgs),
    /// Turn a text trace into a capture
    Import(ImportArgs),
    /// Print a capture as a text trace
    Dump(DumpArgs),
    /// Turn a trace from any form into any other, with nothing lost
    Convert(ConvertArgs),
    /// Tell what a capture holds
    Info(InfoArgs),
    /// Check every byte of a capture
    Validate(ValidateArgs),
    /// Find the best settings for a capture's data, by trying
    Optimize(OptimizeArgs),
    /// Measure heapwire beside its peers: bytes, time and memory an event
    #[command(disable_help_flag = true)]
    Bench(BenchArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, of the command or of one of its subcommands
    Man(ManArgs),
}

#[cfg(all(feature = "serial", unix))]
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Share of the line's bits that are flipped on the way, such as 1e-4
    #[arg(long, value_name = "RATE", default_value_t = 0.0, value_parser = rate)]
    pub(crate) noise: f64,
    /// Which noise, of all the noise there could be
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where the capture goes
    #[arg(short, long, value_name = "FILE", default_value = "demo.hwcap")]
    pub(crate) output: PathBuf,
}

#[cfg(all(feature = "serial", unix))]
#[derive(Debug, clap::Args)]
pub(crate) struct DeviceArgs {
    /// The terminal to write to
    pub(crate) line: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RecordArgs {
    /// serial:PATH?baud=N, tcp:HOST:PORT, tcp-listen:HOST:PORT, - for standard input, or a file
    pub(crate) source: Source,
    /// The capture to write; complete about once a second, and when recording ends
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Wait for more at the end of a file
    #[arg(long)]
    pub(crate) follow: bool,
    /// Wait for a line that is not there yet
    #[arg(long)]
    pub(crate) wait: bool,
    /// End when the line goes away, instead of waiting for it to come back
    #[arg(long)]
    pub(crate) once: bool,
    /// End after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    /// Where the text between frames goes, instead of to standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) text: Option<PathBuf>,
    /// Where all that is no frame of ours goes, for defmt-print: the device shares the line with defmt
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub(crate) defmt: Option<PathBuf>,
    /// Print the summary as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// The text trace, plain or compressed with zstd or gzip; - for standard input
    pub(crate) input: PathBuf,
    /// The capture to write; - for standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// How the capture is laid out
    #[arg(long, value_enum, default_value = "custom")]
    pub(crate) format: Format,
    /// How much of the past predicts the next event
    #[arg(long, value_enum, default_value = "dense")]
    pub(crate) model: Model,
    /// What makes its chunks smaller
    #[arg(long, value_enum, default_value = "zstd")]
    pub(crate) compression: Compression,
    /// How hard zstd tries, 1 to 22 [default: at most 3, or 1 for chunked]
    #[arg(long, value_name = "N", allow_negative_numbers = true,
          value_parser = clap::value_parser!(i32).range(1..=22))]
    pub(crate) level: Option<i32>,
    /// The largest chunk before compression, in bytes, or with K or M behind it
    /// [default: 256K, or 64K for chunked]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = byte_count)]
    pub(crate) chunk_size: Option<usize>,
    /// Threads that encode and compress; 0 for one a processor
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0)]
    pub(crate) threads: usize,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConvertArgs {
    /// A capture, MessagePack, JSON lines or a text trace, plain or compressed; - for standard input
    pub(crate) input: PathBuf,
    /// The file to write; - for standard output
    pub(crate) output: PathBuf,
    /// What it becomes
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) to: ConvertFormat,
    /// How much of the past predicts the next event of a capture
    #[arg(long, value_enum, default_value = "dense")]
    pub(crate) model: Model,
    /// What makes it smaller: a capture's chunks, or the frame around another form
    /// [default: zstd for captures, none for others]
    #[arg(long, value_enum)]
    pub(crate) compression: Option<Compression>,
    /// How hard zstd tries, 1 to 22 [default: 3]
    #[arg(long, value_name = "N", allow_negative_numbers = true,
          value_parser = clap::value_parser!(i32).range(1..=22))]
    pub(crate) level: Option<i32>,
    /// The largest chunk of a capture before compression, in bytes, or with K or M behind it
    /// [default: 256K, or 64K for chunked]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = byte_count)]
    pub(crate) chunk_size: Option<usize>,
    /// Threads that decode and encode captures; 0 for one a processor
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 0)]
    pub(crate) threads: usize,
    /// Take what can be read of a damaged or cut capture; what cannot becomes a gap
    #[arg(long)]
    pub(crate) salvage: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConvertFormat {
    /// A capture of large chunks: the smallest file
    #[value(alias = "custom")]
    CustomBinary,
    /// A capture of small chunks: little memory
    Chunked,
    /// One map of records, which every language reads
    #[value(name = "messagepack", alias = "msgpack")]
    MessagePack,
    /// One JSON object a line
    Json,
    /// One event a line
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Large chunks: the smallest file
    Custom,
    /// Small chunks: little memory
    Chunked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Model {
    /// A few blocks, as on a microcontroller
    Tiny,
    /// A thousand blocks: the quickest
    Fast,
    /// 16 thousand blocks: the smallest file
    Dense,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compression {
    None,
    Lz4,
    Zstd,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DumpArgs {
    /// The capture; - for standard input
    pub(crate) input: PathBuf,
    /// The text trace to write; - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct InfoArgs {
    /// The capture; - for standard input
    pub(crate) input: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ValidateArgs {
    /// The capture; - for standard input
    pub(crate) input: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct OptimizeArgs {
    /// The capture; - for standard input
    pub(crate) input: PathBuf,
    /// What to make better
    #[arg(long, value_enum, default_value = "balanced")]
    pub(crate) aim: Aim,
    /// Events to try at most
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 300_000,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) events: u64,
    /// How often each setting is tried
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 5,
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) rounds: u64,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Aim {
    /// Time and size alike
    Balanced,
    /// Time
    Speed,
    /// Size
    Size,
    /// Memory
    Memory,
}

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// What `heapwire-bench` takes, such as --trace FILE and --json; --help tells all
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    pub(crate) args: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The subcommand; the whole command without it
    pub(crate) subcommand: Option<String>,
}

/// A share between 0 and 1.
#[cfg(all(feature = "serial", unix))]
fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "expected a number such as 1e-4".to_owned())?;
    match (0.0..=1.0).contains(&rate) {
        true => Ok(rate),
        false => Err("expected a number from 0 to 1".to_owned()),
    }
}

/// A time of at least a moment.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "expected seconds such as 30".to_owned())
}

/// A number of bytes: `4096`, `64K`, `1M`.
fn byte_count(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    let count = digits.parse::<usize>().ok().and_then(|count| count.checked_mul(unit));
    count.ok_or_else(|| "expected a number of bytes such as 4096, 64K or 1M".to_owned())
}
