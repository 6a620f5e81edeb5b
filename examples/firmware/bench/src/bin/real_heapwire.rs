//! The trace `REAL` through heapwire's recorder.
#![no_std]
#![no_main]

use firmware_bench::coder::HeapwireOnLinkedList;
use firmware_bench::{program, replay, trace};

program!(|line| replay::run::<HeapwireOnLinkedList>(&trace::REAL, line));
