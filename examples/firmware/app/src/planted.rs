//! What the far end must find: blocks that are never freed, and an allocation that fails.

use alloc::vec::Vec;

use crate::board::HEAP_SIZE;
use crate::recording::scope;
use crate::register;

/// Leaks of one site.
pub(crate) struct Leak {
    pub(crate) scope: &'static str,
    pub(crate) blocks: u32,
    /// Of each.
    pub(crate) bytes: usize,
}

pub(crate) const LEAKS: [Leak; 3] = [
    Leak { scope: "cache::warm", blocks: 1, bytes: 256 },
    Leak { scope: "net::session", blocks: 3, bytes: 48 },
    Leak { scope: "auth::token", blocks: 7, bytes: 24 },
];

/// What fails asks for more than there is.
pub(crate) const FAILING_SCOPE: &str = "history::snapshot";
pub(crate) const FAILING_BYTES: usize = 2 * HEAP_SIZE;

/// Every so many rounds one block of each leak is forgotten, as long as there are any.
const EVERY: u32 = 4;
const FAILING_ROUND: u32 = 9;

/// What goes wrong in this round.
pub(crate) fn go_wrong(round: u32) {
    for leak in &LEAKS {
        if round % EVERY == 2 && round / EVERY < leak.blocks {
            let _scope = scope(leak.scope);
            Vec::<u8>::with_capacity(leak.bytes).leak();
        }
    }
    if round == FAILING_ROUND {
        let _scope = scope(FAILING_SCOPE);
        if cfg!(feature = "panic") {
            // Whoever cannot go on without it.
            core::hint::black_box(Vec::<u8>::with_capacity(FAILING_BYTES));
        }
        if cfg!(feature = "fault") {
            register::fault();
        }
        let failed = Vec::<u8>::new().try_reserve_exact(FAILING_BYTES).is_err();
        assert!(failed, "more could be had than there is");
    }
}
