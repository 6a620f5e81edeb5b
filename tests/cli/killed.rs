//! `kill -9` in the middle of an import leaves the old file, or none. Never a part of one.

use std::fs;
use std::io::Write as _;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use super::command::Folder;
use super::traces;

/// At so many moments the end of an import is interrupted.
const MOMENTS: u32 = 40;

/// Starts an import that gets this far: some of its input, which is held open unless it is all.
fn import_up_to(folder: &Folder, input: &[u8], all: bool) -> Child {
    let mut child = folder.spawn("import - -o target.hwcap --threads 2");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).unwrap();
    if !all {
        child.stdin = Some(stdin);
    }
    child
}

/// Kills the command and returns what is at its target then.
fn kill(folder: &Folder, mut child: Child) -> Option<Vec<u8>> {
    child.kill().unwrap();
    child.wait().unwrap();
    fs::read(folder.path().join("target.hwcap")).ok()
}

#[test]
fn a_kill_before_the_end_leaves_what_was_there() {
    let folder = Folder::new();
    let text = traces::text(300_000);
    let (mut seen_partial, whole) = (0, text.len());
    for old in [None, Some(b"the old file".to_vec())] {
        // The last moment: all is read and encoded but for the end of the input.
        for length in [0, 1, 70_000, whole / 2, whole - 1, whole] {
            if let Some(old) = &old {
                folder.write("target.hwcap", old);
            }
            let child = import_up_to(&folder, &text.as_bytes()[..length], false);
            // Time to read what is still in the pipe.
            thread::sleep(Duration::from_millis(50));
            assert_eq!(kill(&folder, child), old, "killed after {length} bytes");
            seen_partial += remove_partial(&folder);
        }
    }
    // With more than a byte of input, an import has begun to write when it is killed.
    assert!(seen_partial >= 6, "{seen_partial}");
}

#[test]
fn a_kill_at_the_very_end_leaves_the_old_file_or_the_new_one() {
    let folder = Folder::new();
    let text = traces::text(100_000);
    folder.write("in.trace", &text);
    let new = folder.import("in.trace", "new.hwcap", "");
    // From its last input until after the file is in its place.
    let mut child = import_up_to(&folder, text.as_bytes(), true);
    let started = Instant::now();
    assert!(child.wait().unwrap().success());
    let whole_end = started.elapsed();
    assert!(folder.read("target.hwcap") == new);

    let old = b"the old file".to_vec();
    let mut olds = 0;
    for moment in 0..MOMENTS {
        folder.write("target.hwcap", &old);
        let child = import_up_to(&folder, text.as_bytes(), true);
        thread::sleep(whole_end * 3 * moment / (2 * MOMENTS));
        let left = kill(&folder, child).unwrap();
        assert!(left == old || left == new, "a part of a file at moment {moment}");
        olds += u32::from(left == old);
        remove_partial(&folder);
    }
    println!("of {MOMENTS} kills within {whole_end:?}, {olds} left the old file");
    assert!(olds > 0);
}

/// Removes what only a killed process leaves; counts it.
fn remove_partial(folder: &Folder) -> usize {
    let names = folder.names();
    let partial = names.iter().filter(|name| name.ends_with(".partial"));
    partial.map(|name| fs::remove_file(folder.path().join(name)).unwrap()).count()
}

#[test]
fn an_interrupted_folder_takes_the_next_import() {
    let folder = Folder::new();
    let text = traces::text(1000);
    folder.write("in.trace", &text);
    let child = import_up_to(&folder, text.as_bytes(), false);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(kill(&folder, child), None);
    folder.import("in.trace", "target.hwcap", "");
    assert_eq!(folder.run("dump target.hwcap").succeeds().text(), text);
}
