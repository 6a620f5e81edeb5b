//! Tags: one number an event that joins how all its predictions came out.

use crate::model::{Place, Which};

/// How an event's predictions came out. `hit`: the context foretold who acts; `sized`: the size is
/// the one its site asked for last. Places and references are numbered as their enums' variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    Alloc {
        hit: bool,
        sized: bool,
        place: u8,
    },
    Free {
        hit: bool,
        which: u8,
    },
    /// A free whose site is known.
    FreeAt {
        hit: bool,
        which: u8,
    },
    Realloc {
        hit: bool,
        sized: bool,
        which: u8,
        place: u8,
    },
    FailedAlloc,
    Name {
        which: u8,
    },
    Gauge,
    Mark,
    /// Before another tag: the thread changes.
    Switch,
    /// Before another tag: time steps backwards.
    Back,
}

/// Number of places of an allocation; a reallocation has one more, [`Place::Same`].
const PLACES: u8 = 5;
const WHICHES: u8 = 6;
const FREE: u8 = 4 * PLACES;
const FREE_AT: u8 = FREE + 2 * WHICHES;
const REALLOC: u8 = FREE_AT + 2 * WHICHES;
const FAILED: u8 = REALLOC + 4 * WHICHES * (PLACES + 1);
const NAME: u8 = FAILED + 1;
const GAUGE: u8 = NAME + WHICHES;
const MARK: u8 = GAUGE + 1;
const SWITCH: u8 = MARK + 1;
const BACK: u8 = SWITCH + 1;

impl Tag {
    /// Tags there are.
    pub(crate) const COUNT: usize = BACK as usize + 1;

    #[inline]
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Alloc { hit, sized, place } => (hit as u8 * 2 + sized as u8) * PLACES + place,
            Self::Free { hit, which } => FREE + hit as u8 * WHICHES + which,
            Self::FreeAt { hit, which } => FREE_AT + hit as u8 * WHICHES + which,
            Self::Realloc { hit, sized, which, place } => {
                REALLOC + ((hit as u8 * 2 + sized as u8) * WHICHES + which) * (PLACES + 1) + place
            }
            Self::FailedAlloc => FAILED,
            Self::Name { which } => NAME + which,
            Self::Gauge => GAUGE,
            Self::Mark => MARK,
            Self::Switch => SWITCH,
            Self::Back => BACK,
        }
    }

    #[inline]
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0..FREE => {
                let outcome = number / PLACES;
                Self::Alloc {
                    hit: outcome & 2 != 0,
                    sized: outcome & 1 != 0,
                    place: number % PLACES,
                }
            }
            FREE..FREE_AT => {
                let outcome = number - FREE;
                Self::Free { hit: outcome >= WHICHES, which: outcome % WHICHES }
            }
            FREE_AT..REALLOC => {
                let outcome = number - FREE_AT;
                Self::FreeAt { hit: outcome >= WHICHES, which: outcome % WHICHES }
            }
            REALLOC..FAILED => {
                let outcome = number - REALLOC;
                let rest = outcome / (PLACES + 1);
                let predicted = rest / WHICHES;
                Self::Realloc {
                    hit: predicted & 2 != 0,
                    sized: predicted & 1 != 0,
                    which: rest % WHICHES,
                    place: outcome % (PLACES + 1),
                }
            }
            FAILED => Self::FailedAlloc,
            NAME..GAUGE => Self::Name { which: number - NAME },
            GAUGE => Self::Gauge,
            MARK => Self::Mark,
            SWITCH => Self::Switch,
            BACK => Self::Back,
            _ => return None,
        })
    }
}

impl Place {
    #[inline]
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Top => 0,
            Self::Bump => 1,
            Self::Deep(_) => 2,
            Self::Far(_) => 3,
            Self::Absolute(_) => 4,
            Self::Same => 5,
        }
    }
}

impl Which {
    #[inline]
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Step => 0,
            Self::Distance => 1,
            Self::Next => 2,
            Self::Ago(_) => 3,
            Self::Far(_) => 4,
            Self::Absolute(_) => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_one_tag() {
        for number in 0..=u8::MAX {
            match Tag::from_number(number) {
                Some(tag) => assert_eq!(tag.number(), number),
                None => assert!(usize::from(number) >= Tag::COUNT),
            }
        }
    }
}
