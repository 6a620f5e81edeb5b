//! The `heapwire` command: exit codes, and the one place where errors are printed. It uses the
//! library as any user does.
//!
//! 0: done. 1: something was found wrong, or failed. 2: the command line makes no sense.

mod args;
mod bench;
mod capture_input;
mod convert;
#[cfg(all(feature = "serial", unix))]
mod demo;
mod dump;
mod failure;
mod import;
mod info;
mod json;
mod manual;
mod optimize;
mod record;
mod report;
mod text_input;
mod units;
mod validate;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use failure::Outcome;

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        #[cfg(all(feature = "serial", unix))]
        Command::Demo(args) => demo::run(&args),
        #[cfg(all(feature = "serial", unix))]
        Command::DemoDevice(args) => demo::device::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Dump(args) => dump::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Validate(args) => validate::run(&args),
        Command::Optimize(args) => optimize::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::page(&args),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Finding) => ExitCode::from(1),
        Ok(Outcome::Ended(code)) => ExitCode::from(code),
        // Whoever read our output has seen enough.
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("heapwire: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
