//! Measuring: the same work several times in turn with what it is compared with, since a machine is
//! not the same from one second to the next.

mod resident;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod trim;

use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use crate::error::Result;
pub(crate) use resident::peak_memory;

/// How long something took, of several times. Serialized in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Timing {
    /// The middle one.
    #[serde(serialize_with = "seconds")]
    pub median: Duration,
    /// The shortest.
    #[serde(serialize_with = "seconds")]
    pub least: Duration,
    /// Half of all times lie within this, from the first quartile to the third.
    #[serde(serialize_with = "seconds")]
    pub spread: Duration,
}

impl Timing {
    /// Sums up `times`; all is zero when there are none.
    pub(crate) fn of(times: &[Duration]) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let quantile = |share: f64| {
            let at = share * sorted.len().saturating_sub(1) as f64;
            let time = |at: f64| sorted.get(at as usize).copied().unwrap_or_default();
            let (below, above) = (time(at.floor()), time(at.ceil()));
            below + (above - below).mul_f64(at.fract())
        };
        Self {
            median: quantile(0.5),
            least: quantile(0.0),
            spread: quantile(0.75) - quantile(0.25),
        }
    }
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// How long `work` takes, and what it returns.
pub(crate) fn timed<R>(work: impl FnOnce() -> Result<R>) -> Result<(Duration, R)> {
    let started = Instant::now();
    let result = work()?;
    Ok((started.elapsed(), result))
}

/// How many times as long the first takes as the second; 1 when the second takes no time at all.
pub(crate) fn ratio(first: Duration, second: Duration) -> f64 {
    match second.is_zero() {
        true => 1.0,
        false => first.as_secs_f64() / second.as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_short() {
        let times = [5, 1, 4, 2, 3].map(Duration::from_millis);
        let timing = Timing::of(&times);
        let ms = Duration::from_millis;
        assert_eq!((timing.median, timing.least, timing.spread), (ms(3), ms(1), ms(2)));
        assert_eq!(Timing::of(&times[..2]).median, ms(3));
        assert_eq!(Timing::of(&[]), Timing::default());
    }

    #[test]
    fn ratios() {
        let second = Duration::from_secs(1);
        assert_eq!((ratio(3 * second, second), ratio(second, Duration::ZERO)), (3.0, 1.0));
    }
}
