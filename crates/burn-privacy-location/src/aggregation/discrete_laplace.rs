//! Discrete Laplace noise without floating point.

use burn_privacy_mechanisms::{PrivacyKey, Purpose, fill_secret_words};
use zeroize::Zeroize;

use super::super::error::LocationError;

/// The denominator of an epsilon.
const DENOMINATOR: u64 = 1 << 20;
/// Words drawn at once.
const WORDS: usize = 1_024;

/// Integers with probability proportional to `e^(-|x| epsilon)`, exactly: epsilon is a fraction over 2^20 (rounded down), and
/// every coin a comparison of integers (Canonne, Kamath and Steinke, "The discrete Gaussian for differential privacy", NeurIPS
/// 2020, algorithm 2).
///
/// # Formal guarantees
///
/// A count that changes by at most 1, plus such noise, is `epsilon`-differentially private, with no allowance for rounding.
pub struct DiscreteLaplace<'a> {
    numerator: u64,
    key: &'a PrivacyKey,
    words: Vec<u64>,
    used: usize,
    next: u64,
}

impl<'a> DiscreteLaplace<'a> {
    /// Noise for an epsilon, from the stream ([`OutputPerturbation`](Purpose::OutputPerturbation), step 1) of a key that serves
    /// nothing else.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] unless epsilon is from 2^-20 to 32.
    pub fn new(epsilon: f64, key: &'a PrivacyKey) -> Result<Self, LocationError> {
        let numerator = (epsilon * DENOMINATOR as f64).floor();
        if !(1.0..=32.0 * DENOMINATOR as f64).contains(&numerator) {
            return Err(LocationError::parameter("epsilon of a count", epsilon, "from 1e-6 to 32"));
        }
        Ok(Self { numerator: numerator as u64, key, words: vec![0; WORDS], used: WORDS, next: 0 })
    }

    /// The epsilon that is drawn with: the one asked for, rounded down to a multiple of 2^-20.
    pub fn epsilon(&self) -> f64 {
        self.numerator as f64 / DENOMINATOR as f64
    }

    /// The next integer.
    ///
    /// # Errors
    ///
    /// [`LocationError::Mechanism`] after 2^63 words.
    pub fn draw(&mut self) -> Result<i64, LocationError> {
        loop {
            let remainder = self.below(DENOMINATOR)?;
            if !self.exponential_coin(remainder, DENOMINATOR)? {
                continue;
            }
            let mut whole = 0;
            while self.exponential_coin(1, 1)? {
                whole += 1;
            }
            let size = ((remainder + DENOMINATOR * whole) / self.numerator) as i64;
            let negative = self.word()? & 1 == 1;
            // Zero has one sign only.
            if !(negative && size == 0) {
                return Ok(if negative { -size } else { size });
            }
        }
    }

    /// True with probability `e^(-numerator/denominator)`, for a fraction of at most 1.
    fn exponential_coin(&mut self, numerator: u64, denominator: u64) -> Result<bool, LocationError> {
        let mut k = 1;
        while self.below(denominator * k)? < numerator {
            k += 1;
        }
        Ok(k % 2 == 1)
    }

    /// A uniform integer below `count`, by rejection.
    fn below(&mut self, count: u64) -> Result<u64, LocationError> {
        let whole = u64::MAX - u64::MAX % count;
        loop {
            let word = self.word()?;
            if word < whole {
                return Ok(word % count);
            }
        }
    }

    fn word(&mut self) -> Result<u64, LocationError> {
        if self.used == self.words.len() {
            fill_secret_words(self.key, Purpose::OutputPerturbation, 1, self.next, &mut self.words)?;
            self.next += self.words.len() as u64;
            self.used = 0;
        }
        self.used += 1;
        Ok(self.words[self.used - 1])
    }
}

impl Drop for DiscreteLaplace<'_> {
    fn drop(&mut self) {
        self.words.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use burn_privacy_mechanisms::Entropy;

    use super::*;

    #[test]
    fn integers_have_the_law() {
        let key = PrivacyKey::draw(Entropy::seeded(11)).unwrap();
        for epsilon in [0.25, 1.0, 2.5] {
            let mut noise = DiscreteLaplace::new(epsilon, &key).unwrap();
            let n = 200_000;
            let mut counts = [0.0; 21];
            for _ in 0..n {
                let place = noise.draw().unwrap().clamp(-10, 10) + 10;
                counts[place as usize] += 1.0;
            }
            let r: f64 = (-epsilon).exp();
            let mut chi_square = 0.0;
            for (place, count) in counts.iter().enumerate() {
                let size = (place as i32 - 10).abs();
                // The ends hold the tails: r^10 / (1 + r).
                let law = if size == 10 { r.powi(10) / (1.0 + r) } else { (1.0 - r) / (1.0 + r) * r.powi(size) };
                if law * f64::from(n) >= 5.0 {
                    chi_square += (count - law * f64::from(n)).powi(2) / (law * f64::from(n));
                }
            }
            // At most 20 degrees of freedom: beyond 81 with probability below 1e-8.
            assert!(chi_square < 81.0, "{epsilon}: {chi_square}");
        }
        assert!(DiscreteLaplace::new(0.0, &key).is_err() && DiscreteLaplace::new(f64::NAN, &key).is_err());
    }
}
