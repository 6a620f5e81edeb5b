//! Real firmware under QEMU, and `heapwire record` or its library at the other end of the line. The firmware
//! counts for itself what it does; examples/firmware/README.md tells how. Needs QEMU and the firmware's images:
//! `ci/devices` builds and runs all.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

#[path = "../cli/command.rs"]
#[allow(dead_code, reason = "the tests of the command use more of it")]
mod command;
mod hostile;
mod image;
mod proxy;
mod recorded;
mod said;
