//! Exports beside a tokio runtime: it goes on meanwhile, and what is dropped ends.

use std::future::Future;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use heapwire::trace::source::{ChunkSource, Chunks, SnapshotTask};
use heapwire::{
    BinaryDataParser, BinaryExport, BinaryExportError, IntegratedBinaryExporter, IntegratedConfig,
    MemoryTracker, ParserConfig, Phase, Progress, Result, validate_binary_file,
};
use tokio::runtime::{Builder, Runtime};

use super::{EVENTS, Folder, configs, tracker};

/// Long enough for anything that comes to an end at all.
const PATIENCE: Duration = Duration::from_secs(120);

fn one_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Polls once, as a runtime of this thread would.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Threads that work for heapwire.
#[cfg(target_os = "linux")]
fn worker_threads() -> usize {
    let is_ours = |task: &std::fs::DirEntry| {
        let name = std::fs::read_to_string(task.path().join("comm"));
        name.is_ok_and(|name| name.starts_with("heapwire-"))
    };
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.filter(|task| is_ours(task.as_ref().unwrap())).count()
}

/// A source that tells which thread took its snapshot.
#[derive(Clone)]
struct Witness {
    tracker: Arc<MemoryTracker>,
    taken_by: Arc<Mutex<Option<ThreadId>>>,
}

impl Witness {
    fn new() -> Self {
        Self { tracker: Arc::new(tracker()), taken_by: Arc::default() }
    }
}

impl ChunkSource for Witness {
    fn snapshot(&self) -> Chunks {
        *self.taken_by.lock().unwrap() = Some(thread::current().id());
        self.tracker.snapshot()
    }

    fn snapshot_later(&self) -> SnapshotTask {
        let witness = self.clone();
        SnapshotTask::new(move || witness.snapshot())
    }
}

/// Has each report wait until a task of the runtime has ticked some more: a runtime that was blocked
/// would never.
fn waits_for(
    ticks: &Arc<AtomicU64>,
) -> impl Fn(&Progress) -> ControlFlow<()> + Send + Sync + use<> {
    let ticks = Arc::clone(ticks);
    move |_| {
        let seen = ticks.load(Ordering::Relaxed);
        let started = Instant::now();
        while ticks.load(Ordering::Relaxed) < seen + 10 {
            if started.elapsed() > PATIENCE {
                return ControlFlow::Break(());
            }
            thread::yield_now();
        }
        ControlFlow::Continue(())
    }
}

async fn tick(ticks: Arc<AtomicU64>) {
    loop {
        ticks.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

#[test]
fn the_only_thread_of_a_runtime_goes_on_while_an_export_works() {
    let folder = Folder::new();
    for config in configs() {
        let (source, ticks) = (Witness::new(), Arc::new(AtomicU64::new(0)));
        let mut exporter = IntegratedBinaryExporter::new(config).on_progress(waits_for(&ticks));
        one_thread().block_on(async {
            let ticking = tokio::spawn(tick(Arc::clone(&ticks)));
            let result = exporter.export_async(&source, folder.path()).await.unwrap();
            assert_eq!(result.events, EVENTS);
            let before = ticks.load(Ordering::Relaxed);
            assert!(before >= 10 * 6, "{before} ticks");

            let trace = exporter.load_async(folder.path()).await.unwrap();
            assert_eq!(trace.event_count(), EVENTS);
            assert!(ticks.load(Ordering::Relaxed) >= before + 10 * 3);
            ticking.abort();
        });
        let taken_by = source.taken_by.lock().unwrap().expect("it was taken");
        assert_ne!(taken_by, thread::current().id());
        assert!(validate_binary_file(folder.path()).unwrap().is_valid);
        assert_eq!(exporter.get_system_status().exports.succeeded, 1);
    }
}

#[test]
fn a_tracker_s_snapshot_waits_for_the_thread_that_may_be_blocked() {
    let tracker = tracker();
    let later = tracker.snapshot_later();
    tracker.track_allocation(1 << 40, 1);
    assert_eq!(later.take().event_count(), EVENTS + 1);
}

/// Cancels an export by dropping it when `phase` has come so far.
fn drop_in(config: IntegratedConfig, phase: Phase, reports: u64) {
    let folder = Folder::new();
    let tracker = tracker();
    // The export stands still from its report on until it is dropped.
    let stands = Arc::new(Barrier::new(2));
    let (at, count, first) = (Arc::clone(&stands), AtomicU64::new(0), AtomicBool::new(true));
    let mut exporter = IntegratedBinaryExporter::new(config).on_progress(move |progress| {
        let is_it = progress.phase == phase && count.fetch_add(1, Ordering::Relaxed) >= reports;
        if is_it && first.swap(false, Ordering::Relaxed) {
            at.wait();
            at.wait();
        }
        ControlFlow::Continue(())
    });
    let runtime = one_thread();
    {
        let _entered = runtime.enter();
        let mut export = pin!(exporter.export_async(&tracker, folder.path()));
        assert!(poll_once(export.as_mut()).is_pending());
        stands.wait();
        assert!(poll_once(export.as_mut()).is_pending());
    }
    assert!(!folder.is_as_it_was(), "there is no temporary file to vanish");
    stands.wait();
    eventually("the file vanishes", || folder.is_as_it_was());
    assert_eq!(exporter.get_system_status().exports.cancelled, 1);
    drop(runtime); // waits for the threads of its own
    assert!(folder.is_as_it_was());
}

#[test]
fn a_dropped_export_leaves_no_file_and_no_thread() {
    for config in configs() {
        drop_in(config.clone(), Phase::Export, 0);
        drop_in(config.clone(), Phase::Export, 2);
        drop_in(config.clone(), Phase::Validation, 0);
        drop_in(config, Phase::Validation, 2);
    }
    #[cfg(target_os = "linux")]
    eventually("all threads end", || worker_threads() == 0);
}

#[test]
fn what_is_dropped_before_it_begins_never_does() {
    let (folder, source) = (Folder::new(), Witness::new());
    let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let (release, blocked) = mpsc::channel::<()>();
    runtime.spawn_blocking(move || blocked.recv());
    {
        let _entered = runtime.enter();
        let export = BinaryExport::export_async(&source, folder.path());
        assert!(poll_once(pin!(export)).is_pending());
    }
    drop(release);
    drop(runtime);
    assert_eq!(*source.taken_by.lock().unwrap(), None);
    assert!(folder.is_as_it_was());
}

#[test]
fn a_runtime_that_has_shut_down_cancels() {
    let (folder, tracker) = (Folder::new(), tracker());
    let runtime = one_thread();
    let handle = runtime.handle().clone();
    runtime.shutdown_background();
    let _entered = handle.enter();
    let outcome = poll_once(pin!(BinaryExport::export_async(&tracker, folder.path())));
    assert!(matches!(outcome, Poll::Ready(Err(BinaryExportError::Cancelled))), "{outcome:?}");
    assert!(folder.is_as_it_was());
}

#[test]
fn without_a_runtime_there_is_an_error() {
    let (folder, tracker) = (Folder::new(), tracker());
    let told = |error: BinaryExportError| {
        assert!(matches!(error, BinaryExportError::NoRuntime), "{error}");
    };
    match poll_once(pin!(BinaryExport::export_async(&tracker, folder.path()))) {
        Poll::Ready(Err(error)) => told(error),
        other => panic!("{other:?}"),
    }
    let parser = BinaryDataParser::new(ParserConfig::default());
    match poll_once(pin!(parser.parse_file_async(folder.path()))) {
        Poll::Ready(Err(error)) => told(error),
        other => panic!("{other:?}"),
    }
    assert!(folder.is_as_it_was());
}

/// What went wrong, to the last detail.
fn error<T: std::fmt::Debug>(result: Result<T>) -> String {
    format!("{:?}", result.expect_err("an error"))
}

#[test]
fn errors_are_those_of_the_blocking_calls() {
    let folder = Folder::new();
    let (missing, path) = (folder.path().with_extension("d").join("x"), folder.path());
    let (full, empty) = (tracker(), MemoryTracker::new());
    let mut refused = IntegratedConfig::default();
    refused.processing.chunk_size = 1;
    let balanced = IntegratedConfig::default;
    one_thread().block_on(async {
        for (config, tracker, path) in
            [(balanced(), &empty, &path), (balanced(), &full, &missing), (refused, &full, &path)]
        {
            let mut exporter = IntegratedBinaryExporter::new(config);
            let blocking = error(exporter.export(tracker, path));
            assert_eq!(error(exporter.export_async(tracker, path).await), blocking);
            assert_eq!(exporter.get_system_status().exports.failed, 2);
        }
        let cancelling = |_: &Progress| ControlFlow::Break(());
        let mut exporter = IntegratedBinaryExporter::new(balanced()).on_progress(cancelling);
        let blocking = error(exporter.export(&full, &path));
        assert_eq!(error(exporter.export_async(&full, &path).await), blocking);
        assert_eq!(exporter.get_system_status().exports.cancelled, 2);

        // The old file is no capture.
        for path in [&path, &missing] {
            let exporter = IntegratedBinaryExporter::new(balanced());
            let blocking = error(exporter.load(path));
            assert_eq!(error(exporter.load_async(path).await), blocking);
        }
    });
    assert!(folder.is_as_it_was());
}

#[test]
fn a_panic_of_an_observer_is_the_caller_s() {
    let (folder, tracker) = (Folder::new(), tracker());
    let mut exporter = IntegratedBinaryExporter::new(IntegratedConfig::default())
        .on_progress(|_| panic!("no more"));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        one_thread().block_on(exporter.export_async(&tracker, folder.path()))
    }));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"no more"));
    assert!(folder.is_as_it_was());
}

#[test]
fn futures_may_be_spawned() {
    fn is_send<T: Send>(future: T) -> T {
        future
    }

    let (folder, tracker) = (Folder::new(), Arc::new(tracker()));
    let runtime = one_thread();
    let path = folder.path();
    let task = runtime.spawn(async move {
        let mut exporter = IntegratedBinaryExporter::new(IntegratedConfig::default());
        is_send(exporter.export_async(&*tracker, &path)).await?;
        is_send(exporter.load_async(&path)).await
    });
    assert_eq!(runtime.block_on(task).unwrap().unwrap().event_count(), EVENTS);
}
