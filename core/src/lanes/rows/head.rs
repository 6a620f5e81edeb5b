//! The codes of symbols, ready to be written.

use super::{COMMON, LONGEST_CODE, SYMBOL_BITS, Symbol};

/// The heads of the symbols from `ALLOC_DEEP` on.
static JOINT: [Head; 32] = {
    let mut heads = [Head(0); 32];
    let mut at = 0;
    while at < heads.len() {
        heads[at] = Head::of(Symbol(Symbol::ALLOC_DEEP + at as u8));
        at += 1;
    }
    heads
};

/// What an event begins with: its symbol's code, and for the hook whether a far address follows or, before an event's
/// own symbol, any number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head(pub(super) u32);

impl Head {
    #[cfg(feature = "embedded-io")]
    const FAR: u32 = 1;
    /// The code is the number of an uncommon symbol, behind `UNCOMMON`.
    const UNCOMMON: u32 = 2;
    /// The bits of the code's length less 1, and the lowest of the code.
    const COUNT_AT: u32 = 2;
    const COUNT_BITS: u32 = LONGEST_CODE.ilog2();
    const CODE_AT: u32 = Self::COUNT_AT + Self::COUNT_BITS;

    /// That of any symbol. To be called for constants, as it takes long.
    pub(super) const fn of(Symbol(symbol): Symbol) -> Self {
        let mut at = 0;
        while at < COMMON.len() {
            let (common, code) = COMMON[at];
            if common == symbol {
                return Self::of_code(code);
            }
            at += 1;
        }
        Self::of_uncommon(Symbol(symbol))
    }

    pub(super) const fn of_uncommon(Symbol(symbol): Symbol) -> Self {
        Self(Self::new(symbol as u32, SYMBOL_BITS).0 | Self::UNCOMMON)
    }

    /// That of a common symbol.
    const fn of_code(code: u16) -> Self {
        let count = 15u32.wrapping_sub(code.leading_zeros());
        Self::new(code as u32 & !(1 << count), count)
    }

    const fn new(code: u32, count: u32) -> Self {
        Self(code << Self::CODE_AT | count.wrapping_sub(1) << Self::COUNT_AT)
    }

    /// The same with a far address.
    #[cfg(feature = "embedded-io")]
    pub(super) const fn and_far(self) -> Self {
        Self(self.0 | Self::FAR)
    }

    #[cfg(feature = "embedded-io")]
    #[inline(always)]
    pub(super) const fn has_far(self) -> bool {
        self.0 & Self::FAR != 0
    }

    /// That of any symbol, when it is not known before.
    pub(super) fn find(symbol: Symbol) -> Self {
        if symbol.0 >= Symbol::ALLOC_DEEP {
            return Self::of_joint(symbol);
        }
        // Tables of its own would be longer.
        let mut at = 0;
        while let Some(&(common, code)) = COMMON.get(at) {
            if common == symbol.0 {
                return Self::of_code(code);
            }
            at += 1;
        }
        Self::of_uncommon(symbol)
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

    /// How many bits the code has, up to `LONGEST_CODE`.
    #[inline(always)]
    pub(super) fn count(self) -> u32 {
        (self.0 >> Self::COUNT_AT & ((1 << Self::COUNT_BITS) - 1)) + 1
    }

    #[inline(always)]
    pub(super) fn is_uncommon(self) -> bool {
        self.0 & Self::UNCOMMON != 0
    }
}
