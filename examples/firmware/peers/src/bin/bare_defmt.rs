//! defmt, to be weighed.
#![no_std]
#![no_main]

use firmware_bench::{bare, program_that_never_panics};
use firmware_peers::defmt_log::DefmtLog;

program_that_never_panics!(bare::run::<DefmtLog>);
