//! How much memory an export takes at most, worked out before anything is allocated.
//!
//! Each of the two parts of an export, writing and reading back, is a sum over what it is made of:
//! buffers of chunks, the model's tables, codecs, batches of events that wait for threads, and what is
//! known of live blocks. All but the last have bounds that follow from the plan and from the sizes of the
//! source's chunks. Live blocks get what is left, and an export that turns out to need more ends with the
//! same error.

use heapwire_core::format::{CRC_LEN, INDEX_EVERY, MAX_HEADER};
use heapwire_core::{ChunkHeader, Event};

use super::encode::{BATCH, MOST_DEFINITIONS};
use super::export::moves;
use crate::error::{BinaryExportError, Result};
use crate::io::available_memory::available_memory;
use crate::io::codec_memory::{compression, decompression};
use crate::io::index::IndexEntry;
use crate::plan::{CapturePlan, ExportPlan, MemoryPlan};
use crate::tables::table_memory;
use crate::trace::replay::LiveBlocks;
use crate::trace::source::Chunks;

/// A buffer that grows takes up to so many times what is in it: twice the old one, and the old one.
const GROWING: usize = 3;

/// The file's buffer, its names, and other small things.
const SMALL: usize = 256 * 1024;

/// Bytes that are read at once.
const READ: usize = 64 * 1024;

/// The most bytes that an event takes in a chunk before compression, on an average of a batch.
const EVENT_BYTES: usize = 16;

/// The same plan within the memory that there is: see [`within_memory`]. MessagePack, which takes a few
/// buffers and what its live blocks need, is not worked out.
///
/// # Errors
/// As [`within_memory`].
pub fn plan_within_memory(plan: ExportPlan, chunks: &Chunks) -> Result<ExportPlan> {
    match plan {
        ExportPlan::Capture(plan) => Ok(ExportPlan::Capture(within_memory(plan, chunks)?)),
        ExportPlan::MessagePack(_) => Ok(plan),
    }
}

/// The same plan with what memory there is for live blocks, and with fewer threads, if that may be and
/// has to.
///
/// # Errors
/// [`OutOfMemory`](BinaryExportError::OutOfMemory) when an export of these chunks would take more than
/// the plan has, or more than the system lets this process have.
pub fn within_memory(plan: CapturePlan, chunks: &Chunks) -> Result<CapturePlan> {
    let system =
        available_memory().map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
    let available = plan.memory.most.min(system);
    if chunks.event_count() == 0 {
        return Ok(plan);
    }
    let live_blocks = live_memory(&plan, chunks);
    let fewest = if plan.memory.fewer_threads { plan.threads.min(2) } else { plan.threads };
    let mut requested = usize::MAX;
    for threads in (fewest..=plan.threads).rev() {
        let plan = CapturePlan { threads, ..plan };
        let fixed = fixed_memory(&plan, chunks);
        requested = fixed.saturating_add(live_blocks);
        if requested <= available {
            let live_blocks = (available - fixed) / maps(&plan, chunks);
            return Ok(CapturePlan {
                memory: MemoryPlan { most: available, live_blocks, ..plan.memory },
                ..plan
            });
        }
    }
    Err(BinaryExportError::OutOfMemory { requested, available })
}

/// How many maps of live blocks there are at once.
fn maps(plan: &CapturePlan, chunks: &Chunks) -> usize {
    // Merging has one of its own.
    if chunks.has_several_streams() && !moves(chunks, plan) { 2 } else { 1 }
}

/// What live blocks are expected to take: twice as many as the headers tell of any moment. Reading back
/// does without.
fn live_memory(plan: &CapturePlan, chunks: &Chunks) -> usize {
    if moves(chunks, plan) {
        return 0;
    }
    let began = chunks.extents().map(|extent| extent.live_blocks);
    let ended = chunks.positions().unwrap_or_default().iter();
    let ended = ended.map(|end| end.totals.allocations.saturating_sub(end.totals.frees));
    let sum = |blocks: u64, more| blocks.saturating_add(more);
    let blocks = began.fold(0, sum).max(ended.fold(0, sum)).saturating_mul(2);
    let blocks = blocks.min(chunks.event_count());
    maps(plan, chunks).saturating_mul(LiveBlocks::memory(blocks))
}

/// All but live blocks.
fn fixed_memory(plan: &CapturePlan, chunks: &Chunks) -> usize {
    let write = match moves(chunks, plan) {
        true => moving(plan, chunks),
        false => encoding(plan, chunks).saturating_add(decoding(chunks)),
    };
    let read = if plan.read_back { reading_back(plan, chunks) } else { 0 };
    write.max(read).saturating_add(SMALL)
}

/// Chunks that are moved as they are.
fn moving(plan: &CapturePlan, chunks: &Chunks) -> usize {
    let longest = chunks.longest();
    let tools = decompression(longest) + compression(plan.compression, longest);
    let waiting = match plan.threads {
        0 | 1 => 0,
        threads => (most_waiting(threads - 1).0 + 1) * longest,
    };
    plan.threads * tools + waiting + writer(longest, chunks.count())
}

/// What writes so many chunks, and keeps the index.
fn writer(chunk: usize, chunks: usize) -> usize {
    GROWING * (chunk + MAX_HEADER + CRC_LEN) + index(chunks)
}

/// The index of so many chunks, until it is written.
fn index(chunks: usize) -> usize {
    GROWING * chunks.min(INDEX_EVERY) * size_of::<IndexEntry>()
}

/// The chunks of the source as events, merged if there are several streams.
fn decoding(chunks: &Chunks) -> usize {
    let unpacking = decompression(chunks.longest()) + chunks.tables();
    if !chunks.has_several_streams() {
        return unpacking;
    }
    let waiting = chunks.extents().map(|extent| {
        let headers = extent.chunks * size_of::<(usize, ChunkHeader)>();
        headers + extent.events as usize * size_of::<Event>()
    });
    unpacking.saturating_add(waiting.fold(0, |sum, more| sum.saturating_add(GROWING * more)))
}

/// What encodes, on all threads.
fn encoding(plan: &CapturePlan, chunks: &Chunks) -> usize {
    let chunk = plan.chunk_size;
    let codec = compression(plan.compression, chunk);
    let encoder = chunk + table_memory(plan.shape(), true) + codec;
    let definitions = codec + GROWING * chunk + MOST_DEFINITIONS;
    let events = usize::try_from(chunks.event_count()).unwrap_or(usize::MAX).min(BATCH);
    let packed = events * EVENT_BYTES;
    let waiting = match plan.threads {
        0 | 1 => packed,
        threads => {
            let (under_way, done) = most_waiting(threads - 1);
            let collected = events.next_power_of_two() * size_of::<(Event, u64)>();
            under_way * collected + collected / 2 + (done + 1) * packed
        }
    };
    plan.threads * encoder + definitions + waiting + writer(chunk, INDEX_EVERY)
}

/// What reads the file back.
fn reading_back(plan: &CapturePlan, chunks: &Chunks) -> usize {
    let (chunk, count) = match moves(chunks, plan) {
        true => (chunks.longest(), chunks.count()),
        false => (plan.chunk_size, INDEX_EVERY),
    };
    decompression(chunk) + GROWING * (chunk + READ) + index(count)
}

/// How many pieces of work are under way at once with so many workers, and how many are done.
fn most_waiting(workers: usize) -> (usize, usize) {
    #[cfg(feature = "parallel")]
    return (super::ordered::most_under_way(workers), super::ordered::most_done(workers));
    #[cfg(not(feature = "parallel"))]
    (workers, workers)
}
