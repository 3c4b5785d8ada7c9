//! Disjoint shards of a data set, one for each teacher, by a secret coin for each record.

use burn_privacy_mechanisms::{Entropy, PrivacyKey, Purpose, fill_secret_uniform};

use crate::error::{EnsembleError, Result};

/// Disjoint parts of a data set, one for each teacher.
///
/// Each record is put into a shard by a secret coin of its own, so that removing a record moves no other one: two
/// neighboring data sets differ in one shard. That needs secret coins: those of a fixed seed go by a record's place, which a removed
/// record changes for all behind it ([`is_private`](Self::is_private) tells). Shards differ in size, and may be empty.
#[derive(Clone)]
pub struct Shards {
    records: Vec<Vec<usize>>,
    private: bool,
}

impl Shards {
    /// Draws the shard of each of `population` records.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Plan`] for no shards; if the operating system gives no randomness.
    pub fn draw(population: usize, shards: usize, entropy: Entropy) -> Result<Self> {
        if shards == 0 {
            return Err(EnsembleError::plan("shards", 0, "at least 1"));
        }
        let key = PrivacyKey::draw(entropy)?;
        let mut coins = vec![0.0; population];
        fill_secret_uniform(&key, Purpose::Assignment, 0, 0, &mut coins)?;
        let mut records = vec![Vec::new(); shards];
        for (record, coin) in coins.into_iter().enumerate() {
            records[((coin * shards as f64) as usize).min(shards - 1)].push(record);
        }
        Ok(Self { records, private: entropy.is_private() })
    }

    /// The records of each shard, as indices.
    pub fn iter(&self) -> impl Iterator<Item = &[usize]> {
        self.records.iter().map(Vec::as_slice)
    }

    /// Number of shards.
    pub fn count(&self) -> usize {
        self.records.len()
    }

    /// False if they were drawn from a fixed seed.
    pub fn is_private(&self) -> bool {
        self.private
    }
}

impl std::fmt::Debug for Shards {
    /// Neither who is where nor how many there are.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shards").field("count", &self.count()).field("private", &self.private).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_in_one_shard_and_shards_are_alike() {
        let shards = Shards::draw(10_000, 20, Entropy::seeded(3)).unwrap();
        let mut all: Vec<usize> = shards.iter().flatten().copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..10_000).collect::<Vec<_>>());
        // Binomial(10,000, 1/20): mean 500, standard deviation 21.8; six of them, for 20 shards: 4e-8.
        assert!(shards.iter().all(|records| (370..=630).contains(&records.len())));
        assert!(!shards.is_private() && shards.count() == 20);
        assert_eq!(format!("{shards:?}"), "Shards { count: 20, private: false, .. }");
    }

    #[test]
    fn a_record_more_moves_no_other_one() {
        let assigned = |population| {
            let shards = Shards::draw(population, 7, Entropy::seeded(5)).unwrap();
            let mut of = vec![0; population];
            shards
                .iter()
                .enumerate()
                .for_each(|(shard, records)| records.iter().for_each(|&record| of[record] = shard));
            of
        };
        assert_eq!(assigned(101)[..100], assigned(100));
        assert!(Shards::draw(10, 0, Entropy::seeded(5)).is_err());
        assert_eq!(Shards::draw(0, 3, Entropy::seeded(5)).unwrap().iter().map(<[usize]>::len).sum::<usize>(), 0);
    }
}
