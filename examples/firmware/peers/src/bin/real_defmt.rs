//! The trace `REAL` through defmt.
#![no_std]
#![no_main]

use firmware_bench::{program, replay, trace};
use firmware_peers::defmt_log::DefmtLog;

program!(|line| replay::run::<DefmtLog>(&trace::REAL, line));
