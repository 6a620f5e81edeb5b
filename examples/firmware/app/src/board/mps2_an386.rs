//! An MPS2 with a Cortex-M4F, `mps2-an386`.

use super::Size;
pub(crate) use super::mps2::*;
use firmware_workload::Limits;

pub(crate) const NAME: &str = "mps2-an386";
pub(crate) const SIZE: Size = Size { limits: Limits::ROOMY, rounds: 60 };
pub(crate) const HEAP_SIZE: usize = 32 * 1024;
pub(crate) const BUFFER_SIZE: usize = 216;
