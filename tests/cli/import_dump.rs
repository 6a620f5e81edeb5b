//! Text into captures and back.

use std::io::Write as _;
use std::thread;
use std::time::Duration;

use super::command::{Folder, Run};
use super::traces;

fn zst(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}

fn gz(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_dump_is_what_was_imported() {
    let folder = Folder::new();
    folder.write("in.trace", traces::EVERY_KIND);
    let import = folder.run("import in.trace -o a.hwcap").succeeds();
    assert_eq!(import.text(), "");
    // What is no terminal gets one line, and no progress bar.
    assert!(import.errors.starts_with("imported 8 events and 8 definitions: "));
    assert!(import.errors.ends_with(" bytes an event\n"));
    assert_eq!(import.errors.lines().count(), 1);

    let dump = folder.run("dump a.hwcap").succeeds();
    assert_eq!(dump.text(), traces::EVERY_KIND);
    assert_eq!(dump.errors, "");
    folder.run("dump a.hwcap -o back.trace").succeeds();
    assert_eq!(folder.read("back.trace"), traces::EVERY_KIND.as_bytes());
    assert_eq!(folder.names(), ["a.hwcap", "back.trace", "in.trace"]);
}

#[test]
fn a_dash_is_standard_input_or_output() {
    let folder = Folder::new();
    let text = traces::text(30_000);
    folder.write("in.trace", &text);
    let capture = folder.import("in.trace", "a.hwcap", "");
    assert_eq!(folder.run("import in.trace -o -").succeeds().out, capture);
    assert_eq!(folder.run_with("import - -o -", text.as_bytes()).succeeds().out, capture);
    folder.run_with("import - -o b.hwcap", text.as_bytes()).succeeds();
    assert_eq!(folder.read("b.hwcap"), capture);

    assert_eq!(folder.run("dump a.hwcap -o -").succeeds().text(), text);
    assert_eq!(folder.run_with("dump -", &capture).succeeds().text(), text);
    folder.run_with("dump - -o out.trace", &capture).succeeds();
    assert_eq!(folder.read("out.trace"), text.as_bytes());
    assert_eq!(folder.names(), ["a.hwcap", "b.hwcap", "in.trace", "out.trace"]);
}

#[test]
fn compressed_input_is_opened_as_it_is() {
    let folder = Folder::new();
    let text = traces::text(10_000);
    folder.write("plain", &text);
    let expected = folder.import("plain", "plain.hwcap", "");
    let (first, second) = text.split_at(text.len() / 3);
    for (name, input) in [
        ("zst", zst(&text)),
        ("gz", gz(&text)),
        ("crlf", text.replace('\n', "\r\n").into_bytes()),
        ("no-newline-at-the-end", text.trim_end().as_bytes().to_vec()),
        // As `cat a.gz b.gz` gives.
        ("two-zst", [zst(first), zst(second)].concat()),
        ("two-gz", [gz(first), gz(second)].concat()),
    ] {
        folder.write(name, &input);
        assert!(folder.import(name, "a.hwcap", "") == expected, "{name}");
        let piped = folder.run_with("import - -o -", &input).succeeds();
        assert!(piped.out == expected, "{name}, piped");
    }
}

#[test]
fn input_that_comes_in_drops_is_the_same_input() {
    let folder = Folder::new();
    let text = traces::text(1000);
    folder.write("plain", &text);
    let expected = folder.import("plain", "plain.hwcap", "");
    for (name, input) in
        [("plain", text.clone().into_bytes()), ("zst", zst(&text)), ("gz", gz(&text))]
    {
        let mut child = folder.spawn("import - -o -");
        let mut stdin = child.stdin.take().unwrap();
        let (drops, rest) = input.split_at(3);
        for drop in drops {
            stdin.write_all(&[*drop]).unwrap();
            // Long enough for the command to read the drop by itself.
            thread::sleep(Duration::from_millis(100));
        }
        stdin.write_all(rest).unwrap();
        drop(stdin);
        assert!(Run::end(child).succeeds().out == expected, "{name}");
    }
}

#[test]
fn every_choice_dumps_equal_whatever_the_threads() {
    let folder = Folder::new();
    let text = traces::text(20_000);
    folder.write("in.trace", &text);
    for format in ["custom", "chunked"] {
        for compression in ["none", "lz4", "zstd", "zstd --level 1", "zstd --level 19"] {
            for chunk_size in ["4096", "16k", "1M", "4M"] {
                let options = format!(
                    "--format {format} --compression {compression} --chunk-size {chunk_size}"
                );
                let [one, two] = ["1", "2"].map(|threads| {
                    folder.import("in.trace", "a.hwcap", &format!("{options} --threads {threads}"))
                });
                assert!(one == two, "{options}: other bytes with two threads");
                let dump = folder.run("dump a.hwcap").succeeds();
                assert!(dump.text() == text, "{options}");
            }
        }
    }
}

#[test]
fn options_do_what_they_say() {
    let folder = Folder::new();
    folder.write("in.trace", traces::text(60_000));
    let size = |options: &str| folder.import("in.trace", "a.hwcap", options).len();
    let (none, lz4, zstd) =
        (size("--compression none"), size("--compression lz4"), size("--compression zstd"));
    assert!(zstd < lz4 && lz4 < none, "{zstd} {lz4} {none}");
    assert_eq!(size(""), zstd);
    // A level that was asked for is used; otherwise samples of each chunk choose up to that of the default.
    let fixed = size("--level 3");
    assert!(fixed.abs_diff(zstd) < zstd / 50, "{fixed} {zstd}");
    assert!(size("--level 19") < zstd);
    assert_eq!(size("--chunk-size 256K"), zstd);
    assert!(size("--chunk-size 4K") > zstd);
    assert_eq!(size("--format chunked"), size("--format chunked --chunk-size 64k"));
    assert_eq!(size("--threads 0"), zstd);
}

#[test]
fn definitions_between_events_come_out_before_their_use() {
    let folder = Folder::new();
    let mut text = String::new();
    for i in 1..5000 {
        text += &format!("s {i} {} {i:x}\na {i} 1 {:x} 16 {i}\n# comment\n\n", i / 2, 64 * i);
    }
    folder.write("in.trace", &text);
    folder.import("in.trace", "a.hwcap", "--chunk-size 4K");
    let dump = folder.run("dump a.hwcap").succeeds();
    let mut defined = 0;
    let (mut nodes, mut events) = (Vec::new(), Vec::new());
    for line in dump.text().lines() {
        let number = |place: usize| line.split(' ').nth(place).unwrap().parse::<u32>().unwrap();
        match &line[..1] {
            "s" => {
                defined = number(1);
                nodes.push(line);
            }
            "a" => {
                assert!(number(5) <= defined, "{line}");
                events.push(line);
            }
            // A trace that does not say so counts microseconds.
            _ => assert_eq!(line, "h 1000000 64 \"\" \"\""),
        }
    }
    let lines_of = |letter| text.lines().filter(move |line| line.starts_with(letter));
    assert!(lines_of('s').eq(nodes));
    assert!(lines_of('a').eq(events));
}

#[test]
fn a_file_may_be_imported_over_itself() {
    let folder = Folder::new();
    folder.write("same", traces::EVERY_KIND);
    folder.run("import same -o same").succeeds();
    folder.run("dump same -o same").succeeds();
    assert_eq!(folder.read("same"), traces::EVERY_KIND.as_bytes());
}

#[test]
#[cfg_attr(debug_assertions, ignore = "some minutes without optimization")]
fn real_traces_come_back() {
    let traces = heapwire_tests::trace_files::committed();
    assert_eq!(traces.len(), heapwire_tests::trace_files::NAMES.len());
    for trace in traces {
        let text = String::from_utf8(trace.text()).unwrap();
        let folder = Folder::new();
        folder.write("in.zst", std::fs::read(&trace.path).unwrap());
        for options in ["", "--format chunked --compression lz4 --threads 2"] {
            folder.import("in.zst", "a.hwcap", options);
            let dump = folder.run("dump a.hwcap").succeeds();
            let comes_back = |letters: &[char]| {
                let wanted = |line: &&str| line.starts_with(letters);
                dump.text().lines().filter(wanted).eq(text.lines().filter(wanted))
            };
            assert!(comes_back(&['s']), "{}: call stacks, {options}", trace.name);
            assert!(comes_back(&['a', 'f', 'r']), "{}: events, {options}", trace.name);
            folder.run("validate a.hwcap").succeeds();
        }
    }
}
