//! Functions that C calls and that C defines, as `heapwire.h` declares them. The one file with unsafe code:
//! nothing of another language is checked here, so each promise is the header's.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_void};
use core::slice;
use core::sync::atomic::{AtomicU32, Ordering};

use critical_section::RawRestoreState;
use embedded_io::{ErrorKind, ErrorType, Write};
use heapwire_core::{Detail, FrameSender, HeapObserver};

use crate::{BUFFERS, NAMES, Program, RECORDER, SIZE};

unsafe extern "C" {
    safe fn heapwire_ticks() -> u64;
    safe fn heapwire_thread() -> u32;
    safe fn heapwire_lock() -> u32;
    safe fn heapwire_unlock(state: u32);
    /// Nobody defines it: a program in which a panic is left does not link.
    safe fn heapwire_panic_path_is_left() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    heapwire_panic_path_is_left()
}

static EPOCH: AtomicU32 = AtomicU32::new(0);

pub(crate) fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}

pub(crate) fn ticks() -> u64 {
    heapwire_ticks()
}

pub(crate) fn thread() -> u32 {
    heapwire_thread()
}

struct Lock;

critical_section::set_impl!(Lock);

// SAFETY: the header wants a lock that keeps every other caller out.
unsafe impl critical_section::Impl for Lock {
    unsafe fn acquire() -> RawRestoreState {
        heapwire_lock()
    }

    unsafe fn release(state: RawRestoreState) {
        heapwire_unlock(state);
    }
}

/// A name that C gave.
///
/// # Safety
/// It is a string of C that lives forever.
unsafe fn name(name: *const c_char) -> &'static str {
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str().unwrap_or("(not UTF-8)")
}

/// A line that C writes to.
struct Link {
    write: WriteFn,
    context: *mut c_void,
}

impl ErrorType for Link {
    type Error = ErrorKind;
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    // The provided one panics when a line takes nothing.
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        match (self.write)(self.context, bytes.as_ptr(), bytes.len()) {
            true => Ok(()),
            false => Err(ErrorKind::Other),
        }
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

type WriteFn = extern "C" fn(*mut c_void, *const u8, usize) -> bool;

#[unsafe(no_mangle)]
extern "C" fn heapwire_start(epoch: u32) {
    EPOCH.store(epoch, Ordering::Relaxed);
    RECORDER.start();
}

#[unsafe(no_mangle)]
extern "C" fn heapwire_stop() {
    RECORDER.stop();
}

#[unsafe(no_mangle)]
extern "C" fn heapwire_allocated(block: *const c_void, size: usize) {
    RECORDER.allocated(block.addr(), size);
}

#[unsafe(no_mangle)]
extern "C" fn heapwire_freed(block: *const c_void, size: usize) {
    RECORDER.freed(block.addr(), size);
}

#[unsafe(no_mangle)]
extern "C" fn heapwire_reallocated(
    old: *const c_void,
    old_size: usize,
    block: *const c_void,
    size: usize,
) {
    RECORDER.reallocated(old.addr(), old_size, block.addr(), size);
}

#[unsafe(no_mangle)]
extern "C" fn heapwire_failed(size: usize) {
    RECORDER.failed(size);
}

/// # Safety
/// As `name`.
#[unsafe(no_mangle)]
unsafe extern "C" fn heapwire_scope_enter(scope: *const c_char) -> u32 {
    // SAFETY: the caller's promise.
    RECORDER.enter_scope(unsafe { name(scope) })
}

#[unsafe(no_mangle)]
extern "C" fn heapwire_scope_leave(former: u32) {
    RECORDER.leave_scope(former);
}

/// # Safety
/// As `name`.
#[unsafe(no_mangle)]
unsafe extern "C" fn heapwire_gauge(gauge: *const c_char, value: i64) {
    // SAFETY: the caller's promise.
    RECORDER.gauge(unsafe { name(gauge) }, value);
}

/// # Safety
/// As `name`.
#[unsafe(no_mangle)]
unsafe extern "C" fn heapwire_mark(mark: *const c_char) {
    // SAFETY: the caller's promise.
    RECORDER.mark(unsafe { name(mark) });
}

/// # Safety
/// As `name`.
#[unsafe(no_mangle)]
unsafe extern "C" fn heapwire_name_thread(thread: u32, text: *const c_char) {
    // SAFETY: the caller's promise.
    RECORDER.name_thread(thread, unsafe { name(text) });
}

#[unsafe(no_mangle)]
extern "C" fn heapwire_totals_only(totals_only: bool) {
    RECORDER.set_detail(if totals_only { Detail::Totals } else { Detail::Events });
}

#[unsafe(no_mangle)]
extern "C" fn heapwire_flush() {
    RECORDER.flush();
}

#[unsafe(no_mangle)]
extern "C" fn heapwire_drain(write: WriteFn, context: *mut c_void) -> bool {
    RECORDER.drain(&mut Link { write, context }).is_ok()
}

#[unsafe(no_mangle)]
extern "C" fn heapwire_send_totals(write: WriteFn, context: *mut c_void) -> bool {
    RECORDER.send_totals(&mut Link { write, context }).is_ok()
}

#[unsafe(no_mangle)]
extern "C" fn heapwire_last_words(write: WriteFn, context: *mut c_void) -> bool {
    RECORDER.last_words(&mut Link { write, context }).unwrap_or(false)
}

/// The sender of whoever calls `heapwire_fill`.
struct Sender(UnsafeCell<FrameSender<'static, Program, SIZE, BUFFERS, NAMES>>);

// SAFETY: the header lets it be called from one place only.
unsafe impl Sync for Sender {}

static SENDER: Sender = Sender(UnsafeCell::new(FrameSender::new(&RECORDER)));

/// # Safety
/// `out` has room for `len` bytes, and nobody else is in this function.
#[unsafe(no_mangle)]
unsafe extern "C" fn heapwire_fill(out: *mut u8, len: usize) -> usize {
    if out.is_null() {
        return 0;
    }
    // SAFETY: the caller's promises; nobody reads the bytes before they are written.
    let out = unsafe { slice::from_raw_parts_mut(out, len) };
    // SAFETY: nobody else has a reference to it now.
    unsafe { &mut *SENDER.0.get() }.fill(out)
}
