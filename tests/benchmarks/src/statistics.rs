//! Numbers in short.

/// Times of many rounds in short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The smallest.
    pub minimum: f64,
    /// The middle one.
    pub median: f64,
    /// Half of all are within this, from the first quartile to the third.
    pub spread: f64,
}

impl Summary {
    /// Sums up `values`; all is NaN when there are none.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let sorted = sorted(values.to_vec());
        Self {
            minimum: quantile(&sorted, 0.0),
            median: quantile(&sorted, 0.5),
            spread: quantile(&sorted, 0.75) - quantile(&sorted, 0.25),
        }
    }
}

/// The middle value; NaN when there is none.
#[must_use]
pub fn median(values: Vec<f64>) -> f64 {
    quantile(&sorted(values), 0.5)
}

/// The geometric mean; NaN when there is no value.
#[must_use]
pub fn geometric_mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value.ln();
        count += 1.0;
    }
    f64::exp(sum / count)
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The value below which `share` of all lie, between two neighbours if need be.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = share * last as f64;
    let (below, above) = (at.floor() as usize, at.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_known_values() {
        let summary = Summary::of(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!(summary, Summary { minimum: 1.0, median: 3.0, spread: 2.0 });
        assert_eq!(median(vec![1.0, 2.0]), 1.5);
        assert!(median(Vec::new()).is_nan());
        assert!((geometric_mean([1.0, 4.0, 16.0]) - 4.0).abs() < 1e-12);
    }
}
