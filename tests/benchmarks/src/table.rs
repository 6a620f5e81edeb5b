//! The results as a table for people.

use std::io::{self, Write};
use std::slice;

use crate::means::{DirectionMean, Mean, means};
use crate::measure::TraceResult;

/// Prints one table a trace, and one of the geometric means when there are several.
///
/// # Errors
/// When `out` refuses.
pub fn print(out: &mut impl Write, results: &[TraceResult]) -> io::Result<()> {
    for result in results {
        writeln!(out, "{}: {} events", result.trace, result.events)?;
        print_rows(out, &means(slice::from_ref(result)))?;
    }
    if results.len() > 1 {
        writeln!(out, "geometric mean of {} traces", results.len())?;
        print_rows(out, &means(results))?;
    }
    writeln!(
        out,
        "ns, least, +-: median, minimum and distance between the quartiles of all rounds, an event.\n\
         json, json+z: times faster than serde_json, and than serde_json + Zstd 3.\n\
         KiB: allocated at once at most, beyond input and output."
    )
}

fn print_rows(out: &mut impl Write, rows: &[Mean]) -> io::Result<()> {
    let columns = format!(
        "{:>7} {:>7} {:>6} {:>6} {:>6} {:>6}",
        "ns", "least", "+-", "json", "json+z", "KiB"
    );
    let width = rows.iter().map(|row| row.contender.len()).max().unwrap_or(0);
    let group = columns.len();
    writeln!(out, "{:width$} {:>7} | {:^group$} | {:^group$}", "", "bytes", "encode", "decode")?;
    writeln!(out, "{:width$} {:>7} | {columns} | {columns}", "", "an event")?;
    for Mean { contender, bytes_per_event, encode, decode, .. } in rows {
        let (encode, decode) = (direction(encode), direction(decode));
        writeln!(out, "{contender:width$} {bytes_per_event:7.3} | {encode} | {decode}")?;
    }
    writeln!(out)
}

fn direction(mean: &DirectionMean) -> String {
    let DirectionMean { median, minimum, spread, than_json, than_json_zstd, peak_memory } = *mean;
    let zstd = than_json_zstd.map(|times| format!("{times:.2}")).unwrap_or_default();
    let kib = peak_memory / 1024.0;
    format!("{median:7.1} {minimum:7.1} {spread:6.1} {than_json:6.2} {zstd:>6} {kib:6.0}")
}
