//! The trace `MADE` through heapwire's recorder.
#![no_std]
#![no_main]

use firmware_bench::coder::Heapwire;
use firmware_bench::{program, replay, trace};

program!(|line| replay::run::<Heapwire>(&trace::MADE, line));
