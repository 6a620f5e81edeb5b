//! The application on its boards: what the line brings against what the firmware witnessed.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use heapwire::heapwire_core::{Event, EventKind, NameKind};

use crate::wire::{self, Received};

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
        let line = run(&image, &name).with_context(|| format!("run {name}"))?;
        let events = check(&line).with_context(|| format!("check what {name} sent"))?;
        let each = line.len() as f64 / events as f64;
        println!("{name}: {events} events in {} bytes, {each:.2} an event", line.len());
    }
    Ok(())
}

/// Runs an image to its end; what it sent.
fn run(image: &Path, name: &str) -> Result<Vec<u8>> {
    let (board, _) = name.rsplit_once('-').context("its name is not BOARD-VARIANT")?;
    let mut qemu = if board == "virt" {
        let mut qemu = Command::new("qemu-system-riscv32");
        qemu.args(["-bios", "none"]);
        qemu
    } else {
        let mut qemu = Command::new("qemu-system-arm");
        qemu.args(["-semihosting-config", "enable=on,target=native"]);
        qemu
    };
    let line = image.with_extension("line");
    let output = qemu
        .args(["-machine", board, "-nographic", "-monitor", "none", "-serial"])
        .arg(format!("file:{}", line.display()))
        .arg("-kernel")
        .arg(image)
        .stdin(Stdio::null())
        .output()
        .context("start QEMU")?;
    let bytes = fs::read(&line).with_context(|| format!("read {}", line.display()))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("ended with {}: {errors}{}", output.status, String::from_utf8_lossy(&bytes));
    }
    Ok(bytes)
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
            EventKind::Gauge { gauge, value } => {
                self.gauges += 1;
                (5, gauge, [0, 0, value as u64])
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

/// Compares what was decoded with the text beside it; how many events there are.
fn check(line: &[u8]) -> Result<usize> {
    let received = wire::decode_with_text(line)?;
    let lines: Vec<Line> = received.text.lines().filter_map(Line::parse).collect();
    let the = |word: &str| {
        lines.iter().find(|line| line.word == word).with_context(|| format!("no line {word:?}"))
    };
    the("done")?;
    ensure!(received.lost == 0, "{} events were lost", received.lost);
    let counted = Counted::of(&received.events, the("boot")?.value("clock_bits")?)?;
    let in_use: u64 = counted.live.values().map(|(size, _)| size).sum();
    let totals = received.totals;
    let witness = the("witness")?;
    for (name, found) in [
        ("events", received.events.len() as u64),
        ("allocations", counted.allocations),
        ("frees", counted.frees),
        ("reallocations", counted.reallocations),
        ("failed", counted.failed.len() as u64),
        ("gauges", counted.gauges),
        ("allocations", totals.allocations - counted.reallocations),
        ("frees", totals.frees - counted.reallocations),
        ("failed", totals.failed),
        ("bytes_in_use", in_use),
        ("bytes_in_use", totals.bytes_in_use),
        ("peak_bytes", totals.peak_bytes),
    ] {
        let expected: u64 = witness.value(name)?;
        ensure!(found == expected, "{name}: {found} came, {expected} happened");
    }
    let expected = witness.values.get("checksum").context("no checksum")?;
    let checksum = format!("{:08x}", counted.checksum);
    ensure!(checksum == *expected, "checksum {checksum} of what came, {expected} of what happened");

    // The allocator makes each block at least 8 bytes, and a multiple of 4.
    let used: u64 = counted.live.values().map(|(size, _)| size.max(&8).next_multiple_of(4)).sum();
    let expected: u64 = the("heap")?.value("used")?;
    ensure!(used == expected, "{used} bytes in use, the allocator says {expected}");
    check_planted(&received, &counted, &lines)?;
    Ok(received.events.len())
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
    ensure!(!planted.is_empty(), "nothing was planted");
    ensure!(leaks == planted, "leaks {leaks:?}, planted {planted:?}");
    let failed: Vec<_> = counted.failed.iter().map(|&(size, site)| (size, name(site))).collect();
    ensure!(failed == fail, "{failed:?} failed, {fail:?} was made to");
    Ok(())
}
