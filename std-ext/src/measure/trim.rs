//! The one foreign function that measuring memory needs.
#![allow(unsafe_code, reason = "a foreign function")]

/// Gives free memory back to the system.
pub(super) fn trim() {
    // SAFETY: it may be called at any time, from any thread.
    unsafe { libc::malloc_trim(0) };
}
