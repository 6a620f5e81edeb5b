//! The figures, as they are committed and compared. All are exact counts, and less is better.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::programs::{CORTEX_M3, Run};

/// What another compiler's code may take more than the committed figures say.
const OTHER_COMPILER: f64 = 0.03;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figures {
    /// The compiler that they are of.
    rustc: String,
    /// On a Cortex-M3.
    pub(crate) coders: BTreeMap<String, Coder>,
    /// heapwire on other cores.
    pub(crate) cores: BTreeMap<String, Coder>,
}

/// What a coder costs.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coder {
    /// Code and data, against the same program without a coder.
    pub(crate) flash_bytes: u64,
    /// State besides buffers.
    pub(crate) ram_bytes: Option<u64>,
    /// Instructions of the longest call of the hook that an adversary finds.
    pub(crate) longest_hook: Option<u64>,
    /// Optimization levels that were tried for panic paths.
    #[serde(skip)]
    pub(crate) levels: Vec<String>,
    /// Optimization levels at which no panic path is left.
    pub(crate) panic_free_at: Vec<String>,
    /// By trace.
    pub(crate) traces: BTreeMap<String, Replay>,
}

/// What a trace takes.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replay {
    pub(crate) events: u64,
    pub(crate) wire_bytes: u64,
    pub(crate) hook_instructions: u64,
    pub(crate) drain_instructions: u64,
    pub(crate) longest_hook: u64,
    pub(crate) hook_stack_bytes: u64,
    pub(crate) drain_stack_bytes: u64,
}

impl Replay {
    pub(crate) fn of(run: &Run) -> Result<Self> {
        Ok(Self {
            events: run.figure("events")?,
            wire_bytes: run.first.len() as u64,
            hook_instructions: run.figure("hook.instructions")?,
            drain_instructions: run.figure("drain.instructions")?,
            longest_hook: run.figure("hook.longest")?,
            hook_stack_bytes: run.figure("hook.stack")?,
            drain_stack_bytes: run.figure("drain.stack")?,
        })
    }
}

/// How figures stand against the committed ones.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) better: Vec<String>,
    pub(crate) worse: Vec<String>,
    /// What was tolerated and why, to be said behind the verdict; or nothing.
    pub(crate) tolerance: String,
}

impl Figures {
    pub(crate) fn new(rustc: String) -> Self {
        Self { rustc, coders: BTreeMap::new(), cores: BTreeMap::new() }
    }

    pub(crate) fn rustc(&self) -> &str {
        &self.rustc
    }

    pub(crate) fn from_toml(text: &str) -> Result<Self> {
        toml::from_str(text).context("read figures.toml")
    }

    pub(crate) fn to_toml(&self) -> Result<String> {
        let figures = toml::to_string(self).context("write figures.toml")?;
        Ok(format!(
            "# What the firmware benchmark measured; `ci/firmware` compares with it and says how to \
             write it.\n# Bytes, and instructions of all events of a trace.\n\n{figures}"
        ))
    }

    /// Compares heapwire's figures. They are exact, and the same on every machine, for one compiler.
    pub(crate) fn compare(&self, committed: &Self) -> Verdict {
        let mut verdict = Verdict::default();
        let mut tolerated = 0.0;
        if self.rustc != committed.rustc {
            tolerated = OTHER_COMPILER;
            verdict.tolerance = format!(
                " by more than {:.0} %, which is tolerated as they are of rustc {}, not {}",
                100.0 * tolerated,
                committed.rustc,
                self.rustc
            );
        }
        let (found, mut expected) = (self.heapwire(), committed.heapwire());
        for (name, found) in found {
            let Some(expected) = expected.remove(&name) else {
                verdict.worse.push(format!("{name} is {found} and not committed"));
                continue;
            };
            let line = format!("{name} is {found}, was {expected}");
            if found as f64 > expected as f64 * (1.0 + tolerated) {
                verdict.worse.push(line);
            } else if found < expected {
                verdict.better.push(line);
            }
        }
        let missing = expected.into_keys().map(|name| format!("{name} was not measured"));
        verdict.worse.extend(missing);
        let levels = self.panic_free();
        let tried = |(core, level): &(&str, &str)| {
            let mut cores = self.cores();
            let levels = cores.find(|(name, _)| name == core).map(|(_, coder)| &coder.levels);
            levels.is_none_or(|levels| levels.iter().any(|tried| tried == level))
        };
        let panicking = committed.panic_free().into_iter().filter(tried);
        let panicking = panicking.filter(|level| !levels.contains(level));
        let panicking =
            panicking.map(|(core, level)| format!("{core} has a panic path at opt-level {level}"));
        verdict.worse.extend(panicking);
        verdict
    }

    /// heapwire on all cores.
    pub(crate) fn cores(&self) -> impl Iterator<Item = (&str, &Coder)> {
        let first = self.coders.get("heapwire").map(|coder| (CORTEX_M3.core, coder));
        first.into_iter().chain(self.cores.iter().map(|(core, coder)| (core.as_str(), coder)))
    }

    /// Cores, and the levels without panic paths.
    fn panic_free(&self) -> Vec<(&str, &str)> {
        let mut levels = Vec::new();
        for (core, coder) in self.cores() {
            levels.extend(coder.panic_free_at.iter().map(|level| (core, level.as_str())));
        }
        levels
    }

    /// heapwire's figures by name.
    fn heapwire(&self) -> BTreeMap<String, u64> {
        let mut figures = BTreeMap::new();
        for (core, coder) in self.cores() {
            let mut add = |name: &str, value: Option<u64>| {
                value.map(|value| figures.insert(format!("{core}: {name}"), value));
            };
            add("flash_bytes", Some(coder.flash_bytes));
            add("ram_bytes", coder.ram_bytes);
            add("longest_hook", coder.longest_hook);
            for (trace, replay) in &coder.traces {
                for (name, value) in [
                    ("wire_bytes", replay.wire_bytes),
                    ("hook_instructions", replay.hook_instructions),
                    ("drain_instructions", replay.drain_instructions),
                    ("longest_hook", replay.longest_hook),
                    ("hook_stack_bytes", replay.hook_stack_bytes),
                    ("drain_stack_bytes", replay.drain_stack_bytes),
                ] {
                    add(&format!("{trace}.{name}"), Some(value));
                }
            }
        }
        figures
    }
}
