//! `heapwire bench`: heapwire beside its peers. They are no dependencies of this program, so another
//! one measures: `heapwire-bench`, which takes the same arguments.

use std::env;
use std::io;
use std::process::{Command, ExitStatus};

use crate::args::BenchArgs;
use crate::failure::{Failure, Outcome};

/// The program that measures, and the package that it is in.
const PROGRAM: &str = "heapwire-bench";

pub(crate) fn run(args: &BenchArgs) -> Result<Outcome, Failure> {
    for mut command in
        [by_cargo(), beside_this_program(), Some(Command::new(PROGRAM))].into_iter().flatten()
    {
        match command.args(&args.args).status() {
            Ok(status) => return outcome(status),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let program = command.get_program();
                return Err(Failure::Other(format!("cannot run {program:?}: {error}")));
            }
        }
    }
    Err(Failure::Other(format!(
        "the benchmark is a program of its own, and {PROGRAM} is neither beside this one nor on the \
         PATH: build it in heapwire's repository with `cargo build --release -p {PROGRAM}`"
    )))
}

/// Run by Cargo from the repository: it builds the other program too, so that it is never an old one.
fn by_cargo() -> Option<Command> {
    let (cargo, package) = (env::var_os("CARGO")?, env::var_os("CARGO_PKG_NAME")?);
    let folder = env::var_os("CARGO_MANIFEST_DIR").filter(|_| package == env!("CARGO_PKG_NAME"))?;
    let manifest = std::path::Path::new(&folder).join("Cargo.toml");
    let mut command = Command::new(cargo);
    // Not quietly: the peers take minutes to build.
    command.args(["run", "--release", "--package", PROGRAM, "--manifest-path"]);
    command.arg(manifest).arg("--");
    Some(command)
}

fn beside_this_program() -> Option<Command> {
    let program = env::current_exe().ok()?.with_file_name(PROGRAM);
    Some(Command::new(program.with_extension(env::consts::EXE_EXTENSION)))
}

/// As the other program ended. It has printed its own errors.
fn outcome(status: ExitStatus) -> Result<Outcome, Failure> {
    match status.code() {
        Some(0) => Ok(Outcome::Done),
        Some(code) => Ok(Outcome::Ended(u8::try_from(code).unwrap_or(1))),
        None => Err(Failure::Other(format!("{PROGRAM} was ended: {status}"))),
    }
}
