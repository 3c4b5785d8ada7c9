//! A data set whose items were perturbed once.

use burn::data::dataset::{Dataset, DatasetError as BurnDatasetError};

use crate::error::{DatasetError, Result};

/// A data set whose items were perturbed once: input perturbation for training.
///
/// Each item is perturbed when this is made, and then kept: an item that were perturbed anew in every epoch would be
/// released as often, and cost as much each time. What is trained on it costs nothing more.
///
/// ```
/// use burn::data::dataset::{Dataset, InMemDataset};
/// use burn_privacy_datasets::PerturbedDataset;
/// use burn_privacy_mechanisms::local::{CellRandomness, Piecewise};
/// use burn_privacy_mechanisms::{Entropy, PrivacyKey};
///
/// let ages = InMemDataset::new(vec![34.0_f64, 51.0, 27.0]);
/// let (key, piecewise) = (PrivacyKey::draw(Entropy::os())?, Piecewise::new(18.0, 100.0, 2.0)?);
/// let noisy = PerturbedDataset::new(&ages, |index, age: f64| -> Result<f64, Box<dyn std::error::Error + Send + Sync>> {
///     Ok(piecewise.perturb(age.clamp(18.0, 100.0), &CellRandomness::draw(&key, index as u64, 0)?))
/// })?;
/// assert_eq!(noisy.get(0)?, noisy.get(0)?);
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
pub struct PerturbedDataset<I> {
    items: Vec<I>,
}

/// Neither the items, of which parts may be unprotected, nor how many there are.
impl<I> std::fmt::Debug for PerturbedDataset<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PerturbedDataset").finish_non_exhaustive()
    }
}

impl<I: Clone + Send + Sync> PerturbedDataset<I> {
    /// Perturbs every item of a data set; `perturb` gets its index and the item, and must use randomness of its own for
    /// each index.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Record`] with, in its fields, the index of the first item that can't be read or perturbed; nothing is kept then.
    pub fn new<E>(dataset: &impl Dataset<I>, mut perturb: impl FnMut(usize, I) -> Result<I, E>) -> Result<Self>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let items = (0..dataset.len())
            .map(|index| {
                let item =
                    dataset.get(index).map_err(|cause| DatasetError::Record { index, cause: Box::new(cause) })?;
                perturb(index, item).map_err(|cause| DatasetError::Record { index, cause: cause.into() })
            })
            .collect::<Result<Vec<I>>>()?;
        Ok(Self { items })
    }
}

impl<I: Clone + Send + Sync> Dataset<I> for PerturbedDataset<I> {
    /// # Panics
    ///
    /// If `index` is not below the length, as Burn's trait asks.
    fn get(&self, index: usize) -> std::result::Result<I, BurnDatasetError> {
        Ok(self.items[index].clone())
    }

    fn len(&self) -> usize {
        self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use burn::data::dataset::InMemDataset;

    use super::*;

    #[test]
    fn items_are_perturbed_once() {
        let mut calls = 0;
        let perturbed = PerturbedDataset::new(&InMemDataset::new(vec![1, 2, 3]), |index, item: i32| {
            calls += 1;
            Ok::<_, String>(item * 10 + index as i32)
        })
        .unwrap();
        for _ in 0..3 {
            assert_eq!((0..3).map(|index| perturbed.get(index).unwrap()).collect::<Vec<_>>(), [10, 21, 32]);
        }
        assert_eq!((calls, perturbed.len()), (3, 3));
    }

    #[test]
    fn no_text_tells_of_the_items() {
        let failed =
            PerturbedDataset::new(
                &InMemDataset::new(vec![1, 2]),
                |index, item: i32| {
                    if index == 1 { Err("too large") } else { Ok(item) }
                },
            );
        let error = failed.unwrap_err();
        assert!(matches!(&error, DatasetError::Record { index: 1, .. }));
        let text = error.to_string();
        assert!(!text.contains('1') && !text.contains("too large"), "{text}");
        let kept = PerturbedDataset::new(&InMemDataset::new(vec![7, 8]), |_, item: i32| Ok::<_, String>(item)).unwrap();
        assert_eq!(format!("{kept:?}"), "PerturbedDataset { .. }");
    }
}
