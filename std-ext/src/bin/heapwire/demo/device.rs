//! The recorded end of the demo: a real workload on a tracked heap, recorded as a microcontroller
//! records, in four buffers of 256 bytes, and drained to a terminal as if it were a UART.

use std::alloc::System;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use embedded_io_adapters::std::FromStd;
use heapwire::TrackedHeap;
use heapwire::heapwire_core::{Device, Placement, Recorder, Scope, Session, WhenFull};
use serialport::TTYPort;

use super::workload::{self, Sites};
use crate::args::DeviceArgs;
use crate::failure::{Failure, Outcome};

/// Bytes of a buffer, which a chunk's header comes on top of, and how many of them.
pub(crate) const BUFFER_SIZE: usize = 236;
const BUFFERS: usize = 4;
/// Scopes of the workload.
const SCOPES: usize = 32;

/// As UARTs are often set. A pseudo-terminal goes as fast as it can.
pub(crate) const BAUD_RATE: u32 = 115_200;

/// How long a write to the line may take before the device gives up.
const LINE_TIMEOUT: Duration = Duration::from_secs(10);

type DeviceRecorder = Recorder<Demo, BUFFER_SIZE, BUFFERS, SCOPES>;

pub(crate) struct Demo;

impl Device for Demo {
    const PLACEMENT: Placement = Placement::GLIBC_64;
    /// The demo shows every event, so the workload waits for the line: at most 50,000 times 100 us.
    const WHEN_FULL: WhenFull = WhenFull::Wait { attempts: 50_000, relax: wait_for_line };

    fn session() -> Session<'static> {
        Session {
            device: "demo",
            build: env!("CARGO_PKG_VERSION"),
            ticks_per_second: 1_000_000,
            address_bits: 64,
        }
    }

    fn ticks() -> u64 {
        STARTED.get().map_or(0, |started| started.elapsed().as_micros() as u64)
    }
}

static RECORDER: DeviceRecorder = Recorder::new();

/// The heap of the whole command. It reports nothing until the recorder is started, which only the
/// demo's device does.
#[global_allocator]
static HEAP: TrackedHeap<System, &DeviceRecorder> = TrackedHeap::new(System, &RECORDER);

static STARTED: OnceLock<Instant> = OnceLock::new();

fn wait_for_line() {
    thread::sleep(Duration::from_micros(100));
}

/// Scopes of the recorder, for the workload.
struct RecorderSites;

impl Sites for RecorderSites {
    type Guard = Scope<'static, Demo, BUFFER_SIZE, BUFFERS, SCOPES>;

    fn enter(&self, name: &'static str) -> Self::Guard {
        RECORDER.scope(name)
    }
}

pub(crate) fn run(args: &DeviceArgs) -> Result<Outcome, Failure> {
    let path = args.line.to_string_lossy();
    let line = TTYPort::open(&serialport::new(path, BAUD_RATE).timeout(LINE_TIMEOUT))
        .map_err(|error| Failure::Other(format!("cannot open the line: {error}")))?;
    let done = AtomicBool::new(false);
    // A thread allocates while it starts. The drain must not: it would wait for itself.
    let drain_runs = Barrier::new(2);
    STARTED.get_or_init(Instant::now);
    thread::scope(|scope| {
        let drain = scope.spawn(|| {
            drain_runs.wait();
            drain(line, &done)
        });
        drain_runs.wait();
        RECORDER.start();
        workload::run(&RecorderSites);
        RECORDER.stop();
        RECORDER.flush();
        done.store(true, Ordering::Release);
        drain.join().unwrap_or_else(|_| Err(Failure::Other("the drain panicked".to_owned())))
    })
}

/// Sends what is sealed until the workload is done and nothing is left.
fn drain(line: TTYPort, done: &AtomicBool) -> Result<Outcome, Failure> {
    let mut line = FromStd::new(line);
    let failed = |error| Failure::Other(format!("cannot write to the line: {error}"));
    loop {
        let last = done.load(Ordering::Acquire);
        let sent = RECORDER.drain(&mut line).map_err(failed)?;
        if last {
            RECORDER.send_totals(&mut line).map_err(failed)?;
            return Ok(Outcome::Done);
        }
        if sent == 0 {
            thread::yield_now();
        }
    }
}
