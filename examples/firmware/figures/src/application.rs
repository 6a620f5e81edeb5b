//! The application on its boards: what the line brings against what the firmware witnessed.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::string::FromUtf8Error;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use heapwire::heapwire_core::{Event, EventKind, NameKind};

use crate::log;
use crate::wire::{self, Received, Streams};

/// Runs every image of a folder, named `BOARD-VARIANT.elf`, and fails when a line does not bring what
/// happened.
pub(crate) fn check_images(folder: &Path) -> Result<()> {
    let context = || format!("read {}", folder.display());
    let mut images = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.extension().is_some_and(|extension| extension == "elf") {
            images.push(path);
        }
    }
    images.sort();
    ensure!(!images.is_empty(), "{} has no images", folder.display());
    for image in images {
        let name = image.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (board, variant) = name.rsplit_once('-').context("not BOARD-VARIANT.elf")?;
        let line = run(&image, board, variant).with_context(|| format!("run {name}"))?;
        let said = check(&line, variant, &image).with_context(|| format!("check {name}"))?;
        println!("{name}: {} bytes; {said}", line.len());
    }
    Ok(())
}

/// A run takes less than a second where nothing else runs.
const LONGEST_RUN: Duration = Duration::from_secs(120);

/// Runs an image to its end; what it sent. Resets it when it waits for that.
fn run(image: &Path, board: &str, variant: &str) -> Result<Vec<u8>> {
    let mut qemu = if board == "virt" {
        let mut qemu = Command::new("qemu-system-riscv32");
        qemu.args(["-bios", "none"]);
        qemu
    } else {
        let mut qemu = Command::new("qemu-system-arm");
        qemu.args(["-semihosting-config", "enable=on,target=native"]);
        qemu
    };
    if variant == "harts" {
        qemu.args(["-smp", "2"]);
    }
    qemu.args(["-machine", board, "-display", "none", "-monitor", "none", "-serial", "stdio"]);
    qemu.arg("-kernel").arg(image).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut qemu = qemu.spawn().context("start QEMU")?;
    let mut uart = qemu.stdin.take().context("its input")?;
    let mut output = qemu.stdout.take().context("its output")?;
    // One that hangs is ended, and with it the output.
    let (ended, wait) = mpsc::channel::<()>();
    let watchdog = thread::spawn(move || {
        if wait.recv_timeout(LONGEST_RUN) == Err(RecvTimeoutError::Timeout) {
            qemu.kill().context("end QEMU")?;
        }
        qemu.wait().context("wait for QEMU")
    });
    let (mut line, mut buffer, mut reset) = (Vec::new(), [0; 4096], false);
    loop {
        let read = output.read(&mut buffer).context("read from QEMU")?;
        line.extend(buffer.get(..read).unwrap_or_default());
        if !reset && line.ends_with(b"waiting\n") {
            reset = true;
            uart.write_all(b"r").context("write to QEMU")?;
        }
        if read == 0 {
            break;
        }
    }
    drop(ended);
    let status = watchdog.join().expect("the watchdog does not panic")?;
    ensure!(status.success(), "ended with {status}: {}", String::from_utf8_lossy(&line));
    Ok(line)
}

/// One of the firmware's lines of text.
struct Line<'a> {
    word: &'a str,
    values: BTreeMap<&'a str, &'a str>,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split(' ');
        let word = words.next()?;
        let values: Option<_> = words.map(|pair| pair.split_once('=')).collect();
        Some(Self { word, values: values? })
    }

    fn value<T: FromStr>(&self, name: &str) -> Result<T> {
        let value = self.values.get(name).and_then(|value| value.parse().ok());
        value.with_context(|| format!("the line {:?} has no number {name}", self.word))
    }
}

/// What events come to.
#[derive(Default)]
struct Counted {
    allocations: u64,
    frees: u64,
    reallocations: u64,
    failed: Vec<(u64, u32)>,
    gauges: u64,
    checksum: u32,
    /// Size and site by address.
    live: HashMap<u64, (u64, u32)>,
}

impl Counted {
    fn of(events: &[Event], clock_bits: u32) -> Result<Self> {
        let mut counted = Self { checksum: 0x811c_9dc5, ..Self::default() };
        for event in events {
            counted.count(event, clock_bits).with_context(|| format!("{event:?}"))?;
        }
        Ok(counted)
    }

    fn count(&mut self, event: &Event, clock_bits: u32) -> Result<()> {
        let (kind, site, [old, address, size]) = match event.kind {
            EventKind::Alloc { address, size, site } => {
                self.allocations += 1;
                let former = self.live.insert(address, (size, site));
                ensure!(former.is_none(), "there is a block at this address");
                (1, site, [0, address, size])
            }
            EventKind::Free { address, site } => {
                self.frees += 1;
                self.live.remove(&address).context("there is no block at this address")?;
                (2, site, [0, address, 0])
            }
            EventKind::Realloc { old, address, size, site } => {
                self.reallocations += 1;
                self.live.remove(&old).context("there is no block at the old address")?;
                let former = self.live.insert(address, (size, site));
                ensure!(former.is_none(), "there is a block at the new address");
                (3, site, [old, address, size])
            }
            EventKind::FailedAlloc { size, site } => {
                self.failed.push((size, site));
                (4, site, [0, 0, size])
            }
            EventKind::Gauge { value, .. } => {
                self.gauges += 1;
                (5, 0, [0, 0, value as u64])
            }
            EventKind::Name { .. } | EventKind::Mark { .. } => bail!("the firmware records none"),
        };
        let mut fields = vec![kind];
        let time = event.time as u32 & u32::MAX >> (32 - clock_bits);
        let fields_32 = [time, event.thread, site, old as u32, address as u32];
        for field in fields_32.into_iter().chain([size as u32]) {
            fields.extend(field.to_le_bytes());
        }
        for byte in fields {
            self.checksum = (self.checksum ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
        Ok(())
    }
}

/// Variants that lose events and say so.
const LOSING: [&str; 3] = ["overwrite", "slow", "totals"];

/// Compares what was decoded with the text beside it; what there is to say about it.
fn check(line: &[u8], variant: &str, image: &Path) -> Result<String> {
    let (mut streams, others) = wire::decode_among_others(line)?;
    let (mut text, mut logged) = (String::new(), Vec::new());
    for other in others {
        match String::from_utf8(other) {
            Ok(other) if other.ends_with('\n') => text += &other,
            other => logged.push(other.map_or_else(FromUtf8Error::into_bytes, String::into_bytes)),
        }
    }
    let runs: Vec<&str> = text.split("boot ").skip(1).collect();
    let expected = if variant == "reboot" { 2 } else { 1 };
    ensure!(runs.len() == expected, "it started {} times: {text}", runs.len());
    let mut said = Vec::new();
    for (epoch, run) in (0..).zip(runs) {
        let run = format!("boot {run}");
        let lines: Vec<Line> = run.lines().filter_map(Line::parse).collect();
        let later = streams.split_off(&(epoch + 1, 0));
        let received = std::mem::replace(&mut streams, later);
        let expected = if variant == "harts" { 2 } else { 1 };
        ensure!(received.len() == expected, "epoch {epoch} has {} streams", received.len());
        check_run(&received, &lines).with_context(|| format!("epoch {epoch}: {run}"))?;
        for ((_, stream), received) in received {
            let lost = received.lost > 0;
            ensure!(lost == LOSING.contains(&variant), "{} events were lost", received.lost);
            let events = received.events.len();
            said.push(format!("stream {stream}: {events} events, {} lost", received.lost));
        }
    }
    ensure!(streams.is_empty(), "an epoch came that was not said to begin");
    if variant == "defmt" {
        said.push(format!("{} lines of log", log::check(image, &logged)?));
    } else {
        ensure!(logged.is_empty(), "there is something strange on the line: {logged:x?}");
    }
    Ok(said.join("; "))
}

/// One run of the firmware: its streams, and its lines of text.
fn check_run(streams: &Streams, lines: &[Line<'_>]) -> Result<()> {
    let the = |word: &str| {
        lines.iter().find(|line| line.word == word).with_context(|| format!("no line {word:?}"))
    };
    let (boot, heap) = (the("boot")?, the("heap")?);
    let mut complete = true;
    for (&(_, stream), received) in streams {
        let witness = lines.iter().find(|line| {
            line.word == "witness" && line.value("stream").is_ok_and(|of: u32| of == stream)
        });
        let witness = witness.with_context(|| format!("no witness of stream {stream}"))?;
        complete &= received.lost == 0;
        check_stream(received, witness, boot.value("clock_bits")?)?;
    }
    if !complete {
        return Ok(());
    }
    // All streams together, by time.
    let mut all: Vec<Event> = streams.values().flat_map(|stream| &stream.events).copied().collect();
    all.sort_by_key(|event| event.time);
    let counted = Counted::of(&all, boot.value("clock_bits")?)?;
    // The allocator makes each block at least 8 bytes, and a multiple of 4.
    let block = |(size, _): &(u64, u32)| size.max(&8).next_multiple_of(4);
    compare(heap, "used", counted.live.values().map(block).sum())?;
    let first = streams.values().next().context("no stream")?;
    check_planted(first, &counted, lines)
}

/// One stream against its witness.
fn check_stream(received: &Received, witness: &Line<'_>, clock_bits: u32) -> Result<()> {
    let totals = received.totals;
    let reallocations: u64 = witness.value("reallocations")?;
    compare(witness, "allocations", totals.allocations - reallocations)?;
    compare(witness, "frees", totals.frees - reallocations)?;
    compare(witness, "failed", totals.failed)?;
    compare(witness, "bytes_in_use", totals.bytes_in_use)?;
    compare(witness, "peak_bytes", totals.peak_bytes)?;
    compare(witness, "events", received.events.len() as u64 + received.lost)?;
    if received.lost > 0 {
        return Ok(());
    }
    let counted = Counted::of(&received.events, clock_bits)?;
    compare(witness, "allocations", counted.allocations)?;
    compare(witness, "frees", counted.frees)?;
    compare(witness, "reallocations", counted.reallocations)?;
    compare(witness, "failed", counted.failed.len() as u64)?;
    compare(witness, "gauges", counted.gauges)?;
    compare(witness, "bytes_in_use", counted.live.values().map(|(size, _)| size).sum())?;
    let expected = witness.values.get("checksum").context("no checksum")?;
    let checksum = format!("{:08x}", counted.checksum);
    ensure!(checksum == *expected, "checksum {checksum} of what came, {expected} of what happened");
    Ok(())
}

fn compare(line: &Line<'_>, name: &str, found: u64) -> Result<()> {
    let expected: u64 = line.value(name)?;
    ensure!(found == expected, "{name}: {found} by the frames, {expected} by the text");
    Ok(())
}

/// The leaks are those planted, and so is what failed.
fn check_planted(received: &Received, counted: &Counted, lines: &[Line<'_>]) -> Result<()> {
    let name = |site: u32| received.names.get(&(NameKind::Scope, site)).map(String::as_str);
    let mut leaks: BTreeMap<Option<&str>, (u64, u64)> = BTreeMap::new();
    for &(size, site) in counted.live.values() {
        let (blocks, bytes) = leaks.entry(name(site)).or_default();
        *blocks += 1;
        *bytes += size;
    }
    let (mut planted, mut fail) = (BTreeMap::new(), Vec::new());
    for line in lines {
        let scope = line.values.get("scope").copied();
        match line.word {
            "planted" => _ = planted.insert(scope, (line.value("blocks")?, line.value("bytes")?)),
            "failed" => fail.push((line.value::<u64>("size")?, scope)),
            _ => {}
        }
    }
    // What was cut short had no time to free the rest.
    if !planted.is_empty() {
        ensure!(leaks == planted, "leaks {leaks:?}, planted {planted:?}");
    }
    let failed: Vec<_> = counted.failed.iter().map(|&(size, site)| (size, name(site))).collect();
    ensure!(failed == fail, "{failed:?} failed, {fail:?} was made to");
    Ok(())
}
