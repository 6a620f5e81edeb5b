//! How much a reader takes from an input that may be hostile.

use crate::error::{BinaryExportError, Result};

/// What bounds a reader's time and memory, whatever its input claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most events.
    pub max_events: u64,
    /// The most blocks that are live at one time, where they are followed.
    pub max_live_blocks: usize,
    /// The most bytes of memory for what is collected or waits for its turn.
    pub max_memory: usize,
}

impl Default for Limits {
    /// 2³⁶ events, 2²⁵ live blocks, 4 GiB (half the address space where that is less).
    fn default() -> Self {
        Self {
            max_events: 1 << 36,
            max_live_blocks: 1 << 25,
            max_memory: usize::try_from(1_u64 << 32).unwrap_or(usize::MAX / 2),
        }
    }
}

impl Limits {
    /// Whether so many events are within the limit.
    ///
    /// # Errors
    /// [`Limit`](BinaryExportError::Limit) when they are not.
    #[inline]
    pub fn check_events(&self, events: u64) -> Result<()> {
        match events <= self.max_events {
            true => Ok(()),
            false => Err(BinaryExportError::Limit { field: "max_events", most: self.max_events }),
        }
    }

    /// Whether so many live blocks are within the limit.
    ///
    /// # Errors
    /// As [`check_events`](Self::check_events).
    #[inline]
    pub fn check_live_blocks(&self, blocks: usize) -> Result<()> {
        let most = self.max_live_blocks;
        match blocks <= most {
            true => Ok(()),
            false => Err(BinaryExportError::Limit { field: "max_live_blocks", most: most as u64 }),
        }
    }

    /// Whether `more` bytes of memory are within the limit when so many are taken.
    ///
    /// # Errors
    /// [`OutOfMemory`](BinaryExportError::OutOfMemory) when they are not.
    #[inline]
    pub fn check_memory(&self, taken: usize, more: usize) -> Result<()> {
        let available = self.max_memory.saturating_sub(taken);
        match more <= available {
            true => Ok(()),
            false => Err(BinaryExportError::OutOfMemory { requested: more, available }),
        }
    }
}
