//! Rank tests for values that are random from call to call, where only equality up to rounding is known.
//!
//! They take a function that says which of two values is larger, or that they are the same, and return a standard score
//! under the hypothesis that the values are exchangeable. Ties only make the score smaller.

use std::cmp::Ordering;

/// Score of "values of `a` are smaller than those of `b`": 0 where neither group tends to be larger.
///
/// Source: Mann and Whitney 1947, "On a Test of Whether one of Two Random Variables is Stochastically Larger than the
/// Other", with the variance of samples without ties, which is the largest.
pub(super) fn mann_whitney(a: &[f32], b: &[f32], order: impl Fn(f32, f32) -> Ordering) -> f64 {
    let (m, n) = (a.len() as f64, b.len() as f64);
    let signs: f64 = a.iter().flat_map(|x| b.iter().map(|y| sign(order(*x, *y)))).sum();
    if signs == 0.0 { 0.0 } else { signs / (m * n * (m + n + 1.0) / 3.0).sqrt() }
}

/// Score of "later values are larger": 0 where the values have no trend.
///
/// Source: Kendall 1938, "A New Measure of Rank Correlation", with the variance of samples without ties.
pub(super) fn kendall(values: &[f32], order: impl Fn(f32, f32) -> Ordering) -> f64 {
    let n = values.len() as f64;
    let signs: f64 = values
        .iter()
        .enumerate()
        .flat_map(|(i, x)| values[i + 1..].iter().map(|y| sign(order(*x, *y))).collect::<Vec<_>>())
        .sum();
    if signs == 0.0 { 0.0 } else { signs / (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt() }
}

/// Score of "the value of `a` is smaller than that of `b` at its side", whatever both drift along: the sign test.
///
/// Its largest value is the square root of the number of pairs.
pub(super) fn signs(a: &[f32], b: &[f32], order: impl Fn(f32, f32) -> Ordering) -> f64 {
    let signs: f64 = a.iter().zip(b).map(|(x, y)| sign(order(*x, *y))).sum();
    if signs == 0.0 { 0.0 } else { signs / (a.len() as f64).sqrt() }
}

fn sign(order: Ordering) -> f64 {
    match order {
        Ordering::Less => 1.0,
        Ordering::Equal => 0.0,
        Ordering::Greater => -1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(a: f32, b: f32) -> Ordering {
        a.total_cmp(&b)
    }

    #[test]
    fn complete_separation_and_a_strict_trend_have_the_textbooks_scores() {
        let (low, high): (Vec<f32>, Vec<f32>) = ((0..32).map(|i| i as f32).collect(), vec![100.0; 32]);
        // U = 0: (m n / 2) / sqrt(m n (m + n + 1) / 12)
        assert!((mann_whitney(&low, &high, order) - 512.0 / (1024.0_f64 * 65.0 / 12.0).sqrt()).abs() < 1e-12);
        assert_eq!(mann_whitney(&high, &low, order), -mann_whitney(&low, &high, order));
        // tau = 1: 3 sqrt(n (n - 1)) / sqrt(2 (2 n + 5))
        assert!((kendall(&low, order) - 3.0 * (32.0_f64 * 31.0).sqrt() / (2.0_f64 * 69.0).sqrt()).abs() < 1e-12);
        assert_eq!(kendall(&high, order), 0.0);
        assert!((signs(&low, &high, order) - 32.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(signs(&high, &high, order), 0.0);
    }

    /// Over every way to deal out the ranks 0..8 to two groups, and to order the ranks 0..6: mean 0, variance 1.
    #[test]
    fn scores_are_standardized() {
        let mut scores = Vec::new();
        for chosen in 0_u32..256 {
            if chosen.count_ones() == 4 {
                let (a, b): (Vec<u32>, Vec<u32>) = (0..8).partition(|rank| chosen >> rank & 1 == 1);
                let floats = |ranks: Vec<u32>| ranks.into_iter().map(|rank| rank as f32).collect::<Vec<_>>();
                scores.push(mann_whitney(&floats(a), &floats(b), order));
            }
        }
        assert_standard(&scores, 70);

        let mut orders = vec![vec![]];
        for next in 0..6 {
            orders = orders
                .into_iter()
                .flat_map(|order: Vec<f32>| {
                    (0..=order.len()).map(move |at| {
                        let mut longer = order.clone();
                        longer.insert(at, next as f32);
                        longer
                    })
                })
                .collect();
        }
        assert_standard(&orders.iter().map(|values| kendall(values, order)).collect::<Vec<_>>(), 720);
    }

    fn assert_standard(scores: &[f64], count: usize) {
        assert_eq!(scores.len(), count);
        let mean = scores.iter().sum::<f64>() / count as f64;
        let variance = scores.iter().map(|score| score * score).sum::<f64>() / count as f64;
        assert!(mean.abs() < 1e-12 && (variance - 1.0).abs() < 1e-12, "mean {mean}, variance {variance}");
    }
}
