//! The program that `heapwire demo` watches: a document service that renders, parses, indexes and
//! queries a licence text and passes messages around. It leaks on purpose, at known sites, and one
//! of its allocations fails. The events are the same in every run, apart from addresses and times.

use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;

use rustc_hash::FxHashMap;
use serde_json::{Value, json};

/// The document: prose of 11 KB, which makes 68 KB of JSON.
const PROSE: &str = include_str!("../../../../LICENSE-APACHE");

/// How often the service takes up a new edition of the document.
const EDITIONS: usize = 7;

/// Clients that log in to each edition. One of them never logs out.
const CLIENTS: usize = 50;

/// Bytes in a session token.
const TOKEN_BYTES: usize = 48;

/// Messages in flight.
const RING_MESSAGES: usize = 64;

/// Bytes in a receive buffer.
const BUFFER_BYTES: usize = 1_024;

/// Bytes in the cache that is warmed once.
const CACHE_BYTES: usize = 4_096;

/// More than any machine has, and still a size that an allocator accepts to be asked for.
const SNAPSHOT_BYTES: usize = isize::MAX as usize - 4_096;

/// Blocks that [`run`] never frees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlantedLeak {
    /// The name of the site.
    pub(crate) scope: &'static str,
    /// How many blocks.
    pub(crate) blocks: u64,
    /// Bytes in all of them.
    pub(crate) bytes: u64,
}

/// Every block that [`run`] never frees, most bytes first.
pub(crate) const PLANTED_LEAKS: [PlantedLeak; 3] = [
    PlantedLeak { scope: "cache::warm", blocks: 1, bytes: CACHE_BYTES as u64 },
    // Every second edition loses a buffer: 1, 3 and 5.
    PlantedLeak { scope: "net::receive", blocks: 3, bytes: 3 * BUFFER_BYTES as u64 },
    PlantedLeak {
        scope: "auth::issue_token",
        blocks: EDITIONS as u64,
        bytes: (EDITIONS * TOKEN_BYTES) as u64,
    },
];

/// The allocation of [`run`] that fails: its scope, and the bytes it asks for.
pub(crate) const PLANTED_FAILURE: (&str, u64) = ("history::snapshot", SNAPSHOT_BYTES as u64);

/// Tells the tracker who allocates.
pub(crate) trait Sites {
    /// Restores the former site when it is dropped.
    type Guard;

    /// Makes `name` the site of every allocation until the guard is dropped. Must not allocate.
    fn enter(&self, name: &'static str) -> Self::Guard;
}

/// Does the work, on this thread alone, and returns what it leaked: [`PLANTED_LEAKS`].
pub(crate) fn run<S: Sites>(sites: &S) -> &'static [PlantedLeak] {
    let mut history = Vec::new();
    for edition in 0..EDITIONS {
        let text = within(sites, "document::render", || render(edition));
        let document = within(sites, "json::parse", || parse(&text));
        drop(text);
        let index = within(sites, "index::build", || Index::build(&document));
        drop(document);
        black_box(within(sites, "query::answer", || index.answer_all()));
        black_box(within(sites, "report::longest_words", || index.longest_words(20)));

        let tokens = within(sites, "auth::issue_token", || issue_tokens(edition));
        within(sites, "net::receive", || receive(edition));
        if edition == 0 {
            within(sites, "cache::warm", warm_cache);
        }
        within(sites, "history::keep", || history.push(index));
        drop(tokens);
    }
    within(sites, PLANTED_FAILURE.0, snapshot);
    &PLANTED_LEAKS
}

fn within<S: Sites, T>(sites: &S, name: &'static str, work: impl FnOnce() -> T) -> T {
    let _guard = sites.enter(name);
    work()
}

/// Renders the prose as a JSON text, word by word.
fn render(edition: usize) -> String {
    // Each edition is a little shorter than the one before.
    let lines = PROSE.lines().enumerate().skip(edition * 25);
    let mut words: Vec<Value> = Vec::new();
    for (number, line) in lines {
        for word in line.split_whitespace() {
            let stem = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            words.push(json!({ "word": word, "stem": stem, "line": number }));
        }
    }
    json!({ "title": "Apache License", "edition": edition, "words": words }).to_string()
}

/// Parses what [`render`] rendered.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

/// On which lines each word stands.
struct Index {
    lines_by_word: BTreeMap<String, Vec<u32>>,
}

impl Index {
    fn build(document: &Value) -> Self {
        let mut lines_by_word: FxHashMap<String, Vec<u32>> = FxHashMap::default();
        for word in document["words"].as_array().into_iter().flatten() {
            if let (Some(stem), Some(line)) = (word["stem"].as_str(), word["line"].as_u64()) {
                lines_by_word.entry(stem.to_owned()).or_default().push(line as u32);
            }
        }
        Self { lines_by_word: lines_by_word.into_iter().collect() }
    }

    /// Answers one query for each word: where the words stand that begin like it. Returns the
    /// bytes of all answers.
    fn answer_all(&self) -> usize {
        self.lines_by_word.keys().map(|word| self.answer(word).len()).sum()
    }

    fn answer(&self, word: &str) -> String {
        let prefix: String = word.chars().take(4).collect();
        let found = self.lines_by_word.range(prefix.clone()..);
        let entries: Vec<String> = found
            .take_while(|(word, _)| word.starts_with(&prefix))
            .map(|(word, lines)| {
                let lines: Vec<String> = lines.iter().take(3).map(u32::to_string).collect();
                format!("{word}: {}", lines.join(", "))
            })
            .collect();
        entries.join("\n")
    }

    fn longest_words(&self, count: usize) -> String {
        let mut words: Vec<String> = self.lines_by_word.keys().cloned().collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        words.truncate(count);
        words.join(" ")
    }
}

/// Logs the clients in and returns their tokens, but for one that nobody holds any more.
fn issue_tokens(edition: usize) -> Vec<Vec<u8>> {
    let mut tokens = Vec::new();
    for client in 0..CLIENTS {
        let token = black_box(vec![client as u8; TOKEN_BYTES]);
        if client == 10 + edition {
            std::mem::forget(black_box(token));
        } else {
            tokens.push(token);
        }
    }
    tokens
}

/// Receives the prose line by line. A message lives in the ring until 64 newer ones have come; a
/// buffer is freed when its message has been copied out, but for one in every second edition.
fn receive(edition: usize) {
    let mut ring: VecDeque<Box<[u8]>> = VecDeque::new();
    for (number, line) in PROSE.lines().enumerate() {
        let mut buffer: Vec<u8> = Vec::with_capacity(BUFFER_BYTES);
        buffer.extend(line.bytes().take(BUFFER_BYTES));
        if ring.len() == RING_MESSAGES {
            ring.pop_front();
        }
        ring.push_back(Box::from(buffer.as_slice()));
        if edition % 2 == 1 && number == 100 {
            std::mem::forget(black_box(buffer));
        }
    }
    black_box(ring);
}

/// Fills a cache that stays until the process ends.
fn warm_cache() {
    let cache: Box<[u8]> = PROSE.bytes().cycle().take(CACHE_BYTES).collect();
    black_box(Box::leak(cache));
}

/// Asks for more memory than there is, and goes on without.
fn snapshot() {
    let mut snapshot: Vec<u8> = Vec::new();
    let refused = snapshot.try_reserve_exact(black_box(SNAPSHOT_BYTES));
    black_box((snapshot, refused.is_err()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    struct Names(RefCell<Vec<&'static str>>);

    impl Sites for Names {
        type Guard = ();

        fn enter(&self, name: &'static str) {
            self.0.borrow_mut().push(name);
        }
    }

    #[test]
    fn every_planted_scope_is_entered() {
        let names = Names(RefCell::default());
        assert_eq!(run(&names), PLANTED_LEAKS);
        for PlantedLeak { scope, .. } in PLANTED_LEAKS {
            assert!(names.0.borrow().contains(&scope));
        }
        assert!(names.0.borrow().contains(&PLANTED_FAILURE.0));
    }

    #[test]
    fn the_work_is_real() {
        let document = parse(&render(0));
        assert!(document["words"].as_array().is_some_and(|words| words.len() > 1_500));
        let index = Index::build(&document);
        assert!(index.answer("licensor").contains("licensor: "));
        assert!(index.longest_words(3).split(' ').all(|word| word.len() > 10));
    }
}
