//! heapwire, to be weighed.
#![no_std]
#![no_main]

use firmware_bench::{bare, coder::Heapwire, program_that_never_panics};

program_that_never_panics!(bare::run::<Heapwire>);
