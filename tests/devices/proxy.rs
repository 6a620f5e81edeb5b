//! What stands between a device and the recorder: a line of a certain pace, which may be cut.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::image::waits;

/// How often bytes are passed on.
const TICK: Duration = Duration::from_millis(10);

/// The line goes away for a while, and what is sent then is lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) after: Duration,
    pub(crate) lasts: Duration,
}

/// Takes a device's bytes at this port and passes so many a second on to who listens at `to`. A device that
/// waits for a reset gets it. Returns all bytes in the end, those that were lost too.
pub(crate) fn line(
    to: u16,
    bytes_per_second: usize,
    cut: Option<Cut>,
) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let pass_on = move || {
        let (mut device, _) = listener.accept().unwrap();
        let mut recorder = Some(connect(to));
        let begun = Instant::now();
        let (mut line, mut buffer, mut is_reset) = (Vec::new(), [0; 1024], false);
        loop {
            // What is due by now, at a steady pace.
            let due = (begun.elapsed().as_secs_f64() * bytes_per_second as f64) as usize;
            let due = due.saturating_sub(line.len());
            if due == 0 {
                thread::sleep(TICK);
                continue;
            }
            let due = due.min(buffer.len());
            let read = device.read(&mut buffer[..due]).unwrap();
            if read == 0 {
                return line;
            }
            line.extend_from_slice(&buffer[..read]);
            let is_cut = cut.is_some_and(|Cut { after, lasts }| {
                (after..after + lasts).contains(&begun.elapsed())
            });
            match (is_cut, &mut recorder) {
                (true, _) => recorder = None,
                (false, Some(recorder)) => recorder.write_all(&buffer[..read]).unwrap(),
                (false, none) => none.insert(connect(to)).write_all(&buffer[..read]).unwrap(),
            }
            if !is_reset && waits(&line) {
                is_reset = true;
                device.write_all(b"r").unwrap();
            }
        }
    };
    (port, thread::spawn(pass_on))
}

/// Connects to a recorder that may have only just been started.
fn connect(port: u16) -> TcpStream {
    let begun = Instant::now();
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => return stream,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{error}"),
        }
        thread::sleep(TICK);
    }
}

/// A port that nobody listens at.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
