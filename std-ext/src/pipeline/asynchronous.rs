//! Work that would block, beside a tokio runtime: on a thread of its own, and cancelled with the future.

use std::panic::resume_unwind;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::error::{BinaryExportError, Result};
use crate::monitoring::Cancellation;

/// Does `work` on a thread where the runtime lets work block. When the future is dropped, the work is told
/// that it is cancelled, or never begins.
///
/// # Errors
/// The work's; [`NoRuntime`](BinaryExportError::NoRuntime) outside of a runtime; or
/// [`Cancelled`](BinaryExportError::Cancelled) when the runtime shuts down before the work begins.
pub(crate) async fn unblocked<R: Send + 'static>(
    work: impl FnOnce(Cancellation) -> Result<R> + Send + 'static,
) -> Result<R> {
    let runtime = Handle::try_current().map_err(|_| BinaryExportError::NoRuntime)?;
    let cancellation = Cancellation::default();
    let for_work = cancellation.clone();
    let task = runtime.spawn_blocking(move || work(for_work));
    let _cancel = CancelOnDrop { cancellation, task: task.abort_handle() };
    match task.await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => Err(BinaryExportError::Cancelled),
        },
    }
}

/// Cancels work, unless it is done.
struct CancelOnDrop {
    cancellation: Cancellation,
    task: AbortHandle,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.cancellation.cancel();
        // In case it has not begun.
        self.task.abort();
    }
}
