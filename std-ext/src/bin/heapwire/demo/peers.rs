//! What other formats would take for the same events.

use std::io::{self, Write};

use heapwire::heapwire_core::{Event, EventKind};
use serde::Serialize;

/// Bytes of the events so far, as a list of records with named fields.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PeerSizes {
    /// As `serde_json` writes them.
    pub(crate) json: u64,
    /// As `rmp-serde` writes them, fields named.
    pub(crate) messagepack: u64,
}

/// An event as a user would derive it.
#[derive(Serialize)]
struct Record {
    time: u64,
    thread: u32,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Kind {
    Alloc { address: u64, size: u64, site: u32 },
    Free { address: u64, site: u32 },
    Realloc { old: u64, address: u64, size: u64, site: u32 },
    FailedAlloc { size: u64, site: u32 },
    Name { address: u64, variable: u32, type_name: u32 },
    Gauge { gauge: u32, value: i64 },
    Mark { mark: u32 },
}

impl PeerSizes {
    /// Counts one more event.
    pub(crate) fn count(&mut self, event: &Event) {
        let kind = match event.kind {
            EventKind::Alloc { address, size, site } => Kind::Alloc { address, size, site },
            EventKind::Free { address, site } => Kind::Free { address, site },
            EventKind::Realloc { old, address, size, site } => {
                Kind::Realloc { old, address, size, site }
            }
            EventKind::FailedAlloc { size, site } => Kind::FailedAlloc { size, site },
            EventKind::Name { address, variable, type_name } => {
                Kind::Name { address, variable, type_name }
            }
            EventKind::Gauge { gauge, value } => Kind::Gauge { gauge, value },
            EventKind::Mark { mark } => Kind::Mark { mark },
        };
        let record = Record { time: event.time, thread: event.thread, kind };
        let mut json = ByteCount(0);
        let mut messagepack = ByteCount(0);
        // Counting bytes cannot fail.
        let _ = serde_json::to_writer(&mut json, &record);
        let _ = rmp_serde::encode::write_named(&mut messagepack, &record);
        self.json += json.0 + 1; // and its comma
        self.messagepack += messagepack.0;
    }
}

struct ByteCount(u64);

impl Write for ByteCount {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
