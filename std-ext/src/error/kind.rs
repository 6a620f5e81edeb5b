//! What an error means to whoever has to go on: a few kinds, so that nobody lists variants.

use std::io;

use super::{BinaryExportError, TextError};

/// Kinds of errors, by who can do something about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ErrorKind {
    /// It may be gone a moment later: the same again may succeed.
    Transient,
    /// Memory, disk or another limit does not suffice: what needs less of it may succeed.
    Resources,
    /// The operating system refuses, and will refuse again: no such folder, no permission.
    Refused,
    /// The caller asks for what cannot be: a bad setting, an export of nothing.
    Caller,
    /// The input is damaged, cut off, or nothing that heapwire reads.
    Input,
}

impl BinaryExportError {
    /// What kind of error it is.
    ///
    /// Of the operating system's errors (see [`io::ErrorKind`]) these are
    /// [`Transient`](ErrorKind::Transient): `Interrupted`, `WouldBlock`, `TimedOut`, `ResourceBusy`,
    /// `Deadlock`, `StaleNetworkFileHandle`, `NetworkDown`, `NetworkUnreachable`, `HostUnreachable`,
    /// `ConnectionRefused`, `ConnectionReset`, `ConnectionAborted`. These are
    /// [`Resources`](ErrorKind::Resources): `StorageFull`, `QuotaExceeded`, `FileTooLarge`,
    /// `WriteZero`, `OutOfMemory`. All others are [`Refused`](ErrorKind::Refused).
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::OutOfMemory { .. } => ErrorKind::Resources,
            Self::Io { source, .. } | Self::Stream { source, .. } => of_io(source.kind()),
            Self::Text { source: TextError::Io { source, .. } } => of_io(source.kind()),
            // A codec has no trouble of its own but memory.
            Self::Codec { .. } => ErrorKind::Resources,
            Self::NoDataToExport
            | Self::Cancelled
            | Self::OtherForm { .. }
            | Self::NotCarried { .. }
            | Self::NoRuntime
            | Self::InvalidConfig { .. }
            | Self::ItemTooLarge { .. }
            | Self::MissingFeature { .. } => ErrorKind::Caller,
            Self::NotACapture { .. }
            | Self::UnsupportedVersion { .. }
            | Self::Damaged { .. }
            | Self::CutOff { .. }
            | Self::SeveralStreams { .. }
            | Self::MessagePack { .. }
            | Self::JsonLines { .. }
            | Self::Limit { .. }
            | Self::Text { .. } => ErrorKind::Input,
        }
    }

    /// Whether the same again may succeed a moment later. See [`kind`](Self::kind).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind() == ErrorKind::Transient
    }
}

fn of_io(kind: io::ErrorKind) -> ErrorKind {
    use io::ErrorKind as Io;
    match kind {
        Io::Interrupted
        | Io::WouldBlock
        | Io::TimedOut
        | Io::ResourceBusy
        | Io::Deadlock
        | Io::StaleNetworkFileHandle
        | Io::NetworkDown
        | Io::NetworkUnreachable
        | Io::HostUnreachable
        | Io::ConnectionRefused
        | Io::ConnectionReset
        | Io::ConnectionAborted => ErrorKind::Transient,
        Io::StorageFull
        | Io::QuotaExceeded
        | Io::FileTooLarge
        | Io::WriteZero
        | Io::OutOfMemory => ErrorKind::Resources,
        _ => ErrorKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_errors_are_told_apart() {
        let kind = |kind: io::ErrorKind| BinaryExportError::stream("read")(kind.into()).kind();
        assert_eq!(kind(io::ErrorKind::TimedOut), ErrorKind::Transient);
        assert_eq!(kind(io::ErrorKind::StorageFull), ErrorKind::Resources);
        assert_eq!(kind(io::ErrorKind::PermissionDenied), ErrorKind::Refused);
        assert_eq!(kind(io::ErrorKind::InvalidData), ErrorKind::Refused);

        let source = TextError::Io { line: 3, source: io::ErrorKind::WouldBlock.into() };
        assert!(BinaryExportError::from(source).is_transient());
        let file = BinaryExportError::io("open", "file")(io::ErrorKind::ResourceBusy.into());
        assert!(file.is_transient());
        assert!(!BinaryExportError::NoDataToExport.is_transient());
    }
}
