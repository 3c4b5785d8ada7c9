//! Noise on the data, asked for what learning needs: each household sends a perturbed gradient, once.
//!
//! A perturbed row must serve any purpose, and pays for it: five numbers share epsilon, and products of their noise drown what is
//! learned from them. Here the collector publishes a small model, asks a few households, improves the model and asks others. A
//! household computes the gradient of its own error, reports one to three of its numbers with noise, and is never asked
//! again: its message is as private as a perturbed row, whoever collects it (Wang et al., "Collecting and analyzing
//! multidimensional data with local differential privacy", ICDE 2019, section V).

use burn_privacy::accounting::round_up_for_display;
use burn_privacy::mechanisms::local::SampledPiecewise;
use burn_privacy::mechanisms::{Entropy, PrivacyKey};
use burn_privacy::prediction::Shards;
use burn_privacy_examples::Result;
use burn_privacy_examples::affordability::data::{Bounds, Household, Row};
use burn_privacy_examples::affordability::{Degree, Polynomial};

/// How the rounds go. All of it is public, and chosen on generated households.
struct Rounds {
    degree: Degree,
    /// Bound of each number of a gradient.
    bound: f64,
    rate: f64,
    count: usize,
}

impl Rounds {
    fn for_epsilon(epsilon: f64) -> Self {
        // More weights are worth their noise from here on.
        let degree = if epsilon >= 3.0 { Degree::Two } else { Degree::One };
        Self { degree, bound: 0.2, rate: 0.4 * epsilon.min(1.0).powi(2), count: 300 }
    }
}

/// Trains a polynomial on gradients that households perturb themselves, each household in one round of many; the mean of the
/// weights over the second half of the rounds.
///
/// # Errors
///
/// Those of the mechanism: an epsilon that it doesn't take.
pub fn trained(rows: &[Row], bounds: &Bounds, nominal: usize, epsilon: f64) -> Result<(Polynomial, String)> {
    let Rounds { degree, bound, rate, count } = Rounds::for_epsilon(epsilon);
    let mechanism = SampledPiecewise::new(&vec![(-bound, bound); degree.weights()], epsilon)?;
    let key = PrivacyKey::draw(Entropy::os())?;
    let rounds = Shards::draw(rows.len(), count, Entropy::os())?;
    // Households are not counted: how many answer in a round is taken from the public number.
    let asked = nominal as f64 / count as f64;
    let mut model = Polynomial::middle(degree);
    let mut averaged = vec![0.0; degree.weights()];
    for (round, households) in rounds.iter().enumerate() {
        let mut sum = vec![0.0; degree.weights()];
        for &household in households {
            // On the household's own device, up to the noise.
            let inputs = degree.inputs(&rows[household], bounds);
            let target = f64::from(Household::of(&rows[household], bounds).target);
            let error = (model.raw(&inputs) - target).clamp(-1.0, 1.0);
            let gradient: Vec<f64> = inputs.iter().map(|input| error * input).collect();
            let message = mechanism.perturb(&gradient, &key, household as u64)?;
            sum.iter_mut().zip(message).for_each(|(sum, value)| *sum += value);
        }
        for ((weight, sum), averaged) in model.weights.iter_mut().zip(sum).zip(&mut averaged) {
            *weight -= rate * sum / asked;
            if 2 * round >= count {
                *averaged += *weight / (count - count.div_ceil(2)) as f64;
            }
        }
    }
    model.weights = averaged;
    let statement = format!(
        "Input perturbation, by message: what each household sends is {}-locally differentially private (its row against any \
         other row), whoever collects it.\n\n- Mechanism: piecewise, on {} of {} numbers of a gradient, drawn for each household\n\
         - Each household is asked once, in one of {count} rounds that is drawn without looking at its row\n- Gradients \
         are clipped to {bound} in each number first\n- Training on the messages costs nothing more\n- Not covered: that a \
         household takes part at all\n",
        round_up_for_display(mechanism.epsilon()),
        mechanism.reports(),
        mechanism.numbers(),
    );
    Ok((model, statement))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_privacy_examples::affordability::data::{BOUNDS, FEATURES};
    use burn_privacy_examples::affordability::{generated, r_squared};

    #[test]
    fn messages_teach_what_rows_of_the_same_epsilon_do_not() {
        let rows = generated::households().unwrap();
        let (train, test) = rows.split_at(20_000);
        let (model, statement) = trained(train, &BOUNDS, 20_000, 2.0).unwrap();
        assert!(statement.contains("is 2-locally") && statement.contains("1 of 5 numbers"), "{statement}");
        let truth: Vec<f64> = test.iter().map(|row| row[FEATURES]).collect();
        let predictions: Vec<f64> = test.iter().map(|row| model.predict(row, &BOUNDS)).collect();
        // 0.84 on average, with a standard deviation of about 0.02: no chance for 0.5.
        let score = r_squared(&predictions, &truth);
        assert!(score > 0.5, "{score}");
        assert!(trained(train, &BOUNDS, 20_000, 1e9).is_err());
    }
}
