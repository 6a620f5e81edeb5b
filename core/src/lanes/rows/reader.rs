//! Reads rows.

use super::{
    COMMON, DEEP, ESCAPE, ESCAPED, FIRST_SCALES, FREE_AGO, FREE_AT_AGO, Frees, LONGEST_CODE,
    REALLOC_AGO, SHORT, SYMBOL_BITS, Scales, Symbol, TIME, TOP, follow, parameter,
};
use crate::lanes::{Lane, LaneReader};
use crate::tag::Tag;

/// Reads rows.
#[derive(Clone, Debug)]
pub(crate) struct RowsReader<'a> {
    scales: Scales,
    bytes: &'a [u8],
    /// What was read and not taken yet, in its low bits; what is above them is old.
    bits: u64,
    bit_count: u32,
    frees: Frees,
    /// The number that the latest symbol said beside its tag.
    near: Option<u64>,
}

impl<'a> RowsReader<'a> {
    pub(crate) fn new(payload: &'a [u8]) -> Self {
        Self {
            scales: Scales(FIRST_SCALES),
            bytes: payload,
            bits: 0,
            bit_count: 0,
            frees: Frees::NEW,
            near: None,
        }
    }

    /// The next `count` bits, at most 32.
    #[inline]
    fn take(&mut self, count: u32) -> Option<u64> {
        while self.bit_count < count {
            let (&byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            self.bits = self.bits << 8 | u64::from(byte);
            self.bit_count += 8;
        }
        self.bit_count -= count;
        Some(self.bits >> self.bit_count & ((1 << count) - 1))
    }

    /// Zeros before a one; at `ESCAPE` zeros there is no one.
    #[inline]
    fn take_unary(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while zeros < ESCAPE && self.take(1)? == 0 {
            zeros += 1;
        }
        Some(zeros)
    }

    /// The next symbol, with a free's kind in code.
    fn coded_symbol(&mut self) -> Option<Symbol> {
        let mut code = 1;
        for _ in 0..LONGEST_CODE {
            code = code << 1 | self.take(1)? as u16;
            if let Some((symbol, _)) = COMMON.iter().find(|(_, common)| *common == code) {
                return Some(Symbol(*symbol));
            }
        }
        self.take(SYMBOL_BITS).map(|symbol| Symbol(symbol as u8))
    }

    /// What follows the zeros of an escape.
    fn escaped(&mut self) -> Option<u64> {
        if self.take(1)? == 0 {
            return self.take(SHORT);
        }
        let high = if self.take(1)? == 0 { 0 } else { self.take(32)? };
        Some(high << 32 | self.take(32)?)
    }

    #[inline]
    fn number(&mut self, lane: usize) -> Option<u64> {
        let k = parameter(*self.scales.0.get(lane)?);
        let high = self.take_unary()?;
        let value =
            if high < ESCAPE { u64::from(high) << k | self.take(k)? } else { self.escaped()? };
        follow(self.scales.0.get_mut(lane)?, if high < ESCAPE { high } else { ESCAPED });
        Some(value)
    }
}

impl LaneReader for RowsReader<'_> {
    const QUICK: &'static [u8] = &[];

    // That of any tag, as none is quick.
    fn rank(&mut self) -> Option<u8> {
        Some(0)
    }

    #[inline]
    fn ranked(&mut self, _rank: u8) -> Option<Tag> {
        let coded = self.coded_symbol()?;
        let Symbol(symbol) = if coded.is_free() { self.frees.decode(coded) } else { coded };
        let joints = [
            (Symbol::ALLOC_DEEP, Symbol::DEPTHS, DEEP),
            (Symbol::FREE_AGO, Symbol::AGOS, FREE_AGO),
            (Symbol::FREE_AT_AGO, Symbol::AGOS, FREE_AT_AGO),
            (Symbol::REALLOC_AGO, Symbol::AGOS, REALLOC_AGO),
        ];
        let joint = joints.into_iter().find_map(|(first, most, tag)| {
            let number = symbol.checked_sub(first).map(u64::from)?;
            (number <= most).then_some((tag, number))
        });
        self.near = joint.map(|(_, number)| number);
        Some(Tag(match joint {
            Some((DEEP, 0)) => TOP,
            Some((tag, _)) => tag,
            None => symbol,
        }))
    }

    #[inline]
    fn further_tag(&mut self) -> Option<Tag> {
        self.ranked(0)
    }

    #[inline]
    fn time(&mut self) -> Option<u64> {
        self.number(TIME)
    }

    #[inline]
    fn value(&mut self, lane: Lane) -> Option<u64> {
        let known = match lane {
            Lane::Ago | Lane::Depth => self.near,
            _ => None,
        };
        known.or_else(|| self.number(lane as usize))
    }

    fn is_exhausted(&self) -> bool {
        self.bytes.is_empty() && self.bit_count < 8 && self.bits & ((1 << self.bit_count) - 1) == 0
    }
}
