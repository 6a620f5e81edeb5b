//! Addresses as wide as a model needs them: a microcontroller's take 32 bits, and 64-bit arithmetic
//! would cost it twice the instructions and the memory.

use core::fmt::Debug;

use crate::shape::Placement;

/// As wide as the addresses of the program itself.
#[cfg(feature = "embedded-io")]
#[cfg(target_pointer_width = "64")]
pub(crate) type OwnWord = u64;
#[cfg(feature = "embedded-io")]
#[cfg(not(target_pointer_width = "64"))]
pub(crate) type OwnWord = u32;

mod sealed {
    pub trait Sealed {}
    impl Sealed for u32 {}
    impl Sealed for u64 {}
}

/// An address in a model's tables: `u32` or `u64`. A model of `u32` is for address spaces of up to 32
/// bits only: nothing is coded with a [`Placement`](crate::Placement) that has more.
pub trait Word: sealed::Sealed + Copy + Debug + Default + Eq + From<u32> {
    /// Its width.
    const BITS: u8;
    #[doc(hidden)]
    const ZERO: Self;

    #[doc(hidden)]
    fn cut(value: u64) -> Self;
    /// The nearest to `value`.
    #[doc(hidden)]
    fn saturate(value: u64) -> Self;
    #[doc(hidden)]
    fn widen(self) -> u64;
    /// `self + (granules << bits)`, around the end of the address space.
    #[doc(hidden)]
    fn forward(self, granules: u64, bits: u8) -> Self;
    /// `self` as a distance in granules from `bump` or, if that is nearer, from `freed`, in code. `None`
    /// when it is no whole number of granules away, or the code would be wider than a word.
    #[doc(hidden)]
    fn far(self, bump: Self, freed: Self, placement: Placement) -> Option<Self>;
}

macro_rules! far {
    ($signed:ty) => {
        #[inline]
        fn far(self, bump: Self, freed: Self, placement: Placement) -> Option<Self> {
            let unused = Self::BITS.wrapping_sub(placement.address_bits.into());
            // The zigzag of a distance in bytes; without its lowest bits it is that of the granules.
            let from = |base: Self| {
                let distance: $signed = self.wrapping_sub(base).wrapping_shl(unused).cast_signed();
                let distance = distance.wrapping_shr(unused);
                (distance << 1 ^ distance >> (Self::BITS - 1)).cast_unsigned()
            };
            let (bump, freed) = (from(bump), from(freed));
            let from_freed = freed < bump;
            let distance = if from_freed { freed } else { bump };
            let bits = placement.granule_bits.into();
            // Of the whole distance, without its sign.
            let below = distance.wrapping_add(1) & ((2 as Self).wrapping_shl(bits) - 2);
            let fits = below == 0 && (bits > 0 || distance.leading_zeros() > 0);
            fits.then_some(distance.wrapping_shr(bits) << 1 | Self::from(from_freed))
        }
    };
}

impl Word for u32 {
    const BITS: u8 = 32;
    const ZERO: Self = 0;

    #[inline]
    fn cut(value: u64) -> Self {
        value as Self
    }

    #[inline]
    fn saturate(value: u64) -> Self {
        Self::try_from(value).unwrap_or(Self::MAX)
    }

    #[inline]
    fn widen(self) -> u64 {
        u64::from(self)
    }

    #[inline]
    fn forward(self, granules: u64, bits: u8) -> Self {
        self.wrapping_add((granules as Self).wrapping_shl(bits.into()))
    }

    far!(i32);
}

impl Word for u64 {
    const BITS: u8 = 64;
    const ZERO: Self = 0;

    #[inline]
    fn cut(value: u64) -> Self {
        value
    }

    #[inline]
    fn saturate(value: u64) -> Self {
        value
    }

    #[inline]
    fn widen(self) -> u64 {
        self
    }

    #[inline]
    fn forward(self, granules: u64, bits: u8) -> Self {
        self.wrapping_add(granules.wrapping_shl(bits.into()))
    }

    far!(i64);
}
