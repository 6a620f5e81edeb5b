//! The longest call of heapwire's hook that an adversary finds.
#![no_std]
#![no_main]

use firmware_bench::{program, worst};

program!(worst::run);
