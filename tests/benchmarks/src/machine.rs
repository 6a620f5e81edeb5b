//! What the measurements were made on.

use std::{env, fs, thread};

use serde::Serialize;

/// A machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name, where the operating system tells it.
    pub cpu: Option<String>,
    /// Processors that this program may use; none when the operating system does not tell.
    pub cores: Option<usize>,
    /// The operating system.
    pub os: &'static str,
    /// The processor's architecture.
    pub architecture: &'static str,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        Self {
            cpu: cpu_name(),
            cores: thread::available_parallelism().ok().map(usize::from),
            os: env::consts::OS,
            architecture: env::consts::ARCH,
        }
    }
}

/// As Linux tells it.
fn cpu_name() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
