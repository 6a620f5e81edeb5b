//! The firmware: built by cargo, run by QEMU, weighed by its sections.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSection, ObjectSymbol};

/// A kind of core, and a machine of QEMU's that runs its code and counts instructions exactly.
pub(crate) struct Target {
    pub(crate) core: &'static str,
    triple: &'static str,
    /// The emulator and its options.
    qemu: &'static str,
    /// Optimization levels at which a program without panic paths must link.
    pub(crate) levels: &'static [&'static str],
    /// How many UARTs it has.
    uarts: usize,
}

pub(crate) const CORTEX_M3: Target = Target {
    core: "Cortex-M3",
    triple: "thumbv7m-none-eabi",
    qemu: "qemu-system-arm -machine mps2-an385 -icount shift=10",
    levels: &["0", "1", "2", "3", "s", "z"],
    uarts: 2,
};

/// The other cores.
pub(crate) const OTHERS: [Target; 3] = [
    // QEMU has no Cortex-M0 with a clock as fine as this.
    Target {
        core: "Cortex-M0",
        triple: "thumbv6m-none-eabi",
        qemu: "qemu-system-arm -machine mps2-an385 -icount shift=10",
        levels: &["0", "s"],
        uarts: 2,
    },
    Target {
        core: "Cortex-M4F",
        triple: "thumbv7em-none-eabihf",
        qemu: "qemu-system-arm -machine mps2-an386 -icount shift=10",
        levels: &["0", "s"],
        uarts: 2,
    },
    Target {
        core: "RISC-V",
        triple: "riscv32imac-unknown-none-elf",
        qemu: "qemu-system-riscv32 -machine virt -bios none -icount shift=0",
        // riscv-rt's own traps may panic when nothing is optimized.
        levels: &["1", "s"],
        uarts: 1,
    },
];

/// The level at which everything is measured, which is the release profile's.
pub(crate) const MEASURED: &str = "s";

/// Whether a program may be linked though it may panic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Panics {
    Allowed,
    Forbidden,
}

/// What a program did.
pub(crate) struct Run {
    /// What it sent on its two UARTs.
    pub(crate) first: Vec<u8>,
    pub(crate) second: Vec<u8>,
    /// Its figures, one a line: a name, a space, a number.
    console: String,
}

impl Run {
    pub(crate) fn figure(&self, name: &str) -> Result<u64> {
        let of = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        self.console
            .lines()
            .find_map(of)
            .with_context(|| format!("the program told no {name}: {:?}", self.console))
    }
}

/// Builds and runs programs of the firmware workspace.
pub(crate) struct Programs {
    folder: PathBuf,
    built: PathBuf,
    target: &'static Target,
}

impl Programs {
    /// The programs for a target.
    pub(crate) fn new(folder: &Path, target: &'static Target) -> Self {
        let default = || folder.join("target").into_os_string();
        let built = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(default).into();
        Self { folder: folder.to_owned(), built, target }
    }

    /// Builds all programs of these packages that can be linked, on all processors; the rest of this
    /// type's work then goes quickly.
    pub(crate) fn build_all(&self, packages: &[&str]) -> Result<()> {
        let mut cargo = self.cargo(MEASURED, &self.built);
        for package in packages {
            cargo.args(["--package", package]);
        }
        // Those that cannot be linked are asked for again, one by one.
        cargo.args(["--bins", "--keep-going"]).output().context("run cargo")?;
        Ok(())
    }

    /// A build at an optimization level. It is not a profile of its own, for which cargo would build all
    /// that runs on the host once more.
    fn cargo(&self, level: &str, built: &Path) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(&self.folder)
            .args(["build", "--locked", "--quiet", "--target", self.target.triple])
            .arg("--release")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", level)
            .env("CARGO_TARGET_DIR", built)
            // defmt leaves out what is below this level, and by default logs errors only.
            .env("DEFMT_LOG", "info");
        cargo
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, package: &str, program: &str) -> Result<Run> {
        let kernel = self.build(package, program, MEASURED, Panics::Forbidden)?;
        let kernel = kernel.with_context(|| format!("build {program}"))?;
        let [first, second] =
            ["first", "second"].map(|uart| kernel.with_file_name(format!("{program}.{uart}")));
        let mut words = self.target.qemu.split(' ');
        let system = words.next().context("a target has an emulator")?;
        let mut qemu = Command::new(system);
        qemu.args(words)
            .args(["-nographic", "-monitor", "none"])
            .args(["-semihosting-config", "enable=on,target=native"]);
        let uarts = [&first, &second];
        for uart in uarts.into_iter().take(self.target.uarts) {
            qemu.arg("-serial").arg(format!("file:{}", uart.display()));
        }
        let output = qemu
            .arg("-kernel")
            .arg(kernel)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("run {system}"))?;
        let console = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!(
                "{program} ended with {}: {console}{}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let read = |path: &Path| fs::read(path).with_context(|| format!("read {}", path.display()));
        let [first, second] =
            [0, 1].map(|at| if at < self.target.uarts { read(uarts[at]) } else { Ok(Vec::new()) });
        Ok(Run { first: first?, second: second?, console })
    }

    /// Bytes of flash that a program takes: code, constants, and what variables begin with; without the
    /// compiler's functions that copy, clear and compare memory, which any larger program has.
    pub(crate) fn weigh(&self, package: &str, program: &str, panics: Panics) -> Result<u64> {
        let path = self.build(package, program, MEASURED, panics)?;
        let path = path.with_context(|| format!("build {program}"))?;
        let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let file = object::File::parse(&*bytes).context("parse an executable")?;
        let sections = file.sections().filter(|section| {
            let name = section.name().unwrap_or_default();
            [".text", ".rodata", ".data"].contains(&name)
        });
        let flash: u64 = sections.map(|section| section.size()).sum();
        ensure!(flash > 0, "{program} has no sections");
        let copying: BTreeMap<u64, u64> = file
            .symbols()
            .filter(|symbol| symbol.name().is_ok_and(is_of_memory))
            .map(|symbol| (symbol.address(), symbol.size()))
            .collect();
        Ok(flash.saturating_sub(copying.values().sum()))
    }

    /// Whether a program that may not panic can be linked at an optimization level.
    pub(crate) fn links(&self, package: &str, program: &str, level: &str) -> Result<bool> {
        Ok(self.build(package, program, level, Panics::Forbidden)?.is_some())
    }

    /// Builds a program; `None` when a panic path is left in it.
    fn build(
        &self,
        package: &str,
        program: &str,
        level: &str,
        panics: Panics,
    ) -> Result<Option<PathBuf>> {
        // Programs that may not be linked otherwise go to a folder of their own.
        let built = match panics {
            Panics::Allowed => self.built.join("panics"),
            Panics::Forbidden => self.built.clone(),
        };
        let mut cargo = self.cargo(level, &built);
        cargo.args(["--package", package, "--bin", program]);
        if panics == Panics::Allowed {
            cargo.args(["--features", "firmware-bench/panics"]);
        }
        let output = cargo.output().context("run cargo")?;
        if output.status.success() {
            return Ok(Some(built.join(self.target.triple).join("release").join(program)));
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(errors.contains("a_panic_path_is_left"), "cargo build {program}: {errors}");
        Ok(None)
    }
}

/// Whether a function of this name is one of the compiler's that copy, clear or compare memory. Some names
/// are of the same function.
fn is_of_memory(name: &str) -> bool {
    let names = ["memcpy", "memmove", "memset", "memcmp", "bcmp"];
    names.contains(&name)
        || name.starts_with("__aeabi_mem")
        || name.contains("compiler_builtins") && name.contains("3mem")
}

/// The compiler, as it names itself.
pub(crate) fn rustc_version() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().context("run rustc --version")?;
    let text = String::from_utf8(output.stdout).context("rustc --version")?;
    Ok(text.trim().trim_start_matches("rustc ").to_owned())
}
