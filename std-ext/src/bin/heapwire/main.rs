//! The heapwire command.
fn main() {}
