//! What is around the main function of a program: `fn(&mut Line)`, given an empty line.

/// A program that says on the semihosting console when it panics.
#[macro_export]
macro_rules! program {
    ($main:expr) => {
        #[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
        #[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
        fn main() -> ! {
            $crate::board::start();
            // Behind a statement, or cortex-m-rt would make a reference of it, as riscv-rt does not.
            static mut LINE: $crate::line::Line = $crate::line::Line::new();
            // SAFETY: the main function runs once, and it is the only one that can name this.
            ($main)(unsafe { &mut *(&raw mut LINE) });
            $crate::board::exit(true)
        }

        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
            semihosting::println!("{}", info);
            $crate::board::exit(false)
        }
    };
}

/// A program that can only be linked when nothing in it panics.
#[macro_export]
macro_rules! program_that_never_panics {
    ($main:expr) => {
        #[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
        #[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
        fn main() -> ! {
            $crate::board::start();
            ($main)();
            $crate::board::exit(true)
        }

        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
            $crate::board::panicked()
        }
    };
}
