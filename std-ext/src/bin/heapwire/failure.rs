//! How a command ends.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use heapwire::BinaryExportError;
use heapwire::trace::symbols::escaped;

/// A command that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// And that is all.
    Done,
    /// And found something wrong, which it has told.
    Finding,
    /// By running another program, which ended with this code.
    Ended(u8),
}

/// A command that did not.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library's own words.
    Library(BinaryExportError),
    /// As `Library`, of this file.
    File { path: PathBuf, error: BinaryExportError },
    /// The command line asks for what cannot be.
    Usage(String),
    /// Our output was refused.
    Output(io::Error),
    /// Anything else, in a sentence.
    Other(String),
}

impl Failure {
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// 2 when the command line is to blame.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            _ => 1,
        }
    }

    /// The operating system refused to do this to that file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Library(BinaryExportError::Io { action, path, source })
    }

    /// Names the file in the library's words, where they do not.
    pub(crate) fn of(path: impl Into<PathBuf>) -> impl FnOnce(BinaryExportError) -> Self {
        let path = path.into();
        move |error| match error {
            BinaryExportError::Io { .. } | BinaryExportError::InvalidConfig { .. } => {
                Self::Library(error)
            }
            error => Self::File { path, error },
        }
    }
}

impl From<BinaryExportError> for Failure {
    fn from(error: BinaryExportError) -> Self {
        Self::Library(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, whatever is in a path or in the text of a file.
        match self {
            Self::Library(error) => write!(f, "{}", escaped(&chain(error))),
            Self::File { path, error } => write!(f, "{path:?}: {}", escaped(&chain(error))),
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
            Self::Usage(sentence) | Self::Other(sentence) => write!(f, "{}", escaped(sentence)),
        }
    }
}

/// The outcome, now that it was printed. What was found stays found when its reader has seen enough.
pub(crate) fn told(printed: io::Result<()>, outcome: Outcome) -> Result<Outcome, Failure> {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(outcome),
    }
}

/// An error and its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Whether a path on the command line means standard input or output.
pub(crate) fn is_stdio(path: &Path) -> bool {
    path.as_os_str() == "-"
}
