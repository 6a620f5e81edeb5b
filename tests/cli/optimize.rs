//! `heapwire optimize` tries settings on a capture's data and prints the best as flags.

use serde_json::Value;

use super::command::Folder;
use super::traces;

fn folder_with_capture() -> Folder {
    let folder = Folder::new();
    folder.write("in.trace", traces::text(4_000));
    folder.import("in.trace", "a.hwcap", "");
    folder
}

#[test]
fn the_best_settings_are_flags_that_import_takes() {
    let folder = folder_with_capture();
    let before = folder.names();
    let run =
        folder.run("optimize a.hwcap --json --aim size --rounds 1 --events 100000").succeeds();
    assert_eq!(run.errors, "");
    let found = run.json();
    assert_eq!((&found["aim"], &found["events"]), (&"size".into(), &4_000.into()));
    assert_eq!(found["sampled_events"], 4_000);
    let improvement = |value: &Value| value["improvement"]["overall_improvement"].as_f64().unwrap();
    let candidates = found["candidates"].as_array().unwrap();
    assert_eq!(improvement(&candidates[0]), 1.0);
    assert!(candidates.len() > 5);
    let bytes = |candidate: &Value| candidate["bytes"].as_u64().unwrap();
    let smallest = candidates.iter().map(bytes).min().unwrap();
    let gain = bytes(&candidates[0]) as f64 / smallest as f64;
    // In each of three stages, what is less than 2 % better is not taken.
    assert!((gain / 1.07..=gain).contains(&improvement(&found)), "{found}");
    assert_eq!(folder.names(), before);

    folder.import("in.trace", "best.hwcap", found["flags"].as_str().unwrap());
    folder.run("validate best.hwcap").succeeds();
}

#[test]
fn the_table_has_all_that_was_tried() {
    let folder = folder_with_capture();
    let capture = folder.read("a.hwcap");
    let run = folder.run_with("optimize - --rounds 1 --events 1000", &capture).succeeds();
    let mut lines = run.text().lines();
    assert!(
        lines.next().unwrap().starts_with("tried on ") && run.text().contains(" of 4,000 events")
    );
    let default = lines.nth(1).unwrap();
    assert!(default.contains("1.00x  --compression zstd --level 3 --model dense"), "{default}");
    assert!(run.text().contains("--compression none"), "{}", run.text());
    assert!(run.text().lines().last().unwrap().starts_with("best: "), "{}", run.text());
}

#[test]
fn what_cannot_be_optimised_is_named() {
    let folder = folder_with_capture();
    folder.write("text", "Dear reader");
    assert!(folder.run("optimize text").fails().contains("\"text\": not a heapwire capture"));
    assert!(folder.run("optimize missing").fails().contains("cannot open \"missing\""));
    for words in ["optimize a.hwcap --rounds 0", "optimize a.hwcap --aim luck", "optimize"] {
        assert_eq!(folder.run(words).code, Some(2), "{words}");
    }
}
