//! The heap over time in bounded memory: what a chart is drawn from.

/// Most buckets that a [`Timeline`] keeps.
pub const MAX_BUCKETS: usize = 1024;

/// A part of a [`Timeline`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Most bytes live within it.
    pub max_bytes: u64,
    /// Bytes live at its end.
    pub last_bytes: u64,
}

/// A level over a span of time that is not known beforehand: at most [`MAX_BUCKETS`] buckets of
/// equal width. When an event lies beyond them, neighbours are merged and the width doubles.
///
/// Bucket `i` covers `start + i * width .. start + (i + 1) * width`, in ticks. Clocks that step
/// backwards count as standing still.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    buckets: Vec<Bucket>,
    start: u64,
    end: u64,
    /// The width is `1 << width_log2` ticks. At most 54: 1,024 buckets of that cover all of `u64`.
    width_log2: u32,
}

impl Timeline {
    /// Sets the level from `time` (in ticks) on.
    pub fn record(&mut self, time: u64, bytes: u64) {
        if self.buckets.is_empty() {
            (self.start, self.end) = (time, time);
        }
        self.end = self.end.max(time);
        let ticks = self.end - self.start;
        while ticks >> self.width_log2 >= MAX_BUCKETS as u64 {
            self.merge_pairs();
        }
        let index = (ticks >> self.width_log2) as usize;
        let carried = self.buckets.last().map_or(0, |bucket| bucket.last_bytes);
        while self.buckets.len() <= index {
            self.buckets.push(Bucket { max_bytes: carried, last_bytes: carried });
        }
        if let Some(bucket) = self.buckets.last_mut() {
            bucket.max_bytes = bucket.max_bytes.max(bytes);
            bucket.last_bytes = bytes;
        }
    }

    fn merge_pairs(&mut self) {
        let merge = |pair: &[Bucket]| Bucket {
            max_bytes: pair.iter().map(|bucket| bucket.max_bytes).max().unwrap_or(0),
            last_bytes: pair.last().map_or(0, |bucket| bucket.last_bytes),
        };
        self.buckets = self.buckets.chunks(2).map(merge).collect();
        self.width_log2 += 1;
    }

    /// Returns the buckets from the first event on.
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// Returns the time of the first event in ticks.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Returns the latest time in ticks.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Returns the width of a bucket in ticks.
    pub fn bucket_width(&self) -> u64 {
        1 << self.width_log2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_carries_the_level_through_quiet_buckets() {
        let mut timeline = Timeline::default();
        timeline.record(100, 5);
        timeline.record(102, 3);
        timeline.record(102, 9);
        timeline.record(101, 4); // a step backwards counts at 102
        let bucket = |max_bytes, last_bytes| Bucket { max_bytes, last_bytes };
        assert_eq!(timeline.buckets(), [bucket(5, 5), bucket(5, 5), bucket(9, 4)]);
        assert_eq!((timeline.start(), timeline.end(), timeline.bucket_width()), (100, 102, 1));
    }

    #[test]
    fn a_full_timeline_doubles_its_width_and_keeps_every_maximum() {
        let mut timeline = Timeline::default();
        for time in 0..5_000 {
            timeline.record(time, if time == 3_333 { 1_000 } else { time % 10 });
        }
        assert_eq!(timeline.bucket_width(), 8);
        assert_eq!(timeline.buckets().len(), 625);
        let highest = timeline.buckets().iter().position(|bucket| bucket.max_bytes == 1_000);
        assert_eq!(highest, Some(3_333 / 8));
        assert_eq!(timeline.buckets().last(), Some(&Bucket { max_bytes: 9, last_bytes: 9 }));
    }

    #[test]
    fn a_timeline_covers_every_time_there_is() {
        let mut timeline = Timeline::default();
        timeline.record(0, 1);
        timeline.record(u64::MAX, 2);
        assert_eq!(timeline.buckets().len(), MAX_BUCKETS);
        assert_eq!(timeline.bucket_width(), 1 << 54);
    }
}
