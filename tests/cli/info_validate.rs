//! What `info` and `validate` tell of a capture that is right.

use serde_json::{Value, json};

use super::command::Folder;
use super::traces;

#[test]
fn info_tells_all_there_is_to_know() {
    let folder = Folder::new();
    folder.write("in.trace", traces::EVERY_KIND);
    folder.import("in.trace", "a.hwcap", "");
    let run = folder.run("info a.hwcap").succeeds();
    assert_eq!(run.errors, "");
    for (name, value) in [
        ("session", "sensor, build v1.2, 1,000 ticks a second, 32-bit addresses"),
        ("state", "complete"),
        ("chunks", "1 chunk of events, 1 of definitions, 1 of index"),
        ("events", "8"),
        ("allocations", "2"),
        ("frees", "1"),
        ("reallocations", "1"),
        ("failed", "1"),
        ("names", "1"),
        ("gauges", "1"),
        ("marks", "1"),
        ("definitions", "8"),
        ("time span", "2.00 s"),
        ("peak", "164 B at 512.0 ms"),
        ("at the end", "100 B in 1 block"),
        ("gaps", "none"),
    ] {
        let has_it = |line: &str| {
            let line = line.trim();
            line.strip_prefix(name).is_some_and(|rest| rest.trim() == value)
        };
        assert!(run.text().lines().any(has_it), "{name}: {value}: {}", run.text());
    }
    let lane = |line: &str| line.starts_with("tags ") && line.ends_with(" %");
    assert!(run.text().lines().any(lane), "{}", run.text());
}

#[test]
fn info_as_json_tells_all_there_is_to_know() {
    let folder = Folder::new();
    folder.write("in.trace", traces::EVERY_KIND);
    let capture = folder.import("in.trace", "a.hwcap", "");
    let info = folder.run("info --json a.hwcap").succeeds().json();
    let session = json!({
        "device": "sensor", "build": "v1.2", "ticks_per_second": 1000, "address_bits": 32
    });
    let events = json!({
        "total": 8, "allocs": 2, "frees": 1, "reallocs": 1, "failed": 1, "names": 1, "gauges": 1,
        "marks": 1
    });
    for (pointer, value) in [
        ("/complete", json!(true)),
        ("/session", session),
        ("/chunks/events", json!(1)),
        ("/chunks/definitions", json!(1)),
        ("/events", events),
        ("/definitions", json!(8)),
        ("/heap/peak_bytes", json!(164)),
        ("/heap/peak_time", json!(512)),
        ("/heap/live_bytes", json!(100)),
        ("/heap/live_blocks", json!(1)),
        // A resize is one of each, as in a chunk's header.
        ("/heap/allocations", json!(3)),
        ("/heap/frees", json!(2)),
        ("/heap/failed", json!(1)),
        ("/first_time", json!(450)),
        ("/last_time", json!(2450)),
        ("/seconds", json!(2.0)),
        ("/gaps", json!([])),
        ("/damage", json!([])),
    ] {
        assert_eq!(info.pointer(pointer), Some(&value), "{pointer}");
    }
    assert_eq!(info["bytes"], capture.len());
    assert_eq!(info["bytes_per_event"], capture.len() as f64 / 8.0);
    assert_eq!(folder.run_with("info - --json", &capture).succeeds().json(), info);
}

#[test]
fn lanes_and_ratio_add_up() {
    let folder = Folder::new();
    folder.write("in.trace", traces::text(50_000));
    let info = |options: &str| {
        folder.import("in.trace", "a.hwcap", options);
        folder.run("info --json a.hwcap").succeeds().json()
    };
    let sum = |info: &Value, field: &str| -> u64 {
        info["lanes"].as_array().unwrap().iter().map(|lane| lane[field].as_u64().unwrap()).sum()
    };
    let (plain, packed) = (info("--compression none"), info("--compression zstd"));
    assert_eq!(sum(&plain, "raw_bytes"), sum(&plain, "stored_bytes"));
    assert_eq!(sum(&packed, "raw_bytes"), sum(&plain, "raw_bytes"));
    assert!(sum(&packed, "stored_bytes") < sum(&packed, "raw_bytes"));
    let ratio = |info: &Value| info["compression_ratio"].as_f64().unwrap();
    assert!(ratio(&plain) <= 1.0 && ratio(&packed) > 1.0, "{} {}", ratio(&plain), ratio(&packed));
    assert!(packed["chunks"]["events"].as_u64().unwrap() >= 1);
}

#[test]
fn a_capture_that_is_right_is_valid() {
    let folder = Folder::new();
    folder.write("in.trace", traces::text(50_000));
    for options in ["", "--format chunked --compression lz4", "--compression none --threads 2"] {
        let capture = folder.import("in.trace", "a.hwcap", options);
        let run = folder.run("validate a.hwcap").succeeds();
        assert!(run.text().starts_with("valid: ") && run.text().contains(" 50,000 events "));
        assert_eq!((run.text().lines().count(), run.errors.as_str()), (1, ""));
        let json = folder.run_with("validate --json -", &capture).succeeds().json();
        assert_eq!(json["valid"], true);
        assert_eq!(json["events"], 50_000);
        assert_eq!((&json["errors"], &json["warnings"]), (&json!([]), &json!([])));
        assert_eq!(json["further_findings"], 0);
    }
}
