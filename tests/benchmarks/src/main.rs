//! `heapwire-bench`, which `heapwire bench` runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    heapwire_bench::main()
}
