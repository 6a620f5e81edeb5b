//! Builds the firmware benchmark, runs it under QEMU, and compares its figures with those committed.
//!
//! Without arguments it fails when a figure of heapwire's got worse. `--update` writes the figures, and
//! those of other coders, to `figures.toml` and their tables to `README.md`.

mod application;
mod figures;
mod log;
mod programs;
mod table;
mod wire;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use figures::{Coder, Figures, Replay};
use programs::{CORTEX_M3, MEASURED, OTHERS, Panics, Programs, Target};

/// Builds the firmware benchmark, runs it under QEMU, and compares its figures with those committed.
#[derive(Parser)]
struct Args {
    /// Write the figures and their table instead of comparing them.
    #[arg(long)]
    update: bool,
    /// Write what the workload does on its heap to the trace `REAL`, too.
    #[arg(long)]
    record: bool,
    /// Only run the application's images in this folder, and check what they send.
    #[arg(long, value_name = "FOLDER")]
    images: Option<PathBuf>,
}

/// The coders and the package each is in; the first is heapwire, the others are measured for the table only.
const CODERS: [(&str, &str); 3] =
    [("heapwire", "firmware-bench"), ("defmt", "firmware-peers"), ("postcard", "firmware-peers")];

/// The traces that coders are given, and where they are from here.
const TRACES: [(&str, &str); 2] = [
    ("made", "../../tests/traces/firmware_2000.trace"),
    ("real", "../../tests/traces/firmware_real.trace"),
];

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(folder) = args.images {
        return application::check_images(&folder);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let programs = Programs::new(&folder, &CORTEX_M3);
    let mut packages = vec!["firmware-bench", "firmware-live"];
    if args.update {
        packages.push("firmware-peers");
    }
    programs.build_all(&packages)?;
    let real = folder.join(TRACES[1].1);
    check_live(&programs, &real, args.record)?;
    let coders = if args.update { &CODERS } else { &CODERS[..1] };
    let found = measure(&programs, &folder, coders)?;

    let committed = folder.join("figures.toml");
    let readme = folder.join("README.md");
    if args.update {
        write(&committed, &found.to_toml()?)?;
        write(&readme, &table::replaced(&read(&readme)?, &found)?)?;
        print!("{}", table::markdown(&found));
        return Ok(());
    }
    print!("{}", table::markdown(&found));
    let committed = Figures::from_toml(&read(&committed)?)?;
    ensure!(
        table::replaced(&read(&readme)?, &committed)? == read(&readme)?,
        "{} does not show the figures of figures.toml: write both with --update",
        readme.display()
    );
    let verdict = found.compare(&committed);
    for line in &verdict.better {
        println!("better: {line}");
    }
    ensure!(verdict.worse.is_empty(), "worse than committed: {}", verdict.worse.join("; "));
    println!("no figure is worse than committed{}", verdict.tolerance);
    Ok(())
}

/// The workload recorded as it happens: the line brings what the recorder was told, and the heap does
/// what the trace in the repository says, though perhaps at other times.
fn check_live(programs: &Programs, real: &Path, record: bool) -> Result<()> {
    let run = programs.run("firmware-live", "live_heapwire")?;
    let told = wire::text_events(&run.second)?;
    wire::check_equal(&wire::decode(&run.first)?.events, &told).context("live: the line")?;
    if record {
        return write(real, &String::from_utf8(run.second).context("the live trace")?);
    }
    let untimed = |mut events: Vec<heapwire::heapwire_core::Event>| {
        events.iter_mut().for_each(|event| event.time = 0);
        events
    };
    let committed = wire::text_events(read(real)?.as_bytes())?;
    wire::check_equal(&untimed(told), &untimed(committed))
        .with_context(|| format!("live: {} (write it with --record)", real.display()))
}

fn measure(programs: &Programs, folder: &Path, coders: &[(&str, &str)]) -> Result<Figures> {
    let mut figures = Figures::new(programs::rustc_version()?);
    for &(name, package) in coders {
        let coder = measure_coder(programs, folder, (name, package), CORTEX_M3.levels)?;
        figures.coders.insert(name.to_owned(), coder);
    }
    for target in &OTHERS {
        // That no level has a panic path is shown on the first core; all others share its code.
        let levels = if coders.len() > 1 { target.levels } else { &[MEASURED] };
        let measured = measure_target(folder, target, levels);
        let coder = measured.with_context(|| format!("measure a {}", target.core))?;
        figures.cores.insert(target.core.to_owned(), coder);
    }
    Ok(figures)
}

/// heapwire on another core.
fn measure_target(folder: &Path, target: &'static Target, levels: &[&str]) -> Result<Coder> {
    let programs = Programs::new(folder, target);
    programs.build_all(&["firmware-bench"])?;
    measure_coder(&programs, folder, CODERS[0], levels)
}

fn measure_coder(
    programs: &Programs,
    folder: &Path,
    (name, package): (&str, &str),
    levels: &[&str],
) -> Result<Coder> {
    let mut coder = Coder::default();
    let bare = format!("bare_{name}");
    for level in levels {
        coder.levels.push((*level).to_owned());
        if programs.links(package, &bare, level)? {
            coder.panic_free_at.push((*level).to_owned());
        }
    }
    let panics = match coder.panic_free_at.iter().any(|level| level == "s") {
        true => Panics::Forbidden,
        false => Panics::Allowed,
    };
    let nothing = programs.weigh("firmware-bench", "bare_nothing", Panics::Forbidden)?;
    coder.flash_bytes = programs.weigh(package, &bare, panics)?.saturating_sub(nothing);
    for (trace, path) in TRACES {
        let run = programs.run(package, &format!("{trace}_{name}"))?;
        if name == "heapwire" {
            let sent = wire::text_events(read(&folder.join(path))?.as_bytes())?;
            wire::check_equal(&wire::decode(&run.first)?.events, &sent)
                .with_context(|| format!("{trace}: the line"))?;
            coder.ram_bytes = Some(run.figure("ram")?);
        }
        coder.traces.insert(trace.to_owned(), Replay::of(&run)?);
    }
    if name == "heapwire" {
        let run = programs.run(package, "worst_heapwire")?;
        let came = wire::decode(&run.first)?;
        let told = run.figure("events")?;
        let known = came.events.len() as u64 + came.lost;
        ensure!(known == told, "worst: {told} events happened, the line tells of {known}");
        coder.longest_hook = Some(run.figure("hook.longest")?);
    }
    Ok(coder)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}
