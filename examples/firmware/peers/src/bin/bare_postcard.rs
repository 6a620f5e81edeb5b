//! postcard, to be weighed.
#![no_std]
#![no_main]

use firmware_bench::{bare, program_that_never_panics};
use firmware_peers::postcard_messages::PostcardMessages;

program_that_never_panics!(bare::run::<PostcardMessages>);
