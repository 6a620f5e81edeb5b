//! The fields of one line: numbers, words and texts, parsed by hand because the speed of an import
//! is decided here.

use std::str;

use heapwire_core::{Event, EventKind, NameKind};

use super::{NAME_KINDS, name_kind_word};
use crate::trace::Item;

/// What a line should have said, and how many of its bytes were left there.
pub(super) struct Mismatch {
    pub(super) left: usize,
    pub(super) expected: &'static str,
}

/// The value of each byte as a digit, 255 for what is none.
const DIGITS: [u8; 256] = {
    let mut digits = [255; 256];
    let mut value = 0;
    while value < 16 {
        let digit = b"0123456789abcdef"[value];
        digits[digit as usize] = value as u8;
        digits[digit.to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    digits
};

/// The fields of one line. Each method takes one, with the space in front of it.
pub(super) struct Fields<'a> {
    pub(super) rest: &'a [u8],
}

impl Fields<'_> {
    /// The letter in front, or 0 when the first field is not a single letter.
    pub(super) fn letter(&mut self) -> u8 {
        match self.rest {
            [letter, rest @ ..] if matches!(rest, [] | [b' ', ..]) => {
                self.rest = rest;
                *letter
            }
            _ => 0,
        }
    }

    /// The time and thread in front of every event, then the fields of its kind.
    pub(super) fn event<'a>(
        &mut self,
        kind: impl FnOnce(&mut Self) -> Result<EventKind, Mismatch>,
    ) -> Result<Item<'a>, Mismatch> {
        let time = self.number::<10>("a time in ticks (decimal, below 2^64)")?;
        let thread = self.narrow("a thread number (decimal, below 2^32)")?;
        let kind = kind(self)?;
        self.finish()?;
        Ok(Item::Event(Event { time, thread, kind }))
    }

    pub(super) fn address(&mut self) -> Result<u64, Mismatch> {
        self.number::<16>("an address (hex without 0x, below 2^64)")
    }

    pub(super) fn size(&mut self) -> Result<u64, Mismatch> {
        self.number::<10>("a size in bytes (decimal, below 2^64)")
    }

    pub(super) fn site(&mut self) -> Result<u32, Mismatch> {
        self.narrow("a site (decimal, below 2^32)")
    }

    pub(super) fn id(&mut self) -> Result<u32, Mismatch> {
        self.narrow("the number of a name (decimal, below 2^32)")
    }

    pub(super) fn gauge_value(&mut self) -> Result<i64, Mismatch> {
        let expected = "the value of a gauge (decimal, from -2^63 to below 2^63)";
        self.take(b' ', expected)?;
        let left = self.rest.len();
        let negative = self.take(b'-', expected).is_ok();
        let value = self.digits::<10>().and_then(|magnitude| match negative {
            true => 0i64.checked_sub_unsigned(magnitude),
            false => 0i64.checked_add_unsigned(magnitude),
        });
        value.ok_or(Mismatch { left, expected })
    }

    /// A decimal number that fits a smaller type.
    pub(super) fn narrow<N: TryFrom<u64>>(
        &mut self,
        expected: &'static str,
    ) -> Result<N, Mismatch> {
        let left = self.rest.len().saturating_sub(1);
        let number = self.number::<10>(expected)?;
        N::try_from(number).map_err(|_| Mismatch { left, expected })
    }

    pub(super) fn number<const RADIX: u64>(
        &mut self,
        expected: &'static str,
    ) -> Result<u64, Mismatch> {
        self.take(b' ', expected)?;
        let left = self.rest.len();
        self.digits::<RADIX>().ok_or(Mismatch { left, expected })
    }

    /// Takes digits that fill the field; `None` when they do not, or are too many for 64 bits.
    fn digits<const RADIX: u64>(&mut self) -> Option<u64> {
        let mut value = 0u64;
        let mut rest = self.rest;
        while let [byte, after @ ..] = rest
            && let digit = u64::from(DIGITS[usize::from(*byte)])
            && digit < RADIX
        {
            value = value.checked_mul(RADIX)?.checked_add(digit)?;
            rest = after;
        }
        let filled = matches!(rest, [] | [b' ', ..]) && rest.len() < self.rest.len();
        self.rest = rest;
        filled.then_some(value)
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), Mismatch> {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(Mismatch { left: self.rest.len(), expected }),
        }
    }

    /// Makes sure that nothing is left.
    pub(super) fn finish(&self) -> Result<(), Mismatch> {
        let left = match self.rest {
            [] => return Ok(()),
            // The space in front of a field too many is not the trouble, the field is.
            [b' ', field @ ..] if !field.is_empty() => field.len(),
            rest => rest.len(),
        };
        Err(Mismatch { left, expected: "the end of the line" })
    }

    pub(super) fn name_kind(&mut self) -> Result<NameKind, Mismatch> {
        let expected = "scope, variable, type, thread, gauge or mark";
        self.take(b' ', expected)?;
        let left = self.rest.len();
        let word = self.rest.split(|byte| *byte == b' ').next().unwrap_or_default();
        self.rest = self.rest.get(word.len()..).unwrap_or_default();
        NAME_KINDS
            .into_iter()
            .find(|kind| name_kind_word(*kind).as_bytes() == word)
            .ok_or(Mismatch { left, expected })
    }

    /// Takes a text that reaches to the end of the line, into `text`.
    pub(super) fn text_to_end<'t>(&mut self, text: &'t mut String) -> Result<&'t str, Mismatch> {
        text.clear();
        if !self.rest.is_empty() {
            self.take(b' ', "a space in front of the text")?;
            self.unescape(false, text)?;
        }
        Ok(text)
    }

    /// Takes a text in quotes, and appends it to `text`.
    pub(super) fn quoted(&mut self, text: &mut String) -> Result<(), Mismatch> {
        let expected = "a text in double quotes";
        self.take(b' ', expected)?;
        self.take(b'"', expected)?;
        self.unescape(true, text)
    }

    /// Appends a text to `text`: up to the closing quote, or else to the end of the line.
    fn unescape(&mut self, quoted: bool, text: &mut String) -> Result<(), Mismatch> {
        let mut rest = str::from_utf8(self.rest).map_err(|error| Mismatch {
            left: self.rest.len().saturating_sub(error.valid_up_to()),
            expected: "text in UTF-8",
        })?;
        loop {
            let mut chars = rest.chars();
            match chars.next() {
                Some('"') if quoted => {
                    self.rest = chars.as_str().as_bytes();
                    return Ok(());
                }
                Some('\\') => text.push(unescape_char(&mut chars).ok_or(Mismatch {
                    left: rest.len(),
                    expected: r#"an escape: \\ \" \n \r or \u{hex digits}"#,
                })?),
                Some(plain) => text.push(plain),
                None if quoted => {
                    return Err(Mismatch { left: 0, expected: "a closing double quote" });
                }
                None => {
                    self.rest = &[];
                    return Ok(());
                }
            }
            rest = chars.as_str();
        }
    }
}

/// Takes what follows the backslash of an escape.
fn unescape_char(chars: &mut str::Chars<'_>) -> Option<char> {
    match chars.next()? {
        plain @ ('\\' | '"') => Some(plain),
        'n' => Some('\n'),
        'r' => Some('\r'),
        'u' => {
            let (digits, rest) = chars.as_str().strip_prefix('{')?.split_once('}')?;
            *chars = rest.chars();
            let mut digits = Fields { rest: digits.as_bytes() };
            let number = digits.digits::<16>().filter(|_| digits.rest.is_empty())?;
            char::from_u32(number.try_into().ok()?)
        }
        _ => None,
    }
}
