//! Records for validation, chosen at random and independently of who is in a step's batch.

use std::collections::HashSet;

use burn_privacy_mechanisms::{PrivacyKey, Purpose, fill_uniform};

use crate::error::Result;

/// Draws record numbers from a stream of the session's key that decides nothing else.
pub(crate) struct RandomRecords<'a> {
    key: &'a PrivacyKey,
    step: u64,
    next: u64,
    population: usize,
}

impl<'a> RandomRecords<'a> {
    pub(crate) fn new(key: &'a PrivacyKey, step: u64, population: usize) -> Self {
        Self { key, step, next: 0, population }
    }

    /// A number below `bound`, which must not be zero.
    pub(super) fn below(&mut self, bound: usize) -> Result<usize> {
        let mut number = [0.0];
        fill_uniform(self.key, Purpose::Validation, self.step, self.next, &mut number)?;
        self.next += 1;
        Ok(((number[0] * bound as f64) as usize).min(bound - 1))
    }

    /// The numbers below `bound` in random order.
    pub(super) fn shuffled(&mut self, bound: usize) -> Result<Vec<usize>> {
        let mut numbers: Vec<usize> = (0..bound).collect();
        for last in (1..bound).rev() {
            numbers.swap(last, self.below(last + 1)?);
        }
        Ok(numbers)
    }

    /// So many different records, or all of them in random order.
    pub(crate) fn distinct(&mut self, count: usize) -> Result<Vec<usize>> {
        if self.population <= 2 * count {
            let mut all = self.shuffled(self.population)?;
            all.truncate(count);
            return Ok(all);
        }
        let mut seen = HashSet::new();
        let mut chosen = Vec::with_capacity(count);
        while chosen.len() < count {
            let record = self.below(self.population)?;
            if seen.insert(record) {
                chosen.push(record);
            }
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    use burn_privacy_mechanisms::Entropy;

    use super::*;

    #[test]
    fn different_records_and_each_equally_often() {
        let key = PrivacyKey::draw(Entropy::seeded(1)).unwrap();
        for (population, count) in [(0, 4), (1, 4), (7, 4), (100, 4)] {
            let mut seen = vec![0_u32; population];
            let rounds = 2_000;
            for step in 0..rounds {
                let chosen = RandomRecords::new(&key, step, population).distinct(count).unwrap();
                assert_eq!(chosen.len(), count.min(population));
                assert_eq!(chosen.iter().collect::<HashSet<_>>().len(), chosen.len());
                chosen.into_iter().for_each(|record| seen[record] += 1);
            }
            // Binomial, within 7 standard deviations (the seed is fixed: it passes always or never).
            let rate = count.min(population) as f64 / population.max(1) as f64;
            let deviation = (rounds as f64 * rate * (1.0 - rate)).sqrt();
            for times in seen {
                assert!((f64::from(times) - rounds as f64 * rate).abs() <= 7.0 * deviation, "{times} of {rounds}");
            }
        }
    }
}
