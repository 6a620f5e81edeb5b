//! `heapwire record`: what a device sends, into a capture that is complete at every moment it could be
//! killed.

mod display;
mod summary;
mod text;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use heapwire::heapwire_core::Chunk;
use heapwire::io::growing_file::GrowingFile;
use heapwire::io::line::{Arrival, LineReader, LineState, LineStats};
use heapwire::io::link::{Link, Opener};
use heapwire::pipeline::receive::{Received, Receiver};
use heapwire::plan::CapturePlan;
use heapwire::{BinaryExportError, IntegratedConfig};

use self::display::Display;
use self::summary::Summary;
use self::text::TextOutput;
use crate::args::RecordArgs;
use crate::failure::{Failure, Outcome, told};
use crate::units::{bytes_text, counted};

/// How often the capture is made complete again. Each time takes about a hundred bytes.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// How long to wait before a line that went away is looked for again.
const RECONNECT_EVERY: Duration = Duration::from_millis(250);

pub(crate) fn run(args: &RecordArgs) -> Result<Outcome, Failure> {
    let until = Until::new(args.duration)?;
    let mut opener = Opener::new(args.source.clone(), args.follow);
    let mut recording = Recording::new(args)?;
    let mut reader: Option<LineReader<Link>> = None;
    while let Some(link) = open(&mut opener, reader.is_some() || args.wait, &until, &recording)? {
        let reader = match &mut reader {
            None => reader.insert(LineReader::new(link)),
            Some(reader) => {
                reader.reconnect(link);
                reader
            }
        };
        recording.take_in(reader, &until)?;
        if until.is_over() || args.once || !opener.source().comes_back() {
            break;
        }
        recording.display.note("the line went away: waiting for it");
    }
    let stats = reader.map(|reader| reader.stats()).unwrap_or_default();
    let summary = recording.finish(args, &stats)?;
    let mut out = io::stdout().lock();
    told(summary.print(&mut out, args.json), Outcome::Done)
}

/// When recording ends by itself: a signal, or time is up.
struct Until {
    stopped: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Until {
    fn new(duration: Option<Duration>) -> Result<Self, Failure> {
        let stopped = Arc::new(AtomicBool::new(false));
        let handler = Arc::clone(&stopped);
        ctrlc::set_handler(move || handler.store(true, Ordering::Relaxed))
            .map_err(|error| Failure::Other(format!("cannot wait for Ctrl-C: {error}")))?;
        let deadline = duration.and_then(|duration| Instant::now().checked_add(duration));
        Ok(Self { stopped, deadline })
    }

    fn is_over(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Opens the line; `None` when recording ends before that. What is not there is waited for if it was there
/// before, or may come yet.
fn open(
    opener: &mut Opener,
    waits: bool,
    until: &Until,
    recording: &Recording,
) -> Result<Option<Link>, Failure> {
    while !until.is_over() {
        match opener.open() {
            Ok(Some(link)) => {
                recording.display.note(&format!("listening to {}", opener.source()));
                return Ok(Some(link));
            }
            Ok(None) => {}
            Err(_) if waits && opener.source().comes_back() => thread::sleep(RECONNECT_EVERY),
            Err(error) => {
                return Err(Failure::Other(format!("cannot open {}: {error}", opener.source())));
            }
        }
    }
    Ok(None)
}

/// The capture, and what was learned on the way.
struct Recording {
    receiver: Receiver<Vec<u8>>,
    file: GrowingFile,
    text: TextOutput,
    display: Display,
    begun: Instant,
    /// When the file was made complete last, if anything was written.
    checkpoint: Option<Instant>,
    /// Whether a chunk came since then.
    is_behind: bool,
}

impl Recording {
    fn new(args: &RecordArgs) -> Result<Self, Failure> {
        let mut plan = CapturePlan::try_from(&IntegratedConfig::balanced())?;
        // A line brings less than one thread can encode.
        plan.threads = 1;
        Ok(Self {
            receiver: Receiver::new(Vec::new(), plan)?,
            file: GrowingFile::new(&args.output),
            text: TextOutput::new(args.text.as_deref(), args.defmt.as_deref())?,
            display: Display::new(args.source.bytes_per_second()),
            begun: Instant::now(),
            checkpoint: None,
            is_behind: false,
        })
    }

    /// Reads until the line goes away or recording ends.
    fn take_in(&mut self, reader: &mut LineReader<Link>, until: &Until) -> Result<(), Failure> {
        loop {
            let mut failure = None;
            let state = reader.poll(|arrival| {
                let taken = match arrival {
                    Arrival::Chunk(chunk) => self.chunk(chunk),
                    Arrival::Text { text, ends } => self.text.text(text, ends, &self.display),
                    Arrival::Other(piece) => self.text.other(piece),
                };
                if let Err(error) = taken {
                    failure.get_or_insert(error);
                }
                Ok(())
            });
            if let Some(failure) = failure {
                return Err(failure);
            }
            // A socket that was reset, a port that was unplugged: gone, and perhaps back soon.
            let state = match state {
                Err(BinaryExportError::Stream { .. }) => LineState::Closed,
                state => state.map_err(Failure::of(self.file.path()))?,
            };
            let is_due = self.checkpoint.is_none_or(|last| last.elapsed() >= CHECKPOINT_EVERY);
            if self.is_behind && is_due {
                self.make_complete()?;
            }
            let ends = state == LineState::Closed || until.is_over();
            self.display.update(&reader.stats(), &self.receiver, ends);
            if ends {
                return Ok(());
            }
        }
    }

    fn chunk(&mut self, chunk: &Chunk<'_>) -> Result<(), Failure> {
        let failed = Failure::of(self.file.path());
        match self.receiver.chunk(chunk, |_| {}).map_err(failed)? {
            Received::Repeated => return Ok(()),
            Received::Next | Received::AfterGap(_) => {}
            Received::Restarted(before) => {
                let blocks = before.allocations.saturating_sub(before.frees);
                let bytes = bytes_text(before.bytes_in_use);
                let held = counted(blocks, "block");
                self.display
                    .note(&format!("the device was started anew; before, it held {held}, {bytes}"));
            }
        }
        self.is_behind = true;
        Ok(())
    }

    fn make_complete(&mut self) -> Result<(), Failure> {
        self.receiver.checkpoint().map_err(Failure::of(self.file.path()))?;
        let written = self.receiver.out_mut();
        self.file.append(written).map_err(Failure::io("write", self.file.path()))?;
        written.clear();
        (self.checkpoint, self.is_behind) = (Some(Instant::now()), false);
        Ok(())
    }

    fn finish(mut self, args: &RecordArgs, line: &LineStats) -> Result<Summary, Failure> {
        self.display.clear();
        self.text.finish()?;
        if self.is_behind {
            self.make_complete()?;
        }
        if self.file.is_empty() {
            let hint = match line.bytes {
                0 => "",
                _ => "; is that heapwire's line, at the right rate?",
            };
            return Err(Failure::Other(format!(
                "nothing was recorded: {} came from {}, {} and no whole chunk{hint}",
                counted(line.bytes, "byte"),
                args.source,
                counted(line.damaged_frames, "damaged frame"),
            )));
        }
        self.file.sync().map_err(Failure::io("write", self.file.path()))?;
        Summary::new(args, &self, line)
    }
}
