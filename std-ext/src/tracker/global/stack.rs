//! Call stacks by frame pointers. The one file of this crate with unsafe code: only assembly tells the
//! frame pointer, only the C library where a stack ends, and the frames in between are somebody else's
//! memory.
#![allow(unsafe_code)]

use std::ops::Range;

/// The most frames that are followed, from the innermost.
pub(super) const MAX_FRAMES: usize = 192;

/// Follows the frames from `frame` on, which lies within the calling thread's stack, as far as each lies
/// beyond the one before and within that `stack`. Writes their return addresses, the innermost first, and
/// returns how many there are.
pub(super) fn follow(
    mut frame: usize,
    stack: &Range<usize>,
    addresses: &mut [u64; MAX_FRAMES],
) -> usize {
    let here = (&raw const frame).addr();
    let mut least = if stack.contains(&here) { here } else { usize::MAX };
    let mut len = 0;
    for place in addresses {
        let is_frame = frame > least
            && frame.is_multiple_of(size_of::<usize>())
            && frame < stack.end.saturating_sub(2 * size_of::<usize>());
        if !is_frame {
            break;
        }
        // SAFETY: two aligned words between a local of this function and the end of this thread's
        // stack. That is all mapped, in use while this function runs, and written by this thread
        // only. Whatever is there is a number to us.
        let [caller, address] =
            unsafe { std::ptr::with_exposed_provenance::<[usize; 2]>(frame).read_volatile() };
        if address == 0 {
            break;
        }
        *place = address as u64;
        len += 1;
        (least, frame) = (frame, caller);
    }
    len
}

/// The frame pointer of the function that this is inlined into, if it has one; any number if not.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn frame_pointer() -> usize {
    let frame;
    // SAFETY: copies a register.
    unsafe {
        std::arch::asm!("mov {}, rbp", out(reg) frame, options(nomem, nostack, preserves_flags));
    }
    frame
}

/// The frame pointer of the function that this is inlined into, if it has one; any number if not.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(super) fn frame_pointer() -> usize {
    let frame;
    // SAFETY: copies a register.
    unsafe {
        std::arch::asm!("mov {}, x29", out(reg) frame, options(nomem, nostack, preserves_flags));
    }
    frame
}

/// None that could be followed.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
pub(super) fn frame_pointer() -> usize {
    0
}

/// Where the calling thread's stack lies; empty when the system does not tell.
#[cfg(target_os = "linux")]
pub(super) fn stack_of_this_thread() -> Range<usize> {
    let mut attributes = std::mem::MaybeUninit::uninit();
    let (mut start, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the thread is the calling one; the attributes are initialised where they are read, and
    // destroyed once.
    let code = unsafe {
        match libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) {
            0 => {
                let code = libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size);
                libc::pthread_attr_destroy(attributes.as_mut_ptr());
                code
            }
            code => code,
        }
    };
    let start = start.addr();
    if code == 0 { start..start.saturating_add(size) } else { 0..0 }
}

/// Unknown on this system.
#[cfg(not(target_os = "linux"))]
pub(super) fn stack_of_this_thread() -> Range<usize> {
    0..0
}

/// Whether frames can be followed here, if the program was compiled with frame pointers.
pub(super) const SUPPORTED: bool =
    cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")));
