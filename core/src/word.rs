//! Addresses as wide as a model needs them: a microcontroller's take 32 bits, and 64-bit arithmetic
//! would cost it twice the instructions and the memory.

use core::fmt::Debug;

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
pub trait Word: sealed::Sealed + Copy + Debug + Default + Eq {
    /// Its width.
    const BITS: u8;
    #[doc(hidden)]
    const ZERO: Self;

    #[doc(hidden)]
    fn cut(value: u64) -> Self;
    #[doc(hidden)]
    fn widen(self) -> u64;
    /// `self + (granules << bits)`, around the end of the address space.
    #[doc(hidden)]
    fn forward(self, granules: u64, bits: u8) -> Self;
    /// `to - self` in an address space of so many bits.
    #[doc(hidden)]
    fn distance(self, to: Self, address_bits: u8) -> i64;
}

impl Word for u32 {
    const BITS: u8 = 32;
    const ZERO: Self = 0;

    #[inline]
    fn cut(value: u64) -> Self {
        value as Self
    }

    #[inline]
    fn widen(self) -> u64 {
        u64::from(self)
    }

    #[inline]
    fn forward(self, granules: u64, bits: u8) -> Self {
        self.wrapping_add((granules as Self).wrapping_shl(bits.into()))
    }

    #[inline]
    fn distance(self, to: Self, address_bits: u8) -> i64 {
        let unused = 32u32.wrapping_sub(address_bits.into());
        i64::from(to.wrapping_sub(self).wrapping_shl(unused) as i32 >> (unused & 31))
    }
}

impl Word for u64 {
    const BITS: u8 = 64;
    const ZERO: Self = 0;

    #[inline]
    fn cut(value: u64) -> Self {
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

    #[inline]
    fn distance(self, to: Self, address_bits: u8) -> i64 {
        let unused = 64u32.wrapping_sub(address_bits.into());
        to.wrapping_sub(self).wrapping_shl(unused) as i64 >> (unused & 63)
    }
}
