//! Firmware in QEMU, `heapwire record` at the other end, and what it recorded beside what the firmware says.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use heapwire::Result;
use heapwire::io::capture_reader::{Completeness, Damage};
use heapwire::pipeline::parse::{CaptureVisitor, parse};
use heapwire::trace::Item;
use heapwire::trace::continuity::{Follows, Gap};
use heapwire::trace::symbols::Symbols;
use heapwire_core::{Chunk, Definition, Event, Name, NameKind};
use heapwire_tests::device::decode_line;
use serde_json::Value;
use serialport::{SerialPort, TTYPort};

use crate::command::{Folder, Run as Ended};
use crate::hostile::{numbers, with_numbers};
use crate::image::{Image, image, images};
use crate::proxy::{Cut, free_port, line};
use crate::said::{Run, checksum, number, planted, runs, unfreed};

/// Bytes a second of a serial line at 115,200 baud.
const LINE_PACE: usize = 11_520;

/// What a capture holds, by epoch and stream.
#[derive(Default)]
struct Held {
    events: BTreeMap<(u32, u32), Vec<Event>>,
    gaps: Vec<Gap>,
    current: (u32, u32),
    symbols: Symbols,
    /// Names by epoch and stream.
    names: HashMap<(u32, u32, NameKind, u32), String>,
}

impl CaptureVisitor for Held {
    fn chunk(&mut self, chunk: &Chunk<'_>, _: u64, follows: Follows) -> Result<()> {
        self.current = (chunk.header.epoch, chunk.header.stream);
        if let Follows::AfterGap(gap) = follows {
            self.gaps.push(gap);
        }
        Ok(())
    }

    fn item(&mut self, item: Item<'_>) -> Result<()> {
        match item {
            Item::Event(event) => self.events.entry(self.current).or_default().push(event),
            Item::Definition(definition) => {
                self.symbols.define(&definition);
                if let Definition::Name(Name { kind, id, text }) = definition {
                    let (epoch, stream) = self.current;
                    self.names.insert((epoch, stream, kind, id), text.to_owned());
                }
            }
        }
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> Result<()> {
        panic!("{damage:?}");
    }
}

/// A recording that is over.
struct Recording {
    /// What was on the line, as the device numbers it.
    sent: Held,
    /// What the command told, as JSON.
    told: Value,
    held: Held,
    /// What the firmware said of each of its runs.
    runs: Vec<Run>,
    /// What else was between its frames.
    log: Vec<Vec<u8>>,
}

impl Recording {
    fn of(folder: &Folder, line: &[u8], ended: Ended) -> Self {
        let mut sent = Held::default();
        decode_line(line, &mut sent);
        let told = ended.succeeds().json();
        folder.run("validate device.hwcap").succeeds();
        let mut held = Held::default();
        let completeness = parse(&folder.read("device.hwcap")[..], &mut held).unwrap();
        assert!(matches!(completeness, Completeness::Complete(_)), "{completeness:?}");
        let log = folder.read("device.log");
        let (text, log): (Vec<&[u8]>, Vec<&[u8]>) =
            log.split(|byte| *byte == 0).partition(|piece| std::str::from_utf8(piece).is_ok());
        let text = String::from_utf8(text.concat()).unwrap();
        let log = log.into_iter().map(<[u8]>::to_vec).collect();
        Self { sent, told, held, runs: runs(&text), log }
    }

    /// By a socket, as fast as it goes.
    fn over_tcp(image: &Image) -> Self {
        Self::over_tcp_with(image, "--text")
    }

    /// What is between the frames goes where this option says.
    fn over_tcp_with(image: &Image, option: &str) -> Self {
        let folder = Folder::new();
        let port = free_port();
        let words = format!(
            "record tcp-listen:127.0.0.1:{port} --once -o device.hwcap {option} device.log --json"
        );
        let recorder = folder.spawn(&words);
        // The firmware is not waited for: QEMU gives up when nobody listens.
        wait_until_listening(port);
        let (ours, passing) = line(port, usize::MAX, None);
        let mut qemu = image.start_connected(ours);
        let recorded = Ended::end(recorder);
        let line = passing.join().unwrap();
        assert!(qemu.wait().unwrap().success(), "{image:?}");
        Self::of(&folder, &line, recorded)
    }

    /// By a socket at a pace that may be cut.
    fn over_slow_tcp(image: &Image, pace: usize, cut: Option<Cut>) -> Self {
        let folder = Folder::new();
        let port = free_port();
        let recorder = start(&folder, &format!("record tcp-listen:127.0.0.1:{port}"));
        let (ours, passing) = line(port, pace, cut);
        let mut qemu = image.start_connected(ours);
        let line = passing.join().unwrap();
        assert!(qemu.wait().unwrap().success(), "{image:?}");
        // The last bytes are on their way still.
        thread::sleep(Duration::from_millis(500));
        interrupt(&recorder);
        Self::of(&folder, &line, Ended::end(recorder))
    }

    /// All events of a run came, and the firmware counted the same.
    fn is_whole(&self, epoch: u32) {
        let run = &self.runs[epoch as usize];
        for witness in run.all("witness") {
            let stream = number(witness, "stream") as u32;
            let sent = &self.sent.events[&(epoch, stream)];
            assert_eq!(sent.len() as u64, number(witness, "events"));
            let clock_bits = run.number("boot", "clock_bits");
            assert_eq!(checksum(sent, clock_bits), witness["checksum"], "stream {stream}");
            // What was recorded is equal, and where numbers are others they have the same names.
            let held = &self.held.events[&(epoch, stream)];
            assert_eq!(held.len(), sent.len());
            for (held, sent) in held.iter().zip(sent) {
                let ((thread, number, kind), (sent_thread, sent_number, _)) =
                    (numbers(held), numbers(sent));
                assert_eq!(with_numbers(held, sent_thread, sent_number), *sent);
                for (kind, id, sent) in
                    [(NameKind::Thread, thread, sent_thread), (kind, number, sent_number)]
                {
                    let name = self.sent.names.get(&(epoch, stream, kind, sent));
                    assert_eq!(self.held.symbols.name(kind, id), name.map(String::as_str));
                }
            }
        }
        assert_eq!(self.held.gaps, []);
        assert_eq!(self.told["gaps"]["count"], 0);
    }

    /// The leaks are found by name, with the failed allocation, and the heap is as the allocator says.
    fn answers(&self, run: &Run) {
        let told = self.told["unfreed"].as_array().unwrap().iter();
        let told: BTreeMap<_, _> = told
            .map(|leak| {
                assert_eq!(leak["fate"], "never_freed");
                let count = |name: &str| leak[name].as_u64().unwrap();
                (leak["site"].as_str().unwrap().to_owned(), (count("blocks"), count("bytes")))
            })
            .collect();
        assert_eq!(told, planted(run));
        assert!(!told.is_empty());
        let failed = &self.told["largest_failed"];
        assert_eq!(failed["size"], run.number("failed", "size"));
        assert_eq!(failed["site"], run.all("failed")[0]["scope"]);
        self.totals_are_exact(run);
    }

    /// The heap's totals are the witness's own.
    fn totals_are_exact(&self, run: &Run) {
        let heap = &self.told["heap"];
        for name in ["bytes_in_use", "peak_bytes", "failed"] {
            assert_eq!(heap[name], run.number("witness", name), "{name}");
        }
        let reallocations = run.number("witness", "reallocations");
        assert_eq!(heap["allocations"], run.number("witness", "allocations") + reallocations);
        assert_eq!(heap["frees"], run.number("witness", "frees") + reallocations);
    }
}

fn start(folder: &Folder, record: &str) -> Child {
    folder.spawn(&format!("{record} -o device.hwcap --text device.log --json"))
}

fn interrupt(recorder: &Child) {
    let sent = Command::new("kill").args(["-INT", &recorder.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits for the recorder's socket without connecting to it, which would count as the line.
fn wait_until_listening(port: u16) {
    let begun = Instant::now();
    while std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the recorder does not listen");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "ci/devices"]
fn every_event_of_every_board_arrives() {
    for variant in ["blocking", "interrupt", "async", "defmt"] {
        for image in images(variant) {
            let recording = Recording::over_tcp(&image);
            recording.is_whole(0);
            recording.answers(&recording.runs[0]);
            let held = &recording.held.events[&(0, 0)];
            assert_eq!(unfreed(held, &recording.held.symbols), planted(&recording.runs[0]));
            println!("{} {variant}: {} events", image.board, held.len());
        }
    }
}

#[test]
#[ignore = "ci/devices"]
fn a_log_of_defmts_passes_through_as_it_is() {
    for image in images("defmt") {
        let recording = Recording::over_tcp_with(&image, "--defmt");
        assert_eq!(recording.told["gaps"]["count"], 0);
        // A line after each round; some are all ASCII by chance, and one has text before it.
        assert!(recording.log.len() > 20, "{} lines of log", recording.log.len());
        for line in &recording.log[1..20] {
            let line = rzcobs::decode(line).expect("rzCOBS");
            assert!(line.len() >= 18, "{line:x?}");
        }
    }
}

#[test]
#[ignore = "ci/devices"]
fn a_line_slower_than_the_events_costs_gaps_and_no_totals() {
    for image in images("slow") {
        let recording = Recording::over_slow_tcp(&image, LINE_PACE, None);
        let (told, run) = (&recording.told, &recording.runs[0]);
        let missing = told["gaps"]["events"].as_u64().unwrap();
        let events = told["events"]["total"].as_u64().unwrap();
        assert!(missing > 0 && told["gaps"]["lost_full"] == missing, "{told}");
        assert_eq!(events + missing, run.number("witness", "events"));
        recording.totals_are_exact(run);
        // Planted before the gaps, so their frees may be in them.
        let unknown = told["unfreed"].as_array().unwrap().iter();
        assert!(unknown.clone().any(|leak| leak["fate"] == "unknown"), "{told}");
        println!("{}: {events} events and {missing} missing", image.board);
    }
}

#[test]
#[ignore = "ci/devices"]
fn a_reset_is_another_epoch_of_the_same_capture() {
    for image in images("reboot") {
        let recording = Recording::over_tcp(&image);
        assert_eq!((recording.runs.len(), &recording.told["restarts"]), (2, &1.into()));
        for (epoch, run) in (0..).zip(&recording.runs) {
            assert_eq!(run.number("boot", "epoch"), u64::from(epoch));
            recording.is_whole(epoch);
        }
        recording.answers(&recording.runs[1]);
    }
}

#[test]
#[ignore = "ci/devices"]
fn a_line_that_is_cut_for_two_seconds_goes_on_with_exact_totals() {
    let (after, lasts) = (Duration::from_millis(500), Duration::from_secs(2));
    let image = image("mps2-an385", "blocking");
    let recording = Recording::over_slow_tcp(&image, LINE_PACE / 2, Some(Cut { after, lasts }));
    let told = &recording.told;
    let witness = &recording.runs[0];
    let missing = told["gaps"]["events"].as_u64().unwrap();
    assert!(missing > 500, "{told}");
    assert_eq!(
        told["events"]["total"].as_u64().unwrap() + missing,
        witness.number("witness", "events")
    );
    assert_eq!(told["restarts"], 0);
    recording.totals_are_exact(witness);
}

#[test]
#[ignore = "ci/devices"]
fn what_dies_tells_what_it_died_of() {
    for variant in ["panic", "fault"] {
        for image in images(variant) {
            let recording = Recording::over_tcp(&image);
            let run = &recording.runs[0];
            assert_eq!(run.all("died").len(), 1, "{image:?}");
            let (told, events) = (&recording.told, run.number("witness", "events"));
            let missing = told["gaps"]["events"].as_u64().unwrap();
            assert_eq!(told["events"]["total"].as_u64().unwrap() + missing, events);
            recording.totals_are_exact(run);
            if let Some(failed) = run.all("failed").first() {
                assert_eq!(told["largest_failed"]["size"], number(failed, "size"));
            }
        }
    }
}

#[test]
#[ignore = "ci/devices"]
fn two_cores_are_two_streams_merged_by_time() {
    for image in images("harts") {
        let recording = Recording::over_tcp(&image);
        assert_eq!(recording.told["streams"], 2);
        recording.is_whole(0);
        assert_eq!(recording.runs[0].all("witness").len(), 2);
        // Merged, every free has its allocation, whichever core did it.
        let told = recording.told["unfreed"].as_array().unwrap().iter();
        let told: BTreeMap<_, _> = told
            .map(|leak| {
                let count = |name: &str| leak[name].as_u64().unwrap();
                (leak["site"].as_str().unwrap().to_owned(), (count("blocks"), count("bytes")))
            })
            .collect();
        assert_eq!(told, planted(&recording.runs[0]));
    }
}

#[test]
#[ignore = "ci/devices"]
fn a_pseudo_terminal_takes_the_place_of_the_socket() {
    let folder = Folder::new();
    let (mut device, device_end) = TTYPort::pair().unwrap();
    let (mut recorder, recorder_end) = TTYPort::pair().unwrap();
    let port = recorder_end.name().unwrap();
    let command = start(&folder, &format!("record serial:{port}?baud=115200"));
    let mut qemu = image("mps2-an385", "interrupt").start(&device_end.name().unwrap());
    device.set_timeout(Duration::from_millis(50)).unwrap();
    // Both at the pace of the baud rate: a pseudo-terminal has none.
    let (mut line, mut buffer, mut is_over) = (Vec::new(), [0; LINE_PACE / 100], false);
    loop {
        match device.read(&mut buffer) {
            Ok(read) => {
                line.extend_from_slice(&buffer[..read]);
                recorder.write_all(&buffer[..read]).unwrap();
            }
            Err(_) if is_over => break,
            Err(_) => is_over = qemu.try_wait().unwrap().is_some(),
        }
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(Duration::from_millis(500));
    interrupt(&command);
    let recording = Recording::of(&folder, &line, Ended::end(command));
    let (told, run) = (&recording.told, &recording.runs[0]);
    let missing = told["gaps"]["events"].as_u64().unwrap();
    assert_eq!(
        told["events"]["total"].as_u64().unwrap() + missing,
        run.number("witness", "events")
    );
    recording.totals_are_exact(run);
    if missing == 0 {
        recording.is_whole(0);
    }
}
