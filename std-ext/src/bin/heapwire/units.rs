//! The units in which the command shows numbers to people.

/// Shows bytes for people: `512 B`, `1.5 KiB`, up to `16.0 EiB`.
pub(crate) fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut amount, mut unit) = (bytes as f64 / 1024.0, UNITS[0]);
    for larger in &UNITS[1..] {
        // What one decimal rounds to 1024.0 is one of the next unit.
        if amount < 1023.95 {
            break;
        }
        (amount, unit) = (amount / 1024.0, larger);
    }
    format!("{amount:.1} {unit}")
}

/// Shows a time or a span for people: `250 µs`, `3.2 ms`, `1.50 s`; in ticks when their unit is not
/// known.
pub(crate) fn time_text(ticks: u64, ticks_per_second: Option<u64>) -> String {
    let Some(rate) = ticks_per_second.filter(|&rate| rate != 0) else {
        return counted(ticks, "tick");
    };
    let seconds = ticks as f64 / rate as f64;
    match seconds {
        0.0..0.0009995 => format!("{:.0} µs", seconds * 1e6),
        0.0..0.99995 => format!("{:.1} ms", seconds * 1e3),
        0.0..120.0 => format!("{seconds:.2} s"),
        0.0..7_200.0 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3_600.0),
    }
}

/// Counts things: `1 block`, `12,034 blocks`.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(count))
}

/// Shows a number with its thousands set off: `1,312,537`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units_for_people() {
        let bytes = [0, 1_023, 1_024, 1_536, 1_048_575, 1 << 20, u64::MAX].map(bytes_text);
        assert_eq!(
            bytes,
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 MiB", "16.0 EiB"]
        );
        let times = [0, 999, 1_000, 999_949, 999_999, 119_000_000, 600_000_000, u64::MAX]
            .map(|ticks| time_text(ticks, Some(1_000_000)));
        assert_eq!(
            times,
            [
                "0 µs",
                "999 µs",
                "1.0 ms",
                "999.9 ms",
                "1.00 s",
                "119.00 s",
                "10.0 min",
                "5124095576.0 h"
            ]
        );
        assert_eq!(time_text(12_345, Some(0)), "12,345 ticks");
        assert_eq!([0, 999, 1_000, 1_312_537].map(grouped), ["0", "999", "1,000", "1,312,537"]);
        assert_eq!(counted(1, "block"), "1 block");
    }
}
