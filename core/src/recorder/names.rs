//! The names that a recorder was told, numbered in the order in which it learned them.

use heapless::Vec;

use crate::definition::{Name, NameKind};

/// Up to `N` names, in 10 bytes each on a machine of 32 bits. All zeros when new.
pub(super) struct Names<const N: usize> {
    texts: Vec<&'static str, N, u16>,
    /// What each names: a thread, as its number behind `THREADS`, or the kind itself.
    named: [u16; N],
}

/// Above the numbers of all kinds.
const THREADS: u16 = 6;

impl<const N: usize> Names<N> {
    pub(super) const fn new() -> Self {
        Self { texts: Vec::new(), named: [0; N] }
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The number of a name, from 1; 0 when there is no place for another.
    pub(super) fn number(&mut self, kind: NameKind, text: &'static str) -> u32 {
        let code = kind as u16;
        let mut known = self.texts.iter().zip(&self.named);
        let at = known.position(|(known, named)| *named == code && *known == text);
        at.or_else(|| self.push(code, text)).map_or(0, |at| (at as u32).wrapping_add(1))
    }

    /// Names a thread, or names it anew; says at which place. `None` when there is none.
    pub(super) fn name_thread(&mut self, thread: u32, text: &'static str) -> Option<usize> {
        let code = u16::try_from(thread).ok()?.checked_add(THREADS)?;
        let known = self.named.iter().take(self.texts.len()).position(|named| *named == code);
        if let Some(at) = known {
            *self.texts.get_mut(at)? = text;
        }
        known.or_else(|| self.push(code, text))
    }

    pub(super) fn get(&self, at: usize) -> Option<Name<'static>> {
        let (text, code) = (self.texts.get(at)?, *self.named.get(at)?);
        let number = (at as u32).wrapping_add(1);
        let (kind, id) = match code.checked_sub(THREADS) {
            Some(thread) => (NameKind::Thread, thread.into()),
            None if code == NameKind::Gauge as u16 => (NameKind::Gauge, number),
            None if code == NameKind::Mark as u16 => (NameKind::Mark, number),
            None => (NameKind::Scope, number),
        };
        Some(Name { kind, id, text })
    }

    fn push(&mut self, code: u16, text: &'static str) -> Option<usize> {
        let at = self.texts.len();
        self.texts.push(text).ok()?;
        *self.named.get_mut(at)? = code;
        Some(at)
    }
}
