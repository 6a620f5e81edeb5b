//! Captures of released versions stay readable. Each golden capture was written once; dumped, it is
//! still the text beside it.
//!
//! A new version's files are made with
//! `cargo test -p heapwire-tests --test captures -- --ignored write_golden`, which overwrites nothing.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use heapwire::convert::text::write_item;
use heapwire::io::capture_reader::{Completeness, Damage};
use heapwire::pipeline::parse::{CaptureVisitor, parse};
use heapwire::plan::CapturePlan;
use heapwire::trace::Item;
use heapwire::validation::validate_binary_file;
use heapwire_core::format::CAPTURE_VERSION;
use heapwire_tests::{ZSTD, import, plan, sample, uses};

use heapwire::io::codec::Compression;

fn folder(version: u16) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/v{version}"))
}

/// Name and settings of each golden capture of the newest version.
fn plans() -> [(&'static str, CapturePlan); 3] {
    [
        ("custom_zstd", plan(256 << 10, ZSTD)),
        ("chunked_lz4", CapturePlan { chunked: true, ..plan(1024, Compression::Lz4) }),
        ("custom_none", plan(2048, Compression::None)),
    ]
}

#[derive(Default)]
struct Dump(Vec<u8>);

impl CaptureVisitor for Dump {
    fn item(&mut self, item: Item<'_>) -> heapwire::Result<()> {
        write_item(&mut self.0, &item).expect("short lines, into memory");
        Ok(())
    }

    fn damage(&mut self, damage: &Damage) -> heapwire::Result<()> {
        panic!("not damaged: {damage:?}")
    }
}

fn dump(capture: &[u8]) -> String {
    let mut dump = Dump::default();
    let completeness = parse(capture, &mut dump).expect("reads");
    assert!(matches!(completeness, Completeness::Complete(_)));
    String::from_utf8(dump.0).expect("UTF-8")
}

#[test]
fn captures_of_every_version_dump_to_the_same_text() {
    for version in 1..=CAPTURE_VERSION {
        let folder = folder(version);
        let mut seen = 0;
        for entry in fs::read_dir(&folder).expect("the folder is in the repository") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|extension| extension != "hwcap") {
                continue;
            }
            let capture = fs::read(&path).expect("readable");
            let text =
                fs::read_to_string(path.with_extension("txt")).expect("its text is beside it");
            assert!(dump(&capture) == text, "{path:?} reads otherwise than when it was written");
            let report = validate_binary_file(&path).expect("readable");
            assert!(report.is_valid && report.warnings.is_empty(), "{path:?}: {report:?}");
            seen += 1;
        }
        assert!(seen >= 3, "{folder:?} has {seen} captures");
    }
}

/// Every kind of event and definition is in the golden captures.
#[test]
fn golden_captures_hold_every_kind_of_line() {
    for (name, _) in plans() {
        let path = folder(CAPTURE_VERSION).join(name).with_extension("txt");
        let text = fs::read_to_string(path).expect("in the repository");
        for letter in "h p s d a r f x n g m".split(' ') {
            let begins = |line: &str| line.starts_with(&format!("{letter} "));
            assert!(text.lines().any(begins), "{name}: no line begins with {letter:?}");
        }
    }
}

/// Small lanes seldom shrink; each codec that a golden capture is named after is in it nevertheless.
#[test]
fn golden_captures_use_their_codecs() {
    for (name, plan) in plans() {
        let path = folder(CAPTURE_VERSION).join(name).with_extension("hwcap");
        let capture = fs::read(path).expect("in the repository");
        assert!(uses(&capture, plan.compression.codec()), "{name}");
    }
}

#[test]
#[ignore = "writes golden files, once for each version of the format"]
fn write_golden() {
    let folder = folder(CAPTURE_VERSION);
    fs::create_dir_all(&folder).expect("can be created");
    for (name, plan) in plans() {
        let capture = import(sample::text(400).as_bytes(), plan).expect("imported");
        create(&folder.join(name).with_extension("txt"), dump(&capture).as_bytes());
        create(&folder.join(name).with_extension("hwcap"), &capture);
    }
}

fn create(path: &Path, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file =
        file.unwrap_or_else(|error| panic!("golden files are written once: {path:?}: {error}"));
    file.write_all(bytes).expect("written");
}
