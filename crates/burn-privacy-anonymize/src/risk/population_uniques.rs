//! How many people are unique in the population, estimated from a sample's classes.
//!
//! - Zayatz 1991: a sample unique is a population unique with the probability that Bayes' rule gives, the population's
//!   classes being taken for those of the sample.
//! - SNB, the slide negative binomial of Chen and Keller-McNulty 1998: class sizes less one are negative binomial; two equations
//!   for the expected numbers of classes of one and of two rows, the number of classes by the third estimator of Shlosser (Haas
//!   and Stokes 1998).
//! - Pitman's sampling formula, by maximum likelihood (Hoshino 2001), with N^a G(t + 1) / G(t + a) uniques.
//!
//! The choice among them is that of Dankar, El Emam, Neisa and Roffey 2012: Pitman below a sampling fraction of 10 %, above
//! it the smaller of Zayatz and SNB. Formulas as in ARX (`org.deidentifier.arx.risk`), but for the equations of SNB, which are
//! the paper's, and the solvers, which are bisections here: an estimator without a solution has no value.

use statrs::function::gamma::{digamma, ln_gamma};

use super::ClassSizes;
use crate::AnonymizeError;

/// Sampling fraction up to which Pitman's formula is preferred.
const SMALL_FRACTION: f64 = 0.1;

/// People of a population at most: beyond that the logarithms of factorials differ by more than their rounding allows.
const MOST_PEOPLE: u64 = 1_000_000_000_000;

/// Estimates of the number of population uniques.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PopulationUniques {
    /// People in the population.
    pub population: u64,
    /// Rows of the sample that no other row equals.
    pub sample_uniques: u64,
    /// By Zayatz.
    pub zayatz: f64,
    /// By the slide negative binomial; `None` if its equations have no solution.
    pub snb: Option<f64>,
    /// By Pitman's formula; `None` if its likelihood has no maximum inside.
    pub pitman: Option<f64>,
    /// The one that the rule of Dankar et al. chooses.
    pub chosen: f64,
    /// Its name.
    pub chosen_by: &'static str,
}

/// Estimates the number of population uniques from the classes of a sample of a population of this size.
///
/// # Errors
///
/// [`AnonymizeError::Parameter`] for a population smaller than the sample or above 10^12, or a sample without rows.
pub fn population_uniques(sizes: &ClassSizes, population: u64) -> Result<PopulationUniques, AnonymizeError> {
    let rows = sizes.rows();
    if rows == 0 {
        return Err(AnonymizeError::parameter("the number of rows", rows, "at least 1"));
    }
    if population < rows {
        return Err(AnonymizeError::parameter("the population", population, format!("at least the {rows} rows")));
    }
    if population > MOST_PEOPLE {
        return Err(AnonymizeError::parameter("the population", population, "at most 10^12"));
    }
    let fraction = rows as f64 / population as f64;
    let zayatz = zayatz(sizes, population);
    let possible = |uniques: &f64| (0.0..=population as f64).contains(uniques);
    let snb = snb(sizes, fraction).filter(possible);
    let pitman = pitman(sizes, population).filter(possible);
    let (chosen, chosen_by) = match (fraction <= SMALL_FRACTION, pitman, snb) {
        (true, Some(pitman), _) => (pitman, "Pitman"),
        (_, _, Some(snb)) if snb <= zayatz => (snb, "SNB"),
        _ => (zayatz, "Zayatz"),
    };
    Ok(PopulationUniques { population, sample_uniques: sizes.of_size(1), zayatz, snb, pitman, chosen, chosen_by })
}

fn ln_choose(of: f64, taken: f64) -> f64 {
    ln_gamma(of + 1.0) - ln_gamma(taken + 1.0) - ln_gamma(of - taken + 1.0)
}

fn zayatz(sizes: &ClassSizes, population: u64) -> f64 {
    let (rows, people) = (sizes.rows() as f64, population as f64);
    let uniques = sizes.of_size(1) as f64;
    if uniques == 0.0 {
        return 0.0;
    }
    if sizes.rows() == population {
        return uniques;
    }
    // The probability that a class of this many people has one in the sample (hypergeometric).
    let one = |size: f64| -> f64 {
        if people - size < rows - 1.0 {
            return 0.0;
        }
        (size.ln() + ln_choose(people - size, rows - 1.0) - ln_choose(people, rows)).exp()
    };
    let classes = sizes.classes() as f64;
    let all: f64 = sizes.by_size().iter().map(|&(size, count)| count as f64 / classes * one(size as f64)).sum();
    let unique_if_seen_once = uniques / classes * one(1.0) / all;
    uniques * unique_if_seen_once / (rows / people)
}

/// Shlosser's estimate of the number of classes in the population (the third of Haas and Stokes 1998).
fn classes_in_population(sizes: &ClassSizes, fraction: f64) -> f64 {
    let (mut a, mut b, mut c, mut d) = (0.0, 0.0, 0.0, 0.0);
    for &(size, count) in sizes.by_size() {
        let (size, count) = (size as f64, count as f64);
        let square = fraction * fraction;
        let unseen = (1.0 - fraction).powf(size);
        a += size * square * (1.0 - square).powf(size - 1.0) * count;
        b += unseen * ((1.0 + fraction).powf(size) - 1.0) * count;
        c += unseen * count;
        d += size * fraction * (1.0 - fraction).powf(size - 1.0) * count;
    }
    sizes.classes() as f64 + sizes.of_size(1) as f64 * (a / b) * (c / d).powi(2)
}

fn snb(sizes: &ClassSizes, fraction: f64) -> Option<f64> {
    if fraction >= 1.0 {
        return Some(sizes.of_size(1) as f64);
    }
    let classes = classes_in_population(sizes, fraction);
    let (ones, twos) = (sizes.of_size(1) as f64, sizes.of_size(2) as f64);
    if ones == 0.0 {
        return Some(0.0);
    }
    if !classes.is_finite() || twos == 0.0 {
        return None;
    }
    // For the share b: d = (1 - f)(1 - b); expected classes of one row K f (b / (1 - d))^a (1 + a d / (1 - d)), and of two
    // K a b^a f^2 (1 - b) (2 - (1 - a) d) / (2 (1 - d)^(a + 2)).
    let parts = |b: f64| {
        let d = (1.0 - fraction) * (1.0 - b);
        (d, (b / (1.0 - d)).ln(), d / (1.0 - d))
    };
    let expected_ones = |a: f64, b: f64| {
        let (_, log, slope) = parts(b);
        classes * fraction * (a * log).exp() * (1.0 + a * slope)
    };
    let expected_twos = |a: f64, b: f64| {
        let (d, log, _) = parts(b);
        classes * a * (a * log).exp() * fraction * fraction * (1.0 - b) * (2.0 - (1.0 - a) * d)
            / (2.0 * (1.0 - d).powi(2))
    };
    // The a at which the first equation holds, on the branch where its left side falls with a.
    let first = |b: f64| -> Option<f64> {
        let (_, log, slope) = parts(b);
        let turn = (-1.0 / log - 1.0 / slope).max(0.0);
        let (mut low, mut high) = (turn, turn.max(1.0));
        if expected_ones(low, b) < ones {
            return None;
        }
        while expected_ones(high, b) > ones {
            high *= 2.0;
            if high > 1e12 {
                return None;
            }
        }
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if expected_ones(middle, b) > ones { low = middle } else { high = middle }
        }
        Some(0.5 * (low + high))
    };
    let gap = |b: f64| first(b).map(|a| expected_twos(a, b) - twos);
    // The share b from near 0 to near 1, by its log-odds.
    let share = |place: i32| 1.0 / (1.0 + (-f64::from(place) * 0.05).exp());
    let mut before: Option<(f64, f64)> = None;
    for place in -300..300 {
        let Some(value) = gap(share(place)) else {
            before = None;
            continue;
        };
        if let Some((b, known)) = before
            && (known <= 0.0) != (value <= 0.0)
        {
            let (mut low, mut high) = (b, share(place));
            for _ in 0..100 {
                let middle = 0.5 * (low + high);
                match gap(middle) {
                    Some(value) if (value <= 0.0) == (known <= 0.0) => low = middle,
                    _ => high = middle,
                }
            }
            let b = 0.5 * (low + high);
            return first(b).map(|a| classes * (a * b.ln()).exp());
        }
        before = Some((share(place), value));
    }
    None
}

fn pitman(sizes: &ClassSizes, population: u64) -> Option<f64> {
    let (rows, classes) = (sizes.rows() as f64, sizes.classes() as f64);
    // All alike, or all different: the likelihood grows without end.
    if sizes.classes() < 2 || sizes.of_size(1) == sizes.rows() || sizes.of_size(1) == 0 {
        return None;
    }
    // Sum over i from 1 to u - 1 of 1 / (t + i a), less that over i from 1 to n - 1 of 1 / (t + i).
    let slope =
        |t: f64, a: f64| (digamma(t / a + classes) - digamma(t / a + 1.0)) / a - (digamma(t + rows) - digamma(t + 1.0));
    let log_likelihood = |t: f64, a: f64| {
        let first = (classes - 1.0) * a.ln() + ln_gamma(t / a + classes) - ln_gamma(t / a + 1.0);
        let second = ln_gamma(t + rows) - ln_gamma(t + 1.0);
        let inner: f64 = sizes
            .by_size()
            .iter()
            .map(|&(size, count)| count as f64 * (ln_gamma(size as f64 - a) - ln_gamma(1.0 - a)))
            .sum();
        first - second + inner
    };
    // The best t above -a for each a: the slope falls through 0 there.
    let best_t = |a: f64| {
        let (mut low, mut high) = (-a * (1.0 - 1e-9), 1e9 * rows);
        for _ in 0..300 {
            // Geometric above -a, since t spans many powers of ten.
            let middle = ((low + a) * (high + a)).sqrt() - a;
            if slope(middle, a) > 0.0 { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    };
    let value = |a: f64| log_likelihood(best_t(a), a);
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut low, mut high) = (1e-6, 1.0 - 1e-6);
    for _ in 0..100 {
        let (one, other) = (high - golden * (high - low), low + golden * (high - low));
        if value(one) < value(other) { low = one } else { high = other }
    }
    let a = 0.5 * (low + high);
    if !(1e-5..1.0 - 1e-5).contains(&a) {
        return None;
    }
    let t = best_t(a);
    let uniques = (a * (population as f64).ln() + ln_gamma(t + 1.0) - ln_gamma(t + a)).exp();
    uniques.is_finite().then_some(uniques)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Class sizes of a population and of a sample of it, each person being in it with probability `fraction`.
    fn sample(sizes: &[u64], fraction: f64, seed: u64) -> (u64, u64, ClassSizes) {
        let mut random = StdRng::seed_from_u64(seed);
        let seen = sizes.iter().map(|&size| (0..size).filter(|_| random.random::<f64>() < fraction).count() as u64);
        let sample = ClassSizes::new(seen.collect::<Vec<_>>());
        (sizes.iter().sum(), sizes.iter().filter(|&&size| size == 1).count() as u64, sample)
    }

    /// Class sizes 1 + geometric: the slide negative binomial with a = 1.
    fn geometric(classes: usize, share: f64) -> Vec<u64> {
        let mut random = StdRng::seed_from_u64(5);
        (0..classes).map(|_| 1 + (random.random::<f64>().ln() / (1.0 - share).ln()).floor() as u64).collect()
    }

    /// The classes of Pitman's sampling formula, drawn person by person.
    fn chinese_restaurant(people: u64, t: f64, a: f64) -> Vec<u64> {
        let mut random = StdRng::seed_from_u64(7);
        // Seats by class, so that a class is drawn by its size; a class is left for a new one with probability a / size.
        let mut seats: Vec<usize> = Vec::new();
        let mut sizes: Vec<u64> = Vec::new();
        for person in 0..people {
            let open = t + a * sizes.len() as f64;
            let new = random.random::<f64>() * (person as f64 + t) < open;
            let place = if new || seats.is_empty() {
                sizes.push(0);
                sizes.len() - 1
            } else {
                loop {
                    let place = seats[random.random_range(0..seats.len())];
                    if random.random::<f64>() >= a / sizes[place] as f64 {
                        break place;
                    }
                }
            };
            sizes[place] += 1;
            seats.push(place);
        }
        sizes
    }

    #[test]
    fn the_slide_negative_binomial_finds_its_own_uniques() {
        let (population, uniques, classes) = sample(&geometric(40_000, 0.3), 0.3, 11);
        let found = population_uniques(&classes, population).unwrap();
        let snb = found.snb.unwrap();
        // Shlosser's number of classes is itself an estimate.
        assert!((snb / uniques as f64 - 1.0).abs() < 0.2, "{snb} for {uniques}: {found:?}");
    }

    #[test]
    fn pitmans_formula_finds_its_own_uniques() {
        let (population, uniques, classes) = sample(&chinese_restaurant(200_000, 50.0, 0.6), 0.05, 13);
        let found = population_uniques(&classes, population).unwrap();
        let pitman = found.pitman.unwrap();
        assert!((pitman / uniques as f64 - 1.0).abs() < 0.15, "{pitman} for {uniques}: {found:?}");
        assert_eq!(found.chosen_by, "Pitman");
    }

    #[test]
    fn a_sample_of_everybody_has_no_doubt_and_one_of_nobody_is_refused() {
        let classes = ClassSizes::new([1, 1, 1, 2, 5]);
        let found = population_uniques(&classes, 10).unwrap();
        assert_eq!((found.zayatz, found.snb), (3.0, Some(3.0)));
        assert!(population_uniques(&classes, 9).is_err() && population_uniques(&ClassSizes::default(), 9).is_err());
        assert!(population_uniques(&classes, u64::MAX).unwrap_err().to_string().contains("at most 10^12"));
        // Far from everybody: an estimate is a number of people still.
        let far = population_uniques(&classes, MOST_PEOPLE).unwrap();
        assert!((0.0..=MOST_PEOPLE as f64).contains(&far.zayatz) && (0.0..=MOST_PEOPLE as f64).contains(&far.chosen));
        let none = population_uniques(&ClassSizes::new([4, 6]), 100).unwrap();
        assert_eq!((none.zayatz, none.snb, none.chosen), (0.0, Some(0.0), 0.0));
    }

    #[test]
    fn zayatz_is_bayes_rule() {
        // 2 of 4 people: one class of one and one of two would be (3 rows); here by hand for sizes {1, 1, 2} of 8.
        let classes = ClassSizes::new([1, 1, 2]);
        let found = population_uniques(&classes, 8).unwrap();
        let one = |size: f64| size * (ln_choose(8.0 - size, 3.0) - ln_choose(8.0, 4.0)).exp();
        let share = 2.0 / 3.0 * one(1.0) / (2.0 / 3.0 * one(1.0) + one(2.0) / 3.0);
        assert!((found.zayatz - 2.0 * share / 0.5).abs() < 1e-12);
    }
}
