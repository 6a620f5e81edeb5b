//! Registers of peripherals. With `memory`, one of the files with unsafe code: a register is an address.

/// A register of 32 bits at an address of the board's.
#[derive(Clone, Copy)]
pub(crate) struct Register(pub(crate) usize);

impl Register {
    pub(crate) fn read(self) -> u32 {
        // SAFETY: boards name addresses of their registers, which may be read at any time.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    pub(crate) fn write(self, value: u32) {
        // SAFETY: boards name addresses of their registers, and none of them lets hardware write to
        // memory.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }
}

/// A register of 8 bits.
#[cfg(board = "virt")]
#[derive(Clone, Copy)]
pub(crate) struct ByteRegister(pub(crate) usize);

#[cfg(board = "virt")]
impl ByteRegister {
    pub(crate) fn read(self) -> u8 {
        // SAFETY: as in `Register`.
        unsafe { (self.0 as *const u8).read_volatile() }
    }

    pub(crate) fn write(self, value: u8) {
        // SAFETY: as in `Register`.
        unsafe { (self.0 as *mut u8).write_volatile(value) }
    }
}

/// Reads where no memory and no register is.
pub(crate) fn fault() {
    const NOWHERE: usize = 0xD000_0000;
    core::hint::black_box(Register(NOWHERE).read());
}
