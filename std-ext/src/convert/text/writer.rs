//! One item into one line.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use heapwire_core::{Definition, Event, EventKind, NO_SITE, Node, Region, Session};

use super::{MAX_LINE, name_kind_word};
use crate::trace::Item;

/// Writes one item as one line. Lines are short, so `out` should be buffered.
///
/// # Errors
/// Those of `out`; and `InvalidInput`, with nothing written, when a name is so long that the line
/// would pass [`MAX_LINE`].
pub fn write_item(out: &mut (impl Write + ?Sized), item: &Item<'_>) -> io::Result<()> {
    match *item {
        Item::Event(event) => write_event(out, event),
        Item::Definition(Definition::Node(Node { id, parent, ip })) => {
            NumberLine::new(b's').decimal(id.into()).decimal(parent.into()).hex(ip).write_to(out)
        }
        Item::Definition(Definition::Name(name)) => {
            let (kind, id) = (name_kind_word(name.kind), name.id);
            write_line(out, format!("d {kind} {id}{}", ToEnd(name.text)))
        }
        Item::Definition(Definition::Region(Region { start, size, name })) => {
            write_line(out, format!("p {start:x} {size}{}", ToEnd(name)))
        }
        Item::Definition(Definition::Session(session)) => {
            let Session { device, build, ticks_per_second, address_bits } = session;
            let (device, build) = (Quoted(device), Quoted(build));
            write_line(out, format!("h {ticks_per_second} {address_bits} {device} {build}"))
        }
    }
}

fn write_line(out: &mut (impl Write + ?Sized), mut line: String) -> io::Result<()> {
    if line.len() > MAX_LINE {
        let message = format!("a line of {} bytes, expected at most {MAX_LINE}", line.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    line.push('\n');
    out.write_all(line.as_bytes())
}

fn write_event(out: &mut (impl Write + ?Sized), event: Event) -> io::Result<()> {
    let mut line = NumberLine::new(letter(&event.kind));
    let line = line.decimal(event.time).decimal(event.thread.into());
    match event.kind {
        EventKind::Alloc { address, size, site } => {
            line.hex(address).decimal(size).decimal(site.into())
        }
        EventKind::Free { address, site: NO_SITE } => line.hex(address),
        EventKind::Free { address, site } => line.hex(address).decimal(site.into()),
        EventKind::Realloc { old, address, size, site } => {
            line.hex(old).hex(address).decimal(size).decimal(site.into())
        }
        EventKind::FailedAlloc { size, site } => line.decimal(size).decimal(site.into()),
        EventKind::Name { address, variable, type_name } => {
            line.hex(address).decimal(variable.into()).decimal(type_name.into())
        }
        EventKind::Gauge { gauge, value } => line.decimal(gauge.into()).signed(value),
        EventKind::Mark { mark } => line.decimal(mark.into()),
    };
    line.write_to(out)
}

fn letter(kind: &EventKind) -> u8 {
    match kind {
        EventKind::Alloc { .. } => b'a',
        EventKind::Free { .. } => b'f',
        EventKind::Realloc { .. } => b'r',
        EventKind::FailedAlloc { .. } => b'x',
        EventKind::Name { .. } => b'n',
        EventKind::Gauge { .. } => b'g',
        EventKind::Mark { .. } => b'm',
    }
}

/// The longest is an `r`: a letter, six spaces, 20 + 10 + 16 + 16 + 20 + 10 digits, a newline.
const LONGEST_NUMBER_LINE: usize = 100;

/// A line of numbers, put together without `fmt`: a dump is as fast as this. Only whole lines of
/// the kinds above are put together, so no index passes the end of `bytes`.
struct NumberLine {
    /// Spaces wherever nothing has been put yet, which is how the fields come to be apart.
    bytes: [u8; LONGEST_NUMBER_LINE],
    len: usize,
}

impl NumberLine {
    fn new(letter: u8) -> Self {
        let mut bytes = [b' '; LONGEST_NUMBER_LINE];
        bytes[0] = letter;
        Self { bytes, len: 1 }
    }

    /// Appends a space and a number, two digits at a time from its end.
    fn decimal(&mut self, mut number: u64) -> &mut Self {
        let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
        let mut place = self.len + digits;
        self.len = place + 1;
        while number >= 100 {
            let pair = (number % 100) as usize;
            number /= 100;
            self.bytes[place - 1..=place].copy_from_slice(&DIGIT_PAIRS[pair]);
            place -= 2;
        }
        if number >= 10 {
            self.bytes[place - 1..=place].copy_from_slice(&DIGIT_PAIRS[number as usize]);
        } else {
            self.bytes[place] = b'0' + number as u8;
        }
        self
    }

    /// Appends a space and a number.
    fn hex(&mut self, mut number: u64) -> &mut Self {
        let digits = number.checked_ilog2().unwrap_or(0) as usize / 4 + 1;
        let start = self.len + 1;
        self.len = start + digits;
        for place in self.bytes[start..self.len].iter_mut().rev() {
            *place = b"0123456789abcdef"[(number % 16) as usize];
            number /= 16;
        }
        self
    }

    /// Appends a space and a number.
    fn signed(&mut self, number: i64) -> &mut Self {
        if number < 0 {
            // The space of the number comes one place late and becomes the sign.
            self.len += 1;
            self.bytes[self.len] = b'-';
        }
        self.decimal(number.unsigned_abs())
    }

    fn write_to(&mut self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        self.bytes[self.len] = b'\n';
        out.write_all(&self.bytes[..=self.len])
    }
}

const DIGIT_PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

/// A text that reaches to the end of its line: nothing when it is empty, else a space and it.
struct ToEnd<'a>(&'a str);

impl fmt::Display for ToEnd<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        out.write_char(' ')?;
        self.0.chars().try_for_each(|char| escape(out, char))
    }
}

/// A text in quotes.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_char('"')?;
        for char in self.0.chars() {
            match char {
                '"' => out.write_str("\\\"")?,
                _ => escape(out, char)?,
            }
        }
        out.write_char('"')
    }
}

fn escape(out: &mut impl fmt::Write, char: char) -> fmt::Result {
    match char {
        '\\' => out.write_str("\\\\"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        control if control.is_control() => write!(out, "{}", control.escape_unicode()),
        plain => out.write_char(plain),
    }
}
