//! `heapwire bench` finds the program that measures, or says how to get it.

use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::command::{Run, program};

/// The command in a folder of its own, where nothing else is.
struct Alone(TempDir);

impl Alone {
    fn new() -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        // Not a copy: a file that was just written may be "busy" while another test starts a process.
        fs::hard_link(program(), folder.path().join("heapwire")).unwrap();
        Self(folder)
    }

    /// Runs it as if by no Cargo, with an empty PATH.
    fn run(&self, words: &[&str]) -> Run {
        let mut command = Command::new(self.0.path().join("heapwire"));
        command.args(words).current_dir(self.0.path()).stdin(Stdio::null());
        Run::of(command.env("PATH", "").env_remove("CARGO"))
    }
}

#[test]
fn without_the_program_that_measures_the_error_says_how_to_get_it() {
    let error = Alone::new().run(&["bench", "--trace", "x"]).fails();
    assert!(error.contains("cargo build --release -p heapwire-bench"), "{error}");
}

#[cfg(unix)]
#[test]
fn arguments_output_and_exit_code_pass_through() {
    let alone = Alone::new();
    std::os::unix::fs::symlink("/bin/sh", alone.0.path().join("heapwire-bench")).unwrap();
    let script = "printf '<%s>' \"$@\"; exit 7";
    let run = alone.run(&["bench", "-c", script, "sh", "--trace", "a b", "--help", "--", "-x"]);
    assert_eq!((run.text(), run.errors.as_str()), ("<--trace><a b><--help><--><-x>", ""));
    assert_eq!(run.code, Some(7));
}
