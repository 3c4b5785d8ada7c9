//! The lines of a ledger and their check sums.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::budget::Budget;
use super::run_description::RunDescription;

/// The format's name in the header.
pub(super) const FORMAT: &str = "burn-privacy-ledger";

/// The newest version of the format. It reads all versions from 1; version 1 has no budgets, budgets of version 2 set nothing aside
/// for failures, and version 3 names no units.
pub(super) const VERSION: u64 = 4;

/// The version of a new file. It is raised by a record before the first line that needs a newer one, so that programs which
/// would not understand that line stop before it, and others go on.
pub(super) const FIRST_VERSION: u64 = 3;

/// How every header starts.
pub(super) const HEADER_START: &[u8] = b"{\"format\":\"burn-privacy-ledger\",\"version\":";

/// What completes a torn line. A record ends in a brace, so nothing that was acknowledged ends like this.
pub(super) const TORN: &[u8] = b" #torn: crash in mid-write, never acknowledged";

/// The program that writes.
pub(super) const SOFTWARE: &str = concat!("burn-privacy ", env!("CARGO_PKG_VERSION"));

/// Seconds since 1970; 0 on a machine whose clock stands before.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub format: String,
    pub version: u64,
    pub dataset: String,
    pub software: String,
    pub time: u64,
}

/// Any other line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Record {
    Begin { run: u64, description: RunDescription, process: u32, software: String, time: u64 },
    Resume { run: u64, charged: u64, process: u32, software: String, time: u64 },
    Reserve { run: u64, steps: u64, charged: u64, time: u64 },
    Close { run: u64, charged: u64, time: u64 },
    Budget { budget: Budget, software: String, time: u64 },
    Version { version: u64, software: String, time: u64 },
}

impl Record {
    /// The version of the format that a program must know to understand it.
    pub(super) fn version(&self) -> u64 {
        match self {
            Self::Begin { description, .. } if !description.unit.is_record() => 4,
            _ => 1,
        }
    }
}

/// The running check sum of a file: the hash of its last line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Chain(Option<u64>);

impl Chain {
    /// The line of a JSON object, check sum and line feed included, and the chain after it.
    pub(super) fn seal<T: Serialize>(self, object: &T) -> Result<(Vec<u8>, Self), serde_json::Error> {
        let mut line = serde_json::to_vec(object)?;
        line.pop(); // the closing brace
        let next = self.hash(&line);
        line.extend_from_slice(format!("{CHECK_KEY}{next:016x}\"}}\n").as_bytes());
        Ok((line, Self(Some(next))))
    }

    /// The object of a line (without its line feed) and the chain after it, if its check sum is right.
    pub(super) fn verify(self, line: &[u8]) -> Result<(Vec<u8>, Self), String> {
        const TAIL: usize = CHECK_KEY.len() + 16 + 2;
        let Some((body, tail)) = line.len().checked_sub(TAIL).map(|at| line.split_at(at)) else {
            return Err("the line has no check sum".to_owned());
        };
        let digits = tail
            .strip_prefix(CHECK_KEY.as_bytes())
            .and_then(|rest| rest.strip_suffix(b"\"}"))
            .ok_or("the line does not end in a check sum")?;
        let next = self.hash(body);
        if digits != format!("{next:016x}").as_bytes() {
            return Err("its check sum does not fit: it, or a line before it, was changed, lost or added".to_owned());
        }
        Ok(([body, b"}"].concat(), Self(Some(next))))
    }

    /// FNV-1a over the previous digits and the bytes.
    fn hash(self, bytes: &[u8]) -> u64 {
        let before = self.0.map(|hash| format!("{hash:016x}")).unwrap_or_default();
        before
            .bytes()
            .chain(bytes.iter().copied())
            .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
    }
}

/// What stands before the digits of a check sum.
const CHECK_KEY: &str = ",\"check\":\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        // Test vectors of the FNV authors.
        assert_eq!(Chain::default().hash(b""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(Chain::default().hash(b"foobar"), 0x8594_4171_F739_67E8);
    }

    #[test]
    fn a_sealed_line_verifies_in_its_place_only() {
        let record = Record::Close { run: 0, charged: 7, time: 1 };
        let (first, chain) = Chain::default().seal(&record).unwrap();
        let (second, _) = chain.seal(&record).unwrap();
        let strip = |line: &[u8]| line.strip_suffix(b"\n").unwrap().to_vec();
        let (first, second) = (strip(&first), strip(&second));
        let (object, after) = Chain::default().verify(&first).unwrap();
        assert_eq!(after, chain);
        assert!(chain.verify(&second).is_ok());
        assert!(Chain::default().verify(&second).is_err());
        assert_eq!(serde_json::from_slice::<Record>(&object).unwrap(), record);
        for at in 0..first.len() {
            for bit in 0..8 {
                let mut changed = first.clone();
                changed[at] ^= 1 << bit;
                assert!(Chain::default().verify(&changed).is_err(), "byte {at}, bit {bit}");
            }
        }
        for length in 0..first.len() {
            assert!(Chain::default().verify(&first[..length]).is_err());
        }
    }
}
