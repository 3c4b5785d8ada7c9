//! The moment of a Poisson-sampled Gaussian step at complex orders, by the trapezoidal rule.

use std::f64::consts::PI;

use realfft::num_complex::Complex;

use crate::Result;
use crate::error::no_estimate;
use crate::pld::Direction;

/// Most points under a moment's integral.
const MOST_NODES: f64 = 20_000.0;

/// A Poisson-sampled Gaussian step and how often it is done.
pub(super) struct Moment {
    pub(super) rate: f64,
    pub(super) noise: f64,
    pub(super) count: f64,
    pub(super) direction: Direction,
}

impl Moment {
    /// Adds count x ln M at the points start + i step (from + 0, 1, ..); gives the number of nodes that it took.
    pub(super) fn add_log(
        &self,
        start: f64,
        step: f64,
        from: usize,
        highest: f64,
        out: &mut [Complex<f64>],
    ) -> Result<f64> {
        // M(s) = E_Q[r^p] with p = 1 + s, or p = -s, of the likelihood ratio r.
        let sign = if self.direction == Direction::Add { -1.0 } else { 1.0 };
        let offset = if sign > 0.0 { 1.0 } else { 0.0 };
        let power = |k: usize| Complex::new(offset + sign * start, sign * step * (from + k) as f64);
        let variance = self.noise * self.noise;
        if self.rate == 1.0 {
            for (k, out) in out.iter_mut().enumerate() {
                let p = power(k);
                *out += p * (p - 1.0) / (2.0 * variance) * self.count;
            }
            return Ok(1.0);
        }
        // The trapezoidal rule for the moment, as in the RDP accountant, fine enough for the highest frequency.
        let p = power(0).re;
        let shift = (0.9 * PI * variance).min(5.0 * self.noise);
        let spacing = 2.0 * PI / (highest / variance + 44.0 / shift + shift / (2.0 * variance));
        let (low, high) = (p.min(0.0) - 11.0 * self.noise, p.max(1.0) + 11.0 * self.noise);
        let count = ((high - low) / spacing).ceil() + 1.0;
        if count.is_nan() || count > MOST_NODES {
            return Err(no_estimate("a step's moment needs too fine a grid, as it does for little noise"));
        }
        let log_scale = (spacing / (self.noise * (2.0 * PI).sqrt())).ln();
        // (ln weight, ln r, r - 1)
        let nodes: Vec<(f64, f64, f64)> = (0..count as usize)
            .map(|k| {
                let x = low + spacing * k as f64;
                let u = (2.0 * x - 1.0) / (2.0 * variance);
                let w = self.rate * u.exp_m1();
                let log_ratio = if u > 30.0 {
                    u + self.rate.ln() + ((1.0 - self.rate) / self.rate * (-u).exp()).ln_1p()
                } else {
                    w.ln_1p()
                };
                (log_scale - x * x / (2.0 * variance), log_ratio, w)
            })
            .collect();
        let largest = nodes.iter().map(|(weight, ratio, _)| weight + p * ratio).fold(f64::NEG_INFINITY, f64::max);
        let heaviest = nodes.iter().map(|(weight, ..)| *weight).fold(f64::NEG_INFINITY, f64::max);
        let kept: Vec<(f64, f64, f64)> = nodes
            .into_iter()
            .filter(|(weight, ratio, _)| weight + p * ratio > largest - 42.0 || *weight > heaviest - 42.0)
            .collect();
        // From one point on the line to the next, e^(p ln r) is multiplied by a rotation.
        let turn = sign * step;
        let (first, mut sums) = (power(0), vec![Complex::new(0.0, 0.0); out.len()]);
        if largest > 20.0 || kept.iter().any(|(_, ratio, w)| p * ratio > 500.0 || *w > 1e100) {
            for (weight, ratio, _) in &kept {
                let mut value = (first * ratio + (weight - largest)).exp();
                let rotation = Complex::from_polar(1.0, turn * ratio);
                for sum in &mut sums {
                    *sum += value;
                    value *= rotation;
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out += (sum.ln() + largest) * self.count;
            }
        } else {
            // M - 1 = E_Q[r^p - 1 - p (r - 1)], without cancellation.
            for (weight, ratio, w) in &kept {
                let weight = weight.exp();
                let mut value = exp_m1(first * ratio);
                let rotation = exp_m1(Complex::new(0.0, turn * ratio));
                let mut line = first * w;
                for sum in &mut sums {
                    *sum += (value - line) * weight;
                    value += rotation + value * rotation;
                    line.im += turn * w;
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out += ln_1p(sum) * self.count;
            }
        }
        Ok(kept.len() as f64)
    }
}

/// e^z - 1 without cancellation for small z.
fn exp_m1(z: Complex<f64>) -> Complex<f64> {
    let (sin, cos) = z.im.sin_cos();
    let half = (0.5 * z.im).sin();
    Complex::new(z.re.exp_m1() * cos - 2.0 * half * half, z.re.exp() * sin)
}

/// ln(1 + z) without cancellation for small z.
fn ln_1p(z: Complex<f64>) -> Complex<f64> {
    Complex::new(0.5 * (2.0 * z.re + z.norm_sqr()).ln_1p(), z.im.atan2(1.0 + z.re))
}
