//! `heapwire record`: lines of every kind, and whatever happens to them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use heapwire::trace::Item;
use heapwire::{BinaryDataParser, ParserConfig};
use heapwire_core::Event;
use heapwire_tests::Content;
use heapwire_tests::device::{EVENTS, Sent, device};

use super::command::{Folder, Run};

/// How long to wait for what comes for certain.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was recorded, and that the command finds it valid.
fn recorded(folder: &Folder, capture: &str) -> Vec<Event> {
    folder.run(&format!("validate {capture}")).succeeds();
    Content::of_capture(&folder.read(capture)).events
}

/// The device's events that its line has: some were lost to full buffers.
fn arrived(sent: &Sent, lost: u64) -> usize {
    sent.events.len() - lost as usize
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !there() {
        assert!(begun.elapsed() < PATIENCE, "{what} did not come");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends the signal of Ctrl-C.
#[cfg(unix)]
fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// How many events are in a capture that grows while we look.
#[cfg(unix)]
fn events_so_far(folder: &Folder, capture: &str) -> usize {
    let mut config = ParserConfig::default();
    config.salvage = true;
    let mut events = 0;
    let Ok(capture) = fs::File::open(folder.path().join(capture)) else { return 0 };
    let each = |item: Item<'_>| {
        events += usize::from(matches!(item, Item::Event(_)));
        Ok(())
    };
    BinaryDataParser::new(config).for_each_item(capture, each).unwrap();
    events
}

#[test]
fn standard_input_and_files_are_recorded_to_their_end() {
    let folder = Folder::new();
    let sent = device(5);
    folder.write("line", &sent.line);
    let from_stdin = folder.run_with("record - -o a.hwcap --json", &sent.line).succeeds().json();
    let from_file = folder.run("record line -o b.hwcap --json").succeeds().json();
    for (told, capture) in [(&from_stdin, "a.hwcap"), (&from_file, "b.hwcap")] {
        let lost = told["gaps"]["events"].as_u64().unwrap();
        assert!(lost > 0 && told["gaps"]["lost_full"] == lost);
        let events = recorded(&folder, capture);
        assert_eq!(events.len(), arrived(&sent, lost));
        assert!(events.iter().all(|event| sent.events.contains(event)));
        let exact = sent.totals.last().unwrap();
        let heap = &told["heap"];
        assert_eq!(heap["bytes_in_use"], exact.bytes_in_use);
        assert_eq!(
            (&heap["allocations"], &heap["frees"]),
            (&exact.allocations.into(), &exact.frees.into())
        );
        assert_eq!(told["line"]["bytes"], sent.line.len());
        assert_eq!(told["capture"]["bytes"], folder.read(capture).len());
    }
    // For people: the same in words.
    let run = folder.run("record line -o c.hwcap").succeeds();
    assert!(run.text().contains("Never freed") && run.errors.is_empty(), "{}", run.text());
}

#[test]
fn what_is_no_line_of_ours_is_told_and_an_older_file_stays() {
    let folder = Folder::new();
    folder.write("a.hwcap", "older");
    let noise: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let run = folder.run_with("record - -o a.hwcap", &noise);
    let last = run.errors.lines().last().unwrap_or_default().to_owned();
    assert!(run.code == Some(1) && last.contains("5,000 bytes"), "{last}");
    assert!(last.contains("nothing was recorded") && last.contains("rate"), "{last}");
    assert_eq!(folder.read("a.hwcap"), b"older");
    let error = folder.run("record serial:/nowhere/tty?baud=9600 -o b.hwcap").fails();
    assert!(error.contains("/nowhere/tty") && error.contains("9600"), "{error}");
    let usage = folder.run("record tcp:here -o a.hwcap");
    assert!(usage.code == Some(2) && usage.errors.contains("HOST:PORT"), "{}", usage.errors);
}

#[test]
fn text_between_frames_goes_to_standard_error_or_a_file() {
    let folder = Folder::new();
    let line = [b"boot \x1b[31mok\r\n", &device(1).line[..], b"done\n"].concat();
    let run = folder.run_with("record - -o a.hwcap", &line).succeeds();
    assert_eq!(run.errors, "boot \\u{1b}[31mok\ndone\n");
    let run = folder.run_with("record - -o a.hwcap --text log", &line).succeeds();
    assert_eq!(
        (run.errors.as_str(), &folder.read("log")[..]),
        ("", &b"boot \x1b[31mok\r\ndone\n"[..])
    );
}

#[test]
fn a_kill_at_any_moment_leaves_a_valid_capture() {
    let folder = Folder::new();
    let sent = device(7);
    let mut valid = 0;
    for moment in 0..12 {
        let name = format!("{moment}.hwcap");
        let mut child = folder.spawn(&format!("record - -o {name}"));
        let mut stdin = child.stdin.take().unwrap();
        // More and more of the line, the last of it a second later: then the file is there and grows.
        let (first, rest) = sent.line.split_at(1000);
        stdin.write_all(first).unwrap();
        wait_for("the capture", || folder.path().join(&name).exists());
        for piece in rest.chunks(300).take(moment) {
            stdin.write_all(piece).unwrap();
            thread::sleep(Duration::from_millis(100));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let events = recorded(&folder, &name);
        assert!(!events.is_empty() && events.iter().all(|event| sent.events.contains(event)));
        valid += usize::from(events.len() > 100);
    }
    assert!(valid > 0, "nothing was written while the recording went on");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_recording_with_all_that_came() {
    let folder = Folder::new();
    let sent = device(9);
    folder.write("line", &sent.line[..3000]);
    let child = folder.spawn("record line --follow -o a.hwcap --json");
    wait_for("the capture", || folder.path().join("a.hwcap").exists());
    // The file goes on, and the recording with it.
    let mut line = OpenOptions::new().append(true).open(folder.path().join("line")).unwrap();
    line.write_all(&sent.line[3000..]).unwrap();
    let whole = folder.run_with("record - -o whole.hwcap", &sent.line).succeeds();
    assert!(!whole.text().is_empty());
    let expected = recorded(&folder, "whole.hwcap");
    wait_for("the rest", || events_so_far(&folder, "a.hwcap") == expected.len());
    interrupt(&child);
    let told = Run::end(child).succeeds().json();
    assert_eq!(told["events"]["total"], expected.len());
    assert_eq!(recorded(&folder, "a.hwcap"), expected);
}

#[test]
fn a_socket_that_goes_away_is_connected_to_again() {
    let folder = Folder::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let child = folder.spawn(&format!("record tcp:{address} -o a.hwcap --json --duration 4"));
    let sent = device(11);
    let (first, second) = sent.line.split_at(sent.line.len() / 2);
    for part in [first, second] {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(part).unwrap();
    }
    let told = Run::end(child).succeeds().json();
    // A frame that the two connections share is lost.
    let missing = told["gaps"]["events"].as_u64().unwrap();
    let gaps = told["gaps"]["lost_full"].as_u64().unwrap();
    assert!(missing > gaps && missing - gaps < 100, "{told}");
    assert_eq!(recorded(&folder, "a.hwcap").len(), EVENTS - missing as usize);
    assert_eq!(told["heap"]["bytes_in_use"], sent.totals.last().unwrap().bytes_in_use);
}

#[test]
fn whoever_connects_is_recorded_and_once_is_enough_if_asked() {
    let folder = Folder::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let child = folder.spawn(&format!("record tcp-listen:{free} -o a.hwcap --once --json"));
    let mut connected = None;
    wait_for("the listener", || {
        connected = TcpStream::connect(free).ok();
        connected.is_some()
    });
    connected.unwrap().write_all(&device(2).line).unwrap();
    let told = Run::end(child).succeeds().json();
    assert_eq!(told["restarts"], 0);
    assert!(!recorded(&folder, "a.hwcap").is_empty());
}

#[test]
fn a_device_that_starts_anew_begins_another_epoch() {
    let folder = Folder::new();
    let (first, second) = (device(3), device(4));
    // It was cut off somewhere, and does not count its starts.
    let line = [&first.line[..first.line.len() / 2], &second.line].concat();
    let told = folder.run_with("record - -o a.hwcap --json", &line).succeeds().json();
    assert_eq!(told["restarts"], 1);
    assert_eq!(told["heap"]["bytes_in_use"], second.totals.last().unwrap().bytes_in_use);
    let info = folder.run("info a.hwcap --json").succeeds().json();
    assert_eq!((&info["restarts"], &info["streams"]), (&1.into(), &1.into()));
    assert_eq!(info["heap"]["live_bytes"], told["heap"]["bytes_in_use"]);
    recorded(&folder, "a.hwcap");
}

#[cfg(unix)]
#[test]
fn a_pseudo_terminal_is_read_as_a_serial_port() {
    use serialport::{SerialPort, TTYPort};
    let folder = Folder::new();
    let (mut ours, theirs) = TTYPort::pair().unwrap();
    let port = theirs.name().unwrap();
    let child = folder.spawn(&format!("record serial:{port}?baud=115200 -o a.hwcap --json"));
    let sent = device(13);
    // At the pace of 115,200 baud.
    for piece in sent.line.chunks(1152) {
        ours.write_all(piece).unwrap();
        thread::sleep(Duration::from_millis(100));
    }
    wait_for("the capture", || folder.path().join("a.hwcap").exists());
    wait_for("nearly all", || events_so_far(&folder, "a.hwcap") > EVENTS * 3 / 4);
    // Not by closing the line, whose other end the command has inherited.
    interrupt(&child);
    let told = Run::end(child).succeeds().json();
    let missing = told["gaps"]["events"].as_u64().unwrap() as usize;
    assert_eq!(recorded(&folder, "a.hwcap").len(), EVENTS - missing);
}

/// Waits for the port, and again when it has gone away.
#[cfg(unix)]
#[test]
fn a_serial_port_that_is_unplugged_is_waited_for() {
    use serialport::{SerialPort, TTYPort};
    let folder = Folder::new();
    let port = folder.path().join("tty");
    let source = format!("serial:{}", port.display());
    let child = folder.spawn(&format!("record {source} --wait -o a.hwcap --json"));
    let sent = device(15);
    let (first, second) = sent.line.split_at(sent.line.len() / 2);
    let mut seen = 0;
    for part in [first, second] {
        let (mut ours, theirs) = TTYPort::pair().unwrap();
        std::os::unix::fs::symlink(theirs.name().unwrap(), &port).unwrap();
        // Until the command has opened it, we keep the terminal up ourselves.
        for piece in part.chunks(500) {
            ours.write_all(piece).unwrap();
            thread::sleep(Duration::from_millis(60));
        }
        let before = seen;
        wait_for("what was sent", || {
            seen = events_so_far(&folder, "a.hwcap");
            seen > before + 300
        });
        fs::remove_file(&port).unwrap();
        drop((ours, theirs));
    }
    interrupt(&child);
    let told = Run::end(child).succeeds().json();
    assert_eq!(told["restarts"], 0);
    let missing = told["gaps"]["events"].as_u64().unwrap() as usize;
    assert_eq!(recorded(&folder, "a.hwcap").len() + missing, EVENTS);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_leaves_what_was_written() {
    let folder = Folder::new();
    let run = folder.run_with("record - -o /dev/full", &device(1).line);
    assert!(run.code == Some(1) && run.errors.contains("/dev/full"), "{}", run.errors);
}
