//! How many rows of a group can be released at most, by models that a part of a class may meet better than the class.
//!
//! t-closeness is convex: the mixture of classes whose sensitive values are within t of the table's is so itself (the
//! distance is convex in the class's distribution, Li et al. 2007). All released rows of a group together therefore meet
//! it too. For the equal distance: if R rows with s(v) <= c(v) of value v are released, then the sum over v of
//! max(0, q(v) - s(v) / R) is at most t, where q is the table's distribution; with c in place of s it is smaller still. That
//! sum grows with R, which bounds R.

use super::problem::Problem;
use crate::table::PrivacyModel;

/// Rows of a group with this histogram that can be released at most.
pub(super) fn releasable(problem: &Problem, rows: u64, histogram: &[u64]) -> u64 {
    if problem.shares.is_empty() {
        return rows;
    }
    let bounds = problem.models.iter().map(|model| match model {
        PrivacyModel::EqualTCloseness { t } => by_equal_distance(*t, rows, histogram, &problem.shares),
        _ => rows,
    });
    bounds.min().unwrap_or(rows)
}

/// The largest R at which the sum of max(0, q - c / R) is at most `t`, rounded up a little.
fn by_equal_distance(t: f64, rows: u64, histogram: &[u64], shares: &[f64]) -> u64 {
    let mut bound = rows as f64;
    // For the values that are short of their share at `bound`, the sum is Q - C / R: it reaches t at R = C / (Q - t). That
    // R is an upper bound too, and fewer values are short of their share there.
    for _ in 0..histogram.len() {
        let (mut share, mut count) = (0.0, 0.0);
        for (&here, &expected) in histogram.iter().zip(shares) {
            // Without a branch, which nothing could predict.
            let short = f64::from(u8::from((here as f64) < expected * bound));
            share += short * expected;
            count += short * here as f64;
        }
        if share <= t {
            break;
        }
        let next = count / (share - t);
        if next >= bound {
            break;
        }
        bound = next;
    }
    rows.min((bound * (1.0 + 1e-9) + 1e-6).floor() as u64)
}
