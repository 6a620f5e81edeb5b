//! The trace `REAL` through postcard.
#![no_std]
#![no_main]

use firmware_bench::{program, replay, trace};
use firmware_peers::postcard_messages::PostcardMessages;

program!(|line| replay::run::<PostcardMessages>(&trace::REAL, line));
