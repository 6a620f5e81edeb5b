//! The linker's memory map, and the traces as tables.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Names of tables, and the traces in them.
const TRACES: [(&str, &str); 2] = [
    ("MADE", "../../../tests/traces/firmware_2000.trace"),
    ("REAL", "../../../tests/traces/firmware_real.trace"),
];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let write = |name: &str, text: &str| {
        fs::write(out.join(name), text).unwrap_or_else(|error| panic!("write {name}: {error}"));
    };
    let riscv =
        env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|architecture| architecture == "riscv32");
    write(
        "memory.x",
        if riscv { include_str!("memory/virt.x") } else { include_str!("memory/mps2.x") },
    );
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    // Sizes are compared: they must not depend on where pages begin.
    println!("cargo::rustc-link-arg-bins=--nmagic");
    println!("cargo::rerun-if-changed=memory");
    let tables: String = TRACES.iter().map(|(name, path)| table(name, Path::new(path))).collect();
    write("traces.rs", &tables);
}

/// A trace in the text form, as Rust source of a `Trace`. A free gets the size of its block, which an
/// allocator is told too.
fn table(name: &str, path: &Path) -> String {
    println!("cargo::rerun-if-changed={}", path.display());
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()));
    let (mut sites, mut steps) = (String::new(), String::new());
    let mut site_count = 0;
    let mut live = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        let wrong = || -> ! { panic!("{}:{}: {line}", path.display(), index + 1) };
        let fields: Vec<&str> = line.split(' ').collect();
        let field = |at: usize| *fields.get(at).unwrap_or_else(|| wrong());
        let number = |at| field(at).parse::<u32>().unwrap_or_else(|_| wrong());
        let hex = |at| u32::from_str_radix(field(at), 16).unwrap_or_else(|_| wrong());
        let mut define = |id: u32, site: String| {
            site_count += 1;
            assert_eq!(id, site_count, "sites come in order: {line}");
            writeln!(sites, "        Site::{site},").expect("to a string");
        };
        let (act, address, size, freed, site) = match fields[0] {
            "#" | "h" => continue,
            "s" => {
                define(number(1), format!("Address({:#x})", hex(3)));
                continue;
            }
            "d" if field(1) == "scope" => {
                define(number(2), format!("Scope({:?})", field(3)));
                continue;
            }
            "a" => {
                live.insert(hex(3), number(4));
                ("Alloc".into(), hex(3), number(4), 0, number(5))
            }
            "f" => {
                let size = live.remove(&hex(3)).unwrap_or_else(|| wrong());
                let site = if fields.len() > 4 { number(4) } else { 0 };
                ("Free".into(), hex(3), 0, size, site)
            }
            "r" => {
                let freed = live.remove(&hex(3)).unwrap_or_else(|| wrong());
                live.insert(hex(4), number(5));
                let act = format!("Realloc {{ old: {:#x} }}", hex(3));
                (act, hex(4), number(5), freed, number(6))
            }
            _ => wrong(),
        };
        let time = number(1);
        writeln!(
            steps,
            "        Step {{ time: {time}, act: Act::{act}, address: {address:#x}, size: {size}, \
             freed: {freed}, site: {site} }},"
        )
        .expect("to a string");
    }
    format!(
        "pub static {name}: Trace = Trace {{\n    sites: &[\n{sites}    ],\n    \
         steps: &[\n{steps}    ],\n}};\n"
    )
}
