//! A file that appears whole or not at all: everything the crate writes to a path goes through
//! [`AtomicFile`].

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::{self, Path, PathBuf};

use tempfile::TempPath;

/// Bytes gathered before the file is written to.
const BUFFER: usize = 64 * 1024;

/// Bytes of the file's name that the temporary file's name repeats; most systems take 255 in all.
const NAME_IN_TEMPORARY: usize = 200;

/// Links that are followed from one to the next; Linux follows as many.
const MAX_LINKS: usize = 40;

/// A file that is being written next to the place where it shall appear.
///
/// The bytes go to a temporary file `.NAME.XXXXXX.partial` in the same folder.
/// [`commit`](AtomicFile::commit) moves it to its place; when it is dropped instead, it is removed
/// and an older file stays as it was. Only a process that is killed leaves a `.partial` file.
///
/// - A new file gets the permissions that [`File::create`] would give it; an existing one keeps
///   its own, but not its owner, if that is another user, nor its other hard links.
/// - A symbolic link stays, and what it points to is written, whether that exists or not.
/// - What is no regular file (`/dev/null`, a pipe, a terminal) is written straight: there is
///   nothing to keep whole, and no way to take bytes back.
#[derive(Debug)]
pub struct AtomicFile {
    // Closed before `staged` removes the file: fields are dropped in this order.
    out: BufWriter<File>,
    written: u64,
    /// `None` when the target is written straight.
    staged: Option<Staged>,
}

#[derive(Debug)]
struct Staged {
    temporary: TempPath,
    target: PathBuf,
}

impl AtomicFile {
    /// Begins to write the file that shall be at `path`. Opening a pipe waits for its reader.
    ///
    /// # Errors
    /// When `path` is a folder, or a file that may not be written, or when its folder does not
    /// exist or does not let a file be created.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let (file, staged) = match OpenOptions::new().write(true).open(path) {
            Ok(existing) => {
                let metadata = existing.metadata()?;
                if metadata.is_file() {
                    let (file, staged) = Staged::create(path, Some(metadata.permissions()))?;
                    (file, Some(staged))
                } else {
                    (existing, None)
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (file, staged) = Staged::create(path, None)?;
                (file, Some(staged))
            }
            Err(error) => return Err(error),
        };
        Ok(Self { out: BufWriter::with_capacity(BUFFER, file), written: 0, staged })
    }

    /// Opens what was written so far for reading, before it is in its place; `None` when the target is
    /// written straight and cannot be read back.
    ///
    /// # Errors
    /// When the bytes cannot be written, or not be read.
    pub fn read_back(&mut self) -> io::Result<Option<File>> {
        self.out.flush()?;
        self.staged.as_ref().map(|staged| File::open(&staged.temporary)).transpose()
    }

    /// Writes what there is so far through to the disk; [`commit`](Self::commit) then takes no longer than
    /// moving the file. Nothing is done when the target is written straight.
    ///
    /// # Errors
    /// When the bytes cannot be written.
    pub fn sync(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.staged.as_ref().map_or(Ok(()), |_| self.out.get_ref().sync_all())
    }

    /// Puts the file in its place, written through to the disk, and returns its length in bytes.
    ///
    /// # Errors
    /// When the bytes cannot be written or the file cannot be moved; the older file is then
    /// untouched. Only if the folder cannot be written through, at the very end, is the new file
    /// in its place in spite of the error: it might not outlast a power failure.
    pub fn commit(self) -> io::Result<u64> {
        let Self { out, written, staged } = self;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        if let Some(staged) = staged {
            file.sync_all()?;
            // Windows does not move a file that is open.
            drop(file);
            staged.move_to_target()?;
        }
        Ok(written)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Staged {
    /// Creates the temporary file for what shall be at `path`, with the permissions given or else
    /// those of any new file.
    fn create(path: &Path, permissions: Option<Permissions>) -> io::Result<(File, Self)> {
        // Absolute, so that it stays the same place if the process changes its folder.
        let target = path::absolute(follow_links(path)?)?;
        let folder = target.parent().unwrap_or(&target);
        let (false, Some(name)) = (ends_with_separator(&target), target.file_name()) else {
            let message = format!("{target:?} is the name of a folder, expected that of a file");
            return Err(io::Error::new(io::ErrorKind::IsADirectory, message));
        };

        let name = name.to_string_lossy();
        let prefix = format!(".{}.", &name[..name.floor_char_boundary(NAME_IN_TEMPORARY)]);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".partial").rand_bytes(6);
        #[cfg(unix)]
        {
            // The system takes the umask off these, as it does for `File::create`, so that at no
            // time may anyone open the file who may not open the finished one.
            use std::os::unix::fs::PermissionsExt;
            let ordinary = || Permissions::from_mode(0o666);
            builder.permissions(permissions.clone().unwrap_or_else(ordinary));
        }
        let temporary = builder.tempfile_in(folder).map_err(|error| {
            let message = match error.kind() {
                io::ErrorKind::NotFound => format!("the folder {folder:?} does not exist"),
                _ => format!("could not create a file in the folder {folder:?}: {error}"),
            };
            io::Error::new(error.kind(), message)
        })?;
        let (file, temporary) = temporary.into_parts();
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        Ok((file, Self { temporary, target }))
    }

    #[cfg(unix)]
    fn move_to_target(self) -> io::Result<()> {
        // Opened first, so that failing to leaves the older file. The new name is on the disk only
        // once the folder is.
        let folder = File::open(self.target.parent().unwrap_or(&self.target))?;
        self.temporary.persist(&self.target)?;
        folder.sync_all()
    }

    #[cfg(not(unix))]
    fn move_to_target(self) -> io::Result<()> {
        Ok(self.temporary.persist(&self.target)?)
    }
}

/// The path that `path` points to in the end, which need not exist.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(to) => path = path.parent().unwrap_or(Path::new("")).join(to),
            // Not a link.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other(format!("{path:?} is one of more than {MAX_LINKS} links in a row")))
}

fn ends_with_separator(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().last();
    last.is_some_and(|byte| path::is_separator(char::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_before_it_is_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        let back = file.read_back().unwrap().expect("a regular file");
        assert_eq!(io::read_to_string(back).unwrap(), "new");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        file.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    /// The names in a folder, sorted.
    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn write_all(path: &Path, bytes: &[u8]) -> io::Result<u64> {
        let mut file = AtomicFile::create(path)?;
        file.write_all(bytes)?;
        file.commit()
    }

    #[test]
    fn a_new_file_appears_at_commit() {
        let folder = folder();
        let path = folder.path().join("new.hw");
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"one ").unwrap();
        file.flush().unwrap();
        assert!(!path.exists());
        file.write_all(b"two").unwrap();
        assert_eq!(file.commit().unwrap(), 7);
        assert_eq!(fs::read(&path).unwrap(), b"one two");
        assert_eq!(names(folder.path()), ["new.hw"]);
    }

    #[test]
    fn an_old_file_is_replaced_at_commit() {
        let folder = folder();
        let path = folder.path().join("old.hw");
        fs::write(&path, "old and longer").unwrap();
        assert_eq!(write_all(&path, b"new").unwrap(), 3);
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(write_all(&path, b"").unwrap(), 0);
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_drop_in_the_middle_leaves_the_old_file_and_nothing_else() {
        let folder = folder();
        let path = folder.path().join("old.hw");
        fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(&[7; 3 * BUFFER]).unwrap();
        let during = names(folder.path());
        assert!(during[0].starts_with(".old.hw.") && during[0].ends_with(".partial"), "{during:?}");
        assert_eq!(during[0].len(), ".old.hw.XXXXXX.partial".len());
        drop(file);
        assert_eq!(names(folder.path()), ["old.hw"]);
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn bytes_are_counted_however_they_are_written() {
        let folder = folder();
        let path = folder.path().join("counted");
        let mut file = AtomicFile::create(&path).unwrap();
        for length in [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, 3] {
            file.write_all(&vec![1; length]).unwrap();
        }
        let written = file.commit().unwrap();
        assert_eq!(written, 3 * BUFFER as u64 + 4);
        assert_eq!(fs::metadata(&path).unwrap().len(), written);
    }

    #[test]
    fn a_folder_is_no_file() {
        let folder = folder();
        assert!(AtomicFile::create(folder.path()).is_err());
        let error = AtomicFile::create(folder.path().join("new/")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        assert!(
            error.to_string().ends_with("new/\" is the name of a folder, expected that of a file")
        );
        assert!(AtomicFile::create("").is_err());
        assert!(AtomicFile::create("/").is_err());
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = folder();
        let missing = folder.path().join("missing");
        let error = AtomicFile::create(missing.join("new.hw")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(error.to_string(), format!("the folder {missing:?} does not exist"));
    }

    #[test]
    fn the_longest_names_can_be_written() {
        let folder = folder();
        for name in ["x".repeat(255), "ä".repeat(127), format!("x{}", "❤".repeat(84))] {
            assert_eq!(write_all(&folder.path().join(&name), b"1").unwrap(), 1, "{name}");
        }
    }

    #[test]
    fn a_target_that_becomes_a_folder_is_an_error_that_leaves_no_file() {
        let folder = folder();
        let path = folder.path().join("new.hw");
        let file = AtomicFile::create(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(file.commit().is_err());
        assert_eq!(names(folder.path()), ["new.hw"]);
    }

    #[cfg(unix)]
    mod unix {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
        use std::process::Command;
        use std::thread;

        use super::*;

        fn mode(path: &Path) -> u32 {
            fs::metadata(path).unwrap().mode() & 0o7777
        }

        #[test]
        fn a_new_file_has_ordinary_permissions() {
            let folder = folder();
            let (ordinary, ours) = (folder.path().join("ordinary"), folder.path().join("ours"));
            File::create(&ordinary).unwrap();
            write_all(&ours, b"1").unwrap();
            assert_eq!(mode(&ours), mode(&ordinary));
        }

        #[test]
        fn an_old_file_keeps_its_permissions() {
            let folder = folder();
            let path = folder.path().join("old");
            for wanted in [0o600, 0o640, 0o666, 0o755] {
                fs::write(&path, "old").unwrap();
                fs::set_permissions(&path, Permissions::from_mode(wanted)).unwrap();
                write_all(&path, b"new").unwrap();
                assert_eq!(mode(&path), wanted);
            }
        }

        #[test]
        fn a_link_stays_and_its_target_is_written() {
            let folder = folder();
            let inner = folder.path().join("inner");
            fs::create_dir(&inner).unwrap();
            let link = folder.path().join("link");
            symlink("inner/second", &link).unwrap();
            symlink("target", inner.join("second")).unwrap();
            // First while the link leads nowhere, then while it leads to a file.
            for text in ["new", "newer"] {
                write_all(&link, text.as_bytes()).unwrap();
                assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
                assert_eq!(fs::read_to_string(inner.join("target")).unwrap(), text);
            }
            assert_eq!(names(folder.path()), ["inner", "link"]);
            assert_eq!(names(&inner), ["second", "target"]);
        }

        #[test]
        fn a_ring_of_links_is_an_error() {
            let folder = folder();
            symlink("b", folder.path().join("a")).unwrap();
            symlink("a", folder.path().join("b")).unwrap();
            assert!(AtomicFile::create(folder.path().join("a")).is_err());
            assert!(follow_links(&folder.path().join("a")).is_err());
        }

        #[test]
        fn special_files_are_written_straight() {
            assert_eq!(write_all(Path::new("/dev/null"), b"gone").unwrap(), 4);
            assert!(!fs::metadata("/dev/null").unwrap().is_file());
        }

        #[cfg(target_os = "linux")]
        #[test]
        fn a_full_device_fails_at_commit() {
            let error = write_all(Path::new("/dev/full"), b"1").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }

        #[test]
        fn a_pipe_is_written_straight() {
            let folder = folder();
            let pipe = folder.path().join("pipe");
            assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            let reader = thread::spawn({
                let pipe = pipe.clone();
                move || fs::read(pipe).unwrap()
            });
            assert_eq!(write_all(&pipe, b"through").unwrap(), 7);
            assert_eq!(reader.join().unwrap(), b"through");
            assert_eq!(names(folder.path()), ["pipe"]);
        }
    }
}
