//! How many trials the machine has cores and memory for.

/// How many trials may run at a time: no more than there are processor cores, and than memory is free for, if the system
/// tells how much is; `memory` is what one trial needs, in bytes.
pub fn jobs_that_fit(memory: u64) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let room = free_memory().map_or(cores, |free| usize::try_from(free / memory.max(1)).unwrap_or(cores));
    cores.min(room).max(1)
}

/// As Linux estimates it, in bytes.
fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
