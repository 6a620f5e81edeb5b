//! Memory does not grow with the trace. The peak of a process is asked of the system while the process
//! waits for us, at the last moment: when it has all of its input, or we most of its output.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write as _};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use super::command::Folder;
use super::traces;

/// Enough to fill the batches of two threads, of 262,144 events each.
const SHORT: u64 = 300_000;
const LONG: u64 = 10 * SHORT;

/// The most memory that a running process ever had resident, in KiB.
fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim_end_matches("kB").trim().parse().ok()
}

/// Peak of an import of this many events.
fn import(folder: &Folder, events: u64, options: &str) -> u64 {
    let mut command = folder.command(&format!("import - -o {events}.hwcap --threads 2 {options}"));
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = BufWriter::new(child.stdin.take().unwrap());
    traces::write_events(&mut input, events).unwrap();
    input.flush().unwrap();
    thread::sleep(Duration::from_millis(50));
    let mut highest = peak(&child).unwrap();
    drop(input);
    // What it does at the end, as far as it can be seen.
    while child.try_wait().unwrap().is_none() {
        highest = highest.max(peak(&child).unwrap_or(0));
        thread::sleep(Duration::from_millis(1));
    }
    assert!(child.wait().unwrap().success());
    highest
}

/// Peak of a command that reads the capture of this many events, and how many lines it prints.
fn read(folder: &Folder, command: &str, events: u64) -> (u64, u64) {
    let capture = File::open(folder.path().join(format!("{events}.hwcap"))).unwrap();
    let mut command = folder.command(&format!("{command} -"));
    // It waits for us only when there is much to print; otherwise we have to look often.
    let mut child = command.stdin(capture).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let counter = thread::spawn(move || {
        let (mut lines, mut buffer) = (0, vec![0; 1 << 16]);
        loop {
            match output.read(&mut buffer).unwrap() {
                0 => return lines,
                read => lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count(),
            }
        }
    });
    let mut highest = 0;
    while child.try_wait().unwrap().is_none() {
        highest = highest.max(peak(&child).unwrap_or(0));
        thread::sleep(Duration::from_millis(1));
    }
    assert!(child.wait().unwrap().success());
    (highest, counter.join().unwrap() as u64)
}

#[track_caller]
fn stays(what: &str, short: u64, long: u64) {
    println!("{what}: {short} KiB for {SHORT} events, {long} KiB for {LONG}");
    // Threads that come to their memory in another order take some more of it or less; a single byte
    // kept of each event would be 5 MiB.
    assert!(long <= short + short / 10 + 4096, "{what}: {short} KiB became {long} KiB");
}

fn does_not_grow(options: &str) {
    let folder = Folder::new();
    let [short, long] = [SHORT, LONG].map(|events| import(&folder, events, options));
    stays("import", short, long);
    for command in ["dump", "validate", "info"] {
        let [short, long] = [SHORT, LONG].map(|events| read(&folder, command, events));
        stays(command, short.0, long.0);
        if command == "dump" {
            // A line more for the session.
            assert_eq!((short.1, long.1), (SHORT + 1, LONG + 1));
        }
    }
}

#[test]
#[cfg_attr(debug_assertions, ignore = "some minutes without optimization")]
fn of_a_custom_capture() {
    does_not_grow("--format custom");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "some minutes without optimization")]
fn of_a_chunked_capture() {
    does_not_grow("--format chunked");
}

/// Peak of a conversion from this file, and its length.
fn convert(folder: &Folder, events: u64, from: &str, to: &str) -> u64 {
    let words = format!("convert {events}.{from} {events}.{to}.new --to {to} --threads 1");
    let mut child = folder.command(&words).stderr(Stdio::null()).spawn().unwrap();
    let mut highest = 0;
    while child.try_wait().unwrap().is_none() {
        highest = highest.max(peak(&child).unwrap_or(0));
        thread::sleep(Duration::from_millis(1));
    }
    assert!(child.wait().unwrap().success());
    let [new, old] = ["new", ""].map(|end| {
        let name = format!("{events}.{to}.{end}");
        folder.path().join(name.trim_end_matches('.'))
    });
    fs::rename(new, old).unwrap();
    highest
}

/// Sorting what does not fit into memory goes through temporary files.
#[test]
#[cfg_attr(debug_assertions, ignore = "some minutes without optimization")]
fn of_every_form() {
    let folder = Folder::new();
    for events in [SHORT, LONG] {
        let trace = File::create(folder.path().join(format!("{events}.trace"))).unwrap();
        let mut trace = BufWriter::new(trace);
        traces::write_events(&mut trace, events).unwrap();
        trace.flush().unwrap();
    }
    let roads = [
        ("trace", "custom-binary"),
        ("custom-binary", "messagepack"),
        ("messagepack", "json"),
        ("json", "messagepack"),
        ("messagepack", "chunked"),
        ("chunked", "text"),
    ];
    for (from, to) in roads {
        let [short, long] = [SHORT, LONG].map(|events| convert(&folder, events, from, to));
        stays(&format!("{from} to {to}"), short, long);
    }
    let dumped = folder.read(&format!("{LONG}.text"));
    let lines = dumped.iter().filter(|byte| **byte == b'\n').count() as u64;
    assert_eq!(lines, LONG + 1);
}
