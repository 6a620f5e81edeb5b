//! `heapwire demo`: the whole road, over a pseudo-terminal.

use std::time::Instant;

use super::command::Folder;

#[test]
fn the_demo_finds_what_was_planted() {
    let folder = Folder::new();
    let started = Instant::now();
    let run = folder.run("demo").succeeds();
    let seconds = started.elapsed().as_secs_f64();
    println!("{}\n{seconds:.1} s", run.text());
    if !cfg!(debug_assertions) {
        assert!(seconds < 20.0, "{seconds} s");
    }
    assert_eq!(run.errors, "");

    let (_, leaks) = run.text().split_once("Leaks planted and found\n").unwrap();
    assert_eq!(leaks.lines().count(), 3, "{leaks}");
    assert!(leaks.lines().all(|leak| leak.ends_with(": found")), "{leaks}");
    for part in [
        "peak",
        "at the end",
        "0 gaps",
        "bytes an event",
        "JSON",
        "MessagePack",
        "valid: every byte",
    ] {
        assert!(run.text().contains(part), "{part}: {}", run.text());
    }

    assert_eq!(folder.names(), ["demo.hwcap"]);
    folder.run("validate demo.hwcap").succeeds();
    let info = folder.run("info --json demo.hwcap").succeeds().json();
    assert!(info["events"]["total"].as_u64().unwrap() > 10_000);
    assert_eq!(info["gaps"].as_array().unwrap().len(), 0);
    // What is dumped and imported again has the same events. Definitions, which a device repeats,
    // come before the events of their batch.
    let dump = folder.run("dump demo.hwcap").succeeds();
    folder.write("demo.trace", &dump.out);
    folder.import("demo.trace", "again.hwcap", "");
    let again = folder.run("dump again.hwcap").succeeds();
    let events = |line: &&str| line.starts_with(['a', 'f', 'r', 'x', 'n', 'g', 'm']);
    assert!(dump.text().lines().filter(events).eq(again.text().lines().filter(events)));
}

#[test]
fn a_noisy_line_costs_gaps_that_are_counted() {
    let folder = Folder::new();
    let run = folder.run("demo --noise 1e-4 -o noisy.hwcap").succeeds();
    println!("{}", run.text());
    assert_eq!(run.errors, "");
    assert!(!run.text().contains("NOT VALID"), "{}", run.text());

    // The line, the capture and its validation agree on what is missing.
    let line = run.text().lines().find(|line| line.contains(" arrived whole")).unwrap();
    let info = folder.run("info --json noisy.hwcap").succeeds().json();
    let gaps = info["gaps"].as_array().unwrap();
    assert!(!gaps.is_empty());
    let grouped = |text: &str| text.replace(',', "").parse::<u64>().unwrap();
    let told = line.split(" gap").next().and_then(|text| text.rsplit(' ').next()).map(grouped);
    assert_eq!(told, Some(gaps.len() as u64), "{line}");
    let validated = folder.run("validate --json noisy.hwcap").succeeds().json();
    assert_eq!(validated["valid"], true);
    assert_eq!(validated["warnings"].as_array().unwrap().len(), gaps.len());

    // Another seed is other noise.
    folder.run("demo --noise 1e-4 --seed 2 -o other.hwcap").succeeds();
    let other = folder.run("info --json other.hwcap").succeeds().json();
    assert_ne!(other["gaps"], info["gaps"]);
}

#[test]
fn a_line_of_nothing_but_noise_is_survived() {
    let folder = Folder::new();
    let run = folder.run("demo --noise 0.5");
    assert!(matches!(run.code, Some(0 | 1)), "{:?}: {}", run.code, run.errors);
    assert!(run.errors.lines().count() <= 1, "{}", run.errors);
}

#[test]
fn a_capture_that_cannot_be_written_ends_the_demo() {
    let folder = Folder::new();
    let error = folder.run("demo -o nowhere/demo.hwcap").fails();
    assert!(error.contains("cannot create \"nowhere/demo.hwcap\": the folder "), "{error}");
    if cfg!(target_os = "linux") {
        let error = folder.run("demo -o /sys/demo.hwcap").fails();
        assert!(error.contains("cannot create \"/sys/demo.hwcap\": "), "{error}");
        let error = folder.run("demo -o /dev/full").fails();
        assert!(error.contains("No space left on device"), "{error}");
    }
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[test]
fn noise_that_cannot_be_is_a_usage_error() {
    let folder = Folder::new();
    for noise in ["2", "-1", "NaN", "inf", "much", ""] {
        let run = folder.run(&format!("demo --noise {noise}"));
        assert_eq!(run.code, Some(2), "{noise}: {}", run.errors);
        assert!(run.errors.contains("--noise") || run.errors.contains(noise), "{}", run.errors);
    }
    assert_eq!(folder.names(), Vec::<String>::new());
}
