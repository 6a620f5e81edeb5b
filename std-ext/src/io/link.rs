//! Where a line's bytes come from: a serial port, a socket, standard input, a file that grows.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// How long a read waits for bytes before it returns [`ErrorKind::TimedOut`].
pub const READ_TIMEOUT: Duration = Duration::from_millis(100);

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The usual rate of serial ports, in bits a second.
pub const DEFAULT_BAUD: u32 = 115_200;

/// Bits on a serial line for a byte: one to start, eight, one to stop.
pub const BITS_PER_BYTE: u32 = 10;

/// A source of a line, as `heapwire record` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `serial:PATH`, or `serial:PATH?baud=N`: a serial port, without parity and with one stop bit.
    Serial {
        /// The port, such as `/dev/ttyACM0` or `COM3`.
        path: String,
        /// Bits a second.
        baud: u32,
    },
    /// `tcp:HOST:PORT`: who listens there.
    Connect(String),
    /// `tcp-listen:HOST:PORT`: whoever connects, one after the other.
    Listen(String),
    /// `-`
    Stdin,
    /// Anything else: a file, a pipe.
    File(PathBuf),
}

/// What is wrong with the text of a [`Source`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no source: {expected}")]
pub struct InvalidSource {
    found: String,
    expected: &'static str,
}

impl FromStr for Source {
    type Err = InvalidSource;

    fn from_str(text: &str) -> Result<Self, InvalidSource> {
        let invalid = |expected| InvalidSource { found: text.to_owned(), expected };
        let is_address = |address: &str| {
            address
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        if text.is_empty() {
            return Err(invalid("expected serial:PATH, tcp:HOST:PORT, -, or a file"));
        }
        if let Some(port) = text.strip_prefix("serial:") {
            let (path, baud) = match port.split_once('?') {
                None => (port, DEFAULT_BAUD),
                Some((path, option)) => {
                    let rate = option.strip_prefix("baud=").and_then(|rate| rate.parse().ok());
                    let rate = rate.filter(|&rate| rate > 0);
                    (path, rate.ok_or_else(|| invalid("expected ?baud=N behind the port"))?)
                }
            };
            return match path.is_empty() {
                true => Err(invalid("expected a port, such as serial:/dev/ttyACM0?baud=115200")),
                false => Ok(Self::Serial { path: path.to_owned(), baud }),
            };
        }
        let of_address = |address: &str, source: fn(String) -> Self| match is_address(address) {
            true => Ok(source(address.to_owned())),
            false => Err(invalid("expected HOST:PORT, such as tcp:127.0.0.1:4444")),
        };
        if let Some(address) = text.strip_prefix("tcp:") {
            of_address(address, Self::Connect)
        } else if let Some(address) = text.strip_prefix("tcp-listen:") {
            of_address(address, Self::Listen)
        } else if text == "-" {
            Ok(Self::Stdin)
        } else {
            Ok(Self::File(PathBuf::from(text)))
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial { path, baud } => write!(f, "the serial port {path:?} at {baud} baud"),
            Self::Connect(address) => write!(f, "tcp {address:?}"),
            Self::Listen(address) => write!(f, "whoever connects to tcp {address:?}"),
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => write!(f, "{path:?}"),
        }
    }
}

impl Source {
    /// Whether it may come back when it has gone away.
    #[must_use]
    pub fn comes_back(&self) -> bool {
        matches!(self, Self::Serial { .. } | Self::Connect(_) | Self::Listen(_))
    }

    /// Bytes a second that it can bring, if that is known.
    #[must_use]
    pub fn bytes_per_second(&self) -> Option<u32> {
        match self {
            Self::Serial { baud, .. } => Some(baud / BITS_PER_BYTE),
            _ => None,
        }
    }
}

/// Opens a source, again and again if need be.
#[derive(Debug)]
pub struct Opener {
    source: Source,
    /// Whether a file's end is not the end.
    follow: bool,
    listener: Option<TcpListener>,
}

/// An open source. Its reads end after [`READ_TIMEOUT`]; 0 bytes mean that it has gone away.
pub type Link = Box<dyn Read + Send>;

impl Opener {
    /// Of this source; `follow` says to wait for more at a file's end.
    #[must_use]
    pub fn new(source: Source, follow: bool) -> Self {
        Self { source, follow, listener: None }
    }

    /// What is opened.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Opens it; `None` when nobody has connected yet, after waiting for [`READ_TIMEOUT`].
    ///
    /// # Errors
    /// When there is no such thing, or it may not be opened; [`ErrorKind::Unsupported`] for a serial
    /// port without the feature `serial`.
    pub fn open(&mut self) -> io::Result<Option<Link>> {
        match &self.source {
            Source::Serial { path, baud } => open_port(path, *baud).map(Some),
            Source::Connect(address) => Ok(Some(Box::new(connect(address)?))),
            Source::Listen(address) => {
                let listener = match &mut self.listener {
                    Some(listener) => listener,
                    none => none.insert(listen(address)?),
                };
                match listener.accept() {
                    Ok((stream, _)) => Ok(Some(Box::new(patient(stream)?))),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        thread::sleep(READ_TIMEOUT);
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            }
            Source::Stdin => Ok(Some(Box::new(Watched::new(io::stdin())?))),
            Source::File(path) => open_file(path, self.follow).map(Some),
        }
    }
}

#[cfg(feature = "serial")]
fn open_port(path: &str, baud: u32) -> io::Result<Link> {
    let port = serialport::new(path, baud).timeout(READ_TIMEOUT).open()?;
    Ok(Box::new(Port(port)))
}

#[cfg(not(feature = "serial"))]
fn open_port(_: &str, _: u32) -> io::Result<Link> {
    let message = "heapwire was built without its feature `serial`";
    Err(io::Error::new(ErrorKind::Unsupported, message))
}

/// A serial port that was unplugged has ended, whatever the operating system calls that.
#[cfg(feature = "serial")]
struct Port(Box<dyn serialport::SerialPort>);

#[cfg(feature = "serial")]
impl Read for Port {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Err(error) if !is_for_now(&error) => Ok(0),
            read => read,
        }
    }
}

/// Whether reading goes on after this error.
fn is_for_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the host has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => return patient(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen(address: &str) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn patient(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    Ok(stream)
}

fn open_file(path: &Path, follow: bool) -> io::Result<Link> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder"));
    }
    match (metadata.is_file(), follow) {
        (true, false) => Ok(Box::new(file)),
        (true, true) => Ok(Box::new(Followed { file, read: 0 })),
        // A pipe, or a device: it may be silent for long.
        (false, _) => Ok(Box::new(Watched::new(file)?)),
    }
}

/// A file that grows, as a line that is silent at its end.
struct Followed {
    file: File,
    read: u64,
}

impl Read for Followed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read += read as u64;
        if read > 0 {
            return Ok(read);
        }
        if self.file.metadata()?.len() < self.read {
            // It was emptied, and is written anew.
            self.file.rewind()?;
            self.read = 0;
        }
        thread::sleep(READ_TIMEOUT);
        Err(ErrorKind::TimedOut.into())
    }
}

/// What cannot be told to wait no longer than so, read by a thread of its own. The thread stays until its
/// next read returns.
struct Watched {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Watched {
    fn new(mut input: impl Read + Send + 'static) -> io::Result<Self> {
        let (send, pieces) = sync_channel(16);
        thread::Builder::new().name("heapwire line".to_owned()).spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            loop {
                let read = input.read(&mut buffer);
                let last = matches!(&read, Ok(0)) || read.as_ref().is_err_and(|e| !is_for_now(e));
                let piece = read.map(|read| buffer.get(..read).unwrap_or_default().to_vec());
                if send.send(piece).is_err() || last {
                    return;
                }
            }
        })?;
        Ok(Self { pieces, piece: io::Cursor::default() })
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.piece.read(buffer)?;
        if read > 0 {
            return Ok(read);
        }
        match self.pieces.recv_timeout(READ_TIMEOUT) {
            Ok(piece) => {
                self.piece = io::Cursor::new(piece?);
                self.piece.read(buffer)
            }
            Err(RecvTimeoutError::Timeout) => Err(ErrorKind::TimedOut.into()),
            Err(RecvTimeoutError::Disconnected) => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn sources_are_told_apart() {
        let port = |path: &str, baud| Source::Serial { path: path.to_owned(), baud };
        for (text, expected) in [
            ("serial:/dev/ttyACM0", port("/dev/ttyACM0", 115_200)),
            ("serial:COM3?baud=921600", port("COM3", 921_600)),
            ("tcp:localhost:4444", Source::Connect("localhost:4444".to_owned())),
            ("tcp:[::1]:4444", Source::Connect("[::1]:4444".to_owned())),
            ("tcp-listen:0.0.0.0:1", Source::Listen("0.0.0.0:1".to_owned())),
            ("-", Source::Stdin),
            ("./line.bin", Source::File("./line.bin".into())),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "serial:", "serial:/dev/x?baud=0", "serial:/dev/x?parity=odd", "tcp:here"]
        {
            let error = text.parse::<Source>().unwrap_err().to_string();
            assert!(error.contains("expected") && error.contains(text), "{error}");
        }
    }

    fn read_all(link: &mut Link) -> Vec<u8> {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 3]);
        loop {
            match link.read(&mut buffer) {
                Ok(0) => return bytes,
                Ok(read) => bytes.extend_from_slice(&buffer[..read]),
                Err(error) => assert!(is_for_now(&error), "{error}"),
            }
        }
    }

    #[test]
    fn sockets_are_connected_to_and_listened_at_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut opener = Opener::new(Source::Connect(address.to_string()), false);
        for words in ["first", "second"] {
            let mut link = opener.open().unwrap().unwrap();
            listener.accept().unwrap().0.write_all(words.as_bytes()).unwrap();
            assert_eq!(read_all(&mut link), words.as_bytes());
        }
        drop(listener);
        assert!(opener.open().is_err());

        let mut opener = Opener::new(Source::Listen(address.to_string()), false);
        assert!(opener.open().unwrap().is_none());
        for words in ["first", "second"] {
            TcpStream::connect(address).unwrap().write_all(words.as_bytes()).unwrap();
            let mut link = loop {
                match opener.open().unwrap() {
                    Some(link) => break link,
                    None => continue,
                }
            };
            assert_eq!(read_all(&mut link), words.as_bytes());
        }
    }

    #[test]
    fn a_file_that_grows_is_followed_and_begun_anew_when_it_was_emptied() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let source = Source::File(file.path().to_owned());
        let mut link = Opener::new(source, true).open().unwrap().unwrap();
        let mut buffer = [0; 64];
        for (round, words) in ["some", "more", "x"].iter().enumerate() {
            if round == 2 {
                file.as_file().set_len(0).unwrap();
                file.rewind().unwrap();
                // It is looked at when nothing more comes.
                assert_eq!(link.read(&mut buffer).unwrap_err().kind(), ErrorKind::TimedOut);
            }
            file.write_all(words.as_bytes()).unwrap();
            let read = link.read(&mut buffer).unwrap();
            assert_eq!(&buffer[..read], words.as_bytes());
            assert_eq!(link.read(&mut buffer).unwrap_err().kind(), ErrorKind::TimedOut);
        }
    }
}
