//! The board is the one that QEMU has for the target: its memory map goes to the linker, its name to the
//! source.

use std::path::PathBuf;
use std::{env, fs};

/// Targets, their boards, and their memory maps.
const BOARDS: [(&str, &str, &str); 4] = [
    ("thumbv7m-none-eabi", "mps2_an385", include_str!("memory/mps2.x")),
    ("thumbv7em-none-eabihf", "mps2_an386", include_str!("memory/mps2.x")),
    ("thumbv6m-none-eabi", "microbit", include_str!("memory/microbit.x")),
    ("riscv32imac-unknown-none-elf", "virt", include_str!("memory/virt.x")),
];

fn main() {
    println!("cargo::rerun-if-changed=memory");
    println!("cargo::rustc-check-cfg=cfg(board, values(any()))");
    let target = env::var("TARGET").expect("cargo sets it");
    let board = BOARDS.iter().find(|(of, ..)| *of == target);
    let Some((_, board, memory)) = board else { panic!("there is no board for {target}") };
    println!("cargo::rustc-cfg=board=\"{board}\"");

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("memory.x"), memory).expect("write memory.x");
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
    }
}
