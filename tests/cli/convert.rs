//! `heapwire convert`.

use super::command::Folder;
use super::traces::{self, EVERY_KIND};

const FORMATS: [(&str, &str); 6] = [
    ("custom-binary", ""),
    ("chunked", "--chunk-size 4K --compression lz4"),
    ("messagepack", ""),
    ("messagepack", "--compression zstd --level 9"),
    ("json", "--compression lz4"),
    ("text", ""),
];

/// Whether the file `name` is this trace, whatever its form.
#[track_caller]
fn is_trace(folder: &Folder, name: &str, text: &str) {
    let back = folder.run(&format!("convert {name} - --to text")).succeeds();
    // Events are in order, definitions before them.
    let is_event = |line: &&str| !"shdp".contains(&line[..1]);
    let [found, expected] = [back.text(), text].map(|text| text.lines().filter(is_event));
    assert!(found.eq(expected), "{name}");
    let [found, expected] = [back.text(), text].map(|text| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines
    });
    assert_eq!(found, expected, "{name}");
}

#[test]
fn any_form_becomes_any_other_and_dumps_the_same() {
    let folder = Folder::new();
    folder.write("in.trace", EVERY_KIND);
    for (at, (from, options)) in FORMATS.iter().enumerate() {
        folder.run(&format!("convert in.trace {at} --to {from} {options}")).succeeds();
        for (to, options) in FORMATS {
            folder.run(&format!("convert {at} b --to {to} {options}")).succeeds();
            is_trace(&folder, "b", EVERY_KIND);
        }
    }
    // A longer one, round through all.
    let long = traces::text(20_000);
    folder.write("a", &long);
    for (to, options) in FORMATS.iter().chain(FORMATS.iter().rev()) {
        folder.run(&format!("convert a b --to {to} {options}")).succeeds();
        is_trace(&folder, "b", &long);
        std::fs::rename(folder.path().join("b"), folder.path().join("a")).unwrap();
    }
}

#[test]
fn pipes_and_compressed_inputs_are_taken() {
    let folder = Folder::new();
    let text = traces::text(2_000);
    let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
    let run = folder.run_with("convert - - --to messagepack", &packed).succeeds();
    assert!(run.errors.starts_with("converted 2,000 events: "), "{}", run.errors);
    let run = folder.run_with("convert - - --to json --compression zstd", &run.out).succeeds();
    let back = folder.run_with("convert - - --to text", &run.out).succeeds();
    assert_eq!(back.text(), text);
    let import = folder.run_with("import - -o -", text.as_bytes()).succeeds();
    let convert = folder.run_with("convert - - --to custom-binary", text.as_bytes()).succeeds();
    assert!(import.out == convert.out, "what import makes");
}

#[test]
fn what_cannot_be_leaves_no_file() {
    let folder = Folder::new();
    folder.write("in.trace", traces::text(3_000));
    let capture = folder.import("in.trace", "a.hwcap", "--chunk-size 1K");
    folder.write("cut.hwcap", &capture[..capture.len() / 2]);
    let mut damaged = capture.clone();
    damaged[capture.len() / 2] ^= 1;
    folder.write("damaged.hwcap", damaged);
    folder.write("empty", "");
    folder.write("nothing.trace", "# no event\n");
    folder.write("other", "%PDF-1.7");
    let before = folder.names();
    for (words, expected) in [
        ("cut.hwcap x --to json", "\"cut.hwcap\": the capture is cut off"),
        ("damaged.hwcap x --to messagepack", "\"damaged.hwcap\": damaged capture"),
        ("empty x --to text", "\"empty\": not a heapwire capture: the file is empty"),
        ("other x --to json", "\"other\": not a heapwire capture: it begins with \"%PDF-1.7\""),
        ("nothing.trace x --to json", "\"nothing.trace\": the trace has no event"),
        ("nowhere x --to json", "cannot open \"nowhere\""),
        ("damaged.hwcap x --to text --salvage", "the text form cannot carry gaps"),
    ] {
        let error = folder.run(&format!("convert {words}")).fails();
        assert!(error.contains(expected), "{error}");
        assert_eq!(folder.names(), before, "{words}");
    }
    for words in ["a.hwcap x", "a.hwcap x --to xml", "a.hwcap x --to chunked --chunk-size 10"] {
        assert_eq!(folder.run(&format!("convert {words}")).code, Some(2), "{words}");
    }
    folder.run("convert damaged.hwcap x --to messagepack --salvage").succeeds();
    let report = folder.run("validate --json x").succeeds().json();
    assert_eq!(report["valid"], true);
    assert_eq!(report["warnings"][0]["kind"], "gap");
}
