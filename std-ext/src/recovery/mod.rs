//! `ErrorRecovery`: what fails for a moment is tried again, what asks for too much falls back, what
//! cannot be mended is returned at once.

mod builder;
mod history;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use backon::{BackoffBuilder, ExponentialBackoff};

use crate::error::{BinaryExportError, ErrorKind, Result};
pub use builder::RecoveryBuilder;
pub use history::{Attempt, AttemptError, Next};
use history::{History, chain};

/// What to do about an error of some kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strategy {
    /// Try again after a delay; when no attempts are left, fall back if there is something to fall
    /// back to.
    Retry,
    /// Do not try again, but fall back if there is something to fall back to.
    FallBack,
    /// Return the error at once.
    GiveUp,
}

/// Runs operations, and does something about their errors.
///
/// | [kind of error](ErrorKind) | by default |
/// |---|---|
/// | `Transient` | [`Strategy::Retry`]: up to 4 attempts, 50 ms, 100 ms and 200 ms apart and up to twice that |
/// | `Resources` | [`Strategy::FallBack`] |
/// | `Refused`, `Caller`, `Input` | [`Strategy::GiveUp`] |
///
/// The delays, the number of attempts and the strategies are the [`builder`](Self::builder)'s to
/// change. An export leaves no half-written file, so it can be tried again as it is.
///
/// ```
/// use heapwire::{BinaryExport, ErrorRecovery, IntegratedBinaryExporter, IntegratedConfig, MemoryTracker};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("output.bin");
/// let tracker = MemoryTracker::new();
/// tracker.track_allocation(0x5000, 64);
///
/// let recovery = ErrorRecovery::new();
/// let result = recovery.execute_with_fallback(
///     || BinaryExport::export_default(&tracker, &path),
///     || IntegratedBinaryExporter::new(IntegratedConfig::memory_efficient()).export(&tracker, &path),
///     "binary_export",
/// )?;
/// assert_eq!(result.events, 1);
/// assert_eq!(recovery.history().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ErrorRecovery {
    policy: RecoveryBuilder,
    history: Mutex<History>,
}

impl ErrorRecovery {
    /// With the default strategies.
    #[must_use]
    pub fn new() -> Self {
        Self::of(RecoveryBuilder::default())
    }

    /// With strategies of your own.
    pub fn builder() -> RecoveryBuilder {
        RecoveryBuilder::default()
    }

    fn of(policy: RecoveryBuilder) -> Self {
        Self { history: Mutex::new(History::new(policy.history_limit)), policy }
    }

    /// Runs `operation` until it succeeds, its attempts are used up, or it fails in a way that no
    /// further attempt would mend. The calling thread sleeps between attempts. `name` is what the
    /// [`history`](Self::history) calls it.
    ///
    /// # Errors
    /// The last attempt's.
    pub fn execute_with_recovery<T>(
        &self,
        operation: impl FnMut() -> Result<T>,
        name: &str,
    ) -> Result<T> {
        self.run(operation, name, Role::Alone)
    }

    /// Runs `operation` likewise; when it fails for want of resources, or its attempts are used up,
    /// runs `fallback`, which has as many attempts.
    ///
    /// # Errors
    /// The last attempt's: of `operation` when its strategy is to give up, otherwise of `fallback`.
    pub fn execute_with_fallback<T>(
        &self,
        operation: impl FnMut() -> Result<T>,
        fallback: impl FnMut() -> Result<T>,
        name: &str,
    ) -> Result<T> {
        match self.run(operation, name, Role::First) {
            Err(error) if self.strategy(error.kind()) != Strategy::GiveUp => {
                self.run(fallback, name, Role::Fallback)
            }
            result => result,
        }
    }

    /// What is done about errors of this kind.
    #[must_use]
    pub fn strategy(&self, kind: ErrorKind) -> Strategy {
        self.policy.strategy_for(kind)
    }

    /// The attempts so far, of all operations, oldest first; the newest thousand, or as many as the
    /// builder said.
    #[must_use]
    pub fn history(&self) -> Vec<Attempt> {
        self.lock().attempts()
    }

    /// Forgets the attempts so far.
    pub fn clear_history(&self) {
        self.lock().clear();
    }

    fn run<T>(
        &self,
        mut operation: impl FnMut() -> Result<T>,
        name: &str,
        role: Role,
    ) -> Result<T> {
        let mut delays = self.policy.backoff().build();
        let mut number = 0;
        loop {
            number += 1;
            let started = Instant::now();
            let result = operation();
            let elapsed = started.elapsed();
            let next = match &result {
                Ok(_) => Next::Done,
                Err(error) => self.next(error, &mut delays, role),
            };
            let error = result.as_ref().err();
            self.lock().push(Attempt {
                operation: name.to_owned(),
                is_fallback: role == Role::Fallback,
                number,
                elapsed,
                error: error.map(|e| AttemptError { kind: e.kind(), message: chain(e) }),
                next,
            });
            match next {
                Next::Retry { after } => (self.policy.sleep)(after),
                Next::Done | Next::FallBack | Next::GiveUp => return result,
            }
        }
    }

    /// What comes after this error.
    fn next(&self, error: &BinaryExportError, delays: &mut ExponentialBackoff, role: Role) -> Next {
        let strategy = self.strategy(error.kind());
        let delay = (strategy == Strategy::Retry).then(|| delays.next()).flatten();
        match delay {
            // Jitter comes on top of the longest delay.
            Some(delay) => Next::Retry { after: delay.min(self.policy.max_delay) },
            None if role == Role::First && strategy != Strategy::GiveUp => Next::FallBack,
            None => Next::GiveUp,
        }
    }

    /// A thread that panicked while it recorded left at worst an attempt out.
    fn lock(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ErrorRecovery {
    fn default() -> Self {
        Self::new()
    }
}

/// Which of the operations is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// There is nothing to fall back to.
    Alone,
    /// There is.
    First,
    /// What is fallen back to.
    Fallback,
}

#[cfg(test)]
mod tests;
