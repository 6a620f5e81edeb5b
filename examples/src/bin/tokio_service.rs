//! A small service that watches its own heap: it stores values by key for whoever connects, and exports
//! what its allocator saw every minute and on request, while it goes on answering on its only thread.
//!
//! Run it with `cargo run -p heapwire-examples --bin tokio_service 127.0.0.1:7070`, talk to it with
//! `nc 127.0.0.1 7070`, and look at `tokio_service.hwcap` with
//! `cargo run --release -- info tokio_service.hwcap`.

use std::alloc::System;
use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use heapwire::{GlobalTracker, IntegratedBinaryExporter, IntegratedConfig, TrackedHeap};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify};
use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval};

static TRACKER: GlobalTracker = GlobalTracker::new();

#[global_allocator]
static HEAP: TrackedHeap<System, &GlobalTracker> = TrackedHeap::new(System, &TRACKER);

const EXPORT: &str = "tokio_service.hwcap";

const EXPORT_EVERY: Duration = Duration::from_secs(60);

/// A longer request is not one.
const MAX_REQUEST: u64 = 64 * 1024;

/// What the service holds.
struct Service {
    values: RefCell<HashMap<String, String>>,
    /// One export at a time: the next one waits for it, asynchronously.
    exporter: Mutex<IntegratedBinaryExporter>,
    shutdown: Notify,
}

impl Service {
    fn new() -> Self {
        Self {
            values: RefCell::default(),
            exporter: Mutex::new(IntegratedBinaryExporter::new(IntegratedConfig::balanced())),
            shutdown: Notify::new(),
        }
    }

    /// Exports all that was recorded so far. The service's thread does none of the work, and if it
    /// drops this in the middle, no half-written file is left.
    async fn export(&self) -> heapwire::Result<String> {
        let mut exporter = self.exporter.lock().await;
        let result = exporter.export_async(&TRACKER, EXPORT).await?;
        Ok(format!("exported {} events in {} bytes", result.events, result.bytes_written))
    }

    fn store(&self, key: &str, value: &str) {
        // A scope is its thread's and must not be held across an `await`, where tasks take turns.
        let _scope = TRACKER.scope("store");
        self.values.borrow_mut().insert(key.to_owned(), value.to_owned());
    }

    async fn answer(&self, request: &str) -> String {
        let words: Vec<&str> = request.trim_end().splitn(3, ' ').collect();
        match words[..] {
            ["put", key, value] => {
                self.store(key, value);
                "ok".to_owned()
            }
            ["put", key] => {
                self.store(key, "");
                "ok".to_owned()
            }
            ["get", key] => {
                self.values.borrow().get(key).map_or_else(|| "none".to_owned(), String::clone)
            }
            ["drop", key] => match self.values.borrow_mut().remove(key) {
                Some(_) => "ok".to_owned(),
                None => "none".to_owned(),
            },
            ["export"] => match self.export().await {
                Ok(done) => done,
                Err(error) => format!("not exported: {error}"),
            },
            ["status"] => {
                let status = self.exporter.lock().await.get_system_status();
                let keys = self.values.borrow().len();
                let (exports, memory) = (status.exports.succeeded, status.memory_usage);
                format!("{keys} keys, {exports} exports, {memory} bytes of memory")
            }
            ["shutdown"] => {
                self.shutdown.notify_one();
                "bye".to_owned()
            }
            _ => "unknown request: put KEY VALUE, get KEY, drop KEY, export, status, shutdown"
                .to_owned(),
        }
    }

    async fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut request = String::new();
        loop {
            request.clear();
            (&mut stream).take(MAX_REQUEST).read_line(&mut request).await?;
            if !request.ends_with('\n') {
                return Ok(()); // the end, or too long
            }
            let answer = self.answer(&request).await + "\n";
            stream.get_mut().write_all(answer.as_bytes()).await?;
        }
    }
}

/// Answers until it is told to shut down.
async fn run(address: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let service = Rc::new(Service::new());

    let exporting = Rc::clone(&service);
    tokio::task::spawn_local(async move {
        let mut minute = interval(EXPORT_EVERY);
        minute.set_missed_tick_behavior(MissedTickBehavior::Delay);
        minute.tick().await; // the first is at once
        loop {
            minute.tick().await;
            if let Err(error) = exporting.export().await {
                eprintln!("not exported: {error}");
            }
        }
    });

    let accepting = Rc::clone(&service);
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = Rc::clone(&accepting);
            // A connection that breaks is its client's affair.
            tokio::task::spawn_local(async move { service.serve(stream).await });
        }
    });

    service.shutdown.notified().await;
    // What was answered last is still to be sent.
    tokio::task::yield_now().await;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    TRACKER.start();
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7070".to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, run(&address))
}
