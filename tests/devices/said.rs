//! What the firmware says of itself, and what events come to in its way of counting.

use std::collections::BTreeMap;

use heapwire::trace::symbols::Symbols;
use heapwire_core::{Event, EventKind};

/// The lines of one run, from `boot` on: a word and its values.
pub(crate) struct Run {
    lines: Vec<(String, BTreeMap<String, String>)>,
}

/// The runs of a device, by its text.
pub(crate) fn runs(text: &str) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let word = words.next().unwrap().to_owned();
        let pair =
            |pair: &str| pair.split_once('=').map(|(name, value)| (name.into(), value.into()));
        let values = words.filter_map(pair).collect();
        if word == "boot" {
            runs.push(Run { lines: Vec::new() });
        }
        if let Some(run) = runs.last_mut() {
            run.lines.push((word, values));
        }
    }
    runs
}

impl Run {
    /// All lines with this word.
    pub(crate) fn all(&self, word: &str) -> Vec<&BTreeMap<String, String>> {
        self.lines.iter().filter(|(line, _)| line == word).map(|(_, values)| values).collect()
    }

    pub(crate) fn number(&self, word: &str, name: &str) -> u64 {
        number(self.all(word)[0], name)
    }
}

pub(crate) fn number(values: &BTreeMap<String, String>, name: &str) -> u64 {
    values[name].parse().unwrap()
}

/// The checksum of events as the firmware makes it.
pub(crate) fn checksum(events: &[Event], clock_bits: u64) -> String {
    let mut sum = 0x811c_9dc5_u32;
    for event in events {
        let (kind, site, old, address, size) = match event.kind {
            EventKind::Alloc { address, size, site } => (1, site, 0, address, size),
            EventKind::Free { address, site } => (2, site, 0, address, 0),
            EventKind::Realloc { old, address, size, site } => (3, site, old, address, size),
            EventKind::FailedAlloc { size, site } => (4, site, 0, 0, size),
            EventKind::Gauge { value, .. } => (5, 0, 0, 0, value as u64),
            other => panic!("{other:?}"),
        };
        let time = event.time & ((1 << clock_bits) - 1);
        let fields = [time as u32, event.thread, site, old as u32, address as u32, size as u32];
        let bytes = std::iter::once(kind).chain(fields.into_iter().flat_map(u32::to_le_bytes));
        for byte in bytes {
            sum = (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    format!("{sum:08x}")
}

/// Blocks and bytes never freed, by the name of their site.
pub(crate) fn unfreed(events: &[Event], symbols: &Symbols) -> BTreeMap<String, (u64, u64)> {
    let mut live = BTreeMap::new();
    for event in events {
        match event.kind {
            EventKind::Alloc { address, size, site } => drop(live.insert(address, (size, site))),
            EventKind::Free { address, .. } => drop(live.remove(&address)),
            EventKind::Realloc { old, address, size, site } => {
                live.remove(&old);
                live.insert(address, (size, site));
            }
            _ => {}
        }
    }
    let mut sites = BTreeMap::new();
    for (size, site) in live.into_values() {
        let sum: &mut (u64, u64) = sites.entry(symbols.site(site).to_string()).or_default();
        *sum = (sum.0 + 1, sum.1 + size);
    }
    sites
}

/// The blocks and bytes that were planted, by scope.
pub(crate) fn planted(run: &Run) -> BTreeMap<String, (u64, u64)> {
    let planted = run.all("planted").into_iter();
    planted
        .map(|leak| (leak["scope"].clone(), (number(leak, "blocks"), number(leak, "bytes"))))
        .collect()
}
