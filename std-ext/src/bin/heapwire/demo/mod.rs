//! `heapwire demo`: the whole road once. A process with a tracked heap at one end of a
//! pseudo-terminal; at the other, what a desktop does with a serial port: read, decode, store, check,
//! answer.

mod chart;
pub(crate) mod device;
mod noise;
mod peers;
mod workload;

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use heapwire::io::atomic_file::AtomicFile;
use heapwire::io::line::{Arrival, LineReader, LineState, LineStats};
use heapwire::pipeline::receive::Receiver;
use heapwire::plan::CapturePlan;
use heapwire::trace::replay::{Fate, Replay};
use heapwire::trace::symbols::{SiteName, Symbols};
use heapwire::{IntegratedConfig, validate_binary_file};
use serialport::{SerialPort, TTYPort};

use self::device::BUFFER_SIZE;
use self::noise::NoisyLine;
use self::peers::PeerSizes;
use crate::args::DemoArgs;
use crate::failure::{Failure, Outcome};
use crate::report::print_answer;
use crate::units::{bytes_text, counted, grouped};

/// How long the line may be silent before we look whether the device is still there.
const LINE_TIMEOUT: Duration = Duration::from_millis(100);

/// Sites in each table of the answer.
const TOP_SITES: usize = 5;

const CHART_WIDTH: usize = 78;
const CHART_HEIGHT: usize = 8;

pub(crate) fn run(args: &DemoArgs) -> Result<Outcome, Failure> {
    let plan = CapturePlan::try_from(&IntegratedConfig::balanced())?;
    let file = AtomicFile::create(&args.output).map_err(Failure::io("create", &args.output))?;
    let mut desktop = Desktop {
        receiver: Receiver::new(file, plan).map_err(Failure::of(&args.output))?,
        peers: PeerSizes::default(),
    };
    let line = receive(args, &mut desktop)?;
    let Desktop { receiver, peers } = desktop;
    let (replay, symbols) = (receiver.replay().clone(), receiver.symbols().clone());
    let file = receiver.finish().map_err(Failure::of(&args.output))?;
    let bytes = file.commit().map_err(Failure::io("write", &args.output))?;

    let out = &mut io::stdout().lock();
    let events = replay.counts().total();
    let mut print = || {
        print_line(out, &line, &replay)?;
        print_capture(out, &args.output, bytes, events, &peers)
    };
    print().map_err(Failure::Output)?;
    let report = validate_binary_file(&args.output)?;
    let found = found_leaks(&replay, &symbols);
    let mut print = || {
        let verdict = if report.is_valid { "valid: every byte was checked" } else { "NOT VALID" };
        writeln!(out, "  {verdict}, {} read back\n", counted(report.events, "event"))?;
        let ticks = symbols.ticks_per_second();
        writeln!(out, "{}", chart::draw(replay.timeline(), ticks, CHART_WIDTH, CHART_HEIGHT))?;
        print_answer(out, &replay, &symbols, TOP_SITES)?;
        print_leaks(out, &found)
    };
    print().map_err(Failure::Output)?;
    let whole_line = args.noise == 0.0;
    let all_found = found.iter().all(|leak| leak.planted == leak.found);
    let good = report.is_valid && report.events == events && (all_found || !whole_line);
    Ok(if good { Outcome::Done } else { Outcome::Finding })
}

/// Starts the device and takes in all that it sends.
fn receive(args: &DemoArgs, desktop: &mut Desktop) -> Result<LineStats, Failure> {
    let failed = |error| Failure::Other(format!("cannot open a pseudo-terminal: {error}"));
    // Our copy of the device's end keeps the line up until the device has opened it.
    let (mut ours, theirs) = TTYPort::pair().map_err(failed)?;
    ours.set_timeout(LINE_TIMEOUT).map_err(failed)?;
    let Some(name) = theirs.name() else {
        return Err(Failure::Other("the pseudo-terminal has no name".to_owned()));
    };
    let start = || {
        let program = std::env::current_exe()?;
        Command::new(program).arg("demo-device").arg(name).spawn()
    };
    let mut device = start()
        .map_err(|error| Failure::Other(format!("cannot start the demo's device: {error}")))?;
    let received = take_in(args, ours, &mut device, desktop);
    if received.is_err() {
        // It may be waiting for a reader that is gone.
        let _ = device.kill();
    }
    let ended = device.wait();
    let stats = received?;
    match ended {
        Ok(status) if status.success() => Ok(stats),
        Ok(status) => Err(Failure::Other(format!("the demo's device failed: {status}"))),
        Err(error) => Err(Failure::Other(format!("cannot wait for the demo's device: {error}"))),
    }
}

/// Reads the line until the device has ended and nothing more comes.
fn take_in(
    args: &DemoArgs,
    line: impl Read,
    device: &mut Child,
    desktop: &mut Desktop,
) -> Result<LineStats, Failure> {
    let mut reader = LineReader::new(NoisyLine::new(line, args.noise, args.seed));
    let Desktop { receiver, peers } = desktop;
    loop {
        let gone = device
            .try_wait()
            .map_err(|error| Failure::Other(format!("cannot watch the demo's device: {error}")))?
            .is_some();
        let polled = reader.poll(|arrival| match arrival {
            Arrival::Chunk(chunk) => receiver.chunk(chunk, |event| peers.count(event)).map(drop),
            Arrival::Text { .. } | Arrival::Other(_) => Ok(()),
        });
        let state = polled.map_err(Failure::of(&args.output))?;
        if state == LineState::Closed || gone && state == LineState::Idle {
            return Ok(reader.stats());
        }
    }
}

/// What the desktop does with each chunk: stores its events, replays them, and counts what other
/// formats would take for them.
struct Desktop {
    receiver: Receiver<AtomicFile>,
    peers: PeerSizes,
}

fn print_line(out: &mut impl Write, line: &LineStats, replay: &Replay) -> io::Result<()> {
    let LineStats { bytes, chunks, damaged_frames, stray_bytes } = *line;
    let events = replay.counts().total();
    writeln!(out, "Over the line, from four buffers of {BUFFER_SIZE} bytes")?;
    writeln!(
        out,
        "  {} in {}: {:.2} bytes an event, frames, checksums and names included",
        counted(events, "event"),
        bytes_text(bytes),
        bytes as f64 / events.max(1) as f64,
    )?;
    let gaps = replay.gaps();
    writeln!(
        out,
        "  {} arrived whole, {} damaged, {} in no frame; {}, {} missing\n",
        counted(chunks, "chunk"),
        counted(damaged_frames, "frame"),
        counted(stray_bytes, "byte"),
        counted(gaps.count, "gap"),
        counted(gaps.missing_events, "event"),
    )
}

fn print_capture(
    out: &mut impl Write,
    path: &Path,
    bytes: u64,
    events: u64,
    peers: &PeerSizes,
) -> io::Result<()> {
    let each = |bytes: u64| bytes as f64 / events.max(1) as f64;
    let row = |name: &str, size: u64| {
        let times = size as f64 / bytes.max(1) as f64;
        format!(
            "  {name:<12} {:>10}  {:>7.2} bytes an event  {times:>6.1}x",
            bytes_text(size),
            each(size)
        )
    };
    writeln!(out, "On disk, as {path:?}")?;
    writeln!(out, "{}", row("heapwire", bytes))?;
    writeln!(out, "{}", row("MessagePack", peers.messagepack))?;
    writeln!(out, "{}", row("JSON", peers.json))
}

/// A planted leak and what was found of it, in blocks and bytes.
struct Leak {
    scope: &'static str,
    planted: (u64, u64),
    found: (u64, u64),
    unknown: u64,
}

fn found_leaks(replay: &Replay, symbols: &Symbols) -> Vec<Leak> {
    let unfreed = replay.unfreed();
    let of = |scope: &str, fate: Fate| {
        let groups = unfreed.iter().filter(|group| {
            group.fate == fate
                && matches!(symbols.site(group.site), SiteName::Scope(name) if name == scope)
        });
        groups.fold((0, 0), |(blocks, bytes), group| (blocks + group.blocks, bytes + group.bytes))
    };
    let leak = |planted: &workload::PlantedLeak| Leak {
        scope: planted.scope,
        planted: (planted.blocks, planted.bytes),
        found: of(planted.scope, Fate::NeverFreed),
        unknown: of(planted.scope, Fate::Unknown).0,
    };
    workload::PLANTED_LEAKS.iter().map(leak).collect()
}

fn print_leaks(out: &mut impl Write, leaks: &[Leak]) -> io::Result<()> {
    writeln!(out, "\nLeaks planted and found")?;
    for Leak { scope, planted, found, unknown } in leaks {
        let verdict = match (planted == found, *unknown) {
            (true, _) => "found".to_owned(),
            (false, 0) => "lost with the chunks that hold its allocation".to_owned(),
            (false, unknown) => format!("{} after a gap: fate unknown", counted(unknown, "block")),
        };
        writeln!(
            out,
            "  {scope:<20} planted {} of {} bytes, found {} of {} bytes: {verdict}",
            grouped(planted.0),
            grouped(planted.1),
            grouped(found.0),
            grouped(found.1),
        )?;
    }
    Ok(())
}
