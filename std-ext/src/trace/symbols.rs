//! The definitions of a trace, collected: what its numbers stand for. Replay keeps numbers only;
//! whoever shows an answer asks here for the names.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};

use heapwire_core::{Definition, NO_SITE, NameKind, Node};
use rustc_hash::FxHashMap;

/// Nodes followed from a site to the outermost caller. Parents come from a device and may form a
/// cycle; no real call stack is this deep.
const MAX_STACK_DEPTH: usize = 4096;

/// Who recorded, and in which units: an owned [`heapwire_core::Session`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// The device or program.
    pub device: String,
    /// Which build of it; may be empty.
    pub build: String,
    /// Ticks in a second, the unit of every time; 0 when the device does not know.
    pub ticks_per_second: u64,
    /// Bits in an address.
    pub address_bits: u8,
}

/// A range of addresses that the allocator hands out from: an owned [`heapwire_core::Region`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionInfo {
    /// First byte.
    pub start: u64,
    /// Length in bytes.
    pub size: u64,
    /// Its name; may be empty.
    pub name: String,
}

/// What the numbers of a trace stand for. Holds as much as was defined, whatever the ids are.
///
/// Every text in here came from whoever recorded: pass it through [`escaped`] before it reaches a
/// terminal. [`SiteName`] does so by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbols {
    session: Option<SessionInfo>,
    nodes: FxHashMap<u32, Node>,
    names: FxHashMap<(NameKind, u32), String>,
    regions: BTreeMap<u64, RegionInfo>,
}

impl Symbols {
    /// Makes an empty collection: every site shows as a number.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one definition; says whether it told anything new. A repeat is normal, and the latest
    /// word on an id holds.
    pub fn define(&mut self, definition: &Definition<'_>) -> bool {
        match *definition {
            Definition::Session(session) => {
                let info = SessionInfo {
                    device: session.device.to_owned(),
                    build: session.build.to_owned(),
                    ticks_per_second: session.ticks_per_second,
                    address_bits: session.address_bits,
                };
                self.session.replace(info.clone()) != Some(info)
            }
            Definition::Node(node) => self.nodes.insert(node.id, node) != Some(node),
            Definition::Name(name) => {
                let text = name.text.to_owned();
                let former = self.names.insert((name.kind, name.id), text);
                former.as_deref() != Some(name.text)
            }
            Definition::Region(region) => {
                let info = RegionInfo {
                    start: region.start,
                    size: region.size,
                    name: region.name.to_owned(),
                };
                self.regions.insert(region.start, info.clone()) != Some(info)
            }
        }
    }

    /// Returns the session, if one was announced.
    pub fn session(&self) -> Option<&SessionInfo> {
        self.session.as_ref()
    }

    /// Returns the ticks in a second, if the session told them.
    pub fn ticks_per_second(&self) -> Option<u64> {
        self.session.as_ref().map(|session| session.ticks_per_second).filter(|&rate| rate != 0)
    }

    /// Converts ticks to seconds, if the session told the unit.
    pub fn ticks_to_seconds(&self, ticks: u64) -> Option<f64> {
        self.ticks_per_second().map(|rate| ticks as f64 / rate as f64)
    }

    /// Returns the call-stack node with this id.
    pub fn node(&self, id: u32) -> Option<Node> {
        self.nodes.get(&id).copied()
    }

    /// Returns the name given to this number, as it came: not escaped.
    pub fn name(&self, kind: NameKind, id: u32) -> Option<&str> {
        self.names.get(&(kind, id)).map(String::as_str)
    }

    /// Iterates over the heap's regions, by their first byte.
    pub fn regions(&self) -> impl Iterator<Item = &RegionInfo> {
        self.regions.values()
    }

    /// Returns what is known about a site, ready to be shown.
    pub fn site(&self, id: u32) -> SiteName<'_> {
        if id == NO_SITE {
            SiteName::Unknown
        } else if let Some(name) = self.name(NameKind::Scope, id) {
            SiteName::Scope(name)
        } else if let Some(node) = self.node(id) {
            SiteName::Address(node.ip)
        } else {
            SiteName::Number(id)
        }
    }

    /// Iterates over the instruction pointers of a site's call stack, innermost first. It is empty
    /// for a site that is no node, and ends after 4,096 nodes.
    pub fn stack(&self, id: u32) -> impl Iterator<Item = u64> + '_ {
        std::iter::successors(self.node(id), |node| self.node(node.parent))
            .take(MAX_STACK_DEPTH)
            .map(|node| node.ip)
    }
}

/// What is known about a site. Its `Display` is safe for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteName<'a> {
    /// The event did not tell.
    Unknown,
    /// The user named it.
    Scope(&'a str),
    /// A call-stack node with this instruction pointer; [`Symbols::stack`] has the rest.
    Address(u64),
    /// Its definition is missing.
    Number(u32),
}

impl Display for SiteName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unknown => f.write_str("unknown site"),
            Self::Scope(name) => escaped(name).fmt(f),
            Self::Address(ip) => write!(f, "{ip:#x}"),
            Self::Number(id) => write!(f, "site {id}"),
        }
    }
}

/// Shows text that came from a device or a file: whatever is not plainly visible (control
/// characters, escape sequences, bidirectional controls, combining marks) becomes `\u{…}`, so it
/// can neither drive a terminal nor look like other text.
///
/// ```
/// use heapwire::trace::symbols::escaped;
///
/// assert_eq!(escaped("größe \"a\\b\" \x1b[2J").to_string(), "größe \"a\\b\" \\u{1b}[2J");
/// ```
pub fn escaped(text: &str) -> Escaped<'_> {
    Escaped(text)
}

/// Text with everything invisible escaped; made by [`escaped`].
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                // Harmless on a terminal; `escape_debug` is made for string literals.
                '"' | '\'' | '\\' => f.write_char(character)?,
                _ => write!(f, "{}", character.escape_debug())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heapwire_core::{Name, Region, Session};

    fn node(id: u32, parent: u32, ip: u64) -> Definition<'static> {
        Definition::Node(Node { id, parent, ip })
    }

    fn scope(id: u32, text: &str) -> Definition<'_> {
        Definition::Name(Name { kind: NameKind::Scope, id, text })
    }

    #[test]
    fn a_site_shows_the_best_that_is_known() {
        let mut symbols = Symbols::new();
        assert_eq!(symbols.site(0).to_string(), "unknown site");
        assert_eq!(symbols.site(7).to_string(), "site 7");
        symbols.define(&node(7, 0, 0x0800_1234));
        assert_eq!(symbols.site(7).to_string(), "0x8001234");
        symbols.define(&scope(7, "net::receive"));
        assert_eq!(symbols.site(7).to_string(), "net::receive");
        assert_eq!(symbols.stack(7).collect::<Vec<_>>(), [0x0800_1234]);
    }

    #[test]
    fn a_repeated_definition_replaces_the_former() {
        let mut symbols = Symbols::new();
        symbols.define(&scope(1, "old"));
        symbols.define(&scope(1, "new"));
        assert_eq!(symbols.site(1), SiteName::Scope("new"));
        for size in [10, 20] {
            symbols.define(&Definition::Region(Region { start: 0x2000_0000, size, name: "sram" }));
        }
        assert_eq!(symbols.regions().map(|region| region.size).collect::<Vec<_>>(), [20]);
    }

    #[test]
    fn kinds_of_names_count_apart() {
        let mut symbols = Symbols::new();
        symbols.define(&Definition::Name(Name { kind: NameKind::Gauge, id: 1, text: "queue" }));
        assert_eq!(symbols.name(NameKind::Gauge, 1), Some("queue"));
        assert_eq!(symbols.name(NameKind::Mark, 1), None);
        assert_eq!(symbols.site(1), SiteName::Number(1));
    }

    #[test]
    fn stacks_go_outward_and_end_in_a_cycle() {
        let mut symbols = Symbols::new();
        symbols.define(&node(1, 0, 10));
        symbols.define(&node(u32::MAX, 1, 20));
        assert_eq!(symbols.stack(u32::MAX).collect::<Vec<_>>(), [20, 10]);
        assert_eq!(symbols.stack(5).count(), 0);
        symbols.define(&node(1, u32::MAX, 10));
        assert_eq!(symbols.stack(1).count(), MAX_STACK_DEPTH);
        symbols.define(&node(0, 0, 1));
        assert_eq!(symbols.stack(0).count(), MAX_STACK_DEPTH);
    }

    #[test]
    fn ticks_have_a_unit_only_when_the_session_tells_it() {
        let mut symbols = Symbols::new();
        assert_eq!(symbols.ticks_to_seconds(5), None);
        let mut session = Session { device: "d", build: "", ticks_per_second: 0, address_bits: 32 };
        symbols.define(&Definition::Session(session));
        assert_eq!(symbols.ticks_to_seconds(5), None);
        session.ticks_per_second = 1_000;
        symbols.define(&Definition::Session(session));
        assert_eq!(symbols.ticks_to_seconds(500), Some(0.5));
    }

    #[test]
    fn what_could_drive_a_terminal_is_escaped() {
        let hostile = "a\x1b[31m\u{202e}b\u{9b}\r\n\u{200b}\u{feff}\0";
        let shown = escaped(hostile).to_string();
        assert_eq!(shown, r"a\u{1b}[31m\u{202e}b\u{9b}\r\n\u{200b}\u{feff}\0");
        assert_eq!(SiteName::Scope("\x07").to_string(), r"\u{7}");
        assert_eq!(escaped("größe 温度 it's \"C:\\x\"").to_string(), "größe 温度 it's \"C:\\x\"");
    }
}
