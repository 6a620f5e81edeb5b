//! The names that a recorder was told, numbered in the order in which it learned them.

use heapless::Vec;

use crate::definition::NameKind;

/// Up to `N` names, in 10 bytes each on a machine of 32 bits. All zeros when new.
pub(super) struct Names<const N: usize> {
    texts: Vec<&'static str, N, u16>,
    /// The number of what each names, and its kind in the lowest bits.
    named: [u16; N],
}

/// Bits of a kind.
const KIND_BITS: u32 = 3;

impl<const N: usize> Names<N> {
    /// The numbers of its names have 13 bits.
    pub(super) const MOST: usize = (u16::MAX >> KIND_BITS) as usize;

    pub(super) const fn new() -> Self {
        Self { texts: Vec::new(), named: [0; N] }
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The number of a name, from 1; 0 when there is no place for another.
    pub(super) fn number(&mut self, kind: NameKind, text: &'static str) -> u32 {
        let mut known = self.texts.iter().zip(&self.named);
        let is_known = |(known, named): (&&str, &u16)| {
            *named & ((1 << KIND_BITS) - 1) == kind as u16 && *known == text
        };
        let at = known.position(is_known).or_else(|| {
            let number = (self.texts.len() as u16).wrapping_add(1);
            self.push(code(kind, number), text)
        });
        at.map_or(0, |at| (at as u32).wrapping_add(1))
    }

    /// Names a thread, or names it anew; says at which place. `None` when there is none.
    pub(super) fn name_thread(&mut self, thread: u32, text: &'static str) -> Option<usize> {
        let thread = u16::try_from(thread).ok().filter(|thread| usize::from(*thread) <= Self::MOST);
        let code = code(NameKind::Thread, thread?);
        let known = self.named.iter().take(self.texts.len()).position(|named| *named == code);
        if let Some(at) = known {
            *self.texts.get_mut(at)? = text;
        }
        known.or_else(|| self.push(code, text))
    }

    /// The number of the kind of what a name names, its own number, and the name.
    pub(super) fn get(&self, at: usize) -> Option<(u32, u32, &'static str)> {
        let (text, code) = (*self.texts.get(at)?, u32::from(*self.named.get(at)?));
        Some((code & ((1 << KIND_BITS) - 1), code >> KIND_BITS, text))
    }

    fn push(&mut self, code: u16, text: &'static str) -> Option<usize> {
        let at = self.texts.len();
        self.texts.push(text).ok()?;
        *self.named.get_mut(at)? = code;
        Some(at)
    }
}

const fn code(kind: NameKind, number: u16) -> u16 {
    number << KIND_BITS | kind as u16
}
