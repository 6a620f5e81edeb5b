//! heapwire beside its peers: how many bytes an event takes, how long encoding and decoding last, and
//! how much memory they need, on recorded traces.

mod args;
pub mod contenders;
pub mod json;
pub mod machine;
pub mod means;
pub mod measure;
pub mod memory;
pub mod plot;
pub mod row;
pub mod statistics;
pub mod table;
pub mod trace;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;

pub use args::Args;
use contenders::Contender;
use trace::Trace;

/// The environment variable that names a folder of traces to measure with.
const FOLDER_VARIABLE: &str = "HEAPWIRE_TRACES";

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("heapwire bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints what the command line asks for.
///
/// # Errors
/// When a trace cannot be read, a contender fails, or the output cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let contenders = contenders::all();
    let contenders = chosen(&contenders, &args.only)?;
    let paths = match args.traces.is_empty() {
        true => trace::in_folder(&folder())?,
        false => args.traces.clone(),
    };
    let mut results = Vec::new();
    for path in &paths {
        let trace = Trace::read(path, args.events)?;
        results.push(measure::measure(&trace, &contenders, args.rounds)?);
    }
    if let Some(path) = &args.svg {
        let plot = plot::svg(&means::means(&results), &subtitle(&results));
        fs::write(path, plot).with_context(|| format!("cannot write the plot {path:?}"))?;
    }
    let mut out = io::stdout().lock();
    let printed = match args.json {
        true => serde_json::to_writer_pretty(&mut out, &json::Report::new(args, &results))
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
        false => table::print(&mut out, &results),
    };
    match printed.and_then(|()| out.flush()) {
        // Whoever read the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.context("cannot print the results"),
    }
}

/// The contenders with one of the words in their name, and those that all are compared with.
fn chosen<'a>(contenders: &'a [Contender], only: &[String]) -> Result<Vec<&'a Contender>> {
    let is_asked_for = |contender: &Contender, word: &String| {
        contender.name.to_lowercase().contains(&word.to_lowercase())
    };
    for word in only {
        ensure!(
            contenders.iter().any(|contender| is_asked_for(contender, word)),
            "no contender is called {word:?}, expected a part of one of: {}",
            contenders.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join("; ")
        );
    }
    let is_chosen = |contender: &&Contender| {
        let asked_for = only.iter().any(|word| is_asked_for(contender, word));
        only.is_empty() || contender.is_reference() || asked_for
    };
    Ok(contenders.iter().filter(is_chosen).collect())
}

/// Where traces are when none is named.
fn folder() -> PathBuf {
    let here = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces");
    std::env::var_os(FOLDER_VARIABLE).map_or_else(here, PathBuf::from)
}

/// What a plot of the results shows.
fn subtitle(results: &[measure::TraceResult]) -> String {
    let most = results.iter().map(|result| result.events).max().unwrap_or(0);
    match results {
        [one] => format!("{}, {most} events", one.trace),
        _ => format!("geometric mean of {} traces, up to {most} events each", results.len()),
    }
}
