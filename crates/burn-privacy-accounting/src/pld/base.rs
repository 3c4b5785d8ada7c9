//! Mechanisms without sampling whose dominating pair is known, in the coordinate t = ln(dP/dQ).
//!
//! All of them are symmetric: exchanging P and Q mirrors them.

/// Which of the two neighbors is P.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// P is with the record, Q without: the mixture against the base.
    Remove,
    /// P is without the record, Q with.
    Add,
    /// One of a sample of fixed size is another record in Q.
    Exchange,
}

/// A single step whose dominating pair is known; what identifies equal steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Base {
    /// Gaussian noise of this standard deviation over the sensitivity (Balle and Wang, arXiv 1805.06530).
    Gaussian { noise: f64 },
    /// Laplace noise, sensitivity / scale.
    Laplace { inverse_scale: f64 },
    /// Discrete Laplace noise with 1/scale and sensitivity.
    DiscreteLaplace { inverse_scale: f64, sensitivity: u64 },
    /// Discrete Gaussian noise, sensitivity 1.
    DiscreteGaussian { sigma: f64 },
    /// Randomized response with this probability of the true answer, its log ratio to any other answer's, and how many
    /// answers there are (at least 2).
    RandomizedResponse { truth: f64, loss: f64, categories: u64 },
    /// Any (epsilon, delta) mechanism (Kairouz, Oh and Viswanath, arXiv 1311.0776, theorem 3.2).
    EpsilonDelta { epsilon: f64, delta: f64 },
    /// Any mechanism whose loss lies in a range of this width (see [`Base::outcomes`]).
    BoundedRange { epsilon: f64 },
}

/// Part of a base that has a density.
#[derive(Clone, Copy, Debug)]
pub(super) enum Density {
    None,
    /// t is N(-sd^2/2, sd^2) under Q and N(sd^2/2, sd^2) under P.
    Gaussian {
        sd: f64,
    },
    /// Under Q the density of t is exp(log_scale - t/2) on `[-half_width, half_width]`.
    Exponential {
        log_scale: f64,
        half_width: f64,
    },
}

/// One outcome with positive probability.
#[derive(Clone, Copy, Debug)]
pub(super) struct BaseAtom {
    /// ln(p/q); infinite where one of them is 0.
    pub(super) t: f64,
    pub(super) p: f64,
    pub(super) q: f64,
}

impl Base {
    /// The base's density and its atoms.
    ///
    /// Bounded range: of all two-point losses {t - epsilon, t} the worst hockey-stick at each threshold x is attained
    /// at t = (epsilon + ln x) / 2 (Dong, Durfee and Rogers, arXiv 1909.13830, lemma 3.4), which gives
    /// (1 - sqrt(x e^-epsilon))^2 / (1 - e^-epsilon). As a supremum of convex curves it is the curve of a pair itself,
    /// whose Q-density over ln x is its second derivative times x: exp(-(epsilon + t)/2) / (2 (1 - e^-epsilon)).
    pub(super) fn outcomes(self) -> (Density, Vec<BaseAtom>) {
        let mut density = Density::None;
        let mut base_atoms = Vec::new();
        let mut mirrored = |t: f64, p: f64, q: f64| {
            base_atoms.push(BaseAtom { t, p, q });
            base_atoms.push(BaseAtom { t: -t, p: q, q: p });
        };
        match self {
            Base::Gaussian { noise } => density = Density::Gaussian { sd: 1.0 / noise },
            Base::Laplace { inverse_scale: m } => {
                density = Density::Exponential { log_scale: -0.5 * m - 4.0_f64.ln(), half_width: m };
                mirrored(m, 0.5, 0.5 * (-m).exp());
            }
            Base::BoundedRange { epsilon } => {
                let log_scale = -0.5 * epsilon - (2.0 * -(-epsilon).exp_m1()).ln();
                density = Density::Exponential { log_scale, half_width: epsilon };
            }
            Base::RandomizedResponse { truth, loss, categories } => {
                let other = truth * (-loss).exp();
                mirrored(loss, truth, other);
                // Not as 1 - truth - other, which loses all digits where there is little noise.
                let rest = other * (categories - 2) as f64;
                base_atoms.push(BaseAtom { t: 0.0, p: rest, q: rest });
            }
            Base::EpsilonDelta { epsilon, delta } => {
                let larger = (1.0 - delta) / (1.0 + (-epsilon).exp());
                mirrored(epsilon, larger, (1.0 - delta) * (-epsilon).exp() / (1.0 + (-epsilon).exp()));
                mirrored(f64::INFINITY, delta, 0.0);
            }
            Base::DiscreteLaplace { inverse_scale: m, sensitivity } => {
                // P is centered at s, Q at 0: the loss is m (2x - s) between, -m s at x <= 0 and m s at x >= s.
                let s = sensitivity as f64;
                let outer = 1.0 / (1.0 + (-m).exp());
                mirrored(m * s, outer, outer * (-m * s).exp());
                let center = -(-m).exp_m1() / (1.0 + (-m).exp());
                for x in 1..sensitivity {
                    let x = x as f64;
                    let (p, q) = (center * (-m * (s - x)).exp(), center * (-m * x).exp());
                    base_atoms.push(BaseAtom { t: m * (2.0 * x - s), p, q });
                }
            }
            Base::DiscreteGaussian { sigma } => base_atoms = discrete_gaussian_atoms(sigma),
        }
        base_atoms.retain(|atom| atom.p != 0.0 || atom.q != 0.0);
        (density, base_atoms)
    }
}

/// Outcomes of the discrete Gaussian on the integers, centered at 1 against 0 (Canonne, Kamath and Steinke, arXiv
/// 2004.00010), as far as their probabilities can be represented.
fn discrete_gaussian_atoms(sigma: f64) -> Vec<BaseAtom> {
    let reach = (38.0 * sigma).ceil() as i64 + 1;
    let weight = |x: i64| (-0.5 * (x as f64 / sigma).powi(2)).exp();
    let total: f64 = 1.0 + 2.0 * (1..=reach).rev().map(weight).sum::<f64>();
    (-reach..=reach + 1)
        .map(|x| BaseAtom {
            t: (2 * x - 1) as f64 / (2.0 * sigma * sigma),
            p: weight(x - 1) / total,
            q: weight(x) / total,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 - truth - other has no correct digit here.
    #[test]
    fn the_rest_of_randomized_response_is_exact_with_little_noise() {
        let (noise, categories) = (3e-17, 5_u64);
        let other = noise / categories as f64;
        let loss = ((1.0 - noise) / other).ln_1p();
        let (_, atoms) = Base::RandomizedResponse { truth: (1.0 - noise) + other, loss, categories }.outcomes();
        let rest: f64 = atoms.iter().filter(|atom| atom.t == 0.0).map(|atom| atom.p).sum();
        assert!((rest / (3.0 * other) - 1.0).abs() < 1e-13, "{rest:e}");
    }
}
