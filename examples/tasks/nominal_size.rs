//! The number of records that a plan, a divisor and a printed line may use: a public one.
//!
//! Under add-or-remove-one adjacency the number of records is itself private. Sampling rates, learning-rate rules, epochs and
//! texts are made with a published number, or one that the user states, and never with the length of what was loaded.

use burn_privacy_output::grouped;

use crate::Result;

/// A public number of records, and who made it public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NominalSize {
    size: usize,
    origin: String,
}

impl NominalSize {
    /// What the user states, or else what is published of a data set.
    ///
    /// # Errors
    ///
    /// A sentence if neither is known: the records themselves are not counted.
    pub fn new(given: Option<usize>, published: Option<(usize, &str)>) -> Result<Self> {
        match (given, published) {
            (Some(size), _) => Ok(Self { size, origin: "given as --nominal-size".into() }),
            (None, Some((size, by))) => Ok(Self::published(size, by)),
            (None, None) => Err("--nominal-size N is needed: the public number of records in these data (a published or a round \
                                 one). It is not counted here, because under add-or-remove-one adjacency the number of records \
                                 is private; all rates and averages are made with it"
                .into()),
        }
    }

    /// A number that somebody published.
    pub fn published(size: usize, by: &str) -> Self {
        Self { size, origin: format!("published by {by}") }
    }

    /// The number.
    pub fn get(&self) -> usize {
        self.size
    }

    /// Another number that follows from this one by a public rule, said in words: `four fifths of`.
    pub fn derived(&self, size: usize, rule: &str) -> Self {
        Self { size, origin: format!("{rule} {}, {}", grouped(self.size), self.origin) }
    }

    /// Not more than `limit`, which is public too.
    pub fn at_most(&self, limit: Option<usize>) -> Self {
        match limit {
            Some(limit) if limit < self.size => self.derived(limit, "the first of"),
            _ => self.clone(),
        }
    }

    /// Who made it public.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// For the assumptions of a statement.
    pub fn assumption(&self) -> String {
        format!("the nominal data-set size {} is public ({}); no record was counted for it", self.size, self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_word_goes_before_the_publishers_and_nobody_counts() {
        let published = Some((32_561, "UCI"));
        assert_eq!(NominalSize::new(Some(30_000), published).unwrap().get(), 30_000);
        let size = NominalSize::new(None, published).unwrap();
        assert_eq!((size.get(), size.origin()), (32_561, "published by UCI"));
        assert!(NominalSize::new(None, None).unwrap_err().to_string().contains("--nominal-size N is needed"));
        let part = size.derived(26_048, "four fifths of").at_most(Some(100));
        assert_eq!(part.get(), 100);
        assert!(part.assumption().contains("the first of 26,048, four fifths of 32,561, published by UCI"));
        assert_eq!(size.at_most(Some(40_000)), size.at_most(None));
    }
}
