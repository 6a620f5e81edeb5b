//! `TrackedHeap`: any allocator, reporting what it does. The one file of this crate with unsafe code:
//! `GlobalAlloc` is an unsafe trait, and there is no other way to stand between a program and its
//! allocator.
#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};

/// Who is told of allocations. Called within the allocator: an implementation must not allocate from
/// the heap that reports to it, and must not unwind.
pub trait HeapObserver {
    /// A block of `size` bytes was allocated.
    fn allocated(&self, address: usize, size: usize);
    /// A block of `size` bytes is about to be freed.
    fn freed(&self, address: usize, size: usize);
    /// A block is about to be resized: `reallocated` or `failed` follows on the same thread. In between,
    /// what the block leaves behind when it moves may be handed out to another thread already.
    fn reallocating(&self) {}
    /// A block was resized; `address` is where it was when that happened in place.
    fn reallocated(&self, old: usize, old_size: usize, address: usize, size: usize);
    /// `size` bytes could not be had.
    fn failed(&self, size: usize);
}

impl<O: HeapObserver + ?Sized> HeapObserver for &O {
    #[inline(always)]
    fn allocated(&self, address: usize, size: usize) {
        (**self).allocated(address, size);
    }

    fn freed(&self, address: usize, size: usize) {
        (**self).freed(address, size);
    }

    fn reallocating(&self) {
        (**self).reallocating();
    }

    #[inline(always)]
    fn reallocated(&self, old: usize, old_size: usize, address: usize, size: usize) {
        (**self).reallocated(old, old_size, address, size);
    }

    fn failed(&self, size: usize) {
        (**self).failed(size);
    }
}

/// An allocator that reports every allocation, reallocation, free and failure to an observer. A free
/// is reported before the block can be used again, everything else after it happened; a reallocation
/// is announced besides.
///
/// A reallocation that moves a block gives up its old place before it is reported. Where an interrupt
/// allocates, an observer that reports at once should hold interrupts back from
/// [`reallocating`](HeapObserver::reallocating) to what follows it, or the place may be reported as handed
/// out again before it was given up.
///
/// ```
/// use heapwire_core::{Device, Placement, Recorder, Session, TrackedHeap};
/// use std::alloc::System;
///
/// struct Program;
///
/// impl Device for Program {
///     const PLACEMENT: Placement = Placement::GLIBC_64;
///
///     fn session() -> Session<'static> {
///         Session { device: "demo", build: "", ticks_per_second: 1_000, address_bits: 64 }
///     }
///
///     fn ticks() -> u64 {
///         0
///     }
/// }
///
/// static RECORDER: Recorder<Program, 236, 4> = Recorder::new();
///
/// #[global_allocator]
/// static HEAP: TrackedHeap<System, &Recorder<Program, 236, 4>> = TrackedHeap::new(System, &RECORDER);
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct TrackedHeap<A, O> {
    heap: A,
    observer: O,
}

impl<A, O> TrackedHeap<A, O> {
    /// Tracks `heap` for `observer`.
    pub const fn new(heap: A, observer: O) -> Self {
        Self { heap, observer }
    }

    /// The tracked allocator, to initialise it or to ask it for its statistics.
    pub const fn heap(&self) -> &A {
        &self.heap
    }
}

// SAFETY: every call goes to the inner allocator with the caller's own arguments, and what it returns
// is returned unchanged, so its guarantees are ours. Pointers are handed to the observer as numbers.
unsafe impl<A: GlobalAlloc, O: HeapObserver> GlobalAlloc for TrackedHeap<A, O> {
    // None is inlined, so that an observer which looks at the stack finds the caller of the allocator one
    // frame further out; the observer's part is inlined here.
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises for this call are the inner call's conditions.
        let block = unsafe { self.heap.alloc(layout) };
        self.report(block, layout.size());
        block
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let block = unsafe { self.heap.alloc_zeroed(layout) };
        self.report(block, layout.size());
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.observer.freed(block.addr(), layout.size());
        // SAFETY: as in `alloc`.
        unsafe { self.heap.dealloc(block, layout) };
    }

    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let old = block.addr();
        self.observer.reallocating();
        // SAFETY: as in `alloc`.
        let block = unsafe { self.heap.realloc(block, layout, size) };
        if block.is_null() {
            self.observer.failed(size);
        } else {
            self.observer.reallocated(old, layout.size(), block.addr(), size);
        }
        block
    }
}

impl<A, O: HeapObserver> TrackedHeap<A, O> {
    #[inline(always)]
    fn report(&self, block: *mut u8, size: usize) {
        if block.is_null() {
            self.observer.failed(size);
        } else {
            self.observer.allocated(block.addr(), size);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::alloc::System;
    use std::sync::Mutex;
    use std::vec::Vec;

    #[derive(Debug, PartialEq, Eq)]
    enum Seen {
        Allocated(usize, usize),
        Freed(usize, usize),
        Reallocating,
        Reallocated(usize, usize, usize, usize),
        Failed(usize),
    }

    #[derive(Default)]
    struct Notes(Mutex<Vec<Seen>>);

    impl Notes {
        fn add(&self, seen: Seen) {
            self.0.lock().expect("not poisoned").push(seen);
        }
    }

    impl HeapObserver for Notes {
        fn allocated(&self, address: usize, size: usize) {
            self.add(Seen::Allocated(address, size));
        }
        fn freed(&self, address: usize, size: usize) {
            self.add(Seen::Freed(address, size));
        }
        fn reallocating(&self) {
            self.add(Seen::Reallocating);
        }
        fn reallocated(&self, old: usize, old_size: usize, address: usize, size: usize) {
            self.add(Seen::Reallocated(old, old_size, address, size));
        }
        fn failed(&self, size: usize) {
            self.add(Seen::Failed(size));
        }
    }

    /// An allocator that never has anything to give.
    struct Exhausted;

    // SAFETY: null is a valid answer of `alloc`, and `dealloc` is then never called.
    unsafe impl GlobalAlloc for Exhausted {
        unsafe fn alloc(&self, _: Layout) -> *mut u8 {
            core::ptr::null_mut()
        }
        unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
    }

    #[test]
    fn every_call_is_one_report() {
        let heap = TrackedHeap::new(System, Notes::default());
        let layout = Layout::from_size_align(40, 8).expect("valid");
        // SAFETY: sizes are not zero, and each block is used with the layout it was allocated with.
        let (first, second, moved) = unsafe {
            let first = heap.alloc(layout);
            let second = heap.alloc_zeroed(layout);
            assert!((0..40).all(|i| *second.add(i) == 0));
            second.write(7);
            let moved = heap.realloc(second, layout, 4000);
            assert_eq!(moved.read(), 7);
            heap.dealloc(first, layout);
            heap.dealloc(moved, Layout::from_size_align(4000, 8).expect("valid"));
            (first.addr(), second.addr(), moved.addr())
        };
        assert_eq!(
            *heap.observer.0.lock().expect("not poisoned"),
            [
                Seen::Allocated(first, 40),
                Seen::Allocated(second, 40),
                Seen::Reallocating,
                Seen::Reallocated(second, 40, moved, 4000),
                Seen::Freed(first, 40),
                Seen::Freed(moved, 4000),
            ]
        );
    }

    #[test]
    fn failures_are_reported_with_the_size_asked_for() {
        let heap = TrackedHeap::new(Exhausted, Notes::default());
        let layout = Layout::from_size_align(123, 1).expect("valid");
        // SAFETY: the size is not zero, and null is what `Exhausted` returns.
        unsafe {
            assert!(heap.alloc(layout).is_null());
            assert!(heap.alloc_zeroed(layout).is_null());
        }
        assert_eq!(
            *heap.observer.0.lock().expect("not poisoned"),
            [Seen::Failed(123), Seen::Failed(123)]
        );
    }
}
