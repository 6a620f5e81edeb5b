//! The linker script; the memory map is the bench's.

fn main() {
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
}
