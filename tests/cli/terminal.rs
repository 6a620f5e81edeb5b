//! Text from files never drives the terminal: whatever a device, a trace or a file's name contains is
//! shown, not obeyed.

use super::command::Folder;

/// Clears the screen, colours, rings, hides, and does it again in C1 and by turning text around.
const HOSTILE: &str = r"\u{1b}[2J\u{1b}[31mred\u{7}\r\n\u{9b}2J\u{202e}txt\u{0}";

#[track_caller]
fn is_tame(text: &str) {
    let wild = |character: char| {
        character.is_control() && character != '\n' || matches!(character, '\u{202a}'..='\u{202e}')
    };
    assert!(!text.contains(wild), "{text:?}");
}

#[test]
fn names_from_a_trace_are_shown_and_not_obeyed() {
    let folder = Folder::new();
    let trace = format!(
        "h 1000 32 \"{HOSTILE}\" \"{HOSTILE}\"\np 0 64 {HOSTILE}\nd scope 1 {HOSTILE}\n\
         d thread 1 {HOSTILE}\nd gauge 1 {HOSTILE}\nd mark 1 {HOSTILE}\n\
         a 1 1 10 64 1\ng 2 1 1 5\nm 3 1 1\n"
    );
    folder.write("in.trace", &trace);
    let capture = folder.import("in.trace", "a.hwcap", "");
    let info = folder.run("info a.hwcap").succeeds();
    is_tame(info.text());
    assert!(info.text().contains(r"\u{1b}[2J\u{1b}[31mred\u{7}\r\n\u{9b}2J"), "{}", info.text());
    let json = folder.run("info --json a.hwcap").succeeds();
    assert!(!json.text().contains('\x1b'), "{}", json.text());
    is_tame(folder.run("validate a.hwcap").succeeds().text());

    folder.write("cut.hwcap", &capture[..capture.len() - 30]);
    for command in ["info", "info --json", "validate", "validate --json", "dump"] {
        let run = folder.run(&format!("{command} cut.hwcap")).finds();
        is_tame(&run.errors);
        if !matches!(command, "dump" | "info --json") {
            is_tame(run.text());
        }
    }
    // A dump is a text trace: control characters are escapes in it, so that it is read back equal.
    let dump = folder.run("dump a.hwcap").succeeds();
    assert!(!dump.text().contains(|c: char| c.is_control() && c != '\n'), "{:?}", dump.text());
    folder.write("again.trace", &dump.out);
    assert_eq!(folder.import("again.trace", "again.hwcap", ""), capture);
}

#[test]
fn errors_do_not_carry_what_is_in_a_file() {
    let folder = Folder::new();
    folder.write("word", "# first\n\x1b[31m 1 2\n");
    folder.write("field", "# first\na 1 1 \x1b[2J\x07\u{9b}2J 1 1\n");
    folder.write("first", "\x1b[31mred\n");
    folder.write("binary", b"\x1b]0;title\x07\xff\xfe");
    for name in ["word", "field", "first", "binary"] {
        for command in ["import -o x", "dump", "info"] {
            is_tame(&folder.run(&format!("{command} {name}")).fails());
        }
        is_tame(folder.run(&format!("validate {name}")).finds().text());
    }
}

#[cfg(unix)]
#[test]
fn errors_show_the_names_of_files() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::command::Run;

    let folder = Folder::new();
    for name in [&b"\x1b[31mred\nline"[..], b"not \xff UTF-8", "größe".as_bytes()] {
        let name = OsStr::from_bytes(name);
        for command in ["dump", "info", "validate", "import -o x"] {
            let missing = Run::of(folder.command(command).arg(name)).fails();
            assert!(missing.contains(&format!("{name:?}")), "{missing}");
        }
        std::fs::write(folder.path().join(name), "a b\n").unwrap();
        for command in ["dump", "info", "import -o x"] {
            let bad = Run::of(folder.command(command).arg(name)).fails();
            assert!(bad.contains(&format!("{name:?}")), "{bad}");
        }
    }
}

/// What an import prints on a terminal. Its input ends after a while, so that a bar has time to show.
#[cfg(unix)]
fn import_on_a_terminal(input: &str) -> String {
    use std::fs::OpenOptions;
    use std::io::{Read, Write};
    use std::process::Stdio;
    use std::thread;
    use std::time::Duration;

    use serialport::{SerialPort, TTYPort};

    let folder = Folder::new();
    let (mut ours, theirs) = TTYPort::pair().unwrap();
    ours.set_timeout(Duration::from_millis(200)).unwrap();
    let terminal = OpenOptions::new().write(true).open(theirs.name().unwrap()).unwrap();
    let mut command = folder.command("import - -o x");
    let mut child = command.stdin(Stdio::piped()).stderr(terminal).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for piece in input.as_bytes().chunks(input.len() / 10 + 1) {
        // It ends early when a line is bad.
        let _ = stdin.write_all(piece);
        thread::sleep(Duration::from_millis(50));
    }
    drop(stdin);
    child.wait().unwrap();
    let mut printed = Vec::new();
    // Ends with a timeout, as nobody closes this terminal.
    let _ = ours.read_to_end(&mut printed);
    String::from_utf8(printed).unwrap()
}

#[cfg(unix)]
#[test]
fn a_progress_bar_is_gone_before_the_last_word() {
    let good = super::traces::text(100_000);
    let bad = format!("{good}nonsense\n");
    for (input, last_word) in [(good, "imported 100,000 events "), (bad, "heapwire: \"-\": ")] {
        let printed = import_on_a_terminal(&input);
        let (bar, rest) = printed.rsplit_once("\x1b[2K").unwrap_or_else(|| panic!("{printed:?}"));
        assert!(bar.contains("MiB"), "no bar: {printed:?}");
        assert!(rest.starts_with(last_word) && rest.lines().count() == 1, "{printed:?}");
    }
}
