//! Records of real traces, against a replay.

use std::collections::BTreeMap;

use heapwire::trace::Item;
use heapwire::trace::replay::{Fate, Replay};
use heapwire_core::EventKind;
use heapwire_tests::{Content, ZSTD, import, plan, sample, trace_files};

use super::{events_of, parser, records};

#[test]
fn records_tell_what_a_replay_does() {
    let file = &trace_files::committed()[2];
    let mut live_blocks = 0;
    for text in [file.text(), sample::text(20_000).into_bytes()] {
        let capture = import(&text[..], plan(64 << 10, ZSTD)).unwrap();
        let (all, symbols) = records(&capture);
        assert!(all.iter().enumerate().all(|(at, record)| record.id == at as u64));

        // Every event of a block is in one record, at its place.
        let events = Content::of_text(&text).events;
        let of_blocks = events.iter().enumerate().filter(|(_, event)| {
            !matches!(
                event.kind,
                EventKind::FailedAlloc { .. } | EventKind::Gauge { .. } | EventKind::Mark { .. }
            )
        });
        let of_blocks = of_blocks.map(|(number, event)| (number as u64, *event));
        assert!(events_of(&all).into_iter().eq(of_blocks));

        // What is live at the end.
        let mut replay = Replay::new();
        for event in &events {
            replay.event(event);
        }
        let live = replay.blocks().map(|block| (block.address, block.size));
        let live: BTreeMap<u64, u64> = live.collect();
        let never_freed = all.iter().filter(|record| record.fate == Fate::NeverFreed);
        let never_freed: BTreeMap<u64, u64> =
            never_freed.map(|r| (r.last_address(), r.last_size().unwrap())).collect();
        assert_eq!(live, never_freed);
        live_blocks += live.len();

        // Stacks are those of the sites.
        for record in all.iter().step_by(97) {
            let stack: Vec<u64> = record.call_stack(&symbols).collect();
            assert!(stack.iter().copied().eq(symbols.stack(record.site())));
            assert!(!stack.is_empty());
        }
    }
    assert!(live_blocks > 100, "{live_blocks}");
}

#[test]
fn records_of_a_trace_and_of_a_stream_are_the_same() {
    let text = sample::text(4_000);
    let capture = import(text.as_bytes(), plan(4096, ZSTD)).unwrap();
    let trace = parser().parse_streaming(&capture[..]).unwrap().trace;
    let mut of_trace = Vec::new();
    trace
        .records(|record| {
            of_trace.push(record);
            Ok(())
        })
        .unwrap();
    let mut streamed = Vec::new();
    let mut names = 0;
    parser()
        .for_each_record(&capture[..], |record, symbols| {
            names += usize::from(record.variable(symbols) == Some("line"));
            assert!(record.namings.is_empty() || record.type_name(symbols) == Some("String"));
            streamed.push(record);
            Ok(())
        })
        .unwrap();
    assert!(of_trace == streamed && names > 10, "{names} named");
    // The text form has them too.
    let mut of_text = 0;
    parser()
        .for_each_record(text.as_bytes(), |_, _| {
            of_text += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(of_text, streamed.len());
}

#[test]
fn limits_are_kept() {
    let text = sample::text(4_000);
    let capture = import(text.as_bytes(), plan(4096, ZSTD)).unwrap();
    let with = |set: &dyn Fn(&mut heapwire::ParserConfig)| {
        let mut config = heapwire::ParserConfig::default();
        set(&mut config);
        heapwire::BinaryDataParser::new(config)
    };
    let events = with(&|config| config.max_events = 3_999);
    let blocks = with(&|config| config.max_live_blocks = 10);
    let memory = with(&|config| config.max_memory_usage = 5_000);
    let item = |_: Item<'_>| Ok(());
    for error in [
        events.for_each_item(&capture[..], item).unwrap_err(),
        events.for_each_item(text.as_bytes(), item).unwrap_err(),
        events.parse_streaming(&capture[..]).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "the input passes the limit `max_events`: at most 3999");
    }
    for error in [
        blocks.for_each_entry(&capture[..], |_| Ok(())).unwrap_err(),
        blocks.for_each_record(&capture[..], |_, _| Ok(())).unwrap_err(),
        blocks.for_each_record(text.as_bytes(), |_, _| Ok(())).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "the input passes the limit `max_live_blocks`: at most 10");
    }
    let message_pack = super::converted(&capture, super::targets()[2]).unwrap();
    for file in [&capture, &message_pack] {
        let error = memory.parse_streaming(&file[..]).unwrap_err();
        assert!(matches!(error, heapwire::BinaryExportError::OutOfMemory { .. }), "{error}");
    }
}
