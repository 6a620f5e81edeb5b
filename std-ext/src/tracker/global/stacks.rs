//! The sites of call stacks: nodes of their tree, found in a thread's own memory nearly always.

use std::hash::BuildHasher;
use std::ops::Range;

use heapwire_core::NO_SITE;
use rustc_hash::FxBuildHasher;

use super::stack::{MAX_FRAMES, follow};

/// Nodes that a thread remembers.
const KNOWN: usize = 1 << 12;

/// A node of the tree of call stacks: an address called from `parent`.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    parent: u32,
    site: u32,
    address: u64,
}

/// What a slot remembers of call stacks.
#[derive(Debug)]
pub(super) struct StackCache {
    /// The stack before, the outermost address first, each with its site.
    last: Vec<(u64, u32)>,
    known: Box<[Known]>,
    /// Room for the addresses of a stack.
    addresses: Box<[u64; MAX_FRAMES]>,
}

impl StackCache {
    /// Remembers nothing yet.
    pub(super) fn new() -> Self {
        Self {
            last: Vec::with_capacity(MAX_FRAMES),
            known: vec![Known::default(); KNOWN].into(),
            addresses: Box::new([0; MAX_FRAMES]),
        }
    }

    /// The site of the stack that goes outward from a frame of this thread, whose `stack` this is.
    /// `node` tells that of an address called from another site.
    pub(super) fn site_of(
        &mut self,
        frame: usize,
        stack: &Range<usize>,
        node: impl Fn(u32, u64) -> u32,
    ) -> u32 {
        let Self { last, known, addresses } = self;
        let len = follow(frame, stack, addresses);
        site(last, known, addresses.get(..len).unwrap_or_default(), node)
    }
}

/// The site of a stack of these addresses, the innermost first.
fn site(
    last: &mut Vec<(u64, u32)>,
    known: &mut [Known],
    addresses: &[u64],
    node: impl Fn(u32, u64) -> u32,
) -> u32 {
    let outward = addresses.iter().rev();
    let same = last.iter().zip(outward.clone()).take_while(|(last, now)| last.0 == **now).count();
    last.truncate(same);
    let mut site = last.last().map_or(NO_SITE, |&(_, site)| site);
    for &address in outward.skip(same) {
        site = child(known, site, address, &node);
        last.push((address, site));
    }
    site
}

fn child(known: &mut [Known], parent: u32, address: u64, node: impl Fn(u32, u64) -> u32) -> u32 {
    let at = FxBuildHasher.hash_one((parent, address)) as usize % KNOWN;
    let Some(known) = known.get_mut(at) else { return NO_SITE };
    if known.site == NO_SITE || (known.parent, known.address) != (parent, address) {
        *known = Known { parent, address, site: node(parent, address) };
    }
    known.site
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn a_stack_has_one_site_and_shares_those_of_its_callers() {
        let nodes = RefCell::new(Vec::new());
        let node = |parent, address| {
            let mut nodes = nodes.borrow_mut();
            nodes.push((parent, address));
            nodes.len() as u32
        };
        let StackCache { mut last, mut known, .. } = StackCache::new();
        let mut site = |addresses: &[u64]| site(&mut last, &mut known, addresses, node);
        assert_eq!(site(&[]), NO_SITE);
        let inner = site(&[30, 20, 10]);
        assert_eq!(*nodes.borrow(), [(0, 10), (1, 20), (2, 30)]);
        let other = site(&[31, 20, 10]);
        assert_ne!(inner, other);
        assert_eq!(nodes.borrow().len(), 4, "the callers are the same");
        assert_eq!(site(&[20, 10]), 2);
        assert_eq!(site(&[30, 20, 10]), inner);
        assert_eq!(site(&[30, 20, 11]), 7);
    }
}
