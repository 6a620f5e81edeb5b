//! Chunks on their way to the line, and the drain for those who cannot wait: an interrupt's.

use super::{Device, Recorder};
use crate::crc::Crc32;
use crate::format::{CRC_LEN, FRAME_DELIMITER, MAX_HEADER};
use crate::frame::LONGEST;
use crate::header::set_counts;

/// A chunk that becomes a frame, where it stands and piece by piece.
// Small fields first, which takes smaller instructions; and a body that begins at a word is copied quicker.
#[repr(C)]
pub(super) struct Outgoing<const SIZE: usize> {
    pub(super) stage: Stage,
    /// How many events are in it.
    pub(super) events: u16,
    pub(super) body_len: usize,
    pub(super) head_len: usize,
    /// How much of the part that the stage is named after was handed out.
    at: usize,
    stuffing: Stuffing,
    /// The payload.
    pub(super) body: [u8; SIZE],
    pub(super) head: [u8; MAX_HEADER],
    /// The checksum, and the zero that ends the last piece.
    tail: [u8; CRC_LEN + 1],
}

/// What of a frame is next.
#[derive(Clone, Copy)]
// As wide as its neighbour, so that all is cleared at once.
#[repr(u16)]
pub(super) enum Stage {
    /// Nothing.
    Done,
    /// Nothing yet: definitions are being written.
    Definitions,
    Start,
    Head,
    Body,
    Tail,
    End,
}

impl<const SIZE: usize> Outgoing<SIZE> {
    /// Without a chunk. All zeros.
    pub(super) const fn new() -> Self {
        Self {
            stage: Stage::Done,
            events: 0,
            body_len: 0,
            head_len: 0,
            at: 0,
            stuffing: Stuffing { crc: Crc32::ZERO, run: 0 },
            body: [0; SIZE],
            head: [0; MAX_HEADER],
            tail: [0; CRC_LEN + 1],
        }
    }

    /// Completes the chunk of so many events, whose header and payload are there.
    #[inline(always)]
    pub(super) fn complete(&mut self) {
        let len = self.head_len.wrapping_add(self.body_len).wrapping_add(CRC_LEN);
        // They have 16 bits each.
        let _ = set_counts(&mut self.head, len, self.events.into(), false);
        (self.stage, self.at, self.stuffing) = (Stage::Start, 0, Stuffing::NEW);
    }

    /// The next bytes of the frame, at most so many of them; none when it is done.
    #[inline(never)]
    pub(super) fn piece(&mut self, most: usize) -> &[u8] {
        if self.stuffing.run >= LONGEST {
            self.stuffing.run = 0;
            return &[u8::MAX];
        }
        let (part, len, next) = match self.stage {
            Stage::Start => {
                self.stage = Stage::Head;
                return &[FRAME_DELIMITER];
            }
            Stage::Head if self.body_len == 0 => (&mut self.head[..], self.head_len, Stage::Tail),
            Stage::Head => (&mut self.head[..], self.head_len, Stage::Body),
            Stage::Body => (&mut self.body[..], self.body_len, Stage::Tail),
            Stage::Tail => {
                if self.at == 0 {
                    let [a, b, c, d] = self.stuffing.crc.value().to_le_bytes();
                    self.tail = [a, b, c, d, 0];
                }
                (&mut self.tail[..], CRC_LEN + 1, Stage::End)
            }
            Stage::End => {
                self.stage = Stage::Done;
                return &[FRAME_DELIMITER];
            }
            Stage::Done | Stage::Definitions => return &[],
        };
        let most = most.min(LONGEST.wrapping_sub(self.stuffing.run));
        let end = self.at.wrapping_add(most).min(len);
        let piece = part.get_mut(self.at..end).unwrap_or_default();
        self.at = end;
        if end >= len {
            (self.stage, self.at) = (next, 0);
        }
        self.stuffing = self.stuffing.stuff(piece);
        piece
    }
}

/// Takes zeros out, and finds the checksum, in one go.
#[derive(Clone, Copy)]
struct Stuffing {
    crc: Crc32,
    /// Bytes since the last zero, at most [`LONGEST`].
    run: usize,
}

impl Stuffing {
    const NEW: Self = Self { crc: Crc32::NEW, run: 0 };

    /// Stuffs the next bytes, no more than a piece of a frame has room for.
    #[inline(never)]
    fn stuff(mut self, bytes: &mut [u8]) -> Self {
        let (words, rest) = bytes.as_chunks_mut::<4>();
        for word in words {
            let value = u32::from_le_bytes(*word);
            // Whether a byte is 0; what is below such a byte does not matter.
            let zeros = value.wrapping_sub(0x0101_0101) & !value & 0x8080_8080;
            if zeros == 0 {
                self.crc = self.crc.word(value);
                self.run = self.run.wrapping_add(4);
            } else {
                self = self.stuff_bytes(word);
            }
        }
        self.stuff_bytes(rest)
    }

    #[inline(never)]
    fn stuff_bytes(mut self, bytes: &mut [u8]) -> Self {
        for byte in bytes {
            self.crc = self.crc.byte(*byte);
            self.run = self.run.wrapping_add(1);
            if *byte == 0 {
                // A piece's length, and one more.
                *byte = self.run as u8;
                self.run = 0;
            }
        }
        self
    }
}

/// Bytes that an asynchronous link is given at once.
#[cfg(feature = "async")]
const PIECE: usize = 64;

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
    /// Whether the chunk is on its way, or was.
    sent: bool,
}

impl<'a, D: Device, const SIZE: usize, const BUFFERS: usize, const NAMES: usize>
    FrameSender<'a, D, SIZE, BUFFERS, NAMES>
{
    /// A sender at the beginning of a frame. Of the chunk of a sender that was dropped within one, what
    /// the line lacks is lost and counted so.
    #[must_use]
    pub const fn new(recorder: &'a Recorder<D, SIZE, BUFFERS, NAMES>) -> Self {
        Self { recorder, chunk: Outgoing::new(), sent: false }
    }

    /// Puts the next bytes for the line to the start of `out` and returns how many: 0 when there is
    /// nothing to send. They end where a frame does, and the call after that tells the recorder that the
    /// frame was sent: call again when what was taken is on its way.
    pub fn fill(&mut self, out: &mut [u8]) -> usize {
        let mut filled: usize = 0;
        while let Some(room) = out.get_mut(filled..)
            && !room.is_empty()
        {
            let piece = self.chunk.piece(room.len());
            for (place, byte) in room.iter_mut().zip(piece) {
                *place = *byte;
            }
            let len = piece.len();
            if len == 0 {
                if filled > 0 {
                    break;
                }
                self.sent = self.recorder.next(&mut self.chunk, self.sent);
                if !self.sent {
                    break;
                }
            }
            filled = filled.wrapping_add(len);
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
