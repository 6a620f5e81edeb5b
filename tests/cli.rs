//! The `heapwire` command as a process: what it prints, how it ends, what it leaves behind.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod cli {
    mod bench;
    mod command;
    mod convert;
    mod damage;
    #[cfg(unix)]
    mod demo;
    mod import_dump;
    mod info_validate;
    #[cfg(unix)]
    mod killed;
    mod manual;
    #[cfg(target_os = "linux")]
    mod memory;
    mod nonsense;
    mod optimize;
    #[cfg(target_os = "linux")]
    mod outputs;
    mod record;
    mod terminal;
    mod traces;
}
