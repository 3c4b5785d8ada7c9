//! The sensitivity hull of rows in [blocks](Block), and noise in its shape.
//!
//! # The hull
//!
//! Let X be the set of feature vectors x = (s z, c) whose raw rows z are in their blocks, s the public scale and c the
//! intercept. A gradient is l' x with |l'| <= L, so the gradients of any two records differ by a vector of 2 L C, where
//!
//! ```text
//! C = conv(X and -X) = { t x - (1 - t) x' : 0 <= t <= 1, x and x' in conv(X) }.
//! ```
//!
//! Any vector of C with intercept c (2t - 1) has this t. The other coordinates then vary block by block:
//!
//! - a number of [low, high] in [t low - (1 - t) high, t high - (1 - t) low], of length high - low for any t;
//! - k categories among the vectors whose positive entries sum to at most t, and whose negative ones to at most 1 - t in size.
//!
//! C is convex, symmetric and has the full dimension m = columns + 1: it is the unit ball of a norm, and 2 L bounds the
//! sensitivity in it. Awan and Slavkovic ("Structure and sensitivity in differential privacy: comparing K-norm mechanisms",
//! Journal of the American Statistical Association 116, 2021, arXiv 1801.09236) show that of all norms in which one can draw
//! noise for a sensitivity, that of the hull is the best by several measures, and use it for objective perturbation.
//!
//! # The noise
//!
//! The K-norm mechanism (Hardt and Talwar, "On the geometry of differential privacy", STOC 2010) takes density
//! proportional to e^(-||b|| / scale). As { ||b|| <= r } has volume r^m |C|, the vector is r u with r of Gamma distribution of
//! shape m + 1 and u uniform in C. The vectors u with positive entries in j given columns of k have volume
//! t^j (1 - t)^(k - j) / (j! (k - j)!), so that
//!
//! ```text
//! density of t proportional to the product over category blocks of V(t) = sum over j of binomial(k, j)^2 t^j (1 - t)^(k - j).
//! ```
//!
//! It is largest at t = 1/2, where the slices of a symmetric convex body are (Brunn and Minkowski), so t is drawn by rejection;
//! then j, which columns, and uniform points of two simplices. All of it is exact for real numbers.
//!
//! Without an intercept the noise is drawn as if there were one, for gradients with a constant feature, and that coordinate is
//! dropped: what remains has the marginal density, whose ratios are bounded by the same.

use burn_privacy_mechanisms::{PrivacyKey, Purpose, fill_secret_uniform};

use crate::{Block, Result};

/// Uniforms that are drawn at a time.
const CHUNK: usize = 256;

/// C, for one public map.
pub(crate) struct SensitivityHull<'a> {
    blocks: &'a [Block],
    /// From a raw row to a feature vector, at most.
    scale: f64,
    /// 0 for none.
    intercept: f64,
    /// ln of binomial(k, j)^2 for j from 0 to k, for each block of categories.
    ln_ways: Vec<Vec<f64>>,
}

impl<'a> SensitivityHull<'a> {
    pub(crate) fn new(blocks: &'a [Block], scale: f64, intercept: f64) -> Self {
        let categories = blocks.iter().filter_map(|block| match *block {
            Block::Categories { columns } => Some(columns),
            Block::Numbers { .. } => None,
        });
        let ln_ways = categories.map(ln_squared_binomials).collect();
        Self { blocks, scale, intercept, ln_ways }
    }

    /// A vector with density proportional to e^(-||b|| / scale) in the norm of this hull, from the stream of `step`.
    pub(crate) fn noise(&self, key: &PrivacyKey, step: u64, scale: f64) -> Result<Vec<f64>> {
        let mut uniforms = Uniforms::new(key, step);
        let shape = self.blocks.iter().map(Block::columns).sum::<usize>() + 2;
        let mut length = 0.0;
        for _ in 0..shape {
            length -= scale * uniforms.next()?.ln();
        }
        let mut vector = self.point(&mut uniforms)?;
        for x in &mut vector {
            *x *= length;
        }
        Ok(vector)
    }

    /// A uniform point of C.
    fn point(&self, uniforms: &mut Uniforms<'_>) -> Result<Vec<f64>> {
        let t = self.positive_share(uniforms)?;
        let mut point = Vec::new();
        let mut ln_ways = self.ln_ways.iter();
        for block in self.blocks {
            match *block {
                Block::Numbers { columns, low, high } => {
                    for _ in 0..columns {
                        point.push(t * low - (1.0 - t) * high + (high - low) * uniforms.next()?);
                    }
                }
                Block::Categories { columns } => {
                    let ln_weights = ln_weights(ln_ways.next().map_or(&[], Vec::as_slice), t);
                    let positive = draw_index(&ln_weights, uniforms.next()?);
                    append_simplices(columns, positive, t, uniforms, &mut point)?;
                }
            }
        }
        for x in &mut point {
            *x *= self.scale;
        }
        if self.intercept > 0.0 {
            point.push(self.intercept * (2.0 * t - 1.0));
        }
        Ok(point)
    }

    /// t. One in about sqrt(columns of categories) / 2 proposals is taken.
    fn positive_share(&self, uniforms: &mut Uniforms<'_>) -> Result<f64> {
        let largest = self.ln_density(0.5);
        loop {
            let t = uniforms.next()?;
            if uniforms.next()?.ln() < self.ln_density(t) - largest {
                return Ok(t);
            }
        }
    }

    /// ln of the product of V(t).
    fn ln_density(&self, t: f64) -> f64 {
        let ln_volume = |ln_ways: &Vec<f64>| {
            let weights = ln_weights(ln_ways, t);
            let most = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            most + weights.iter().map(|weight| (weight - most).exp()).sum::<f64>().ln()
        };
        self.ln_ways.iter().map(ln_volume).sum()
    }
}

/// ln of binomial(k, j)^2 for j from 0 to k.
fn ln_squared_binomials(k: usize) -> Vec<f64> {
    let mut ln_binomial = 0.0;
    let mut values = vec![0.0];
    for j in 1..=k {
        ln_binomial += ((k - j + 1) as f64).ln() - (j as f64).ln();
        values.push(2.0 * ln_binomial);
    }
    values
}

/// ln of the terms of V(t).
fn ln_weights(ln_ways: &[f64], t: f64) -> Vec<f64> {
    let k = ln_ways.len().saturating_sub(1);
    let (ln_t, ln_rest) = (t.ln(), (-t).ln_1p());
    ln_ways.iter().enumerate().map(|(j, ways)| ways + j as f64 * ln_t + (k - j) as f64 * ln_rest).collect()
}

/// An index with probability proportional to e^weight.
fn draw_index(ln_weights: &[f64], uniform: f64) -> usize {
    let most = ln_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = ln_weights.iter().map(|weight| (weight - most).exp()).collect();
    let mut left = uniform * weights.iter().sum::<f64>();
    for (index, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return index;
        }
    }
    weights.len().saturating_sub(1)
}

/// Appends `columns` numbers: `positive` of them, chosen uniformly, a uniform point of { x >= 0, sum <= t }, and the others
/// minus one of { x >= 0, sum <= 1 - t }.
///
/// Exponentials over their sum with one more are uniform in the solid simplex (Devroye, "Non-uniform random variate
/// generation", 1986, chapter V); columns are chosen one after the other (Knuth, volume 2, section 3.4.2, algorithm S).
fn append_simplices(
    columns: usize,
    mut positive: usize,
    t: f64,
    uniforms: &mut Uniforms<'_>,
    out: &mut Vec<f64>,
) -> Result<()> {
    let (mut above, mut below) = (-uniforms.next()?.ln(), -uniforms.next()?.ln());
    let start = out.len();
    for left in (1..=columns).rev() {
        let chosen = uniforms.next()? * (left as f64) < positive as f64;
        let size = -uniforms.next()?.ln();
        if chosen {
            positive -= 1;
            above += size;
            out.push(size);
        } else {
            below += size;
            out.push(-size);
        }
    }
    for x in &mut out[start..] {
        *x *= if *x > 0.0 { t / above } else { (1.0 - t) / below };
    }
    Ok(())
}

/// Uniforms of a secret stream, one after the other.
struct Uniforms<'a> {
    key: &'a PrivacyKey,
    step: u64,
    drawn: u64,
    ready: std::vec::IntoIter<f64>,
}

impl<'a> Uniforms<'a> {
    fn new(key: &'a PrivacyKey, step: u64) -> Self {
        Self { key, step, drawn: 0, ready: Vec::new().into_iter() }
    }

    /// The next one, of the open interval (0, 1).
    fn next(&mut self) -> Result<f64> {
        if let Some(uniform) = self.ready.next() {
            return Ok(uniform);
        }
        let mut chunk = vec![0.0; CHUNK];
        fill_secret_uniform(self.key, Purpose::OutputPerturbation, self.step, self.drawn, &mut chunk)?;
        self.drawn += CHUNK as u64;
        let first = chunk[0];
        self.ready = chunk.into_iter();
        self.ready.next();
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use burn_privacy_mechanisms::Entropy;

    use super::*;

    const BLOCKS: [Block; 3] = [
        Block::Numbers { columns: 2, low: -0.5, high: 1.0 },
        Block::Categories { columns: 300 },
        Block::Categories { columns: 1 },
    ];

    #[test]
    fn slices_are_largest_in_the_middle_and_equal_on_both_sides() {
        let hull = SensitivityHull::new(&BLOCKS, 1.0, 0.5);
        let largest = hull.ln_density(0.5);
        for i in 1..1_000 {
            let t = f64::from(i) / 1_000.0;
            assert!(hull.ln_density(t) <= largest + 1e-9, "{t}");
            assert!((hull.ln_density(t) - hull.ln_density(1.0 - t)).abs() < 1e-9, "{t}");
        }
        // V(t) = t^2 + 4 t (1 - t) + (1 - t)^2 for two categories.
        let two = [Block::Categories { columns: 2 }];
        let hull = SensitivityHull::new(&two, 1.0, 0.0);
        assert!((hull.ln_density(0.25).exp() - (0.0625 + 0.75 + 0.5625)).abs() < 1e-12);
    }

    /// 20,000 draws from a fixed seed. By the inequality of Dvoretzky, Kiefer, Wolfowitz and Massart the distance is above
    /// sqrt(ln(2 / 1e-7) / (2 n)) = 0.0205 with probability at most 1e-7.
    #[test]
    fn positive_shares_have_their_density() {
        let (n, steps) = (20_000, 2_000);
        let ways = [1.0, 36.0, 225.0, 400.0, 225.0, 36.0, 1.0]; // squares of 1, 6, 15, 20
        let density = |t: f64| -> f64 {
            (0..7).zip(ways).map(|(j, ways)| ways * t.powi(j) * (1.0 - t).powi(6 - j)).sum::<f64>().powi(3)
        };
        let middles = (0..steps).map(|i| density((f64::from(i) + 0.5) / f64::from(steps)));
        let mut sum = 0.0;
        let mut cumulative: Vec<f64> = vec![0.0];
        cumulative.extend(middles.map(|value| {
            sum += value;
            sum
        }));
        let key = PrivacyKey::draw(Entropy::seeded(1)).unwrap();
        let blocks = [Block::Categories { columns: 6 }; 3];
        let hull = SensitivityHull::new(&blocks, 1.0, 0.5);
        let mut uniforms = Uniforms::new(&key, 0);
        let mut shares: Vec<f64> = (0..n).map(|_| hull.positive_share(&mut uniforms).unwrap()).collect();
        shares.sort_by(f64::total_cmp);
        for (i, below) in cumulative.iter().enumerate() {
            let t = i as f64 / f64::from(steps);
            let share = shares.partition_point(|&x| x <= t) as f64 / f64::from(n);
            assert!((share - below / sum).abs() < 0.0205, "{t}: {share}");
        }
    }

    #[test]
    fn points_of_many_columns_are_in_the_hull() {
        let key = PrivacyKey::draw(Entropy::seeded(1)).unwrap();
        let hull = SensitivityHull::new(&BLOCKS, 0.25, 0.5);
        for step in 0..100 {
            let point = hull.point(&mut Uniforms::new(&key, step)).unwrap();
            assert_eq!(point.len(), 304);
            let t = 0.5 * (point[303] / 0.5 + 1.0);
            let (low, high) = (-0.5 * t - (1.0 - t), t + 0.5 * (1.0 - t));
            assert!(point[..2].iter().all(|x| (low..=high).contains(&(x / 0.25))), "{point:?}");
            for block in [&point[2..302], &point[302..303]] {
                let sum = |sign: f64| block.iter().map(|x| (sign * x / 0.25).max(0.0)).sum::<f64>();
                assert!(sum(1.0) <= t + 1e-12 && sum(-1.0) <= 1.0 - t + 1e-12, "{point:?}");
            }
        }
    }

    #[test]
    fn uniforms_continue_over_chunks() {
        let key = PrivacyKey::draw(Entropy::seeded(1)).unwrap();
        let mut uniforms = Uniforms::new(&key, 3);
        let drawn: Vec<f64> = (0..3 * CHUNK).map(|_| uniforms.next().unwrap()).collect();
        let mut stream = vec![0.0; 3 * CHUNK];
        fill_secret_uniform(&key, Purpose::OutputPerturbation, 3, 0, &mut stream).unwrap();
        assert_eq!(drawn, stream);
    }
}
