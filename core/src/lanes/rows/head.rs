//! The codes of symbols, ready to be written.

use super::{COMMON, SYMBOL_BITS, Symbol, UNCOMMON};
use crate::tag::Tag;

/// The heads of the symbols from `ALLOC_DEEP` on.
static JOINT: [Head; 32] = {
    let mut heads = [Head(0); 32];
    let mut at = 0;
    while at < heads.len() {
        let symbol = Symbol::ALLOC_DEEP + at as u8;
        let head = Head::of(Symbol(symbol));
        heads[at] = if symbol < Symbol::FREE_AGO { head.of_alloc() } else { head };
        at += 1;
    }
    heads
};

/// Which numbers an event has besides its step of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Has(pub(super) u32);

impl Has {
    pub(crate) const SITE: Self = Self(1);
    pub(crate) const SIZE: Self = Self(2);
    /// A far address or, before an event's own symbol, any number.
    #[cfg(feature = "embedded-io")]
    pub(crate) const FAR: Self = Self(4);
}

/// What an event begins with: its symbol's code, and for the hook which numbers follow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head(pub(super) u32);

impl Head {
    /// The bits of the code's length, and the lowest of the code.
    const COUNT_AT: u32 = 4;
    const COUNT_BITS: u32 = 4;
    const CODE_AT: u32 = Self::COUNT_AT + Self::COUNT_BITS;

    /// That of any symbol. To be called for constants, as it takes long.
    pub(super) const fn of(Symbol(symbol): Symbol) -> Self {
        let mut at = 0;
        while at < COMMON.len() {
            let (common, code) = COMMON[at];
            if common == symbol {
                let count = code.ilog2();
                return Self::new(code as u32 ^ 1 << count, count);
            }
            at += 1;
        }
        Self::of_uncommon(Symbol(symbol))
    }

    pub(super) const fn of_uncommon(Symbol(symbol): Symbol) -> Self {
        Self::new((UNCOMMON as u32) << SYMBOL_BITS | symbol as u32, 2 * SYMBOL_BITS)
    }

    const fn new(code: u32, count: u32) -> Self {
        Self(code << Self::CODE_AT | count << Self::COUNT_AT)
    }

    /// The same of an allocation.
    pub(super) const fn of_alloc(self) -> Self {
        self.and(Has::SITE).and(Has::SIZE)
    }

    #[inline(always)]
    pub(super) const fn and(self, Has(has): Has) -> Self {
        Self(self.0 | has)
    }

    /// That of any symbol, when it is not known before.
    pub(super) fn find(symbol: Symbol) -> Self {
        if symbol.0 >= Symbol::ALLOC_DEEP {
            return Self::of_joint(symbol);
        }
        const ALLOC: u8 = Tag::alloc(false, false, 3).0;
        const FREE: u8 = Tag::free(Tag::FREE, false, 4).0;
        const FREE_AT: u8 = Tag::free(Tag::FREE_AT, false, 4).0;
        const REALLOC: u8 = Tag::of_block(Tag::REALLOC, 4).0;
        const SWITCH: u8 = Tag::SWITCH.0;
        match symbol.0 {
            ALLOC => const { Self::of(Symbol(ALLOC)) },
            FREE => const { Self::of(Symbol(FREE)) },
            FREE_AT => const { Self::of(Symbol(FREE_AT)) },
            REALLOC => const { Self::of(Symbol(REALLOC)) },
            SWITCH => const { Self::of(Symbol(SWITCH)) },
            _ => Self::of_uncommon(symbol),
        }
    }

    /// That of a symbol from `ALLOC_DEEP` on.
    #[inline(always)]
    pub(super) fn of_joint(Symbol(symbol): Symbol) -> Self {
        let at = usize::from(symbol).wrapping_sub(usize::from(Symbol::ALLOC_DEEP));
        JOINT.get(at % JOINT.len()).copied().unwrap_or(Self(0))
    }

    #[inline(always)]
    pub(super) fn code(self) -> u32 {
        self.0 >> Self::CODE_AT
    }

    /// How many bits the code has.
    #[inline(always)]
    pub(super) fn count(self) -> u32 {
        self.0 >> Self::COUNT_AT & ((1 << Self::COUNT_BITS) - 1)
    }
}
