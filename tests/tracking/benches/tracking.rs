//! What tracking costs a program: its time and memory beside those of the same program untracked.
//!
//! Run it with frame pointers, which call stacks need and all programs then have:
//! `RUSTFLAGS="-C force-frame-pointers=yes" cargo bench -p heapwire-tracking-bench`; `-- --help` tells more.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Output};

use clap::Parser;
use heapwire_tracking_bench::Run;
use serde::Serialize;

/// The programs: what tracks, the program's path, and whether it runs under heaptrack.
const PROGRAMS: [(&str, &str, bool); 7] = [
    ("System (nothing tracks)", env!("CARGO_BIN_EXE_system"), false),
    ("heapwire", env!("CARGO_BIN_EXE_heapwire_events"), false),
    ("heapwire with call stacks", env!("CARGO_BIN_EXE_heapwire_stacks"), false),
    ("stats_alloc (totals)", env!("CARGO_BIN_EXE_stats_alloc"), false),
    ("tracking-allocator (totals)", env!("CARGO_BIN_EXE_tracking_allocator"), false),
    ("heaptrack (call stacks)", env!("CARGO_BIN_EXE_system"), true),
    ("dhat (totals by call stack)", env!("CARGO_BIN_EXE_dhat"), false),
];

/// Runs one workload in programs that are tracked in different ways, in turn, and compares them.
#[derive(Parser)]
struct Arguments {
    /// Documents that each thread works on; each makes some 84,000 events.
    #[arg(long, default_value_t = 60)]
    documents: u64,
    /// How many threads, one number for each table.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4])]
    threads: Vec<u64>,
    /// How often each program runs.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Leave out programs with this word in their name.
    #[arg(long)]
    without: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// What cargo passes to benchmarks.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a program took, compared with the untracked one in the same rounds.
#[derive(Serialize)]
struct Row {
    tracked_by: &'static str,
    threads: u64,
    seconds_median: f64,
    seconds_least: f64,
    /// The median over the rounds of the ratio to the untracked program of the same round.
    ratio: f64,
    /// The ratio of the least times.
    ratio_of_least: f64,
    /// The median of the same ratios of processor time, which other programs do not disturb as much.
    ratio_of_processor: Option<f64>,
    peak_memory: Option<u64>,
    events: Option<u64>,
    bytes_an_event: Option<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let has_heaptrack = Command::new("heaptrack").arg("--version").output().is_ok();
    if !has_heaptrack {
        eprintln!("heaptrack is left out: it is not installed (apt-get install heaptrack)");
    }
    let is_wanted = |&(name, _, under): &(&'static str, &'static str, bool)| {
        (!under || has_heaptrack) && !arguments.without.iter().any(|word| name.contains(word))
    };
    let programs: Vec<_> = PROGRAMS.into_iter().filter(is_wanted).collect();
    let folder = tempfile::tempdir()?;
    let mut rows = Vec::new();
    for &threads in &arguments.threads {
        let mut runs: Vec<Vec<Run>> = programs.iter().map(|_| Vec::new()).collect();
        for _ in 0..arguments.rounds {
            for (&(_, path, under), runs) in programs.iter().zip(&mut runs) {
                runs.push(run(path, under, threads, arguments.documents, folder.path())?);
            }
        }
        let Some(untracked) = runs.first().cloned() else { return Err("nothing to run".into()) };
        let pairs = programs.iter().zip(&runs);
        rows.extend(pairs.map(|(&(name, ..), runs)| row(name, threads, runs, &untracked)));
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        print_tables(&rows);
    }
    Ok(())
}

/// Runs a program once.
fn run(
    path: &str,
    under_heaptrack: bool,
    threads: u64,
    documents: u64,
    folder: &Path,
) -> Result<Run, Box<dyn Error>> {
    let numbers = [threads.to_string(), documents.to_string()];
    let Output { status, stdout, stderr } = if under_heaptrack {
        Command::new("heaptrack")
            .arg("-o")
            .arg(folder.join("trace"))
            .arg(path)
            .args(numbers)
            .output()?
    } else {
        Command::new(path).args(numbers).output()?
    };
    let text = String::from_utf8_lossy(&stdout);
    let line = text.lines().find(|line| line.starts_with('{'));
    match line {
        Some(line) if status.success() => Ok(serde_json::from_str(line)?),
        _ => {
            Err(format!("{path} ended with {status}: {}", String::from_utf8_lossy(&stderr)).into())
        }
    }
}

fn row(name: &'static str, threads: u64, runs: &[Run], untracked: &[Run]) -> Row {
    let least = |runs: &[Run]| runs.iter().map(|run| run.seconds).fold(f64::INFINITY, f64::min);
    let ratios = runs.iter().zip(untracked).map(|(run, other)| run.seconds / other.seconds);
    let processor =
        runs.iter().zip(untracked).map(|(run, other)| Some(run.processor? / other.processor?));
    let last = runs.last();
    let kept = last.and_then(|run| run.kept);
    Row {
        tracked_by: name,
        threads,
        seconds_median: median(runs.iter().map(|run| run.seconds).collect()),
        seconds_least: least(runs),
        ratio: median(ratios.collect()),
        ratio_of_least: least(runs) / least(untracked),
        ratio_of_processor: processor.collect::<Option<_>>().map(median),
        peak_memory: last.and_then(|run| run.peak_memory),
        events: kept.map(|kept| kept.events),
        bytes_an_event: kept.map(|kept| kept.bytes as f64 / kept.events as f64),
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

fn print_tables(rows: &[Row]) {
    for of_threads in rows.chunk_by(|a, b| a.threads == b.threads) {
        let threads = of_threads.first().map_or(0, |row| row.threads);
        println!("\n{threads} thread{}", if threads == 1 { "" } else { "s" });
        println!(
            "| tracked by | median s | ratio | least s | ratio | processor | peak MiB | events | bytes an event |"
        );
        println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
        for row in of_threads {
            let peak =
                row.peak_memory.map(|bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20)));
            let events = row.events.map(|events| events.to_string());
            let bytes = row.bytes_an_event.map(|bytes| format!("{bytes:.2}"));
            let processor = row.ratio_of_processor.map(|ratio| format!("{ratio:.2}"));
            println!(
                "| {} | {:.3} | {:.2} | {:.3} | {:.2} | {} | {} | {} | {} |",
                row.tracked_by,
                row.seconds_median,
                row.ratio,
                row.seconds_least,
                row.ratio_of_least,
                processor.unwrap_or_default(),
                peak.unwrap_or_default(),
                events.unwrap_or_default(),
                bytes.unwrap_or_default(),
            );
        }
    }
}
