//! How this process handles the memory of tensors that are no longer needed.

/// Asks the C library to keep freed memory for the next step instead of handing it back to the system; whether it will.
///
/// Call it once at the start of `main` when training on the CPU under Linux. Each step allocates and frees the same
/// tensors. With its defaults glibc maps large ones from the system anew each time, so that every page is zeroed and
/// faulted in again at each step; the benchmark models then take up to 1.5 times as long, with privacy or without. The
/// price is that the process stays as large as it was at its largest.
///
/// It changes glibc's `M_MMAP_THRESHOLD` to 1 GiB and switches `M_TRIM_THRESHOLD` off (see `mallopt(3)`), for the whole
/// process. With another C library or system, or another global allocator, it does nothing or nothing that matters.
pub fn keep_freed_memory() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const NEVER: i32 = -1;
        const LARGEST: i32 = 1 << 30;
        // SAFETY: mallopt takes two integers, locks the allocator itself and only sets its parameters.
        #[allow(unsafe_code)]
        let accepted = unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST) == 1 && libc::mallopt(libc::M_TRIM_THRESHOLD, NEVER) == 1
        };
        accepted
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    false
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_says_whether_it_worked() {
        assert_eq!(super::keep_freed_memory(), cfg!(all(target_os = "linux", target_env = "gnu")));
    }
}
