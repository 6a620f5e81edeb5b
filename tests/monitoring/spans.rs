//! Spans of `tracing`: of each stage, within one of the whole, when monitoring is on.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use heapwire::{IntegratedBinaryExporter, IntegratedConfig, LoadBalancingStrategy, ParallelConfig};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Metadata, Subscriber};

use super::{EVENTS, Folder, config, configs, tracker};

#[derive(Clone, Debug, Default)]
struct Collected {
    name: &'static str,
    parent: Option<u64>,
    fields: BTreeMap<String, String>,
    entered: usize,
    exited: usize,
}

/// Collects all spans, by number.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Collected>>>);

impl Collector {
    fn change(&self, span: &Id, change: impl FnOnce(&mut Collected)) {
        change(&mut self.0.lock().unwrap()[span.into_u64() as usize - 1]);
    }

    /// What was collected while `action` ran.
    fn of(action: impl FnOnce()) -> Vec<Collected> {
        let collector = Self::default();
        with_default(collector.clone(), action);
        let spans = collector.0.lock().unwrap();
        spans.clone()
    }
}

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("heapwire")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut spans = self.0.lock().unwrap();
        let mut span = Collected {
            name: attributes.metadata().name(),
            parent: attributes.parent().map(Id::into_u64),
            ..Collected::default()
        };
        attributes.record(&mut Fields(&mut span.fields));
        spans.push(span);
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.change(span, |span| values.record(&mut Fields(&mut span.fields)));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, span: &Id) {
        self.change(span, |span| span.entered += 1);
    }

    fn exit(&self, span: &Id) {
        self.change(span, |span| span.exited += 1);
    }
}

/// How many there are of each name, all within the first.
fn stages(spans: &[Collected]) -> BTreeMap<&'static str, usize> {
    let mut stages = BTreeMap::new();
    for stage in &spans[1..] {
        assert_eq!((stage.parent, stage.entered, stage.exited), (Some(1), 1, 1), "{stage:?}");
        *stages.entry(stage.name).or_default() += 1;
    }
    stages
}

fn monitored(mut config: IntegratedConfig) -> IntegratedBinaryExporter {
    config.enable_monitoring = true;
    IntegratedBinaryExporter::new(config)
}

#[test]
fn each_stage_of_an_export_has_spans_within_one() {
    let (folder, tracker) = (Folder::new(), tracker());
    for config in configs() {
        let mut written = 0;
        let spans = Collector::of(|| {
            let result = monitored(config).export(&tracker, folder.path()).unwrap();
            written = result.bytes_written;
        });
        let whole = &spans[0];
        assert_eq!((whole.name, whole.parent), ("export", None));
        let field = |name: &str| whole.fields.get(name).map(String::as_str);
        assert_eq!(field("path"), Some(&*folder.path().display().to_string()));
        assert_eq!(field("events"), Some(&*EVENTS.to_string()));
        assert_eq!(field("bytes"), Some(&*written.to_string()));

        let stages = stages(&spans);
        assert_eq!((stages["collection"], stages["validation"]), (1, 1));
        assert!(stages["processing"] >= 1 && stages["compression"] > 3 && stages["writing"] > 1);
        assert!(!stages.contains_key("decoding"), "reading back decodes nothing: {stages:?}");
    }
}

#[test]
fn each_stage_of_a_load_has_spans_within_one() {
    let folder = Folder::new();
    let mut exporter = IntegratedBinaryExporter::new(config(2, 4 << 10));
    exporter.export(&tracker(), folder.path()).unwrap();
    // Where chunks may be stolen, this thread might decode them all.
    let mut config = config(2, 4 << 10);
    let mut parallel = ParallelConfig::default();
    parallel.worker_threads = 2;
    parallel.load_balancing = LoadBalancingStrategy::RoundRobin;
    parallel.enable_work_stealing = false;
    config.parallel = Some(parallel);
    let spans = Collector::of(|| {
        monitored(config).load(folder.path()).unwrap();
    });
    assert_eq!((spans[0].name, spans[0].fields["events"].as_str()), ("parse", "60000"));
    let stages = stages(&spans);
    assert_eq!(stages["parsing"], 1);
    assert!(stages["decoding"] > 10, "{stages:?}");
}

#[test]
fn without_monitoring_there_are_none() {
    let (folder, tracker) = (Folder::new(), tracker());
    let spans = Collector::of(|| {
        for config in configs() {
            let mut exporter = IntegratedBinaryExporter::new(config);
            exporter.export(&tracker, folder.path()).unwrap();
            exporter.load(folder.path()).unwrap();
        }
    });
    assert!(spans.is_empty(), "{spans:?}");
}
