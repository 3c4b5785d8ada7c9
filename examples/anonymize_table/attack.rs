//! The attacks on the releases: what each finds is printed.

use std::io::{BufReader, Read};
use std::path::Path;

use burn_privacy_anonymize::attack::{dictionary, homogeneity};
use burn_privacy_examples::Result;
use burn_privacy_examples::affordability::generated::{FIRST_NAMES, HOUSEHOLDS, LAST_NAMES, email};

/// Every address that somebody who knows how they are made would try, one a line, without a file.
struct Candidates {
    next: usize,
    line: Vec<u8>,
    read: usize,
}

impl Read for Candidates {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        if self.read == self.line.len() {
            let (name, number) = (self.next / HOUSEHOLDS, self.next % HOUSEHOLDS);
            if name == FIRST_NAMES.len() * LAST_NAMES.len() {
                return Ok(0);
            }
            let (first, last) = (FIRST_NAMES[name / LAST_NAMES.len()], LAST_NAMES[name % LAST_NAMES.len()]);
            self.line = (email(first, last, number) + "\n").into_bytes();
            (self.next, self.read) = (self.next + 1, 0);
        }
        let count = to.len().min(self.line.len() - self.read);
        to[..count].copy_from_slice(&self.line[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

/// Who guesses addresses finds whose rows are whose.
pub fn by_dictionary(release: &Path) -> Result<String> {
    let candidates = Candidates { next: 0, line: Vec::new(), read: 0 };
    let found = dictionary(release, b',', "email", BufReader::new(candidates), Path::new("guessed addresses"))?;
    Ok(format!(
        "   a dictionary of {} addresses undoes {} of {} in {:.1} s",
        found.candidates,
        found.rows_undone,
        found.rows,
        found.time.as_secs_f64()
    ))
}

/// Who knows a household's coarse numbers, and what its class then tells.
pub fn by_homogeneity(release: &Path) -> Result<String> {
    let known = ["age", "income", "expenditure", "house_price"].map(str::to_owned);
    let found = homogeneity(release, b',', &known, "affordability")?;
    Ok(format!(
        "   classes of {} rows at least; {} of {} rows are in one that tells affordability to two digits\n",
        found.smallest_class, found.exposed_rows, found.rows
    ))
}
