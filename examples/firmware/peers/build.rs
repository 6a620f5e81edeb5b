//! The linker scripts; the memory map is the bench's.

fn main() {
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    for program in ["bare_defmt", "made_defmt", "real_defmt"] {
        println!("cargo::rustc-link-arg-bin={program}=-Tdefmt.x");
    }
}
