//! What a tracker says of the program that it is in.

use heapwire_core::format::MAX_TEXT;
use heapwire_core::{Definition, Session};

/// Ticks in a second of what a tracker exports: microseconds, since finer ones are noise that takes
/// more room than all else of an event.
const TICKS_PER_SECOND: u64 = 1_000_000;

/// Lends the definition of the session: this program, on this machine.
pub(super) fn with_session<R>(f: impl FnOnce(&Definition<'_>) -> R) -> R {
    let program = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&program).file_name().unwrap_or_default();
    f(&Definition::Session(Session {
        device: shorten(&name.to_string_lossy()),
        build: "",
        ticks_per_second: TICKS_PER_SECOND,
        address_bits: usize::BITS as u8,
    }))
}

/// The beginning of a text that a definition has room for.
pub(super) fn shorten(text: &str) -> &str {
    let end = text.floor_char_boundary(MAX_TEXT.min(text.len()));
    text.get(..end).unwrap_or_default()
}
