//! Captures that are cut off or damaged: what is whole is printed, what is not is told, and nothing is
//! called valid.

use super::command::Folder;
use super::traces;

/// A capture with several chunks, and the trace it was made of.
fn capture(folder: &Folder) -> (String, Vec<u8>) {
    let text = traces::text(8000);
    folder.write("in.trace", &text);
    (text, folder.import("in.trace", "whole.hwcap", "--chunk-size 4K --threads 1"))
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

#[test]
fn a_cut_capture_is_dumped_as_far_as_it_goes() {
    let folder = Folder::new();
    let (text, whole) = capture(&folder);
    let lengths = [1, 9, 15, 16, 17, 200, whole.len() / 3, whole.len() / 2, whole.len() - 1];
    let mut printed_before = 0;
    for length in lengths {
        folder.write("cut.hwcap", &whole[..length]);
        let run = folder.run("dump cut.hwcap").finds();
        assert!(text.as_bytes().starts_with(&run.out), "{length}: not the trace's beginning");
        assert!(run.out.is_empty() || run.out.ends_with(b"\n"), "{length}");
        assert!(run.out.len() >= printed_before, "{length}: less of a longer capture");
        printed_before = run.out.len();
        let error = run.fails();
        assert!(error.contains("\"cut.hwcap\": cut off at offset "), "{length}: {error}");

        folder.run("dump cut.hwcap -o cut.trace").finds();
        assert_eq!(folder.read("cut.trace").len(), printed_before);

        let run = folder.run("validate cut.hwcap").finds();
        assert!(run.text().starts_with("NOT VALID"), "{}", run.text());
        assert!(run.text().contains("cut off at offset "), "{}", run.text());
        let json = folder.run("validate cut.hwcap --json").finds().json();
        assert_eq!(
            (&json["valid"], &json["errors"][0]["kind"]),
            (&false.into(), &"cut_off".into())
        );

        let run = folder.run("info cut.hwcap").finds();
        assert!(run.text().contains("CUT OFF"), "{}", run.text());
        let json = folder.run("info cut.hwcap --json").finds().json();
        assert_eq!(json["complete"], false);
    }
    // Cut within the end mark, a capture has all its events.
    assert_eq!(printed_before, text.len());
}

/// Flips a bit in the middle of a capture: within a chunk of events.
fn damage(folder: &Folder, whole: &[u8]) {
    let mut damaged = whole.to_vec();
    damaged[whole.len() / 2] ^= 0x10;
    folder.write("damaged.hwcap", damaged);
}

#[test]
fn a_damaged_capture_is_dumped_but_for_the_damage() {
    let folder = Folder::new();
    let (text, whole) = capture(&folder);
    damage(&folder, &whole);
    let run = folder.run("dump damaged.hwcap").finds();
    let mut rest = lines(text.as_bytes());
    let mut comments = Vec::new();
    let mut events = 0;
    for line in lines(&run.out) {
        if line.starts_with(b"#") {
            comments.push(String::from_utf8_lossy(line).into_owned());
        } else {
            assert!(rest.any(|expected| expected == line), "no line of the trace, or out of order");
            events += 1;
        }
    }
    let all = text.lines().count();
    assert!(events > all * 3 / 4 && events < all, "{events} of {all}");
    // Where the damage is, and how much it hid.
    assert_eq!(comments.len(), 2, "{comments:?}");
    assert!(comments[0].starts_with("# damaged: "), "{comments:?}");
    let missing = format!(": {} events missing\n", all - events);
    assert!(comments[1].starts_with("# gap in stream 0 ") && comments[1].ends_with(&missing));
    let error = run.fails();
    assert!(error.contains("at offset ") && error.contains("cannot be read"), "{error}");
}

#[test]
fn damage_is_told_with_its_place_and_what_was_found_and_expected() {
    let folder = Folder::new();
    let (_, whole) = capture(&folder);
    damage(&folder, &whole);
    let run = folder.run("validate damaged.hwcap").finds();
    assert_eq!(run.errors, "");
    let mut lines = run.text().lines();
    assert!(lines.next().unwrap().starts_with("NOT VALID: "));
    let error = lines.next().unwrap();
    assert!(
        error.starts_with("  error in chunk ")
            && error.contains(": at offset ")
            && error.contains("cannot be read"),
        "{error}"
    );
    assert!(error.contains("found ") && error.contains("expected "), "{error}");

    let json = folder.run("validate --json damaged.hwcap").finds().json();
    assert_eq!(json["valid"], false);
    let found = &json["errors"][0];
    assert_eq!((&found["kind"], &found["severity"]), (&"damage".into(), &"error".into()));
    let chunk = found["chunk"].as_u64().unwrap();
    let place = found["offset"].as_u64().unwrap();
    assert!(place < whole.len() as u64 / 2 && place > whole.len() as u64 / 2 - 5000, "{place}");
    let message = found["message"].as_str().unwrap();
    assert_eq!(format!("  error in chunk {chunk}: {message}"), error);
    let gap = &json["warnings"][0];
    assert_eq!((&gap["kind"], &gap["severity"]), (&"gap".into(), &"warning".into()));
    // The damaged chunk is not counted among those that can be told apart.
    assert_eq!(gap["chunk"], chunk);

    let info = folder.run("info --json damaged.hwcap").finds().json();
    assert_eq!(info["damage"][0]["offset"].as_u64(), Some(place));
    assert_eq!(info["gaps"].as_array().unwrap().len(), 1);
    assert_eq!(
        info["gaps"][0]["events"].as_u64().unwrap() + info["events"]["total"].as_u64().unwrap(),
        8000
    );
    let info = folder.run("info damaged.hwcap").finds();
    assert!(info.text().contains("1 gap, "), "{}", info.text());
}

#[test]
fn bytes_behind_the_end_mark_are_not_valid() {
    let folder = Folder::new();
    let (text, mut whole) = capture(&folder);
    whole.extend_from_slice(b"more");
    folder.write("longer.hwcap", whole);
    assert!(folder.run("validate longer.hwcap").finds().text().starts_with("NOT VALID"));
    let dump = folder.run("dump longer.hwcap").finds();
    let behind = dump.text().strip_prefix(&text).unwrap();
    assert!(behind.starts_with("# damaged: 4 bytes at offset "), "{behind}");
}
