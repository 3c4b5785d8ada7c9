//! What holds for an event whichever accountant counts it.

use crate::{AccountingError, Adjacency, EventKind, Result};

/// Refuses an event.
pub(crate) fn unsupported(accountant: &str, kind: &EventKind, adjacency: Adjacency, advice: &str) -> AccountingError {
    AccountingError::Unsupported {
        accountant: accountant.to_owned(),
        event: kind.name().to_owned(),
        adjacency,
        advice: advice.to_owned(),
    }
}

/// Lets Poisson sampling pass under any adjacency but replace-one.
pub(crate) fn refuse_replace_one(accountant: &str, kind: &EventKind, adjacency: Adjacency) -> Result<()> {
    if adjacency == Adjacency::ReplaceOne {
        return Err(unsupported(
            accountant,
            kind,
            adjacency,
            "Poisson sampling has no tight theorem there; account for it under add-or-remove-one or zero-out adjacency",
        ));
    }
    Ok(())
}

/// The probability of each record to be in a sample of fixed size, rounded up. Amplification is known under replace-one
/// only (Balle, Barthe and Gaboardi, arXiv 1807.01647, theorem 9).
pub(crate) fn fixed_size_rate(
    accountant: &str,
    kind: &EventKind,
    adjacency: Adjacency,
    (sample_size, dataset_size): (u64, u64),
) -> Result<f64> {
    if adjacency != Adjacency::ReplaceOne {
        return Err(unsupported(
            accountant,
            kind,
            adjacency,
            "samples of a fixed size are amplified under replace-one adjacency only; account for it there, or sample by \
             Poisson",
        ));
    }
    Ok((sample_size as f64 / dataset_size as f64 * (1.0 + f64::EPSILON)).min(1.0))
}

/// How many Gaussian releases a record is in: a leaf of one tree is in as many nodes as the tree has levels (Kairouz et al.,
/// arXiv 2103.00039, theorem 4.1), which is the number of bits of the largest tree's leaves.
pub(crate) fn tree_levels(
    accountant: &str,
    kind: &EventKind,
    adjacency: Adjacency,
    steps_per_tree: &[u64],
) -> Result<u64> {
    if adjacency == Adjacency::AddOrRemoveOne {
        return Err(unsupported(
            accountant,
            kind,
            adjacency,
            "a record that is removed moves all later ones to other leaves; account for it under zero-out or replace-one \
             adjacency",
        ));
    }
    Ok(steps_per_tree.iter().map(|steps| u64::from(u64::BITS - steps.leading_zeros())).max().unwrap_or(0))
}

/// The probability of the true answer of randomized response, and the logarithm of its ratio to that of any other: infinite
/// without noise. It shows whether a record is there, so that only replace-one hides anything.
pub(crate) fn randomized_response(
    accountant: &str,
    kind: &EventKind,
    adjacency: Adjacency,
    (noise_probability, categories): (f64, u64),
) -> Result<(f64, f64)> {
    if adjacency != Adjacency::ReplaceOne {
        return Err(unsupported(
            accountant,
            kind,
            adjacency,
            "each record answers for itself, so that its presence shows; account for it under replace-one adjacency",
        ));
    }
    let other = noise_probability / categories as f64;
    // ln(truth / other), exact also where the two are nearly equal.
    Ok(((1.0 - noise_probability) + other, ((1.0 - noise_probability) / other).ln_1p()))
}
