//! What another language makes of a MessagePack file: Python's `msgpack` reads it with no knowledge of
//! ours, and finds the records that we have.

use std::path::{Path, PathBuf};
use std::process::Command;

use heapwire::io::codec::Compression;
use heapwire::plan::Target;
use heapwire::trace::record::{Moment, Record};
use heapwire::trace::replay::Fate;
use heapwire::trace::symbols::Symbols;
use heapwire_core::NameKind;
use heapwire_tests::{sample, trace_files};
use serde_json::{Value, json};

use super::{converted, records};

/// Reads a file and prints it as JSON.
const SCRIPT: &str = "
import json, sys, msgpack
with open(sys.argv[1], 'rb') as file:
    json.dump(msgpack.load(file), sys.stdout)
";

/// A Python that has `msgpack`, in a folder that stays from run to run; `None` where there is no Python
/// or no registry to install from, which under CI is a failure.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-msgpack");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let works = |python: &Path| {
        let output = Command::new(python).args(["-c", "import msgpack"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    if works(&python) {
        return Some(python);
    }
    let steps: [(&Path, &[&str]); 2] = [
        (Path::new("python3"), &["-m", "venv", folder.to_str()?]),
        (&python, &["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "msgpack"]),
    ];
    for (program, arguments) in steps {
        let output = Command::new(program).args(arguments).output();
        let failed = match output {
            Ok(output) if output.status.success() => continue,
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!in_ci, "{program:?} {arguments:?}: {failed}");
        eprintln!("left out, as {program:?} {arguments:?} failed: {failed}");
        return None;
    }
    assert!(works(&python));
    Some(python)
}

fn moment(moment: Option<Moment>) -> Value {
    moment.map_or(Value::Null, |Moment { event, time, thread, site }| {
        json!({ "event": event, "time": time, "thread": thread, "site": site })
    })
}

/// A record as it should be in the file, put together from its public fields.
fn expected(record: &Record, symbols: &Symbols) -> Value {
    let reallocations: Vec<Value> = record
        .reallocations
        .iter()
        .map(|r| {
            json!({
                "event": r.event, "time": r.time, "thread": r.thread, "site": r.site,
                "old_address": r.old_address, "address": r.address,
                "old_size": r.old_size, "size": r.size,
            })
        })
        .collect();
    let namings: Vec<Value> = record
        .namings
        .iter()
        .map(|n| {
            json!({
                "event": n.event, "time": n.time, "thread": n.thread,
                "variable_id": n.variable, "type_id": n.type_name,
            })
        })
        .collect();
    json!({
        "id": record.id,
        "address": record.address,
        "size": record.size,
        "alignment": record.alignment(),
        "allocated": moment(record.allocated),
        "reallocations": reallocations,
        "namings": namings,
        "freed": moment(record.freed),
        "fate": match record.fate {
            Fate::Freed => "freed",
            Fate::NeverFreed => "never_freed",
            Fate::Unknown => "unknown",
        },
        "scope": record.scope(symbols),
        "variable": record.variable(symbols),
        "type": record.type_name(symbols),
    })
}

#[test]
fn python_finds_our_records() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.msgpack");
    let real = trace_files::committed()[0].text();
    let lines = real.split_inclusive(|byte| *byte == b'\n').take(6_000);
    let texts = [sample::text(3_000).into_bytes(), lines.flatten().copied().collect()];
    for text in texts {
        let file = converted(&text, Target::MessagePack(Compression::None)).unwrap();
        std::fs::write(&path, &file).unwrap();
        let output = Command::new(&python).args(["-c", SCRIPT]).arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();

        let (all, symbols) = records(&file);
        assert!(all.len() > 500);
        let in_python = found["records"].as_array().unwrap();
        assert_eq!(in_python.len(), all.len());
        for (record, found) in all.iter().zip(in_python) {
            assert_eq!(*found, expected(record, &symbols));
        }
        assert_eq!(found["format"], "heapwire");
        let session = symbols.session().unwrap();
        assert_eq!(found["session"]["ticks_per_second"], session.ticks_per_second);
        assert_eq!(found["session"]["device"], session.device);

        // A site's call stack, from the table as its documentation says.
        let nodes = found["call_stacks"].as_array().unwrap();
        let node = |id: &Value| nodes.iter().find(|node| node["id"] == *id);
        for record in all.iter().step_by(501) {
            let mut stack = Vec::new();
            let mut next = node(&json!(record.site()));
            while let Some(node_map) = next {
                stack.push(node_map["address"].as_u64().unwrap());
                next = node(&node_map["parent"]);
            }
            assert!(stack.into_iter().eq(record.call_stack(&symbols)));
        }
        let checksum = found["checksum"].as_u64().unwrap();
        assert_eq!(checksum, u64::from(crc32(&file[..file.len() - 5])));
        for event in found["other_events"].as_array().unwrap() {
            let gauge = symbols.name(NameKind::Gauge, 1);
            assert!(event["kind"] != "gauge" || event["name"].as_str() == gauge, "{event}");
        }
    }
}

/// The checksum as the documentation calls it, from another implementation.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
