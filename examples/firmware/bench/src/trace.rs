//! The traces that all coders are given, as tables that build.rs makes: `MADE`, 2,000 events of a
//! simulated heap, and `REAL`, what the workload of this crate did.

/// What an allocator did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Alloc,
    Free,
    Realloc { old: u32 },
}

/// One call of an allocator's hook.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// In microseconds.
    pub time: u32,
    pub act: Act,
    pub address: u32,
    /// Of the block allocated, in bytes.
    pub size: u32,
    /// Of the block freed, in bytes.
    pub freed: u32,
    /// Who called: its place among the trace's sites from 1, 0 when not known.
    pub site: u8,
}

/// How a site is known.
#[derive(Clone, Copy, Debug)]
pub enum Site {
    /// A return address.
    Address(u32),
    /// A name.
    Scope(&'static str),
}

/// What an allocator did, and for whom.
#[derive(Debug)]
pub struct Trace {
    pub sites: &'static [Site],
    pub steps: &'static [Step],
}

include!(concat!(env!("OUT_DIR"), "/traces.rs"));
