//! How this process handles the memory of tensors that are no longer needed, and how much it needs and has.

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

/// Bytes that the system could still give this process, as Linux estimates them and as its control group and its own limits
/// (`ulimit`) allow; none elsewhere.
pub(crate) fn available_memory() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let of_system = kibibytes(&meminfo, "MemAvailable:")?;
    let of_process = std::fs::read_to_string("/proc/self/limits").ok().and_then(|limits| left_of_limits(&limits));
    Some([control_group_memory(), of_process].into_iter().flatten().fold(of_system, u64::min))
}

/// What is left of the process's limits of its addresses (`ulimit -v`) and its data (`ulimit -d`); none without one.
fn left_of_limits(limits: &str) -> Option<u64> {
    let left = |limit: &str, used: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(limit))?;
        // The soft limit comes first; the word for none is no number.
        let bytes = line.split_whitespace().next()?.parse::<u64>().ok()?;
        Some(bytes.saturating_sub(of_this_process(used)?))
    };
    [left("Max address space", "VmSize:"), left("Max data size", "VmData:")].into_iter().flatten().min()
}

/// What is left of a limit of the process's control group; none without one.
fn control_group_memory() -> Option<u64> {
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    // Inside of a container its own group is the root.
    let left = |limit: &str, used: &str| Some(number(limit)?.saturating_sub(number(used)?));
    left("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current")
        .or_else(|| left("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"))
}

/// Runs something, and says by how many bytes the process grew at its largest meanwhile, other threads included; none where the
/// system does not say. The system's record of the process's largest size starts anew.
pub(crate) fn peak_growth<T>(run: impl FnOnce() -> T) -> (T, Option<u64>) {
    release_freed_memory();
    let begun = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = of_this_process("VmRSS:");
    let outcome = run();
    let most = of_this_process("VmHWM:");
    let grown = before.zip(most).filter(|_| begun).map(|(before, most)| most.saturating_sub(before));
    (outcome, grown)
}

fn of_this_process(field: &str) -> Option<u64> {
    kibibytes(&std::fs::read_to_string("/proc/self/status").ok()?, field)
}

/// In bytes.
fn kibibytes(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

/// Gives what was freed back to the system, where it is kept.
fn release_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: malloc_trim takes an integer and locks the allocator itself.
        #[allow(unsafe_code)]
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_says_whether_it_worked() {
        assert_eq!(super::keep_freed_memory(), cfg!(all(target_os = "linux", target_env = "gnu")));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn limits_of_the_process_are_read() {
        let limits = |data: &str, addresses: &str| {
            super::left_of_limits(&format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max data size             {data}                unlimited            bytes     \n\
                 Max address space         {addresses}           unlimited            bytes     \n"
            ))
        };
        const TIB: u64 = 1 << 40;
        assert_eq!(limits("unlimited", "unlimited"), None);
        assert_eq!(limits("unlimited", "4096"), Some(0), "all of it is used");
        let left = limits(&TIB.to_string(), "unlimited").unwrap();
        assert!(left < TIB && left > TIB / 2, "{left}");
        assert!(limits(&TIB.to_string(), &(TIB / 4).to_string()).unwrap() < TIB / 4);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_growth_of_the_process_is_seen() {
        let (length, grown) = super::peak_growth(|| {
            let held: Vec<u8> = (0..96_u32 << 20).map(|byte| byte as u8).collect();
            // Or the compiler leaves the memory out.
            std::hint::black_box(&held).len() as u64
        });
        // Other tests of this process may free memory meanwhile.
        if let Some(grown) = grown {
            assert!(grown > length / 2, "{grown}");
        }
        assert!(super::available_memory().is_some_and(|bytes| bytes > 1 << 20));
    }
}
