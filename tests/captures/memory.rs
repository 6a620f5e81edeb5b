//! Memory does not grow with the trace, only with its live blocks and definitions.

use std::io::{self, BufReader, Read};

use heapwire::io::capture_reader::Damage;
use heapwire::pipeline::encode::TraceEncoder;
use heapwire::pipeline::parse::{CaptureVisitor, parse};
use heapwire::trace::Item;
use heapwire::validation::validate;
use heapwire_tests::{ZSTD, import, plan, sample};

use crate::alloc::peak_bytes;

/// A text again and again, as one long text.
struct Repeated<'a> {
    text: &'a [u8],
    rest: &'a [u8],
    times: usize,
}

impl Read for Repeated<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() && self.times > 0 {
            self.times -= 1;
            self.rest = self.text;
        }
        self.rest.read(out)
    }
}

/// Events of a trace whose blocks are all freed in the end.
fn balanced_text() -> Vec<u8> {
    let text = sample::text(10_000);
    let is_event = |line: &&str| !line.starts_with(['#', 'h', 'p', 's', 'd']);
    let mut events: String = text.lines().filter(is_event).flat_map(|l| [l, "\n"]).collect();
    let mut live = std::collections::BTreeSet::new();
    for line in events.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        match fields[0] {
            "a" => drop(live.insert(fields[3].to_owned())),
            "f" => drop(live.remove(fields[3])),
            "r" => drop((live.remove(fields[3]), live.insert(fields[4].to_owned()))),
            _ => {}
        }
    }
    live.iter().for_each(|address| events += &format!("f 1000000 1 {address}\n"));
    events.into_bytes()
}

fn repeated(text: &[u8], times: usize) -> BufReader<Repeated<'_>> {
    BufReader::new(Repeated { text, rest: &[], times })
}

struct Ignore;

impl CaptureVisitor for Ignore {
    fn item(&mut self, _: Item<'_>) -> heapwire::Result<()> {
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> heapwire::Result<()> {
        panic!("not damaged: {damage:?}")
    }
}

fn import_to_nowhere(input: impl io::BufRead) {
    let mut reader = heapwire::convert::text::TextReader::new(input);
    let mut encoder = TraceEncoder::new(io::sink(), plan(64 << 10, ZSTD)).expect("begins");
    while let Some(item) = reader.next_item().expect("a trace") {
        encoder.push(&item).expect("encodes");
    }
    encoder.finish().expect("ends");
}

/// A million events more, which would show if a byte were kept of each; the fewer are chunks enough for all that are
/// read ahead.
#[test]
fn import_decode_and_validation_keep_nothing_of_an_event() {
    let text = balanced_text();
    let measure = |times| {
        let (capture, _) = peak_bytes(|| import(repeated(&text, times), plan(64 << 10, ZSTD)));
        let capture = capture.expect("imported");
        let ((), import) = peak_bytes(|| import_to_nowhere(repeated(&text, times)));
        let (parsed, decode) = peak_bytes(|| parse(&capture[..], &mut Ignore));
        parsed.expect("reads");
        let (report, validation) = peak_bytes(|| validate(&capture[..]));
        let report = report.expect("reads");
        assert!(report.is_valid, "{:?}", report.errors);
        (report.events as usize, [import, decode, validation])
    };
    let (few, short) = measure(30);
    let (many, long) = measure(130);
    println!("{few} events: {short:?} bytes; {many} events: {long:?} bytes");
    for (short, long) in short.into_iter().zip(long) {
        assert!(long < short + (many - few) / 10, "{short} bytes, then {long}");
    }
}
