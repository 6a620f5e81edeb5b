//! The line: the board's UART, for frames and for text.

use core::convert::Infallible;
use core::fmt;

use embedded_io::{ErrorType, Write};

use crate::board;

/// The UART. Waits as long as it takes.
pub(crate) struct Uart;

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        board::send(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        while !board::sent() {}
        Ok(())
    }
}

impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        board::send(text.as_bytes());
        Ok(())
    }
}
