//! Lines out of a reader, each at most [`MAX_LINE`] long.

use std::io::{self, BufRead, Read};
use std::str;

use super::MAX_LINE;
use super::fields::Mismatch;
use super::line::parse;
use crate::error::TextError;
use crate::trace::Item;

/// Bytes of the input that an error message shows at most.
const EXCERPT: usize = 32;

/// Reads a trace from its text form. Memory stays within a few times [`MAX_LINE`].
pub struct TextReader<R> {
    input: R,
    line: Vec<u8>,
    line_number: u64,
    /// The last line was too long, and its rest has yet to be skipped.
    rest_unread: bool,
    /// Names of the current item, without escapes.
    text: String,
}

impl<R: BufRead> TextReader<R> {
    /// Reads from `input`.
    pub fn new(input: R) -> Self {
        Self { input, line: Vec::new(), line_number: 0, rest_unread: false, text: String::new() }
    }

    /// The number of the line read last, from 1; 0 before the first.
    pub fn line_number(&self) -> u64 {
        self.line_number
    }

    /// Reads the next item, or `None` at the end of the input.
    ///
    /// # Errors
    /// See [`TextError`]. After [`TextError::Line`] the next call reads the line that follows; after
    /// the others there is nothing sensible to read.
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>, TextError> {
        loop {
            if !self.read_line()? {
                return Ok(None);
            }
            if !matches!(self.line.first(), None | Some(b'#')) {
                break;
            }
        }
        match parse(&self.line, &mut self.text) {
            Ok(item) => Ok(Some(item)),
            Err(mismatch) => Err(line_error(mismatch, &self.line, self.line_number)),
        }
    }

    /// Reads one line, without its end, into `self.line`; false when there is none.
    fn read_line(&mut self) -> Result<bool, TextError> {
        self.line.clear();
        self.fill_line().map_err(|source| TextError::Io { line: self.line_number + 1, source })?;
        if self.line.is_empty() {
            return Ok(false);
        }
        self.line_number += 1;
        let ended = self.line.pop_if(|byte| *byte == b'\n').is_some();
        self.line.pop_if(|byte| *byte == b'\r');

        if self.line_number == 1 && !is_text(&self.line) {
            return Err(TextError::NotText { found: excerpt(&self.line) });
        }
        if self.line.len() > MAX_LINE {
            self.rest_unread = !ended;
            return Err(TextError::Line {
                line: self.line_number,
                column: MAX_LINE + 1,
                found: format!("more than {MAX_LINE} bytes"),
                expected: "the end of the line",
            });
        }
        Ok(true)
    }

    fn fill_line(&mut self) -> io::Result<()> {
        if self.rest_unread {
            self.input.skip_until(b'\n')?;
            self.rest_unread = false;
        }
        // Two bytes more than a line may have: room for its end, or proof that it is too long.
        let mut bounded = (&mut self.input).take(MAX_LINE as u64 + 2);
        bounded.read_until(b'\n', &mut self.line)?;
        Ok(())
    }
}

#[cold]
fn line_error(mismatch: Mismatch, line: &[u8], line_number: u64) -> TextError {
    let start = line.len().saturating_sub(mismatch.left);
    let rest = line.get(start..).unwrap_or_default();
    let field = rest.split(|byte| *byte == b' ').next().unwrap_or_default();
    let found = match (rest, field) {
        ([], _) => "the end of the line".to_owned(),
        (_, []) => excerpt(rest),
        _ => excerpt(field),
    };
    TextError::Line { line: line_number, column: start + 1, found, expected: mismatch.expected }
}

/// Whether bytes may be the start of a text: UTF-8, perhaps cut off, and no control characters.
fn is_text(bytes: &[u8]) -> bool {
    let control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r');
    let utf8 = str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true);
    utf8 && !bytes.iter().any(control)
}

/// The first of `bytes`, quoted and escaped.
fn excerpt(bytes: &[u8]) -> String {
    let (shown, cut) = match bytes.get(..EXCERPT) {
        Some(start) if bytes.len() > EXCERPT => (start, "…"),
        _ => (bytes, ""),
    };
    match str::from_utf8(shown) {
        Ok(text) => format!("{text:?}{cut}"),
        Err(_) => format!("\"{}\"{cut}", shown.escape_ascii()),
    }
}
