//! Runs each example as its user would, in an empty folder. They assert their own results.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use heapwire::trace::replay::Replay;
use heapwire::{IntegratedBinaryExporter, IntegratedConfig, validate_binary_file};
use heapwire_core::NameKind;

/// What the example prints. It has to succeed, and to leave these files behind and no others.
fn run(program: &str, leaves: &[&str]) -> String {
    run_command(&mut Command::new(program), leaves)
}

fn run_command(command: &mut Command, leaves: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = command.current_dir(folder.path()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    assert_eq!(errors, "");
    let left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, leaves);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn quick_start() {
    let printed = run(env!("CARGO_BIN_EXE_quick_start"), &["quick_start.hwcap"]);
    assert!(printed.ends_with("the file is valid\n"), "{printed}");
}

#[test]
fn no_std_chunks() {
    let printed = run(env!("CARGO_BIN_EXE_no_std_chunks"), &[]);
    assert!(printed.starts_with("600 events in "), "{printed}");
}

#[test]
fn global_tracker() {
    let printed = run(env!("CARGO_BIN_EXE_global_tracker"), &["global_tracker.hwcap"]);
    for line in ["split into words", "count words", "cache that nobody empties"] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
}

#[test]
fn stream_large_file() {
    let printed = run(env!("CARGO_BIN_EXE_stream_large_file"), &[]);
    assert!(printed.contains("events: 1000000"), "{printed}");
}

#[test]
fn custom_tracker() {
    let printed = run(env!("CARGO_BIN_EXE_custom_tracker"), &[]);
    assert!(printed.contains("retransmit holds 64 slots, 16384 bytes"), "{printed}");
}

/// A service that is ended when its test fails.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One connection.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(address: &str) -> Self {
        Self(BufReader::new(TcpStream::connect(address).unwrap()))
    }

    fn send(&mut self, request: &str) {
        self.0.get_mut().write_all(format!("{request}\n").as_bytes()).unwrap();
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    fn ask(&mut self, request: &str) -> String {
        self.send(request);
        self.answer()
    }
}

#[test]
fn tokio_service() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokio_service"));
    command.arg("127.0.0.1:0").current_dir(folder.path()).stdout(Stdio::piped());
    let mut service = Service(command.spawn().unwrap());
    let mut greeting = String::new();
    BufReader::new(service.0.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
    let address = greeting.trim().strip_prefix("listening on ").unwrap();

    let (mut user, mut operator) = (Client::connect(address), Client::connect(address));
    for number in 0..500 {
        assert_eq!(user.ask(&format!("put key{number} {}", "x".repeat(number))), "ok\n");
    }
    // Both at once: the user is answered while the operator's export is under way, or soon after.
    for _ in 0..3 {
        operator.send("export");
        for number in 0..100 {
            assert_eq!(user.ask(&format!("get key{number}")), format!("{}\n", "x".repeat(number)));
        }
        let exported = operator.answer();
        assert!(exported.starts_with("exported "), "{exported}");
    }
    assert_eq!(user.ask("drop key7"), "ok\n");
    assert_eq!(user.ask("get key7"), "none\n");
    assert!(user.ask("what").starts_with("unknown request"));
    let status = operator.ask("status");
    assert!(status.starts_with("499 keys, 3 exports, "), "{status}");
    assert_eq!(operator.ask("shutdown"), "bye\n");
    assert!(service.0.wait().unwrap().success());

    let path = folder.path().join("tokio_service.hwcap");
    assert!(validate_binary_file(&path).unwrap().is_valid);
    let trace = IntegratedBinaryExporter::new(IntegratedConfig::default()).load(&path).unwrap();
    let mut replay = Replay::new();
    trace.events().unwrap().iter().for_each(|event| {
        replay.event(event);
    });
    let stored = replay
        .sites()
        .find(|(site, _)| trace.symbols().name(NameKind::Scope, *site) == Some("store"));
    assert!(stored.unwrap().1.allocations >= 500);
}

#[test]
fn benchmarks() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_benchmarks"));
    let command = command.envs([("ROUNDS", "1"), ("EVENTS", "5000")]);
    let printed = run_command(command, &["benchmark_results.json"]);
    for json in ["json", "json_arrays", "json_records"] {
        assert!(printed.contains(&format!("balanced beside {json}: written ")), "{printed}");
    }
}
