//! The firmware's images, and QEMU to run them.

use std::io::Read;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// An image of the application for a board.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) board: String,
    pub(crate) variant: String,
    path: PathBuf,
}

fn folder() -> PathBuf {
    let folder = std::env::var_os("HEAPWIRE_IMAGES");
    folder.expect("HEAPWIRE_IMAGES names the folder that ci/firmware-images filled").into()
}

/// All images of this variant.
pub(crate) fn images(variant: &str) -> Vec<Image> {
    let mut images = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let board = name.strip_suffix(&format!("-{variant}.elf")).map(str::to_owned);
        if let Some(board) = board {
            images.push(Image { board, variant: variant.to_owned(), path });
        }
    }
    assert!(!images.is_empty(), "there is no image of the variant {variant}");
    images.sort_by(|a, b| a.board.cmp(&b.board));
    images
}

/// The image of this variant for a board.
pub(crate) fn image(board: &str, variant: &str) -> Image {
    images(variant).into_iter().find(|image| image.board == board).expect("has an image")
}

impl Image {
    /// Starts it; its UART is `serial`, in QEMU's words.
    pub(crate) fn start(&self, serial: &str) -> Child {
        let mut qemu = if self.board == "virt" {
            let mut qemu = Command::new("qemu-system-riscv32");
            qemu.args(["-bios", "none"]);
            qemu
        } else {
            let mut qemu = Command::new("qemu-system-arm");
            qemu.args(["-semihosting-config", "enable=on,target=native"]);
            qemu
        };
        if self.variant == "harts" {
            qemu.args(["-smp", "2"]);
        }
        qemu.args(["-machine", &self.board, "-display", "none", "-monitor", "none"]);
        qemu.args(["-serial", serial]).arg("-kernel").arg(&self.path);
        qemu.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("QEMU starts")
    }

    /// Starts it with its UART connected to who listens at this port.
    pub(crate) fn start_connected(&self, port: u16) -> Child {
        self.start(&format!("tcp:127.0.0.1:{port},server=off"))
    }

    /// Runs it to its end; returns what it sent. When it waits for a reset, it gets it.
    pub(crate) fn line(&self) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut qemu = self.start_connected(listener.local_addr().unwrap().port());
        let (mut socket, _) = listener.accept().unwrap();
        let (mut line, mut buffer, mut is_reset) = (Vec::new(), [0; 4096], false);
        loop {
            let read = socket.read(&mut buffer).unwrap();
            line.extend_from_slice(&buffer[..read]);
            if !is_reset && waits(&line) {
                is_reset = true;
                std::io::Write::write_all(&mut socket, b"r").unwrap();
            }
            if read == 0 {
                break;
            }
        }
        assert!(qemu.wait().unwrap().success(), "{self:?}");
        line
    }
}

/// Whether the firmware has said that it waits for a reset.
pub(crate) fn waits(line: &[u8]) -> bool {
    line.ends_with(b"waiting\n")
}
