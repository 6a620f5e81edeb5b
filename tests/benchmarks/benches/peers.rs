//! `cargo bench`: the same program.

use std::process::ExitCode;

fn main() -> ExitCode {
    heapwire_bench::main()
}
