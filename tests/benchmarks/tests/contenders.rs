//! Every contender on a small trace, and what the program prints of it.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::path::Path;
use std::process::Command;

use heapwire::heapwire_core::{Event, EventKind};
use heapwire_bench::contenders;
use heapwire_bench::measure::measure;
use heapwire_bench::trace::{Events, Trace};
use serde_json::Value;

fn trace_path() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces");
    folder.join("cargo_metadata.trace.zst").to_str().unwrap().to_owned()
}

/// Events of every kind, with the largest values that they can have.
fn every_kind() -> Vec<Event> {
    let address = 0xFFFF_FFFF_FFFF_FFF0;
    let kinds = [
        EventKind::Alloc { address: 16, size: 1, site: 1 },
        EventKind::Alloc { address, size: u64::MAX, site: u32::MAX },
        EventKind::Realloc { old: 16, address: 32, size: 100, site: 2 },
        EventKind::Realloc { old: 32, address: 32, size: 50, site: 0 },
        EventKind::Name { address: 32, variable: u32::MAX, type_name: u32::MAX },
        EventKind::Free { address: 32, site: 0 },
        EventKind::Free { address, site: 7 },
        EventKind::FailedAlloc { size: u64::MAX, site: 3 },
        EventKind::Gauge { gauge: 4, value: i64::MIN },
        EventKind::Mark { mark: 5 },
    ];
    let times = [0, 1, 1, 1000, 999, u64::MAX, 5, 6, 7, 8];
    let thread = |at: u32| if at == 3 { u32::MAX } else { at % 2 };
    kinds
        .into_iter()
        .zip(times)
        .zip(0..)
        .map(|((kind, time), at)| Event { time, thread: thread(at), kind })
        .collect()
}

#[test]
fn every_contender_gives_back_what_it_took() {
    let traces = [
        Trace::read(Path::new(&trace_path()), 3000).unwrap(),
        Trace::new("every kind".to_owned(), every_kind()),
    ];
    let contenders = contenders::all();
    for trace in traces {
        // `measure` refuses a contender whose decoded events are not the input's.
        let chosen: Vec<_> = contenders.iter().collect();
        let result = measure(&trace, &chosen, 1).unwrap();
        assert_eq!(result.measurements.len(), contenders.len());
        for measurement in result.measurements {
            assert!(measurement.bytes > 0, "{}", measurement.contender);
        }
    }
}

#[test]
fn a_wrong_decode_is_noticed() {
    let trace = Trace::read(Path::new(&trace_path()), 100).unwrap();
    let whole = trace.input.clone();
    assert!(Events { events: whole.events.clone(), rows: Vec::new() }.are_those_of(&whole));
    assert!(Events { events: Vec::new(), rows: whole.rows.clone() }.are_those_of(&whole));
    let mut wrong = Events { events: whole.events.clone(), rows: Vec::new() };
    wrong.events[50].time += 1;
    assert!(!wrong.are_those_of(&whole));
    assert!(!Events::default().are_those_of(&whole));
    let short = Events { events: Vec::new(), rows: whole.rows[1..].to_vec() };
    assert!(!short.are_those_of(&whole));
}

fn program(arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heapwire-bench"));
    command.args(arguments).output().unwrap()
}

#[test]
fn json_has_every_field() {
    let trace = trace_path();
    let folder = std::env::temp_dir().join(format!("heapwire-bench-{}", std::process::id()));
    let plot = folder.to_str().unwrap().to_owned();
    let output = program(&[
        "--trace", &trace, "--events", "2000", "--rounds", "3", "--json", "--svg", &plot,
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["rounds"], &report["most_events"]), (&3.into(), &2000.into()));
    assert!(report["heapwire"].is_string());
    for field in ["cpu", "cores", "os", "architecture"] {
        assert!(report["machine"].get(field).is_some(), "{field}");
    }
    let traces = report["traces"].as_array().unwrap();
    assert_eq!((traces.len(), &traces[0]["events"]), (1, &2000.into()));
    assert_eq!(traces[0]["name"], "cargo_metadata");
    let (of_trace, means) =
        (traces[0]["contenders"].as_array(), report["geometric_means"].as_array());
    let names: Vec<String> = contenders::all().into_iter().map(|one| one.name).collect();
    for (list, has_rounds) in [(of_trace, true), (means, false)] {
        let list = list.unwrap();
        assert!(list.iter().map(|one| one["name"].as_str().unwrap()).eq(names.iter()));
        for one in list {
            let uses_zstd = one["name"].as_str().unwrap().contains("Zstd");
            assert!(
                one["ours"].is_boolean()
                    && one["variant"].is_boolean()
                    && one["bytes_per_event"].as_f64() > Some(0.0)
            );
            for direction in [&one["encode"], &one["decode"]] {
                for field in ["median_ns", "minimum_ns", "times_faster_than_serde_json"] {
                    assert!(direction[field].as_f64() > Some(0.0), "{field} of {one}");
                }
                assert!(direction["spread_ns"].as_f64() >= Some(0.0));
                assert!(direction["peak_memory"].as_f64() >= Some(0.0));
                assert_eq!(direction["times_faster_than_serde_json_zstd"].is_number(), uses_zstd);
                let rounds = direction["rounds_ns"].as_array();
                assert_eq!(rounds.map(Vec::len), has_rounds.then_some(3));
            }
        }
    }

    let svg = std::fs::read_to_string(&folder).unwrap();
    std::fs::remove_file(&folder).unwrap();
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    for one in contenders::all() {
        let label = one.name.strip_prefix("heapwire ").unwrap_or(&one.name);
        let halves = if one.is_variant { 0 } else { 2 };
        assert_eq!(svg.matches(&format!(">{label}<")).count(), halves, "{label}");
    }
}

#[test]
fn the_table_names_the_chosen_ones_and_the_references() {
    let trace = trace_path();
    let output =
        program(&["--trace", &trace, "--events", "500", "--rounds", "1", "--only", "POSTCARD"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().skip(3).map(|line| line.split("  ").next().unwrap());
    let chosen: Vec<_> = names.take_while(|name| !name.is_empty()).collect();
    assert_eq!(chosen, ["serde_json", "serde_json + Zstd 3", "postcard", "postcard + Zstd 3"]);
}

#[test]
fn what_cannot_be_measured_is_named() {
    for (arguments, code, said) in [
        (["--trace", "missing"], 1, "cannot read the trace \"missing\": "),
        (["--only", "nothing"], 1, "no contender is called \"nothing\""),
        (["--rounds", "0"], 2, "expected a number from 1"),
        (["--events", "-1"], 2, "-1"),
    ] {
        let output = program(&arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{errors}");
        assert!(errors.contains(said), "{errors}");
        assert!(output.stdout.is_empty());
    }
}
