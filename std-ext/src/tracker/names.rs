//! Numbers for names, given once and defined in a builder.

use std::borrow::Cow;
use std::collections::HashMap;

use heapwire_core::{Definition, Name, NameKind};

use super::session::shorten;
use crate::trace::builder::ChunkBuilder;

/// The names that a tracker has numbered, each kind from 1.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<(NameKind, Cow<'static, str>), u32>,
    last: HashMap<NameKind, u32>,
}

impl Names {
    /// The number of a name; a new one is defined in `builder`. Names beyond
    /// [`MAX_TEXT`](heapwire_core::format::MAX_TEXT) bytes are cut there.
    pub(super) fn number(
        &mut self,
        builder: &mut ChunkBuilder,
        kind: NameKind,
        text: Cow<'static, str>,
    ) -> u32 {
        let key = (kind, text);
        if let Some(&number) = self.numbers.get(&key) {
            return number;
        }
        let last = self.last.entry(kind).or_default();
        *last += 1;
        let id = *last;
        let name = Name { kind, id, text: shorten(&key.1) };
        let defined = builder.define(&Definition::Name(name));
        debug_assert!(defined.is_ok(), "{defined:?}");
        self.numbers.insert(key, id);
        id
    }
}
