//! Outputs that cannot be written to, in whole or from some byte on, and readers that leave early.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::command::{Folder, Run, program};
use super::traces;

/// A folder with a trace and its capture of some hundred kilobytes.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("in.trace", traces::text(200_000));
    folder.import("in.trace", "a.hwcap", "");
    folder
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = folder();
    for command in ["dump a.hwcap", "import in.trace -o - --compression none --chunk-size 4K"] {
        let mut child = folder.spawn(command);
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_until(b'\n', &mut Vec::new()).unwrap();
        drop(output);
        let run = Run::end(child).succeeds();
        assert_eq!(run.errors, "", "{command}");
    }
    for command in
        ["info a.hwcap", "info --json a.hwcap", "validate a.hwcap", "validate --json a.hwcap"]
    {
        let mut child = folder.spawn(command);
        drop(child.stdout.take());
        let run = Run::end(child).succeeds();
        assert_eq!(run.errors, "", "{command}");
    }
}

#[test]
fn a_finding_stays_a_finding_when_nobody_reads_it() {
    let folder = folder();
    let capture = folder.read("a.hwcap");
    folder.write("cut.hwcap", &capture[..capture.len() / 2]);
    for command in ["validate cut.hwcap", "validate --json cut.hwcap", "info cut.hwcap"] {
        let mut child = folder.spawn(command);
        drop(child.stdout.take());
        let run = Run::end(child).finds();
        assert_eq!(run.errors, "", "{command}");
    }
}

#[test]
fn a_full_disk_is_told() {
    let folder = folder();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for words in [
        "dump a.hwcap",
        "info a.hwcap",
        "info --json a.hwcap",
        "validate a.hwcap",
        "validate --json a.hwcap",
        "import in.trace -o -",
        "convert a.hwcap - --to messagepack",
        "convert a.hwcap - --to text",
    ] {
        let mut command = folder.command(words);
        command.stdout(full.try_clone().unwrap()).stderr(Stdio::piped());
        let error = Run::end(command.spawn().unwrap()).fails();
        let expected = "heapwire: cannot write the output: No space left on device (os error 28)";
        assert_eq!(error, expected, "{words}");
    }
    for words in ["import in.trace -o /dev/full", "dump a.hwcap -o /dev/full"] {
        let error = folder.run(words).fails();
        let expected =
            "heapwire: cannot write \"/dev/full\": No space left on device (os error 28)";
        assert_eq!(error, expected, "{words}");
    }
}

#[test]
fn a_disk_that_fills_up_leaves_the_old_file() {
    let folder = folder();
    let length = folder.read("a.hwcap").len();
    folder.write("old", "old");
    let before = folder.names();
    // A limit on the size of files stands for a disk with so much room, in blocks of 512 bytes.
    for blocks in [0, 1, length / 1024, length / 512] {
        for words in [
            "import in.trace -o old",
            "import in.trace -o new",
            "dump a.hwcap -o old",
            "convert a.hwcap old --to json",
        ] {
            let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" {words}");
            let mut command = Command::new("sh");
            command.arg("-c").arg(limited).arg(program()).current_dir(folder.path());
            let error = Run::of(&mut command).fails();
            assert!(error.contains("cannot write ") && error.contains("File too large"), "{error}");
            assert_eq!(folder.names(), before, "{words}");
            assert_eq!(folder.read("old"), b"old", "{words}");
        }
    }
}

#[test]
fn a_folder_that_is_not_there_or_takes_no_file_is_named() {
    let folder = folder();
    let before = folder.names();
    for words in ["import in.trace -o", "dump a.hwcap -o"] {
        let error = folder.run(&format!("{words} nowhere/x")).fails();
        assert!(error.contains("cannot create \"nowhere/x\": the folder "), "{error}");
        assert!(error.contains("does not exist"), "{error}");
        // Not even root creates files there.
        let error = folder.run(&format!("{words} /sys/heapwire")).fails();
        assert!(error.contains("cannot create \"/sys/heapwire\": "), "{error}");
        let error = folder.run(&format!("{words} .")).fails();
        assert!(error.contains("cannot create \".\": Is a directory"), "{error}");
        let error = folder.run(&format!("{words} in.trace/x")).fails();
        assert!(error.contains("cannot create \"in.trace/x\": Not a directory"), "{error}");
    }
    assert_eq!(folder.names(), before);
}

#[test]
fn a_folder_without_write_permission_is_named() {
    let folder = folder();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::write(closed.join("old"), "old").unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(closed.join("probe"), "").is_ok() {
        // This is root, whom permissions do not stop; `/sys` in the test above does.
        return;
    }
    for target in ["closed/old", "closed/new"] {
        let error = folder.run(&format!("import in.trace -o {target}")).fails();
        assert!(error.contains("Permission denied"), "{error}");
    }
    assert_eq!(fs::read(closed.join("old")).unwrap(), b"old");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn devices_and_pipes_are_written_straight() {
    let folder = folder();
    folder.run("import in.trace -o /dev/null").succeeds();
    assert_eq!(folder.run("dump a.hwcap -o /dev/stdout").succeeds().out, folder.read("in.trace"));
}
