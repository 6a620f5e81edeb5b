//! Progress: told after each chunk, and cancelled by the answer.

use std::fs;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use heapwire::{
    BinaryDataParser, BinaryExport, BinaryExportError, IntegratedBinaryExporter, IntegratedConfig,
    ParserConfig, Phase, Progress,
};

use super::{EVENTS, Folder, configs, tracker};

type Reports = Arc<Mutex<Vec<Progress>>>;

/// Keeps what is told, and breaks off after so many reports.
fn observer(patience: usize) -> (Reports, impl Fn(&Progress) -> ControlFlow<()> + Send + Sync) {
    let reports = Reports::default();
    let kept = Arc::clone(&reports);
    let observe = move |progress: &Progress| {
        let mut kept = kept.lock().unwrap();
        kept.push(*progress);
        if kept.len() > patience { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    (reports, observe)
}

/// The reports of a phase, which begin with nothing, never go back, and end with all of these.
fn phase(reports: &Reports, phase: Phase, bytes: u64, events: u64) -> Vec<Progress> {
    let reports = reports.lock().unwrap();
    let of_phase: Vec<_> = reports.iter().filter(|told| told.phase == phase).copied().collect();
    assert!(of_phase.len() > 3, "{of_phase:?}");
    assert_eq!((of_phase[0].bytes, of_phase[0].events), (0, 0));
    for pair in of_phase.windows(2) {
        assert!(pair[0].bytes <= pair[1].bytes && pair[0].events <= pair[1].events, "{pair:?}");
    }
    let last = of_phase[of_phase.len() - 1];
    assert_eq!((last.bytes, last.events), (bytes, events));
    of_phase
}

#[test]
fn an_export_tells_how_far_it_is_and_so_does_reading_back() {
    let (folder, tracker) = (Folder::new(), tracker());
    for config in configs() {
        let (reports, observe) = observer(usize::MAX);
        let mut exporter = IntegratedBinaryExporter::new(config).on_progress(observe);
        let result = exporter.export(&tracker, folder.path()).unwrap();

        for told in phase(&reports, Phase::Export, result.bytes_written, EVENTS) {
            assert_eq!((told.total_bytes, told.total_events), (None, Some(EVENTS)));
            assert_eq!(told.fraction(), Some(told.events as f64 / EVENTS as f64));
        }
        for told in phase(&reports, Phase::Validation, result.bytes_written, EVENTS) {
            assert_eq!(told.total_bytes, Some(result.bytes_written));
            assert_eq!(told.total_events, Some(EVENTS));
        }
    }
}

#[test]
fn a_cancelled_export_leaves_the_old_file_alone() {
    let (folder, tracker) = (Folder::new(), tracker());
    for config in configs() {
        let (reports, observe) = observer(usize::MAX);
        let other = folder.path().with_extension("other");
        let mut exporter = IntegratedBinaryExporter::new(config.clone()).on_progress(observe);
        exporter.export(&tracker, &other).unwrap();
        fs::remove_file(other).unwrap();
        let reports = reports.lock().unwrap().len();

        for patience in [0, 1, reports / 3, reports / 2, reports - 1] {
            let (told, observe) = observer(patience);
            let mut exporter = IntegratedBinaryExporter::new(config.clone()).on_progress(observe);
            let error = exporter.export(&tracker, folder.path()).unwrap_err();
            assert!(matches!(error, BinaryExportError::Cancelled), "{error}");
            assert_eq!(told.lock().unwrap().len(), patience + 1, "nothing after the answer");
            assert!(folder.is_as_it_was(), "{patience} of {reports}");
        }
    }
}

#[test]
fn a_parse_tells_how_far_it_is_and_is_cancelled() {
    let folder = Folder::new();
    let length = BinaryExport::export_default(&tracker(), folder.path()).unwrap().bytes_written;
    for parallel in [None, ParserConfig::default().parallel] {
        let config = || {
            let mut config = ParserConfig::default();
            config.parallel.clone_from(&parallel);
            config
        };
        let (reports, observe) = observer(usize::MAX);
        let parser = BinaryDataParser::new(config()).on_progress(observe);
        assert_eq!(parser.parse_file(folder.path()).unwrap().trace.event_count(), EVENTS);
        for told in phase(&reports, Phase::Parse, length, EVENTS) {
            assert_eq!((told.total_bytes, told.total_events), (Some(length), None));
            assert_eq!(told.fraction(), Some(told.bytes as f64 / length as f64));
        }

        // A stream's end is not known before it is there.
        let (streamed, observe) = observer(usize::MAX);
        let parser = BinaryDataParser::new(config()).on_progress(observe);
        parser.parse_streaming(&fs::read(folder.path()).unwrap()[..]).unwrap();
        let streamed = streamed.lock().unwrap();
        assert!(streamed.iter().all(|told| told.total_bytes.is_none()));
        assert_eq!(streamed.len(), reports.lock().unwrap().len());

        for patience in [0, 1, streamed.len() - 1] {
            let (told, observe) = observer(patience);
            let parser = BinaryDataParser::new(config()).on_progress(observe);
            let error = parser.parse_file(folder.path()).unwrap_err();
            assert!(matches!(error, BinaryExportError::Cancelled), "{error}");
            assert_eq!(told.lock().unwrap().len(), patience + 1);
        }
    }
}

#[test]
fn a_load_tells_what_its_exporter_is_observed_by() {
    let folder = Folder::new();
    let length = BinaryExport::export_default(&tracker(), folder.path()).unwrap().bytes_written;
    let (reports, observe) = observer(usize::MAX);
    let exporter = IntegratedBinaryExporter::new(IntegratedConfig::default()).on_progress(observe);
    exporter.load(folder.path()).unwrap();
    phase(&reports, Phase::Parse, length, EVENTS);
}
