//! JSON for machines that a terminal can bear: what is not ASCII is written as `\\uXXXX`, which reads
//! back as what it was.

use std::io::{self, Write};

use heapwire::trace::replay::Counts;
use serde::Serialize;

/// Events by kind, as every command tells them.
#[derive(Debug, Serialize)]
pub(crate) struct Events {
    pub(crate) total: u64,
    pub(crate) allocs: u64,
    pub(crate) frees: u64,
    pub(crate) reallocs: u64,
    pub(crate) failed: u64,
    pub(crate) names: u64,
    pub(crate) gauges: u64,
    pub(crate) marks: u64,
}

impl From<Counts> for Events {
    fn from(counts: Counts) -> Self {
        let Counts { allocs, frees, reallocs, failed, names, gauges, marks } = counts;
        let total = counts.total();
        Self { total, allocs, frees, reallocs, failed, names, gauges, marks }
    }
}

/// Prints `value` and a newline.
pub(crate) fn print(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    let mut ascii = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        if character.is_ascii() && character != '\u{7f}' {
            ascii.push(character);
        } else {
            // Only strings hold such characters, so an escape is right wherever one stands.
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii.push('\n');
    out.write_all(ascii.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::print;

    #[test]
    fn what_is_not_ascii_is_escaped_and_reads_back() {
        let text = "größe \u{9b}2J \u{202e} \u{7f} 🦀 \" \\ \n";
        let mut printed = Vec::new();
        print(&mut printed, &text).unwrap();
        assert!(
            printed.is_ascii()
                && printed.iter().all(|byte| (b' '..0x7f).contains(byte) || *byte == b'\n')
        );
        assert_eq!(serde_json::from_slice::<String>(&printed).unwrap(), text);
    }
}
