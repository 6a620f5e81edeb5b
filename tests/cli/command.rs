//! Runs the command, which belongs to another package: it is built once, in this test's profile.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use tempfile::TempDir;

/// The `heapwire` command.
pub(super) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(build)
}

fn build() -> PathBuf {
    // This test is TARGET/PROFILE/deps/cli-HASH.
    let test = std::env::current_exe().unwrap();
    let [profile_folder, target] =
        [2, 3].map(|level| test.ancestors().nth(level).unwrap().to_owned());
    let profile = match profile_folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        profile => profile,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    // The packages that ci/test tests in one go, whose features together are what was built for them.
    let packages = ["heapwire", "heapwire-tests", "heapwire-tracking-bench"];
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--bin", "heapwire"])
        .args(packages.map(|package| format!("--package={package}")))
        .args(["--profile", profile])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success(), "the command cannot be built");
    profile_folder.join("heapwire").with_extension(std::env::consts::EXE_EXTENSION)
}

/// A folder of its own for the files of a test, which names them without their folder.
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The names of all files, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The command with these words, in this folder.
    pub(super) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(program());
        command.args(words.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    pub(super) fn run(&self, words: &str) -> Run {
        Run::of(&mut self.command(words))
    }

    /// Runs the command with this on its standard input.
    pub(super) fn run_with(&self, words: &str, input: &[u8]) -> Run {
        let mut child = self.spawn(words);
        let mut stdin = child.stdin.take().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                // The command need not read to the end.
                let _ = stdin.write_all(input);
            });
            Run::end(child)
        })
    }

    /// Starts the command with all three ends piped.
    pub(super) fn spawn(&self, words: &str) -> Child {
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Imports a trace; returns the capture's bytes.
    pub(super) fn import(&self, trace: &str, capture: &str, options: &str) -> Vec<u8> {
        self.run(&format!("import {trace} -o {capture} {options}")).succeeds();
        self.read(capture)
    }
}

/// How a command ended, and what it said.
#[derive(Debug)]
pub(super) struct Run {
    /// `None` when it was killed.
    pub(super) code: Option<i32>,
    pub(super) out: Vec<u8>,
    pub(super) errors: String,
}

impl Run {
    pub(super) fn of(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::end(command.spawn().unwrap())
    }

    /// Waits for a command and takes in all that it says.
    pub(super) fn end(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(!errors.contains("panicked"), "{errors}");
        Self { code: output.status.code(), out: output.stdout, errors }
    }

    #[track_caller]
    pub(super) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.errors);
        self
    }

    /// Expects one line of error and the exit code 1; returns the line.
    #[track_caller]
    pub(super) fn fails(self) -> String {
        assert_eq!(self.code, Some(1), "{}", self.errors);
        let Some(line) = self.errors.strip_suffix('\n') else { panic!("{:?}", self.errors) };
        assert!(line.starts_with("heapwire: ") && !line.contains(char::is_control), "{line:?}");
        line.to_owned()
    }

    /// Expects the exit code 1 for what it found.
    #[track_caller]
    pub(super) fn finds(self) -> Self {
        assert_eq!(self.code, Some(1), "{}", self.errors);
        self
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    #[track_caller]
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.out).unwrap()
    }
}
