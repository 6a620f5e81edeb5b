//! How much more memory the system lets this process have.

/// Bytes that this process may still allocate: the least of what the machine has available, what its
/// limits of address space and data leave (`ulimit -v`, `-d`), and what its control groups leave
/// (version 2, as containers have them). `None` where the system does not tell: elsewhere than on Linux.
#[must_use]
pub fn available_memory() -> Option<u64> {
    #[cfg(target_os = "linux")]
    return linux::available(std::path::Path::new("/"));
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::path::Path;

    const KIB: u64 = 1024;

    /// What the files of a system whose root is there say.
    pub(super) fn available(root: &Path) -> Option<u64> {
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        let machine = field(&read("proc/meminfo"), "MemAvailable:").map(|kib| kib * KIB);
        let (limits, status) = (read("proc/self/limits"), read("proc/self/status"));
        let left = |limit: &str, used: &str| {
            let used = field(&status, used)? * KIB;
            field(&limits, limit).map(|most| most.saturating_sub(used))
        };
        let address_space = left("Max address space", "VmSize:");
        let data = left("Max data size", "VmData:");
        let group = control_group(root, &read("proc/self/cgroup"));
        [machine, address_space, data, group].into_iter().flatten().min()
    }

    /// The first number of the line that begins so; `None` when there is none, as in `unlimited`.
    fn field(text: &str, name: &str) -> Option<u64> {
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse().ok()
    }

    /// The least that the process's control group and those around it leave.
    fn control_group(root: &Path, groups: &str) -> Option<u64> {
        let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
        let mounted = root.join("sys/fs/cgroup");
        let own = mounted.join(path.trim_start_matches('/'));
        let groups = own.ancestors().take_while(|group| group.starts_with(&mounted));
        groups.filter_map(group_leaves).min()
    }

    /// What one control group leaves: files in the page cache that nobody uses give way.
    fn group_leaves(group: &Path) -> Option<u64> {
        let read = |file: &str| fs::read_to_string(group.join(file)).ok();
        let number = |file: &str| read(file)?.trim().parse::<u64>().ok();
        let most = number("memory.max")?;
        let gives_way = field(&read("memory.stat")?, "inactive_file ").unwrap_or(0);
        let used = number("memory.current")?.saturating_sub(gives_way);
        Some(most.saturating_sub(used))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// A system that says what these files say.
        fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
            let root = tempfile::tempdir().unwrap();
            for (path, text) in files {
                let path = root.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            root
        }

        const MEMINFO: (&str, &str) =
            ("proc/meminfo", "MemTotal:  8000 kB\nMemFree:  10 kB\nMemAvailable:    4000 kB\n");
        const STATUS: (&str, &str) =
            ("proc/self/status", "Name:\tx\nVmPeak:\t 900 kB\nVmSize:\t 700 kB\nVmData:\t 50 kB\n");
        const GROUP: (&str, &str) = ("proc/self/cgroup", "1:name=systemd:/x\n0::/a/b\n");

        #[test]
        fn the_least_of_all_limits_holds() {
            let unlimited = (
                "proc/self/limits",
                "Limit  Soft  Hard  Units\n\
                 Max data size             unlimited            unlimited            bytes\n\
                 Max address space         unlimited            unlimited            bytes\n",
            );
            assert_eq!(available(system(&[MEMINFO, STATUS, unlimited]).path()), Some(4000 * KIB));

            let limited = (
                "proc/self/limits",
                "Max data size             unlimited            unlimited            bytes\n\
                 Max address space         2048000              unlimited            bytes\n",
            );
            let left = 2_048_000 - 700 * KIB;
            assert_eq!(available(system(&[MEMINFO, STATUS, limited]).path()), Some(left));

            let own = [
                ("sys/fs/cgroup/a/b/memory.max", "max\n"),
                ("sys/fs/cgroup/a/b/memory.current", "600\n"),
                ("sys/fs/cgroup/a/b/memory.stat", "anon 500\ninactive_file 100\n"),
                ("sys/fs/cgroup/a/memory.max", "1000\n"),
                ("sys/fs/cgroup/a/memory.current", "600\n"),
                ("sys/fs/cgroup/a/memory.stat", "anon 500\ninactive_file 100\n"),
            ];
            let files = [&[MEMINFO, STATUS, limited, GROUP][..], &own].concat();
            assert_eq!(available(system(&files).path()), Some(500));
        }

        #[test]
        fn a_system_that_tells_nothing_limits_nothing() {
            assert_eq!(available(system(&[]).path()), None);
            assert_eq!(available(system(&[("proc/meminfo", "MemAvailable: lots")]).path()), None);
        }

        #[test]
        fn this_system_leaves_something() {
            let left = available(Path::new("/")).expect("Linux tells");
            assert!(left > 0);
        }
    }
}
