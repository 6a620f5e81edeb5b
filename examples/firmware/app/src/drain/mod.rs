//! How what is recorded gets to the UART, one file a way. Each has the same items: `idle()`, called when
//! nothing is to be done; `sealed()`, called within the hook when a chunk is ready; `finish()`, which sends
//! all that is left, however long that takes.

#[cfg_attr(feature = "async", path = "asynchronous.rs")]
#[cfg_attr(any(feature = "interrupt", feature = "slow"), path = "interrupt.rs")]
#[cfg_attr(
    not(any(feature = "async", feature = "interrupt", feature = "slow")),
    path = "blocking.rs"
)]
mod this;

pub(crate) use this::*;
