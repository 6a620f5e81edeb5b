//! The heap over time, drawn with block characters for a terminal.

use heapwire::trace::replay::{Bucket, Timeline};

use crate::units::{bytes_text, time_text};

/// Parts of a character cell that are filled from below, in eighths.
const FILLED: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws the heap over time. `width` counts all columns, labels included (40 to 400), `height` the
/// rows of the plot alone (2 to 50); values outside are clamped.
///
/// A column shows the most bytes live within its span. The top row is the peak, which an arrow on
/// the time axis marks.
pub(crate) fn draw(
    timeline: &Timeline,
    ticks_per_second: Option<u64>,
    width: usize,
    height: usize,
) -> String {
    let (width, height) = (width.clamp(40, 400), height.clamp(2, 50));
    let peak = timeline.buckets().iter().map(|bucket| bucket.max_bytes).max().unwrap_or(0);
    if peak == 0 {
        return "nothing was allocated\n".to_owned();
    }

    let labels = [bytes_text(peak), bytes_text(peak / 2), bytes_text(0)];
    let label_width = labels.iter().map(String::len).max().unwrap_or(0);
    let columns = columns(timeline.buckets(), width - label_width - 2);
    let eighths = |bytes: u64| eighths(bytes, peak, height);

    let mut chart = String::new();
    for row in 0..height {
        let label = match row {
            0 => &labels[0],
            _ if row * 2 == height => &labels[1],
            _ => "",
        };
        let axis = if label.is_empty() { '│' } else { '┤' };
        let below = (height - 1 - row) * 8;
        let cells: String = columns
            .iter()
            .map(|&bytes| FILLED[eighths(bytes).saturating_sub(below).min(8)])
            .collect();
        chart += format!("{label:>label_width$} {axis}{cells}").trim_end();
        chart.push('\n');
    }

    let peak_column = columns.iter().position(|&bytes| bytes == peak).unwrap_or(0);
    let axis: String =
        (0..columns.len()).map(|column| if column == peak_column { '▲' } else { '─' }).collect();
    chart += &format!("{:>label_width$} ┼{axis}\n", labels[2]);

    let start = time_text(timeline.start(), ticks_per_second);
    let end = time_text(timeline.end(), ticks_per_second);
    let times = time_labels(&start, &end, peak_column, columns.len());
    chart += &format!("{:label_width$}  {times}\n", "");
    chart
}

/// Spreads the buckets over `count` columns: the most bytes in each.
fn columns(buckets: &[Bucket], count: usize) -> Vec<u64> {
    let column = |index: usize| {
        let first = index * buckets.len() / count;
        let end = ((index + 1) * buckets.len() / count).max(first + 1);
        let covered = buckets.get(first..end).unwrap_or_default();
        covered.iter().map(|bucket| bucket.max_bytes).max().unwrap_or(0)
    };
    (0..count).map(column).collect()
}

/// Returns the height of a column in eighths of a row. Only 0 bytes have the height 0.
fn eighths(bytes: u64, peak: u64, height: usize) -> usize {
    (u128::from(bytes) * height as u128 * 8).div_ceil(u128::from(peak)) as usize
}

/// Sets "start … peak … end" on one line, the word "peak" as close to its column as there is room.
fn time_labels(start: &str, end: &str, peak_column: usize, width: usize) -> String {
    const PEAK: &str = "peak";
    let (start_width, end_width) = (start.chars().count(), end.chars().count());
    let first = start_width + 1;
    let last = width.saturating_sub(end_width + 1 + PEAK.len());
    let before_peak = peak_column.saturating_sub(PEAK.len() / 2).min(last).max(first);
    let until_end = width.saturating_sub(end_width).max(before_peak + PEAK.len() + 1);
    let left = before_peak - start_width;
    let right = until_end - before_peak - PEAK.len();
    format!("{start}{:left$}{PEAK}{:right$}{end}", "", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(levels: impl IntoIterator<Item = (u64, u64)>) -> Timeline {
        let mut timeline = Timeline::default();
        for (time, bytes) in levels {
            timeline.record(time, bytes);
        }
        timeline
    }

    #[test]
    fn a_hill_is_drawn_with_its_peak_marked() {
        let hill = timeline((0..=60_u64).map(|time| (time * 50, time * (60 - time) * 2_000)));
        let expected = concat!(
            "  1.7 MiB ┤           ▂▄▅▇▇██████▇▆▅▃▁\n",
            "          │        ▃▆▇████████████████▇▄▁\n",
            "          │     ▁▅▇██████████████████████▇▃▁\n",
            "878.9 KiB ┤   ▂▇████████████████████████████▄\n",
            "          │ ▂▄███████████████████████████████▇▄\n",
            "          │▄███████████████████████████████████▇\n",
            "      0 B ┼──────────────────▲──────────────────\n",
            "           0 µs            peak           3.0 ms\n",
        );
        assert_eq!(draw(&hill, Some(1_000_000), 48, 6), expected);
    }

    #[test]
    fn a_small_level_is_still_visible_and_a_late_peak_has_room() {
        let late = timeline([(0, 1), (900, 1), (999, 1_000_000), (1_000, 0)]);
        let chart = draw(&late, None, 10, 2);
        let expected = concat!(
            "976.6 KiB ┤                            █\n",
            "488.3 KiB ┤▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█\n",
            "      0 B ┼────────────────────────────▲\n",
            "           0 ticks      peak 1,000 ticks\n",
        );
        assert_eq!(chart, expected);
    }

    #[test]
    fn any_timeline_fits_any_size() {
        for levels in [vec![], vec![(5, 0)], vec![(5, 9)], vec![(0, u64::MAX), (u64::MAX, 1)]] {
            for size in [0, 1, 3, 80, usize::MAX] {
                let timeline = timeline(levels.clone());
                let chart = draw(&timeline, Some(1), size, size);
                assert!(chart.lines().all(|line| line.chars().count() <= size.clamp(40, 400)));
                draw(&timeline, None, size, size); // ticks of 20 digits may stick out
            }
        }
    }
}
