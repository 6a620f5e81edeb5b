//! Tags: one number an event that joins how all its predictions came out.

/// How an event's predictions came out. Some stand before another tag.
///
/// | tag | says |
/// |---|---|
/// | 0 to 31 | allocation: 16 if the context foretold who acts, 8 if the size is the one its site asked for last, a [`Place`](crate::model::Place) |
/// | 32 to 47 | free without a site: 8 if foretold, a [`Which`](crate::model::Which) |
/// | 48 to 63 | free with a site: the same |
/// | 64 to 71 | a block is given a name: which |
/// | 72 to 79 | the allocation behind this tag is a reallocation: of which block |
/// | 80, 81, 82 | failed allocation, gauge, mark |
/// | 83, 84 | before another tag: the thread changes, time steps backwards |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(pub(crate) u8);

impl Tag {
    pub(crate) const FREE: Self = Self(32);
    pub(crate) const FREE_AT: Self = Self(48);
    pub(crate) const NAME: Self = Self(64);
    pub(crate) const REALLOC: Self = Self(72);
    pub(crate) const FAILED_ALLOC: Self = Self(80);
    pub(crate) const GAUGE: Self = Self(81);
    pub(crate) const MARK: Self = Self(82);
    pub(crate) const SWITCH: Self = Self(83);
    pub(crate) const BACK: Self = Self(84);

    #[inline]
    pub(crate) const fn alloc(hit: bool, sized: bool, place: u8) -> Self {
        Self((hit as u8) << 4 | (sized as u8) << 3 | place)
    }

    /// A free: of the kind `FREE` or `FREE_AT`.
    #[inline]
    pub(crate) const fn free(kind: Self, hit: bool, which: u8) -> Self {
        Self(kind.0 | (hit as u8) << 3 | which)
    }

    /// One of the kinds `NAME` and `REALLOC`.
    #[inline]
    pub(crate) const fn of_block(kind: Self, which: u8) -> Self {
        Self(kind.0 | which)
    }

    /// The place of an allocation, or which block another tag is about.
    #[inline]
    pub(crate) const fn choice(self) -> u8 {
        self.0 & 7
    }

    /// Whether an allocation's size is foretold.
    #[inline]
    pub(crate) const fn is_sized(self) -> bool {
        self.0 & 8 != 0
    }

    /// Whether the context foretold an allocation.
    #[inline]
    pub(crate) const fn is_hit_alloc(self) -> bool {
        self.0 & 16 != 0
    }

    /// Whether the context foretold a free.
    #[inline]
    pub(crate) const fn is_hit_free(self) -> bool {
        self.0 & 8 != 0
    }
}
