//! Numbers of several recorders, or of one that was started anew, as one: each of them gives the numbers
//! of sites, threads and names for itself, and what they stand for holds for its stream and epoch only.
//! A number that would say two things gets another one.

use heapwire_core::{Definition, Event, EventKind, NO_SITE, Name, NameKind, Node};
use rustc_hash::FxHashMap;

/// What a number is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Space {
    /// Scopes and call-stack nodes.
    Site,
    Variable,
    Type,
    Thread,
    Gauge,
    Mark,
}

impl Space {
    fn of(kind: NameKind) -> Self {
        match kind {
            NameKind::Scope => Self::Site,
            NameKind::Variable => Self::Variable,
            NameKind::Type => Self::Type,
            NameKind::Thread => Self::Thread,
            NameKind::Gauge => Self::Gauge,
            NameKind::Mark => Self::Mark,
        }
    }
}

/// Who gives numbers: a stream in an epoch.
type Giver = (u32, u32);

/// What a number stands for in the trace.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Meaning {
    /// Nobody said.
    Unknown,
    Text(String),
    Node {
        parent: u32,
        ip: u64,
    },
}

#[derive(Clone, Debug)]
struct Use {
    meaning: Meaning,
    /// The recorder's own number of which it was made.
    id: u32,
    /// Who uses it, if only one does.
    only: Option<Giver>,
}

/// Gives numbers that hold for the whole trace. A recorder's own are kept wherever they are free.
/// Memory grows with the numbers.
#[derive(Clone, Debug, Default)]
pub struct Numbering {
    giver: Giver,
    given: FxHashMap<(Giver, Space, u32), u32>,
    uses: FxHashMap<(Space, u32), Use>,
    /// No number above is in use.
    largest: u32,
}

impl Numbering {
    /// No numbers yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What comes next is of this stream, in this epoch.
    pub fn begin(&mut self, stream: u32, epoch: u32) {
        if epoch != self.giver.1 {
            // Numbers of an epoch that is over do not come back.
            self.given.retain(|((_, of), _, _), _| *of == epoch);
        }
        self.giver = (stream, epoch);
    }

    /// The event, with numbers of the trace.
    #[must_use]
    pub fn event(&mut self, event: &Event) -> Event {
        let mut site = |site| match site {
            NO_SITE => NO_SITE,
            site => self.used(Space::Site, site),
        };
        let kind = match event.kind {
            EventKind::Alloc { address, size, site: of } => {
                EventKind::Alloc { address, size, site: site(of) }
            }
            EventKind::Free { address, site: of } => EventKind::Free { address, site: site(of) },
            EventKind::Realloc { old, address, size, site: of } => {
                EventKind::Realloc { old, address, size, site: site(of) }
            }
            EventKind::FailedAlloc { size, site: of } => {
                EventKind::FailedAlloc { size, site: site(of) }
            }
            EventKind::Name { address, variable, type_name } => EventKind::Name {
                address,
                variable: self.used(Space::Variable, variable),
                type_name: self.used(Space::Type, type_name),
            },
            EventKind::Gauge { gauge, value } => {
                EventKind::Gauge { gauge: self.used(Space::Gauge, gauge), value }
            }
            EventKind::Mark { mark } => EventKind::Mark { mark: self.used(Space::Mark, mark) },
        };
        Event { time: event.time, thread: self.used(Space::Thread, event.thread), kind }
    }

    /// The definition, with numbers of the trace.
    #[must_use]
    pub fn definition<'a>(&mut self, definition: &Definition<'a>) -> Definition<'a> {
        match *definition {
            Definition::Name(Name { kind, id, text }) => {
                let id = self.defined(Space::of(kind), id, Meaning::Text(text.to_owned()));
                Definition::Name(Name { kind, id, text })
            }
            Definition::Node(Node { id, parent, ip }) => {
                let parent = if parent == 0 { 0 } else { self.used(Space::Site, parent) };
                let id = self.defined(Space::Site, id, Meaning::Node { parent, ip });
                Definition::Node(Node { id, parent, ip })
            }
            other => other,
        }
    }

    /// The number in the trace of one that an event has.
    fn used(&mut self, space: Space, id: u32) -> u32 {
        let key = (self.giver, space, id);
        if let Some(&given) = self.given.get(&key) {
            return given;
        }
        let number = match self.uses.get_mut(&(space, id)) {
            None => self.take(space, id, id, Meaning::Unknown),
            // Two recorders that do not say what a number stands for may as well mean the same.
            Some(Use { meaning: Meaning::Unknown, id: of, only }) if *of == id => {
                *only = None;
                id
            }
            Some(_) => self.take_other(space, id, Meaning::Unknown),
        };
        self.given.insert(key, number);
        number
    }

    /// The number in the trace of one that is defined.
    fn defined(&mut self, space: Space, id: u32, meaning: Meaning) -> u32 {
        let giver = self.giver;
        let candidate = self.given.get(&(giver, space, id)).copied().unwrap_or(id);
        let number = match self.uses.get_mut(&(space, candidate)) {
            None => self.take(space, candidate, id, meaning),
            Some(known) if known.meaning == meaning => {
                known.only = known.only.filter(|only| *only == giver);
                candidate
            }
            Some(known) if known.only == Some(giver) && known.id == id => {
                known.meaning = meaning;
                candidate
            }
            Some(_) => self.take_other(space, id, meaning),
        };
        self.given.insert((giver, space, id), number);
        number
    }

    fn take(&mut self, space: Space, number: u32, id: u32, meaning: Meaning) -> u32 {
        self.uses.insert((space, number), Use { meaning, id, only: Some(self.giver) });
        self.largest = self.largest.max(number);
        number
    }

    /// Takes a number that is free. There are fewer numbers in use than there are.
    fn take_other(&mut self, space: Space, id: u32, meaning: Meaning) -> u32 {
        let mut number = self.largest.wrapping_add(1).max(1);
        while self.uses.contains_key(&(space, number)) {
            number = number.wrapping_add(1).max(1);
        }
        self.take(space, number, id, meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(numbering: &mut Numbering, id: u32, text: &str) -> u32 {
        let name = Definition::Name(Name { kind: NameKind::Scope, id, text });
        match numbering.definition(&name) {
            Definition::Name(name) => name.id,
            other => panic!("{other:?}"),
        }
    }

    fn site(numbering: &mut Numbering, site: u32) -> u32 {
        let kind = EventKind::Free { address: 8, site };
        match numbering.event(&Event { time: 0, thread: 0, kind }).kind {
            EventKind::Free { site, .. } => site,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_recorder_keeps_its_numbers() {
        let mut numbering = Numbering::new();
        assert_eq!([7, 0, 9].map(|id| site(&mut numbering, id)), [7, 0, 9]);
        assert_eq!(named(&mut numbering, 7, "late"), 7);
        assert_eq!(named(&mut numbering, 7, "renamed"), 7);
        assert_eq!(site(&mut numbering, 7), 7);
    }

    #[test]
    fn a_number_that_means_another_thing_after_a_restart_is_another() {
        let mut numbering = Numbering::new();
        assert_eq!([named(&mut numbering, 1, "net"), named(&mut numbering, 2, "json")], [1, 2]);
        numbering.begin(0, 1);
        assert_eq!([named(&mut numbering, 1, "json"), named(&mut numbering, 2, "json")], [3, 2]);
        assert_eq!([site(&mut numbering, 1), site(&mut numbering, 2)], [3, 2]);
    }

    #[test]
    fn a_number_is_not_named_by_another_recorder() {
        let mut numbering = Numbering::new();
        assert_eq!(site(&mut numbering, 5), 5);
        numbering.begin(1, 0);
        assert_eq!(named(&mut numbering, 5, "other core"), 6);
        assert_eq!(site(&mut numbering, 5), 6);
        numbering.begin(0, 0);
        assert_eq!(site(&mut numbering, 5), 5);
        assert_eq!(named(&mut numbering, 5, "this core"), 5);
        // Named there, and not here yet.
        assert_eq!(site(&mut numbering, 6), 7);
    }

    #[test]
    fn a_number_that_was_given_away_is_not_its_own_recorders() {
        let mut numbering = Numbering::new();
        assert_eq!(named(&mut numbering, 1, "net"), 1);
        numbering.begin(0, 1);
        assert_eq!(site(&mut numbering, 1), 2);
        assert_eq!([site(&mut numbering, 2), named(&mut numbering, 2, "json")], [3, 3]);
        assert_eq!(named(&mut numbering, 1, "log"), 2);
        assert_eq!(site(&mut numbering, 1), 2);
    }

    #[test]
    fn call_stacks_keep_their_parents() {
        let mut numbering = Numbering::new();
        let node = |numbering: &mut Numbering, id, parent, ip| {
            let node = numbering.definition(&Definition::Node(Node { id, parent, ip }));
            let Definition::Node(Node { id, parent, .. }) = node else { panic!("{node:?}") };
            (id, parent)
        };
        assert_eq!(node(&mut numbering, 1, 0, 0x10), (1, 0));
        assert_eq!(node(&mut numbering, 2, 1, 0x20), (2, 1));
        numbering.begin(1, 0);
        assert_eq!(node(&mut numbering, 1, 0, 0x99), (3, 0));
        assert_eq!(node(&mut numbering, 2, 1, 0x20), (4, 3));
    }
}
