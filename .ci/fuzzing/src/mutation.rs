//! Inputs that are nearly right: changed copies of a corpus, from a seed that a failure names.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a harness ran.
#[derive(Debug, Clone, Copy)]
pub struct Executions(pub u64);

/// How long a harness runs in a test: some seconds, or as many as the variable `FUZZ_SECONDS` says.
#[must_use]
pub fn duration(seconds: u64) -> Duration {
    let said = std::env::var("FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(said.unwrap_or(seconds))
}

/// The files of a folder, sorted by name.
///
/// # Errors
///
/// Those of the system.
pub fn corpus(folder: &Path) -> std::io::Result<Vec<Vec<u8>>> {
    let mut paths =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    paths.iter().filter(|path| path.is_file()).map(std::fs::read).collect()
}

/// Runs a harness on the seeds, and on changed copies of them until the time is over.
///
/// # Panics
///
/// As the harness does, after the input was printed and written to the temporary folder.
pub fn run(name: &str, seeds: &[Vec<u8>], time: Duration, harness: impl Fn(&[u8])) -> Executions {
    let (start, mut count) = (Instant::now(), 0);
    let mut random = Random(0x5EED ^ name.len() as u64);
    for seed in seeds {
        execute(name, seed, &harness);
        count += 1;
    }
    while start.elapsed() < time {
        let mut input = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            change(&mut input, seeds, &mut random);
        }
        execute(name, &input, &harness);
        count += 1;
    }
    println!("{name}: {count} executions in {:.0} s", start.elapsed().as_secs_f64());
    Executions(count)
}

fn execute(name: &str, input: &[u8], harness: &impl Fn(&[u8])) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| harness(input))) {
        let file = std::env::temp_dir().join(format!("fuzzed-{name}"));
        let _ = std::fs::write(&file, input);
        println!("{name} failed on {:?}, which is in {}", String::from_utf8_lossy(input), file.display());
        resume_unwind(panic);
    }
}

/// Pieces that parsers treat in a special way.
const PIECES: [&[u8]; 40] = [
    b"0",
    b"-0",
    b"-1",
    b"1e308",
    b"1e-320",
    b"1e999",
    b"NaN",
    b"inf",
    b"-inf",
    b"null",
    b"true",
    b"\"\"",
    b"{}",
    b"[]",
    b"18446744073709551615",
    b"18446744073709551616",
    b"9223372036854775807",
    b"-9223372036854775809",
    b"4294967296",
    b"0.1",
    b"0.9999999999999999",
    b"1.0000000000000002",
    b",",
    b";",
    b"\t",
    b"\n",
    b"\r\n",
    b"\"",
    b"\\",
    b"\0",
    b"\xEF\xBB\xBF",
    b"\xFF\xFE",
    b"\xC3\xA9",
    b"\\u0000",
    b"\\ud800",
    b"[[",
    b"{\"",
    b" #torn",
    b"#",
    b"=",
];

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    const LONGEST: usize = 1 << 16;
    let at = random.below(input.len() + 1);
    let most = 1 << random.below(9);
    let end = (at + 1 + random.below(most)).min(input.len());
    let at_byte = at.min(input.len().saturating_sub(1));
    match random.below(9) {
        0 if !input.is_empty() => input[at_byte] ^= 1 << random.below(8),
        1 if !input.is_empty() => input[at_byte] = random.next() as u8,
        2 => drop(input.drain(at.min(end)..end)),
        3 => input.truncate(at),
        4 if input.len() < LONGEST => {
            let copy = input[at.min(end)..end].to_vec();
            let to = random.below(input.len() + 1);
            drop(input.splice(to..to, copy));
        }
        5 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        6 => {
            // A number in place of another.
            let digits = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'e');
            let start = at + input[at..].iter().position(digits).unwrap_or(0);
            let stop = start + input[start..].iter().position(|byte| !digits(byte)).unwrap_or(input.len() - start);
            drop(input.splice(start..stop, PIECES[random.below(22)].iter().copied()));
        }
        _ => drop(input.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied())),
    }
}

/// splitmix64: what is fuzzed is the same in every run of the same length.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}
