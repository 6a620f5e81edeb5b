//! The heap, the stack, and what survives a reset. With `register`, one of the files with unsafe code:
//! all of this is memory that the language knows nothing of.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::asm;
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;

use critical_section::{Mutex, RestoreState};
use embedded_alloc::LlffHeap;
use heapwire_core::TrackedHeap;

use crate::board::HEAP_SIZE;
use crate::witness::Witness;

#[global_allocator]
static HEAP: TrackedHeap<LlffHeap, Witness> = TrackedHeap::new(LlffHeap::empty(), Witness);

#[repr(align(8))]
struct HeapMemory(UnsafeCell<MaybeUninit<[u8; HEAP_SIZE]>>);

// SAFETY: only its address is ever taken here.
unsafe impl Sync for HeapMemory {}

static HEAP_MEMORY: HeapMemory = HeapMemory(UnsafeCell::new(MaybeUninit::uninit()));

/// Gives the heap its memory; once.
pub(crate) fn start_heap() {
    // SAFETY: this memory is nobody else's. A second call panics.
    unsafe { HEAP.heap().init(HEAP_MEMORY.0.get().addr(), HEAP_SIZE) }
}

/// The allocator's own count of bytes in use, each block as large as it makes it.
pub(crate) fn heap_used() -> usize {
    HEAP.heap().used()
}

pub(crate) fn heap_free() -> usize {
    HEAP.heap().free()
}

/// The largest block that could be had, in bytes: found by trying, behind the tracker's back.
pub(crate) fn largest_free_block() -> usize {
    const GRAIN: usize = 4;
    let can_have = |grains: usize| {
        let Ok(layout) = Layout::from_size_align(grains * GRAIN, GRAIN) else { return false };
        // An interrupt in between would find the heap full.
        critical_section::with(|_| {
            // SAFETY: the layout is not empty, and what was allocated is freed with the same layout.
            unsafe {
                let block = HEAP.heap().alloc(layout);
                if !block.is_null() {
                    HEAP.heap().dealloc(block, layout);
                }
                !block.is_null()
            }
        })
    };
    // Some that can be had, and too many.
    let (mut can, mut cannot) = (0, HEAP_SIZE / GRAIN + 1);
    while cannot - can > 1 {
        let middle = can.midpoint(cannot);
        if can_have(middle) {
            can = middle;
        } else {
            cannot = middle;
        }
    }
    // A rest too small to be kept in the free list cannot be left, but no rest can.
    let whole = can + 2;
    GRAIN * if can_have(whole) { whole } else { can }
}

const PAINT: u32 = 0xDEC0_DED5;

unsafe extern "C" {
    /// Where the stack begins, growing downwards, and what survives a reset: symbols of the linker's,
    /// of which only the addresses mean something.
    static _stack_start: u8;
    #[cfg(target_arch = "riscv32")]
    static _hart_stack_size: u8;
    static mut _retained: [u32; 2];
}

/// Up to where the stack may grow: mostly the end of the variables.
fn stack_end() -> usize {
    #[cfg(target_arch = "arm")]
    return cortex_m_rt::heap_start().addr();
    // The next core's begins there.
    #[cfg(target_arch = "riscv32")]
    return (&raw const _stack_start).addr() - (&raw const _hart_stack_size).addr();
}

/// Paints the stack that is not used yet, so that it shows how far it grew.
#[inline(never)]
pub(crate) fn paint_stack() {
    let top: usize;
    // SAFETY: reads the stack pointer. Below it and above the variables is nothing, and no interrupt is
    // enabled yet. A margin is kept for this function's own.
    unsafe {
        #[cfg(target_arch = "arm")]
        asm!("mov {}, sp", out(reg) top, options(nomem, nostack, preserves_flags));
        #[cfg(target_arch = "riscv32")]
        asm!("mv {}, sp", out(reg) top, options(nomem, nostack, preserves_flags));
        for at in (stack_end()..top - 64).step_by(4) {
            (at as *mut u32).write_volatile(PAINT);
        }
    }
}

/// The most bytes of stack that were used.
pub(crate) fn stack_high_water() -> usize {
    let top = (&raw const _stack_start).addr();
    // SAFETY: all of this is memory, and it is only read.
    let painted = |at: &usize| unsafe { (*at as *const u32).read_volatile() == PAINT };
    top - stack_end() - 4 * (stack_end()..top).step_by(4).take_while(painted).count()
}

/// How many resets there were since power came.
pub(crate) fn count_resets() -> u32 {
    const VALID: u32 = 0x5EED_B007;
    // SAFETY: aligned memory beyond what the linker gives to anybody else, and this is called once.
    unsafe {
        let retained = &raw mut _retained;
        let [valid, last] = retained.read_volatile();
        let resets = if valid == VALID { last.wrapping_add(1) } else { 0 };
        retained.write_volatile([VALID, resets]);
        resets
    }
}

/// Lets the timer and peripherals interrupt.
#[cfg(board = "virt")]
pub(crate) fn enable_interrupts() {
    // SAFETY: no critical section is broken: interrupts were never enabled before.
    unsafe {
        riscv::register::mie::set_mtimer();
        riscv::register::mie::set_mext();
        riscv::interrupt::enable();
    }
}

static HELD: Mutex<Cell<Option<RestoreState>>> = Mutex::new(Cell::new(None));

/// Begins a critical section that ends with `let_interrupts_go`, wherever that is.
pub(crate) fn hold_interrupts() {
    // SAFETY: released below. No other begins in between, as interrupts are held back.
    let restore = unsafe { critical_section::acquire() };
    critical_section::with(|section| HELD.borrow(section).set(Some(restore)));
}

/// Ends the critical section that `hold_interrupts` began, if it did.
pub(crate) fn let_interrupts_go() {
    if let Some(restore) = critical_section::with(|section| HELD.borrow(section).take()) {
        // SAFETY: acquired above, and taken, so that it is released once.
        unsafe { critical_section::release(restore) };
    }
}
