//! Captures: what goes in comes out, whatever the settings, whoever reads or writes them, and whatever
//! happens to their bytes.

mod alloc;
mod choices;
mod corruption;
mod errors;
mod failing_io;
mod golden;
mod hostile;
mod matrix;
mod memory;
mod noisy_line;
mod ratios;
mod sizes;
mod splits;
mod trackers;
