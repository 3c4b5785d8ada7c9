//! Integrals of a pair's density over a piece of its losses, by Gauss-Legendre rules of positive terms only.

use super::pair::Pair;

/// Positive half of the nodes, with weights, on `[-1, 1]`.
const THREE: [(f64, f64); 2] = [(0.0, 8.0 / 9.0), (0.774_596_669_241_483_4, 5.0 / 9.0)];
const FOUR: [(f64, f64); 2] =
    [(0.339_981_043_584_856_26, 0.652_145_154_862_546_1), (0.861_136_311_594_052_6, 0.347_854_845_137_453_85)];
const EIGHT: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_27),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
];

/// P's mass on a piece, and its integral of e^(reference - l) - 1 against P.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    pub(super) mass: f64,
    pub(super) excess: f64,
}

impl Moments {
    pub(super) fn add(&mut self, mass: f64, reference: f64, loss: f64) {
        self.mass += mass;
        self.excess += mass * (reference - loss).exp_m1();
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { mass: self.mass + other.mass, excess: self.excess + other.excess }
    }

    pub(super) fn scaled(self, factor: f64) -> Self {
        Self { mass: self.mass * factor, excess: self.excess * factor }
    }

    /// The same outcomes relative to a reference that is higher by `rise`:
    /// e^(b-l) - 1 = e^(b-a) (e^(a-l) - 1) + e^(b-a) - 1.
    pub(super) fn moved(self, rise: f64) -> Self {
        Self { mass: self.mass, excess: rise.exp() * self.excess + rise.exp_m1() * self.mass }
    }
}

/// A segment is divided into no more parts than this.
const MOST_PARTS: f64 = 4_096.0;

/// Calls `f(t, weight)` for the nodes of a rule that is exact to rounding for the pair's density on `[from, to]`, unless
/// that takes more parts than are allowed.
pub(super) fn nodes(pair: &Pair, from: f64, to: f64, most_parts: f64, mut f: impl FnMut(f64, f64)) {
    let roughness = pair.roughness(from, to);
    // The error of n nodes falls like roughness^(2n) / (2n)!.
    let (rule, pieces): (&[(f64, f64)], f64) = if roughness < 0.02 {
        (&THREE, 1.0)
    } else if roughness < 0.1 {
        (&FOUR, 1.0)
    } else {
        (&EIGHT, (roughness / 2.0).ceil().clamp(1.0, most_parts))
    };
    let half = 0.5 * (to - from) / pieces;
    for piece in 0..pieces as u32 {
        let center = from + half * (2.0 * f64::from(piece) + 1.0);
        for &(node, weight) in rule {
            f(center - half * node, half * weight);
            if node != 0.0 {
                f(center + half * node, half * weight);
            }
        }
    }
}

/// The moments of the density between two positions, relative to a reference loss; NaN where one of these is.
pub(super) fn moments(pair: &Pair, from: f64, to: f64, reference: f64) -> Moments {
    let mut sum = Moments::default();
    if from.is_nan() || to.is_nan() {
        // Nothing is known, which is not nothing.
        return Moments { mass: f64::NAN, excess: f64::NAN };
    }
    if from < to {
        nodes(pair, from, to, MOST_PARTS, |t, weight| {
            let loss = pair.loss(t);
            sum.add(weight * pair.log_density_with(t, loss).exp(), reference, loss);
        });
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::base::{Base, Direction};
    use super::*;

    #[test]
    fn masses_of_pieces_of_all_sizes_add_up() {
        for noise in [0.3, 1.0, 20.0] {
            for rate in [0.01, 1.0] {
                let pair = Pair::new(Base::Gaussian { noise }, rate, Direction::Remove);
                let range = pair.range(-90.0).unwrap();
                for pieces in [1, 7, 100, 10_000] {
                    let width = (range.high - range.low) / f64::from(pieces);
                    let sum: f64 = (0..pieces)
                        .map(|k| {
                            let from = range.low + f64::from(k) * width;
                            moments(&pair, from, from + width, 0.0).mass
                        })
                        .sum();
                    assert!((sum - 1.0).abs() < 3e-14, "{noise} {rate} {pieces}: {:e}", sum - 1.0);
                }
            }
        }
    }
}
