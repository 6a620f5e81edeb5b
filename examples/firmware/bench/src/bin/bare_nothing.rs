//! No coder, to compare the others with.
#![no_std]
#![no_main]

use firmware_bench::{bare, coder::Nothing, program_that_never_panics};

program_that_never_panics!(bare::run::<Nothing>);
