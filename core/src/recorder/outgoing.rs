//! Chunks on their way to the line, and the drain for those who cannot wait: an interrupt's.

use super::{Device, Recorder};
use crate::crc::Crc32;
use crate::format::{CRC_LEN, FRAME_DELIMITER, MAX_HEADER};
use crate::frame::LONGEST;
use crate::header::{ChunkHeader, set_counts};

/// A chunk in two parts: its header, and its payload with the checksum.
// In this order, as a body that begins at a word is copied quicker.
#[repr(C)]
pub(super) struct Outgoing<const SIZE: usize> {
    head_len: usize,
    body_len: usize,
    pub(super) body: [u8; SIZE],
    head: [u8; MAX_HEADER],
}

impl<const SIZE: usize> Outgoing<SIZE> {
    pub(super) const fn new() -> Self {
        Self { head: [0; MAX_HEADER], head_len: 0, body: [0; SIZE], body_len: 0 }
    }

    /// Completes the chunk whose payload is the first `len` bytes of the body; there is room for the
    /// checksum behind them, or else it is `None`.
    pub(super) fn complete(&mut self, header: &ChunkHeader, len: usize) -> Option<()> {
        self.head_len = header.emit(&mut self.head, 0, false)?;
        self.body_len = len.saturating_add(CRC_LEN);
        let whole = self.head_len.saturating_add(self.body_len);
        set_counts(&mut self.head, whole, header.events, false)?;
        let payload = self.body.get(..len)?;
        let checksum = Crc32::new().update(self.head()).update(payload);
        *self.body.get_mut(len..)?.first_chunk_mut()? = checksum.value().to_le_bytes();
        Some(())
    }

    pub(super) fn head(&self) -> &[u8] {
        self.head.get(..self.head_len).unwrap_or_default()
    }

    pub(super) fn body(&self) -> &[u8] {
        self.body.get(..self.body_len).unwrap_or_default()
    }

    fn get(&self, at: usize) -> Option<u8> {
        let body = || self.body().get(at.wrapping_sub(self.head_len));
        self.head().get(at).or_else(body).copied()
    }

    /// How many bytes from here on are no zeros, as many as a piece of a frame may have, and whether
    /// a zero ends them.
    fn piece(&self, from: usize) -> (usize, bool) {
        let at = |distance| self.get(from.wrapping_add(distance));
        let left = (0..LONGEST).take_while(|&distance| at(distance).is_some_and(|byte| byte != 0));
        let left = left.count();
        (left, left < LONGEST && at(left) == Some(0))
    }
}

/// Bytes that an asynchronous link is given at once.
#[cfg(feature = "async")]
const PIECE: usize = 64;

/// What stands next on the line.
#[derive(Clone, Copy)]
enum Stage {
    /// A frame, if there is a chunk. Whether the one before was sent.
    Frame { sent: bool },
    /// So many bytes of a piece; then, unless the chunk ends, the next piece, behind a zero of the chunk
    /// that it stands for.
    Piece { left: usize, zero: bool },
}

/// The frames of a [`Recorder`] a few bytes at a time, for those who cannot wait for a line: an
/// interrupt that says that the UART has room, or the end of a transfer by DMA.
///
/// ```
/// # use heapwire_core::{Device, EventKind, FrameSender, Placement, Recorder, Session};
/// # struct Thermostat;
/// # impl Device for Thermostat {
/// #     const PLACEMENT: Placement = Placement::EMBEDDED_32;
/// #     fn session() -> Session<'static> {
/// #         Session { device: "", build: "", ticks_per_second: 1, address_bits: 32 }
/// #     }
/// #     fn ticks() -> u64 { 0 }
/// # }
/// static RECORDER: Recorder<Thermostat, 236, 4> = Recorder::new();
/// # RECORDER.start();
/// # RECORDER.record(EventKind::Mark { mark: 1 }, 0);
/// # RECORDER.flush();
/// let mut sender = FrameSender::new(&RECORDER); // owned by the interrupt's handler
/// let mut fifo = [0; 16];
/// loop {
///     // In the handler:
///     let filled = sender.fill(&mut fifo);
///     if filled == 0 {
///         break; // nothing to send: leave the interrupt off until something is
///     }
///     // fifo[..filled] to the UART
/// }
/// ```
pub struct FrameSender<'a, D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize> {
    recorder: &'a Recorder<D, SIZE, BUFFERS, NAMES>,
    chunk: Outgoing<SIZE>,
    /// The bytes of the chunk that were handed out.
    at: usize,
    stage: Stage,
}

impl<'a, D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize>
    FrameSender<'a, D, SIZE, BUFFERS, NAMES>
{
    /// A sender at the beginning of a frame. Of the chunk of a sender that was dropped within one, what
    /// the line lacks is lost and counted so.
    #[must_use]
    pub const fn new(recorder: &'a Recorder<D, SIZE, BUFFERS, NAMES>) -> Self {
        Self { recorder, chunk: Outgoing::new(), at: 0, stage: Stage::Frame { sent: false } }
    }

    /// Puts the next bytes for the line to the start of `out` and returns how many: 0 when there is
    /// nothing to send. They end where a frame does, and the call after that tells the recorder that the
    /// frame was sent: call again when what was taken is on its way.
    pub fn fill(&mut self, out: &mut [u8]) -> usize {
        let mut filled: usize = 0;
        for place in out {
            (*place, self.stage) = match self.stage {
                Stage::Frame { .. } if filled > 0 => break,
                Stage::Frame { sent } => {
                    self.stage = Stage::Frame { sent: false };
                    if self.recorder.next(&mut self.chunk, sent).is_none() {
                        break;
                    }
                    self.at = 0;
                    (FRAME_DELIMITER, Stage::Piece { left: 0, zero: false })
                }
                Stage::Piece { left, zero } => {
                    let byte = self.chunk.get(self.at);
                    match (left.checked_sub(1), byte) {
                        (Some(left), Some(byte)) => {
                            self.at = self.at.wrapping_add(1);
                            (byte, Stage::Piece { left, zero })
                        }
                        (_, None) if !zero => (FRAME_DELIMITER, Stage::Frame { sent: true }),
                        _ => {
                            self.at = self.at.wrapping_add(usize::from(zero));
                            let (left, zero) = self.chunk.piece(self.at);
                            ((left as u8).wrapping_add(1), Stage::Piece { left, zero })
                        }
                    }
                }
            };
            filled = filled.wrapping_add(1);
        }
        filled
    }
}

#[cfg(feature = "async")]
impl<D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize>
    Recorder<D, SIZE, BUFFERS, NAMES>
{
    /// As [`drain`](Self::drain) does, without blocking: sends everything sealed. [`Device::sealed`] may
    /// wake the task that calls it. When the future is dropped before it is done, the chunk on its way is
    /// lost and counted so.
    ///
    /// # Errors
    /// The first error of the link. The chunk that it refused is lost, and counted so.
    pub async fn drain_async<W>(&self, link: &mut W) -> Result<(), W::Error>
    where
        W: embedded_io_async::Write,
    {
        let mut sender = FrameSender::new(self);
        let mut bytes = [0; PIECE];
        loop {
            let filled = sender.fill(&mut bytes);
            match bytes.get(..filled) {
                Some(filled) if !filled.is_empty() => link.write_all(filled).await?,
                _ => return link.flush().await,
            }
        }
    }
}
