//! Who takes part: anything that turns a trace into bytes and back.

mod arrow;
mod columns;
mod ours;
mod parquet;
mod pco;
mod row_formats;

use anyhow::Result;

use crate::trace::{Events, Trace};

/// The contender that times are compared with.
pub const REFERENCE: &str = "serde_json";
/// The same, for contenders that compress with Zstd.
pub const ZSTD_REFERENCE: &str = "serde_json + Zstd 3";

/// Events that peers encode together and can decode alone.
const BATCH: usize = 64 * 1024;

/// Turns whole traces into bytes and back, again and again with the same buffers and contexts.
pub trait Coder {
    /// Appends the trace to `out`.
    ///
    /// # Errors
    /// When the format cannot hold it.
    fn encode(&mut self, trace: &Trace, out: &mut Vec<u8>) -> Result<()>;

    /// Appends the events that `bytes` hold to one of the two forms in `out`.
    ///
    /// # Errors
    /// When `bytes` are not what [`encode`](Self::encode) made.
    fn decode(&mut self, bytes: &[u8], out: &mut Events) -> Result<()>;
}

/// Makes a coder with empty buffers.
type Make = Box<dyn Fn() -> Result<Box<dyn Coder>>>;

/// A coder with its name.
pub struct Contender {
    /// Which format, and with which settings.
    pub name: String,
    /// Whether it is heapwire's.
    pub is_ours: bool,
    /// Whether it differs from another contender in threads or chunk size only.
    pub is_variant: bool,
    make: Make,
}

impl Contender {
    /// A peer.
    pub(crate) fn peer<C: Coder + 'static>(
        name: impl Into<String>,
        make: impl Fn() -> Result<C> + 'static,
    ) -> Self {
        let make: Make = Box::new(move || Ok(Box::new(make()?)));
        Self { name: name.into(), is_ours: false, is_variant: false, make }
    }

    /// One of heapwire's settings.
    pub(crate) fn ours<C: Coder + 'static>(
        name: impl Into<String>,
        make: impl Fn() -> Result<C> + 'static,
    ) -> Self {
        Self { is_ours: true, ..Self::peer(name, make) }
    }

    /// The same, as a variant of another contender.
    pub(crate) fn variant(self) -> Self {
        Self { is_variant: true, ..self }
    }

    /// A coder with empty buffers.
    ///
    /// # Errors
    /// When a codec cannot be had.
    pub fn coder(&self) -> Result<Box<dyn Coder>> {
        (self.make)()
    }

    /// Whether others are compared with it.
    #[must_use]
    pub fn is_reference(&self) -> bool {
        [REFERENCE, ZSTD_REFERENCE].contains(&self.name.as_str())
    }

    /// Whether its times are compared with those of [`ZSTD_REFERENCE`] too.
    #[must_use]
    pub fn uses_zstd(&self) -> bool {
        self.name.contains("Zstd")
    }
}

/// All contenders: heapwire first, then the peers.
#[must_use]
pub fn all() -> Vec<Contender> {
    let mut all = ours::contenders();
    all.extend(row_formats::contenders());
    all.extend(parquet::contenders());
    all.extend(arrow::contenders());
    all.extend(pco::contenders());
    all
}
