//! What makes no sense is refused in a sentence, with the right exit code, and leaves nothing behind.

use super::command::Folder;
use super::traces;

/// Folders and files that are no traces and no captures, and a trace.
fn folder_with_files() -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    folder.write("empty", "");
    folder.write("png", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR");
    folder.write("zip", b"PK\x03\x04\x14\0\0\0\x08\0");
    folder.write("elf", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    folder.write("text", "Dear reader,\nthis is a letter.\n");
    folder.write("in.trace", traces::EVERY_KIND);
    folder
}

#[test]
fn a_command_line_without_sense_is_a_usage_error() {
    let folder = folder_with_files();
    let before = folder.names();
    for (words, said) in [
        ("", "Usage"),
        ("frobnicate", "frobnicate"),
        ("import", "<INPUT>"),
        ("import in.trace", "--output"),
        ("import in.trace -o", "--output"),
        ("import in.trace in.trace -o x", "unexpected argument"),
        ("import in.trace -o x --format zip", "custom, chunked"),
        ("import in.trace -o x --format", "--format"),
        ("import in.trace -o x --compression brotli", "none, lz4, zstd"),
        ("import in.trace -o x --level 99", "99"),
        ("import in.trace -o x --level 0", "0"),
        ("import in.trace -o x --level -5", "-5"),
        ("import in.trace -o x --level high", "high"),
        // A level that no codec has is nonsense for those without levels too.
        ("import in.trace -o x --compression lz4 --level 99", "99"),
        ("import in.trace -o x --compression none --level 99", "99"),
        ("import in.trace -o x --chunk-size 0", "1024"),
        ("import in.trace -o x --chunk-size 1", "1024"),
        ("import in.trace -o x --chunk-size 1023", "1024"),
        ("import in.trace -o x --chunk-size 17M", "16777216"),
        ("import in.trace -o x --chunk-size 18446744073709551615", "16777216"),
        ("import in.trace -o x --chunk-size 99999999999999999999", "--chunk-size"),
        ("import in.trace -o x --chunk-size 18446744073709551615M", "--chunk-size"),
        ("import in.trace -o x --chunk-size abc", "--chunk-size"),
        ("import in.trace -o x --chunk-size K", "--chunk-size"),
        ("import in.trace -o x --chunk-size -1", "-1"),
        ("import in.trace -o x --chunk-size 4KiB", "--chunk-size"),
        ("import in.trace -o x --format chunked --chunk-size 1", "1024"),
        ("import in.trace -o x --threads 100000", "256"),
        ("import in.trace -o x --threads two", "--threads"),
        ("import in.trace -o x --threads -1", "-1"),
        ("dump", "<INPUT>"),
        ("dump in.trace --json", "--json"),
        ("info", "<INPUT>"),
        ("info in.trace in.trace", "unexpected argument"),
        ("validate", "<INPUT>"),
    ] {
        let run = folder.run(words);
        assert_eq!(run.code, Some(2), "{words}: {}", run.errors);
        assert!(run.errors.contains(said), "{words}: {}", run.errors);
        assert!(!run.errors.contains("invalid configuration"), "{words}: {}", run.errors);
        assert_eq!(run.text(), "", "{words}");
    }
    assert_eq!(folder.names(), before);
}

#[test]
fn help_and_version_are_no_errors() {
    let folder = Folder::new();
    for words in ["--help", "help import", "import --help", "--version"] {
        let run = folder.run(words).succeeds();
        assert!(run.text().contains("heapwire"), "{words}");
        assert_eq!(run.errors, "");
    }
}

#[test]
fn what_cannot_be_imported_is_named() {
    let folder = folder_with_files();
    folder.run("import in.trace -o a.hwcap").succeeds();
    folder.write("comments", "# nothing\n\n");
    folder.write("definitions", "s 1 0 10\n");
    let before = folder.names();
    for (input, said) in [
        ("missing", "cannot open \"missing\": No such file or directory"),
        ("folder", "\"folder\": it is a directory"),
        ("empty", "\"empty\": the trace has no event"),
        ("comments", "\"comments\": the trace has no event"),
        ("definitions", "\"definitions\": the trace has no event"),
        ("png", "\"png\": cannot read the text trace: not a text trace"),
        ("zip", "\"zip\": cannot read the text trace: not a text trace"),
        ("elf", "\"elf\": cannot read the text trace: not a text trace"),
        ("a.hwcap", "\"a.hwcap\": cannot read the text trace: not a text trace"),
        ("text", "line 1, column 1: found \"Dear\", expected one of the letters"),
    ] {
        for output in ["x", "in.trace", "-"] {
            let error = folder.run(&format!("import {input} -o {output}")).fails();
            assert!(error.contains(said), "{error}");
        }
    }
    assert_eq!(folder.names(), before);
    assert_eq!(folder.read("in.trace"), traces::EVERY_KIND.as_bytes());
}

#[test]
fn a_bad_line_is_named_by_its_number() {
    let folder = Folder::new();
    let good = traces::text(5000);
    let lines = good.lines().count();
    folder.write("bad", format!("{good}a 5 1 oops 3 4\n{good}"));
    let error = folder.run("import bad -o x").fails();
    let expected = format!("\"bad\": cannot read the text trace: line {}, column 7: ", lines + 1);
    assert!(error.contains(&expected), "{error}");
    assert!(error.contains("found \"oops\", expected an address"), "{error}");
    assert_eq!(folder.names(), ["bad"]);
}

#[test]
fn cut_or_damaged_compressed_input_is_no_capture() {
    let folder = Folder::new();
    let text = traces::text(5000);
    let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
    for length in [5, packed.len() / 2, packed.len() - 1] {
        folder.write("cut.zst", &packed[..length]);
        let error = folder.run("import cut.zst -o x").fails();
        assert!(error.contains("\"cut.zst\": cannot read the text trace: "), "{error}");
    }
    folder.write("damaged.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\0what is this?");
    folder.run("import damaged.gz -o x").fails();
    assert_eq!(folder.names(), ["cut.zst", "damaged.gz"]);
}

#[test]
fn what_is_no_capture_is_named() {
    let folder = folder_with_files();
    let before = folder.names();
    for (input, said) in [
        ("missing", "cannot open \"missing\": No such file or directory"),
        ("folder", "\"folder\": it is a directory"),
        ("empty", "\"empty\": not a heapwire capture: the file is empty"),
        ("png", "\"png\": not a heapwire capture: it begins with"),
        ("zip", "\"zip\": not a heapwire capture: it begins with"),
        ("elf", "\"elf\": not a heapwire capture: it begins with"),
        ("text", "\"text\": not a heapwire capture: it begins with"),
        ("in.trace", "\"in.trace\": not a heapwire capture: it begins with"),
    ] {
        for command in ["dump", "dump -o x", "info", "info --json"] {
            let run = folder.run(&format!("{command} {input}"));
            assert_eq!(run.text(), "");
            let error = run.fails();
            assert!(error.contains(said), "{command}: {error}");
        }
    }
    for command in ["dump -", "info -"] {
        let error = folder.run_with(command, b"PK\x03\x04").fails();
        assert!(error.starts_with("heapwire: \"-\": not a heapwire capture"), "{error}");
    }
    assert_eq!(folder.names(), before);
}

/// Only what cannot be read at all is an error of the command.
#[test]
fn a_file_that_is_no_capture_is_not_valid() {
    let folder = folder_with_files();
    for input in ["missing", "folder"] {
        for command in ["validate", "validate --json"] {
            let error = folder.run(&format!("{command} {input}")).fails();
            assert!(error.contains(&format!("cannot open \"{input}\"")), "{error}");
        }
    }
    for input in ["empty", "png", "zip", "elf", "text", "in.trace"] {
        let run = folder.run(&format!("validate {input}")).finds();
        assert!(run.text().starts_with("NOT VALID: "), "{}", run.text());
        assert!(run.text().contains("\n  fatal: not a heapwire capture: "), "{}", run.text());
        assert_eq!(run.errors, "");
        let json = folder.run(&format!("validate --json {input}")).finds().json();
        assert_eq!(json["valid"], false);
        let error = &json["errors"][0];
        assert_eq!(
            (&error["kind"], &error["severity"]),
            (&"not_a_capture".into(), &"fatal".into())
        );
    }
    let run = folder.run_with("validate -", b"PK\x03\x04").finds();
    assert!(run.text().contains("it begins with \"PK\\x03\\x04\""), "{}", run.text());
}
