//! How to recover: attempts, delays, strategies.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use backon::ExponentialBuilder;

use super::{ErrorRecovery, Strategy};
use crate::error::{BinaryExportError, ErrorKind, Result};

/// The longest delay that may be asked for.
const LONGEST_DELAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Makes an [`ErrorRecovery`].
#[derive(Clone)]
#[must_use]
pub struct RecoveryBuilder {
    max_attempts: usize,
    first_delay: Duration,
    pub(super) max_delay: Duration,
    factor: f32,
    has_jitter: bool,
    strategies: BTreeMap<ErrorKind, Strategy>,
    pub(super) history_limit: usize,
    pub(super) sleep: Arc<dyn Fn(Duration) + Send + Sync>,
}

impl RecoveryBuilder {
    /// How often an operation is tried at most, the first time included. 4 unless told.
    pub fn max_attempts(mut self, attempts: usize) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// The delay before the second attempt. 50 ms unless told.
    pub fn first_delay(mut self, delay: Duration) -> Self {
        self.first_delay = delay;
        self
    }

    /// No delay is longer. 2 s unless told.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// How many times longer each delay is than the one before. 2 unless told.
    pub fn factor(mut self, factor: f32) -> Self {
        self.factor = factor;
        self
    }

    /// Whether each delay is made longer by a random part of itself, so that many who failed
    /// together do not try again together. They are unless told.
    pub fn jitter(mut self, has_jitter: bool) -> Self {
        self.has_jitter = has_jitter;
        self
    }

    /// What to do about errors of this kind.
    pub fn strategy(mut self, kind: ErrorKind, strategy: Strategy) -> Self {
        self.strategies.insert(kind, strategy);
        self
    }

    /// How many attempts the history keeps: the newest. 1,000 unless told.
    pub fn history_limit(mut self, attempts: usize) -> Self {
        self.history_limit = attempts;
        self
    }

    /// What waits between attempts, instead of [`thread::sleep`].
    pub fn sleep_with(mut self, sleep: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.sleep = Arc::new(sleep);
        self
    }

    /// An [`ErrorRecovery`] that does as told.
    ///
    /// # Errors
    /// [`InvalidConfig`](BinaryExportError::InvalidConfig) for no attempts, a factor below 1, a first
    /// delay above the longest, or delays of more than a day.
    pub fn build(self) -> Result<ErrorRecovery> {
        let invalid = |field, reason| Err(BinaryExportError::InvalidConfig { field, reason });
        if self.max_attempts == 0 {
            return invalid("recovery.max_attempts", "is 0, expected at least 1".to_owned());
        }
        if !(1.0..=f32::MAX).contains(&self.factor) {
            let reason = format!("is {}, expected a number of at least 1", self.factor);
            return invalid("recovery.factor", reason);
        }
        if self.max_delay > LONGEST_DELAY {
            let reason = format!("is {:?}, expected at most {LONGEST_DELAY:?}", self.max_delay);
            return invalid("recovery.max_delay", reason);
        }
        if self.first_delay > self.max_delay {
            let reason =
                format!("is {:?}, expected at most {:?}", self.first_delay, self.max_delay);
            return invalid("recovery.first_delay", reason);
        }
        Ok(ErrorRecovery::of(self))
    }

    /// The delays between attempts, before they are cut to the longest.
    pub(super) fn backoff(&self) -> ExponentialBuilder {
        let backoff = ExponentialBuilder::new()
            .with_min_delay(self.first_delay)
            .with_max_delay(self.max_delay)
            .with_factor(self.factor)
            .with_max_times(self.max_attempts - 1);
        if self.has_jitter { backoff.with_jitter() } else { backoff }
    }

    pub(super) fn strategy_for(&self, kind: ErrorKind) -> Strategy {
        let default = match kind {
            ErrorKind::Transient => Strategy::Retry,
            ErrorKind::Resources => Strategy::FallBack,
            ErrorKind::Refused | ErrorKind::Caller | ErrorKind::Input => Strategy::GiveUp,
        };
        self.strategies.get(&kind).copied().unwrap_or(default)
    }
}

impl Default for RecoveryBuilder {
    fn default() -> Self {
        Self {
            max_attempts: 4,
            first_delay: Duration::from_millis(50),
            max_delay: Duration::from_secs(2),
            factor: 2.0,
            has_jitter: true,
            strategies: BTreeMap::new(),
            history_limit: 1000,
            sleep: Arc::new(thread::sleep),
        }
    }
}

impl fmt::Debug for RecoveryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecoveryBuilder")
            .field("max_attempts", &self.max_attempts)
            .field("first_delay", &self.first_delay)
            .field("max_delay", &self.max_delay)
            .field("factor", &self.factor)
            .field("has_jitter", &self.has_jitter)
            .field("strategies", &self.strategies)
            .field("history_limit", &self.history_limit)
            .finish_non_exhaustive()
    }
}
