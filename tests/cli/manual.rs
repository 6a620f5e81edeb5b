//! Completions and manual pages: they know every subcommand, and tools can read them.

use std::process::{Command, Stdio};

use super::command::{Folder, Run};

const SUBCOMMANDS: [&str; 6] = ["import", "dump", "info", "validate", "bench", "completions"];

#[test]
fn completions_know_every_subcommand() {
    let folder = Folder::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = folder.run(&format!("completions {shell}")).succeeds();
        for subcommand in SUBCOMMANDS {
            assert!(run.text().contains(subcommand), "{shell}: {subcommand}");
        }
        assert_eq!(run.errors, "");
    }
    for words in ["completions", "completions tcsh"] {
        assert_eq!(folder.run(words).code, Some(2), "{words}");
    }
}

/// What a shell would complete.
#[cfg(target_os = "linux")]
#[test]
fn bash_completes_subcommands_and_options() {
    let folder = Folder::new();
    folder.write("heapwire.bash", folder.run("completions bash").succeeds().out);
    for (words, expected) in [
        ("heapwire val", "validate"),
        ("heapwire import --thr", "--threads"),
        ("heapwire validate --j", "--json"),
    ] {
        let script = "source ./heapwire.bash; COMP_WORDS=($1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _heapwire heapwire \"${COMP_WORDS[-1]}\" \"${COMP_WORDS[-2]}\"; echo \"${COMPREPLY[@]}\"";
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", script, "bash", words]).current_dir(folder.path());
        let run = Run::of(bash.stdin(Stdio::null()));
        assert_eq!((run.text().trim(), run.errors.as_str()), (expected, ""), "{words}");
    }
}

#[test]
fn the_manual_has_a_page_for_each_subcommand() {
    let folder = Folder::new();
    let page = folder.run("man").succeeds();
    assert!(page.text().contains(".TH heapwire 1"), "{}", page.text());
    for subcommand in SUBCOMMANDS {
        assert!(page.text().contains(&format!("heapwire\\-{subcommand}(1)")), "{subcommand}");
        let page = folder.run(&format!("man {subcommand}")).succeeds();
        assert!(page.text().contains(&format!(".TH heapwire-{subcommand} 1")), "{}", page.text());
        assert!(page.text().contains(".SH SYNOPSIS"), "{subcommand}");
    }
    // How the demo talks to itself is nobody's business.
    assert!(!page.text().contains("demo\\-device"));
    let run = folder.run("man nonsense");
    assert_eq!((run.code, run.text()), (Some(2), ""));
    assert!(run.errors.contains("no subcommand \"nonsense\""), "{}", run.errors);
}
