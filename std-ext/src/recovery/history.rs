//! What was tried, and how it ended.

use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;

use crate::error::ErrorKind;

/// One attempt at an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// The operation's name.
    pub operation: String,
    /// Whether it was what the operation falls back to.
    pub is_fallback: bool,
    /// Which attempt of the operation, from 1; a fallback's are counted anew.
    pub number: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// Why it failed; `None` when it succeeded.
    pub error: Option<AttemptError>,
    /// What came after it.
    pub next: Next,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptError {
    /// What kind of error it was.
    pub kind: ErrorKind,
    /// The error's words, and those of its causes.
    pub message: String,
}

/// What comes after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// Nothing: it succeeded.
    Done,
    /// Another attempt.
    Retry {
        /// After so long.
        after: Duration,
    },
    /// What the operation falls back to.
    FallBack,
    /// Nothing: its error was returned.
    GiveUp,
}

/// The newest attempts.
#[derive(Debug)]
pub(super) struct History {
    attempts: VecDeque<Attempt>,
    limit: usize,
}

impl History {
    pub(super) fn new(limit: usize) -> Self {
        Self { attempts: VecDeque::new(), limit }
    }

    pub(super) fn push(&mut self, attempt: Attempt) {
        self.attempts.push_back(attempt);
        if self.attempts.len() > self.limit {
            self.attempts.pop_front();
        }
    }

    pub(super) fn attempts(&self) -> Vec<Attempt> {
        self.attempts.iter().cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.attempts.clear();
    }
}

/// An error and its causes.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
