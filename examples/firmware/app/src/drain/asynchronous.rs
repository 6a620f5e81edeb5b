//! In a task of its own, which sleeps while nothing is ready and while the UART has no room.

use core::convert::Infallible;
use core::future::poll_fn;
use core::task::Poll;

use embassy_executor::{Executor, Spawner};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_sync::waitqueue::AtomicWaker;
use embedded_io_async::{ErrorType, Write};
use static_cell::StaticCell;

use crate::board;
use crate::recording::RECORDER;
use crate::uart::Uart;

static SEALED: Signal<CriticalSectionRawMutex, ()> = Signal::new();
static ROOM: AtomicWaker = AtomicWaker::new();

/// Runs what `spawn` spawns beside the task that sends.
pub(crate) fn run(spawn: impl FnOnce(Spawner)) -> ! {
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    EXECUTOR.init(Executor::new()).run(|spawner| {
        spawner.spawn(task().expect("it is spawned once"));
        spawn(spawner);
    })
}

#[embassy_executor::task]
async fn task() {
    loop {
        SEALED.wait().await;
        // A UART never fails.
        let _ = RECORDER.drain_async(&mut AsyncUart).await;
    }
}

struct AsyncUart;

impl ErrorType for AsyncUart {
    type Error = Infallible;
}

impl Write for AsyncUart {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.flush().await?;
        let Some(&first) = bytes.first() else { return Ok(0) };
        Ok(board::try_send(first).into())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        poll_fn(|context| {
            if board::sent() {
                return Poll::Ready(());
            }
            ROOM.register(context.waker());
            board::uart_interrupt(true);
            Poll::Pending
        })
        .await;
        Ok(())
    }
}

/// The UART has room.
pub(crate) fn uart_interrupt() {
    board::uart_interrupt(false);
    ROOM.wake();
}

pub(crate) fn idle() {}

pub(crate) fn sealed() {
    SEALED.signal(());
}

pub(crate) fn finish() {
    let _ = RECORDER.drain(&mut Uart);
}
