//! How much memory a piece of work takes, as the operating system sees it.

use crate::error::Result;

/// Runs `work`; returns the most bytes that the process had resident meanwhile beyond those before, if
/// the system tells. A thread looks several thousand times a second, so a peak of a fraction of a
/// millisecond may go unseen. All threads of the process count.
pub(crate) fn peak_memory<R>(work: impl FnOnce() -> Result<R>) -> Result<(Option<u64>, R)> {
    #[cfg(target_os = "linux")]
    {
        linux::peak_memory(work)
    }
    #[cfg(not(target_os = "linux"))]
    {
        Ok((None, work()?))
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::thread;
    use std::time::Duration;

    use crate::error::Result;

    /// How often a thread looks.
    const INTERVAL: Duration = Duration::from_micros(200);

    pub(super) fn peak_memory<R>(work: impl FnOnce() -> Result<R>) -> Result<(Option<u64>, R)> {
        // What was freed before would be used again, and not seen.
        #[cfg(target_env = "gnu")]
        crate::measure::trim::trim();
        let Some(before) = resident_bytes() else { return Ok((None, work()?)) };
        thread::scope(|scope| {
            let (end, ended) = mpsc::channel::<()>();
            let (begin, begun) = mpsc::channel::<()>();
            let watcher = thread::Builder::new().name("heapwire-memory".to_owned());
            let watcher = watcher.spawn_scoped(scope, move || {
                let mut peak = before;
                // Whoever waits for this has gone only if it panicked.
                let _ = begin.send(());
                loop {
                    peak = peak.max(resident_bytes().unwrap_or(0));
                    if ended.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout) {
                        return peak.max(resident_bytes().unwrap_or(0));
                    }
                }
            });
            let Ok(watcher) = watcher else { return Ok((None, work()?)) };
            let _ = begun.recv();
            let result = work();
            drop(end);
            let peak = watcher.join().ok();
            Ok((peak.map(|peak| peak - before), result?))
        })
    }

    /// Bytes of the process in memory.
    fn resident_bytes() -> Option<u64> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes * 1024)
    }

    #[cfg(test)]
    mod tests {
        use std::hint::black_box;

        use super::*;

        #[test]
        fn what_is_touched_is_counted() {
            const BYTES: u64 = 64 << 20;
            let work = || {
                let block = black_box(vec![1_u8; BYTES as usize]);
                // Longer than the watcher may sleep on a machine with much to do.
                thread::sleep(Duration::from_millis(50));
                Ok(block.len())
            };
            let (peak, len) = peak_memory(work).unwrap();
            assert_eq!(len as u64, BYTES);
            // Other tests of this process allocate and free meanwhile.
            assert!(peak.expect("Linux tells") > BYTES / 2, "{peak:?}");
        }
    }
}
