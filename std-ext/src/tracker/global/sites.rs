//! Sites: scopes and call-stack nodes, numbered in one row.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use heapwire_core::{Definition, Name, NameKind, Node};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::tracker::session::shorten;

/// Threads that look up different nodes seldom meet.
const SHARDS: usize = 64;

/// All sites of a tracker. Nobody waits for anybody: whoever finds the nodes that he looks for locked
/// makes a new one, which then stands for the same place.
#[derive(Debug)]
pub(super) struct Sites {
    last: AtomicU32,
    scopes: boxcar::Vec<Scope>,
    nodes: boxcar::Vec<Node>,
    /// Nodes by parent and instruction pointer.
    known: [Mutex<FxHashMap<(u32, u64), u32>>; SHARDS],
}

#[derive(Debug)]
struct Scope {
    site: u32,
    name: &'static str,
}

impl Sites {
    pub(super) const fn new() -> Self {
        Self {
            last: AtomicU32::new(0),
            scopes: boxcar::Vec::new(),
            nodes: boxcar::Vec::new(),
            known: [const { Mutex::new(HashMap::with_hasher(FxBuildHasher)) }; SHARDS],
        }
    }

    fn next(&self) -> u32 {
        self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// The site of a scope. Two threads that ask for a new one at the same time may get two sites of
    /// the same name.
    pub(super) fn scope(&self, name: &'static str) -> u32 {
        if let Some((_, known)) = self.scopes.iter().find(|(_, scope)| scope.name == name) {
            return known.site;
        }
        let site = self.next();
        self.scopes.push(Scope { site, name });
        site
    }

    /// The site of a call-stack node.
    pub(super) fn node(&self, parent: u32, ip: u64) -> u32 {
        let new = || {
            let id = self.next();
            self.nodes.push(Node { id, parent, ip });
            id
        };
        let key = (parent, ip);
        let shard = FxBuildHasher.hash_one(key) as usize % SHARDS;
        match self.known.get(shard).map(Mutex::try_lock) {
            Some(Ok(mut known)) => *known.entry(key).or_insert_with(new),
            _ => new(),
        }
    }

    /// Hands out the definitions of all sites; a node's parent comes before it.
    pub(super) fn for_each(&self, mut each: impl FnMut(&Definition<'_>)) {
        for (_, &Scope { site, name }) in &self.scopes {
            let text = shorten(name);
            each(&Definition::Name(Name { kind: NameKind::Scope, id: site, text }));
        }
        for (_, node) in &self.nodes {
            each(&Definition::Node(*node));
        }
    }
}
