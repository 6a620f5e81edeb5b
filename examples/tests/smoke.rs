//! Runs each example as its user would, in an empty folder. They assert their own results.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;
use std::process::Command;

/// What the example prints. It has to succeed, and to leave these files behind and no others.
fn run(program: &str, leaves: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(program).current_dir(folder.path()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    assert_eq!(errors, "");
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, leaves);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn quick_start() {
    let printed = run(env!("CARGO_BIN_EXE_quick_start"), &["quick_start.hwcap"]);
    assert!(printed.ends_with("the file is valid\n"), "{printed}");
}

#[test]
fn no_std_chunks() {
    let printed = run(env!("CARGO_BIN_EXE_no_std_chunks"), &[]);
    assert!(printed.starts_with("600 events in "), "{printed}");
}

#[test]
fn global_tracker() {
    let printed = run(env!("CARGO_BIN_EXE_global_tracker"), &["global_tracker.hwcap"]);
    for line in ["split into words", "count words", "cache that nobody empties"] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
}

#[test]
fn stream_large_file() {
    let printed = run(env!("CARGO_BIN_EXE_stream_large_file"), &[]);
    assert!(printed.contains("events: 1000000"), "{printed}");
}

#[test]
fn benchmarks() {
    let printed = run(env!("CARGO_BIN_EXE_benchmarks"), &["benchmark_results.json"]);
    assert!(printed.contains("balanced beside json: written "), "{printed}");
}
