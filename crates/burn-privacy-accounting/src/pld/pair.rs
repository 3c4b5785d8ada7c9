//! Dominating pairs: the two output distributions (P, Q) that are hardest to tell apart, of one step.
//!
//! A pair is described by its *base*, the pair without sampling, in the coordinate t = ln(dP/dQ): the density of Q over
//! t, and atoms. Poisson sampling at rate r replaces P by (1-r) Q + r P (Zhu, Dong and Wang, arXiv 2106.08567,
//! proposition 30), so that the loss becomes l = ln(1 - r + r e^t); for a record that is added the two change places.
//! All bases here are symmetric: exchanging P and Q mirrors them.
//!
//! Samples of fixed size, of which one record is exchanged, have the curve of ((1-r) Q + r P, Q) where e^epsilon is at
//! least 1, and that of (P, (1-r) P + r Q) below (the same proposition). The two are one convex curve, and so that of a
//! pair: outcomes t > 0 are as when a record is removed, outcomes t < 0 as when one is added, and the kink at 1 is an
//! outcome without any loss, of probability 1-r times the total variation of P and Q.

use super::base::{Base, BaseAtom, Density, Direction};
use super::group::GroupLoss;
use crate::mills::{ln_density, tail_probability};

/// Relative rounding error of each mass of one step.
pub(super) const MASS_ROUNDING: f64 = 1e-13;

/// An outcome of the sampled pair, seen from one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Atom {
    pub(crate) loss: f64,
    /// Probability under P.
    pub(crate) mass: f64,
}

/// A dominating pair, with sampling and direction.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(super) density: Density,
    base_atoms: Vec<BaseAtom>,
    pub(super) rate: f64,
    log_rate: f64,
    pub(super) direction: Direction,
    /// See [`Pair::atoms`].
    atoms: Vec<Atom>,
    /// Several of the records are one unit's.
    pub(super) group: Option<GroupLoss>,
}

impl Pair {
    /// The pair of a base under sampling at `rate` (1 for none).
    pub(crate) fn new(base: Base, rate: f64, direction: Direction) -> Self {
        let (density, base_atoms) = base.outcomes();
        let mut pair =
            Self { density, base_atoms, rate, log_rate: rate.ln(), direction, atoms: Vec::new(), group: None };
        pair.atoms = pair.sampled_atoms();
        pair
    }

    /// Gaussian noise on a Poisson sample in which up to `size` records are one unit's; not for [`Direction::Exchange`].
    pub(crate) fn of_group(noise: f64, rate: f64, size: u64, direction: Direction) -> Self {
        Self { group: Some(GroupLoss::new(noise, rate, size)), ..Self::new(Base::Gaussian { noise }, rate, direction) }
    }

    /// The loss at t, in P's favor.
    pub(crate) fn loss(&self, t: f64) -> f64 {
        match self.direction {
            Direction::Remove => self.removed_loss(t),
            Direction::Add => -self.removed_loss(t),
            Direction::Exchange if t < 0.0 => -self.removed_loss(-t),
            Direction::Exchange => self.removed_loss(t),
        }
    }

    /// ln(1 - r + r e^t).
    fn removed_loss(&self, t: f64) -> f64 {
        let r = self.rate;
        if let Some(group) = &self.group {
            group.loss(t)
        } else if r == 1.0 {
            t
        } else if r > 0.5 && t < -0.5 {
            ((1.0 - r) + r * t.exp()).ln()
        } else if t > 30.0 {
            t + self.log_rate + ((1.0 - r) / r * (-t).exp()).ln_1p()
        } else {
            (r * t.exp_m1()).ln_1p()
        }
    }

    /// t at a loss; infinite beyond the range of losses.
    pub(crate) fn position(&self, loss: f64) -> f64 {
        match self.direction {
            Direction::Remove => self.removed_position(loss),
            Direction::Add => self.removed_position(-loss),
            Direction::Exchange if loss < 0.0 => -self.removed_position(-loss),
            Direction::Exchange => self.removed_position(loss),
        }
    }

    /// The inverse of [`Self::removed_loss`].
    fn removed_position(&self, sampled: f64) -> f64 {
        let r = self.rate;
        if let Some(group) = &self.group {
            group.position(sampled)
        } else if r == 1.0 {
            sampled
        } else if sampled > 30.0 {
            sampled - self.log_rate + (-(1.0 - r) * (-sampled).exp()).ln_1p()
        } else {
            // NaN or negative infinity below ln(1-r), where there is nothing.
            let ratio = 1.0 + sampled.exp_m1() / r;
            if ratio > 0.0 { ratio.ln() } else { f64::NEG_INFINITY }
        }
    }

    /// ln of P's density over t, where there is one.
    #[cfg(test)]
    pub(crate) fn log_density(&self, t: f64) -> f64 {
        self.log_density_with(t, self.loss(t))
    }

    /// ln of P's density over t, whose loss is known.
    pub(crate) fn log_density_with(&self, t: f64, loss: f64) -> f64 {
        let under_q = match self.density {
            Density::None => f64::NEG_INFINITY,
            Density::Gaussian { sd } => ln_density(t / sd + 0.5 * sd) - sd.ln(),
            Density::Exponential { log_scale, .. } => log_scale - 0.5 * t,
        };
        match self.direction {
            Direction::Remove => under_q + loss,
            Direction::Add => under_q,
            Direction::Exchange => under_q + if t < 0.0 { t } else { loss },
        }
    }

    /// |dt/dl| at t, whose loss is known, in logarithms.
    pub(crate) fn log_stretch(&self, t: f64, loss: f64) -> f64 {
        if let Some(group) = &self.group {
            return -group.log_slope(t, if self.direction == Direction::Add { -loss } else { loss });
        }
        match self.direction {
            Direction::Remove => loss - t - self.log_rate,
            Direction::Add => -loss - t - self.log_rate,
            Direction::Exchange => loss.abs() - t.abs() - self.log_rate,
        }
    }

    /// How much the density's logarithm changes over a piece of t: decides how finely it has to be integrated.
    pub(crate) fn roughness(&self, from: f64, to: f64) -> f64 {
        let width = to - from;
        match self.density {
            Density::Gaussian { sd } => {
                let z = (from / sd + 0.5 * sd).abs().max((to / sd + 0.5 * sd).abs());
                let slope = self.group.as_ref().map_or(1.0, GroupLoss::steepest);
                width / sd * (z + 1.0) + slope * width
            }
            _ => 1.5 * width,
        }
    }

    /// Width in t on which the density is smooth.
    pub(crate) fn smooth_width(&self) -> f64 {
        match self.density {
            Density::Gaussian { sd } => 0.25 * sd,
            Density::Exponential { half_width, .. } => half_width / 60.0,
            Density::None => 1.0,
        }
    }

    /// Outcomes with positive probability under P and finite loss, in increasing order of loss.
    pub(crate) fn atoms(&self) -> &[Atom] {
        &self.atoms
    }

    fn sampled_atoms(&self) -> Vec<Atom> {
        let without_loss = (self.direction == Direction::Exchange)
            .then(|| Atom { loss: 0.0, mass: (1.0 - self.rate) * self.total_variation() });
        let mut atoms: Vec<Atom> = self
            .base_atoms
            .iter()
            .map(|atom| {
                let with = (1.0 - self.rate) * atom.q + self.rate * atom.p;
                let mass = match self.direction {
                    Direction::Remove => with,
                    Direction::Add => atom.q,
                    Direction::Exchange => {
                        if atom.t > 0.0 {
                            with
                        } else {
                            atom.p
                        }
                    }
                };
                Atom { loss: self.loss(atom.t), mass }
            })
            .chain(without_loss)
            // A NaN stays, so that whatever is made of it is one, too.
            .filter(|atom| (atom.mass > 0.0 || atom.mass.is_nan()) && !atom.loss.is_infinite())
            .collect();
        atoms.sort_by(|a, b| a.loss.total_cmp(&b.loss));
        atoms
    }

    /// Total variation of the base's P and Q: P's mass less Q's where t > 0.
    fn total_variation(&self) -> f64 {
        let by_density = match self.density {
            Density::None => 0.0,
            // 2 Phi(sd/2) - 1.
            Density::Gaussian { sd } => 1.0 - 2.0 * tail_probability(0.5 * sd),
            // The integral of e^log_scale (e^(t/2) - e^(-t/2)).
            Density::Exponential { log_scale, half_width } => {
                8.0 * log_scale.exp() * (0.25 * half_width).sinh().powi(2)
            }
        };
        by_density + self.base_atoms.iter().filter(|atom| atom.t > 0.0).map(|atom| atom.p - atom.q).sum::<f64>()
    }

    /// Bounds of P's mass with an infinite loss; equal where there is no sampling.
    pub(crate) fn infinite_mass(&self) -> (f64, f64) {
        let mass_at = |t: f64, of: fn(&BaseAtom) -> f64| -> f64 {
            self.base_atoms.iter().filter(|atom| atom.t == t).map(of).sum()
        };
        let of_base = match self.direction {
            Direction::Remove | Direction::Exchange => mass_at(f64::INFINITY, |atom| atom.p),
            Direction::Add if self.rate == 1.0 => mass_at(f64::NEG_INFINITY, |atom| atom.q),
            Direction::Add => 0.0,
        };
        if self.rate == 1.0 {
            return (of_base, of_base);
        }
        let mass = self.rate * of_base;
        (mass * (1.0 - 2.0 * f64::EPSILON), mass * (1.0 + 2.0 * f64::EPSILON))
    }

    /// Relative error of the density where it matters, from rounding of its exponent.
    pub(crate) fn rounding(&self) -> f64 {
        match self.density {
            Density::Gaussian { sd } => {
                let of_group = self.group.as_ref().map_or(0.0, GroupLoss::rounding);
                MASS_ROUNDING + 4.0 * f64::EPSILON * (sd + 12.0).powi(2) + of_group
            }
            // The exponent is a difference of numbers of this size.
            Density::Exponential { half_width, .. } => MASS_ROUNDING + 4.0 * f64::EPSILON * half_width,
            Density::None => MASS_ROUNDING,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_inverts_loss() {
        for rate in [1e-9, 0.01, 0.5, 1.0] {
            for direction in [Direction::Remove, Direction::Add, Direction::Exchange] {
                let pair = Pair::new(Base::Gaussian { noise: 0.7 }, rate, direction);
                for t in [-3.0, -0.1, 0.0, 0.5, 4.0, 29.9, 30.1, 300.0] {
                    let back = pair.position(pair.loss(t));
                    let scale = if t < 0.0 { 1e-15 / rate } else { 1e-14 * (1.0 + 1e-6 / rate) };
                    assert!((back - t).abs() <= scale * 30.0 + 1e-13 * t.abs(), "{rate} {direction:?} {t} {back}");
                }
            }
        }
    }

    #[test]
    fn atoms_and_densities_are_distributions() {
        let bases = [
            Base::Gaussian { noise: 0.8 },
            Base::Laplace { inverse_scale: 1.3 },
            Base::DiscreteLaplace { inverse_scale: 0.4, sensitivity: 5 },
            Base::DiscreteGaussian { sigma: 1.7 },
            Base::RandomizedResponse { truth: 1.0 / (1.0 + 3.0 * (-1.2_f64).exp()), loss: 1.2, categories: 4 },
            Base::EpsilonDelta { epsilon: 0.7, delta: 0.01 },
            Base::BoundedRange { epsilon: 1.1 },
        ];
        for base in bases {
            for rate in [0.1, 1.0] {
                for direction in [Direction::Remove, Direction::Add, Direction::Exchange] {
                    let pair = Pair::new(base, rate, direction);
                    // Sum of P, and of Q = e^-loss P.
                    let (mut p, mut q) = (pair.infinite_mass().1, 0.0);
                    for atom in pair.atoms() {
                        p += atom.mass;
                        q += atom.mass * (-atom.loss).exp();
                    }
                    if let Some(range) = pair.range(-80.0) {
                        let steps = 200_000;
                        let width = (range.high - range.low) / f64::from(steps);
                        for step in 0..steps {
                            let t = range.low + (f64::from(step) + 0.5) * width;
                            let mass = pair.log_density(t).exp() * width;
                            p += mass;
                            q += mass * (-pair.loss(t)).exp();
                        }
                    }
                    let lost = match base {
                        // Under Q this much has a loss of minus infinity.
                        Base::EpsilonDelta { delta, .. } if rate == 1.0 => delta,
                        Base::EpsilonDelta { delta, .. } if direction != Direction::Remove => rate * delta,
                        _ => 0.0,
                    };
                    assert!((p - 1.0).abs() < 1e-8, "{base:?} {rate} {direction:?}: P {p}");
                    assert!((q + lost - 1.0).abs() < 1e-8, "{base:?} {rate} {direction:?}: Q {q}");
                }
            }
        }
    }

    /// A step's curve is rate x that of the mechanism on the sample (Balle, Barthe and Gaboardi, arXiv 1807.01647,
    /// theorem 9).
    #[test]
    fn exchange_has_the_amplified_curve() {
        let (noise, rate) = (0.8, 0.3_f64);
        let pair = Pair::new(Base::Gaussian { noise }, rate, Direction::Exchange);
        let range = pair.range(-80.0).unwrap();
        for unsampled in [0.0, 0.4, 1.5_f64] {
            let epsilon = (rate * unsampled.exp_m1()).ln_1p();
            let steps = 400_000;
            let width = (range.high - range.low) / f64::from(steps);
            let found: f64 = (0..steps)
                .map(|step| {
                    let t = range.low + (f64::from(step) + 0.5) * width;
                    pair.log_density(t).exp() * -((epsilon - pair.loss(t)).min(0.0)).exp_m1() * width
                })
                .sum();
            let truth = rate * crate::gaussian_delta(noise, unsampled).unwrap();
            assert!((found - truth).abs() < 1e-7, "{unsampled}: {found} {truth}");
        }
    }

    #[test]
    fn bounded_range_is_the_worst_pair_of_points() {
        // Hockey-stick of the pair against the best two-point law, at several thresholds.
        let epsilon = 1.5_f64;
        let pair = Pair::new(Base::BoundedRange { epsilon }, 1.0, Direction::Remove);
        for threshold in [-1.2_f64, -0.3, 0.0, 0.4, 1.3] {
            let x = threshold.exp();
            let mut worst = 0.0_f64;
            for step in 0..=100_000 {
                let t = epsilon * f64::from(step) / 100_000.0;
                let high = (1.0 - (t - epsilon).exp()) / (t.exp() - (t - epsilon).exp());
                let stick = |loss: f64, q: f64| q * (loss.exp() - x).max(0.0);
                worst = worst.max(stick(t, high) + stick(t - epsilon, 1.0 - high));
            }
            let steps = 100_000;
            let width = (epsilon - threshold) / f64::from(steps);
            let found: f64 = (0..steps)
                .map(|step| {
                    let t = threshold + (f64::from(step) + 0.5) * width;
                    pair.log_density(t).exp() * (1.0 - (threshold - t).exp()) * width
                })
                .sum();
            assert!((found - worst).abs() < 1e-8, "{threshold}: {found} {worst}");
        }
    }
}
