//! How many bytes are allocated at once. Where the C library is glibc, the whole process is counted,
//! Zstd's contexts included, which C allocates; elsewhere what Rust allocates.
#![allow(unsafe_code, reason = "an allocator is an unsafe trait, or foreign functions")]

use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed};

static COUNTS: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);

/// The most bytes that `work` had allocated at one time, beyond what was allocated before. All
/// threads count, so only one call may be at work at a time.
pub fn peak_bytes<R>(work: impl FnOnce() -> R) -> (R, usize) {
    LIVE.store(0, Relaxed);
    PEAK.store(0, Relaxed);
    COUNTS.store(true, Relaxed);
    let result = work();
    COUNTS.store(false, Relaxed);
    (result, PEAK.load(Relaxed).max(0) as usize)
}

#[inline]
fn count(bytes: impl FnOnce() -> isize) {
    if COUNTS.load(Relaxed) {
        let bytes = bytes();
        let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
        PEAK.fetch_max(live, Relaxed);
    }
}

/// The C library's allocator under its own names, each call passed on to it. Rust's default allocator
/// calls these too.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod heap {
    use std::ffi::{c_int, c_void};
    use std::ptr;

    use super::count;

    unsafe extern "C" {
        fn __libc_malloc(size: usize) -> *mut c_void;
        fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
        fn __libc_realloc(block: *mut c_void, size: usize) -> *mut c_void;
        fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
        fn __libc_free(block: *mut c_void);
        fn malloc_usable_size(block: *mut c_void) -> usize;
    }

    const OUT_OF_MEMORY: c_int = 12;

    /// # Safety
    /// `block` is null or live.
    unsafe fn size(block: *mut c_void) -> isize {
        // SAFETY: the caller's promise; the size of null is 0.
        unsafe { malloc_usable_size(block) as isize }
    }

    /// # Safety
    /// `block` is null or was allocated a moment ago.
    unsafe fn added(block: *mut c_void) -> *mut c_void {
        // SAFETY: the caller's promise.
        count(|| unsafe { size(block) });
        block
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
        // SAFETY: any size may be asked for; the result is null or live.
        unsafe { added(__libc_malloc(size)) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
        // SAFETY: as in `malloc`.
        unsafe { added(__libc_calloc(count, size)) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn realloc(block: *mut c_void, new_size: usize) -> *mut c_void {
        // SAFETY: the caller says that `block` is null or live; it is not used after the inner call.
        unsafe {
            let old = size(block);
            let moved = __libc_realloc(block, new_size);
            if !moved.is_null() {
                // Both blocks may exist for a moment.
                count(|| size(moved));
                count(|| -old);
            }
            moved
        }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn free(block: *mut c_void) {
        // SAFETY: the caller says that `block` is null or live.
        unsafe {
            count(|| -size(block));
            __libc_free(block);
        }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memalign(alignment: usize, size: usize) -> *mut c_void {
        // SAFETY: as in `malloc`.
        unsafe { added(__libc_memalign(alignment, size)) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
        // SAFETY: as in `malloc`.
        unsafe { added(__libc_memalign(alignment, size)) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn posix_memalign(
        out: *mut *mut c_void,
        alignment: usize,
        size: usize,
    ) -> c_int {
        // SAFETY: as in `malloc`; the caller says that `out` may be written.
        unsafe {
            let block = added(__libc_memalign(alignment, size));
            if block.is_null() {
                return OUT_OF_MEMORY;
            }
            ptr::write(out, block);
        }
        0
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod heap {
    use std::alloc::{GlobalAlloc, Layout, System};

    use super::count;

    struct Counting;

    // SAFETY: every call goes to the system's allocator with the caller's own arguments.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            count(|| layout.size() as isize);
            // SAFETY: the caller's promises for this call are the inner call's conditions.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            count(|| -(layout.size() as isize));
            // SAFETY: as in `alloc`.
            unsafe { System.dealloc(block, layout) };
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            // Both blocks may exist for a moment.
            count(|| size as isize);
            count(|| -(layout.size() as isize));
            // SAFETY: as in `alloc`.
            unsafe { System.realloc(block, layout, size) }
        }
    }

    #[global_allocator]
    static HEAP: Counting = Counting;
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn the_peak_counts_what_lives_at_once() {
        let before = vec![0_u8; 1 << 20];
        let (kept, peak) = peak_bytes(|| {
            drop(before);
            for _ in 0..3 {
                black_box(vec![0_u8; 5 << 20]);
            }
            black_box(vec![0_u8; 1 << 20])
        });
        assert_eq!(kept.len(), 1 << 20);
        // Tests beside this one may allocate a little, or free what they had before.
        let little = 64 << 10;
        assert!(peak.abs_diff(4 << 20) < little, "{peak}");

        let input = vec![1_u8; 1 << 20];
        let compress = || zstd::bulk::compress(black_box(&input), 19).unwrap();
        let (_, peak) = peak_bytes(compress);
        let counted_in_c = cfg!(all(target_os = "linux", target_env = "gnu"));
        assert_eq!(peak > 3 << 20, counted_in_c, "{peak}");
    }
}
