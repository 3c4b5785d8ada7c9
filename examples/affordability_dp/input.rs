//! Noise on the data: each household's row, before anybody collects it.

use std::fmt::Write;

use burn_privacy::accounting::{gaussian_epsilon, round_up_for_display};
use burn_privacy::mechanisms::local::{CellRandomness, Piecewise};
use burn_privacy::mechanisms::{Entropy, PrivacyKey, fill_gaussian_f64};

use burn_privacy_examples::Result;
use burn_privacy_examples::affordability::data::{Bounds, COLUMNS, FEATURES, Row};
use burn_privacy_examples::affordability::polynomial::{MIDDLE, MOST};
use burn_privacy_examples::affordability::{Degree, Moments, Polynomial};

/// Every cell perturbed by the piecewise mechanism, each with an equal share of epsilon.
///
/// Nobody but the household itself sees its true row: local differential privacy of the whole row (replace-one), by basic
/// composition of its cells.
pub fn perturbed(rows: &[Row], bounds: &Bounds, epsilon: f64) -> Result<(Vec<Row>, String)> {
    // A hair less than a share, so that the sum can't exceed the whole by rounding.
    let share = epsilon / COLUMNS.len() as f64 * (1.0 - 1e-12);
    let cells = bounds.map(|(low, high)| Piecewise::new(low, high, share));
    let cells = cells.into_iter().collect::<std::result::Result<Vec<_>, _>>()?;
    let key = PrivacyKey::draw(Entropy::os())?;
    let mut noisy = rows.to_vec();
    for (record, row) in noisy.iter_mut().enumerate() {
        for (column, (value, cell)) in row.iter_mut().zip(&cells).enumerate() {
            let (low, high) = bounds[column];
            let inside = if value.is_nan() { low } else { value.clamp(low, high) };
            *value = cell.perturb(inside, &CellRandomness::draw(&key, record as u64, column as u64)?);
        }
    }
    let spent: f64 = cells.iter().map(Piecewise::epsilon).sum();
    let statement = format!(
        "Input perturbation: each household's row is {}-locally differentially private (a household's row against any other \
         row), whoever collects it.\n\n- Mechanism: piecewise, on each of {} columns with epsilon {:.4}\n- Values are clipped \
         to public bounds first\n- Training on the perturbed rows costs nothing more\n- Not covered: that a household takes \
         part at all\n",
        round_up_for_display(spent),
        COLUMNS.len(),
        share,
    );
    Ok((noisy, statement))
}

/// Every cell perturbed by the piecewise mechanism as in [`perturbed`], on the public scale that models take, and a line fitted to what is
/// known about the rows in spite of the noise.
///
/// Noise in the features flattens any line that is fitted to them as they are (errors in variables). But means of products of two
/// noisy cells are right on average, and the mean of a noisy cell's square is too large by what the mechanism is known to add: for
/// a value x from -1 to 1, `E[y^2] = x^2 t / (t - 1) + (t + 3) / (3 (t - 1)^2)` with `t = e^(epsilon/2)` (Wang et al., lemma 1). With that
/// subtracted, least squares is right on average, too; a ridge of the size of what is left of the noise keeps it from running away.
pub fn corrected(rows: &[Row], bounds: &Bounds, nominal: usize, epsilon: f64) -> Result<(Polynomial, String)> {
    let share = epsilon / COLUMNS.len() as f64 * (1.0 - 1e-12);
    let (feature, target) = (Piecewise::new(-MOST, MOST, share)?, Piecewise::new(0.0, 1.0, share)?);
    let t = (0.5 * share).exp();
    let added = (t + 3.0) / (3.0 * (t - 1.0).powi(2));
    let key = PrivacyKey::draw(Entropy::os())?;
    let mut moments = Moments::new(Degree::One);
    let count = Degree::One.weights();
    for (record, row) in rows.iter().enumerate() {
        let draw = |cell: usize| CellRandomness::draw(&key, record as u64, cell as u64);
        let mut noisy = Degree::One.inputs(row, bounds);
        for (cell, value) in noisy.iter_mut().enumerate().skip(1) {
            *value = feature.perturb(*value, &draw(cell - 1)?);
        }
        let (low, high) = bounds[FEATURES];
        let found = target.perturb((row[FEATURES] - low) / (high - low), &draw(FEATURES)?);
        for (i, a) in noisy.iter().enumerate() {
            moments.right[i] += a * (found - MIDDLE);
            for (j, b) in noisy.iter().enumerate() {
                moments.matrix[i * count + j] +=
                    if i == j && i > 0 { MOST * MOST * ((a / MOST).powi(2) - added) * (t - 1.0) / t } else { a * b };
            }
        }
    }
    // Standard deviation of a sum of products of two noises, times what makes it a norm.
    let ridge = MOST * MOST * added * (nominal as f64).sqrt() * 2.0 * (FEATURES as f64).sqrt();
    let statement = format!(
        "Input perturbation: each household's row is {}-locally differentially private (a household's row against any other \
         row), whoever collects it.\n\n- Mechanism: piecewise, on each of {} columns with epsilon {share:.4}\n- Values are brought to a \
         public scale and clipped first\n- Fitting with the known noise subtracted costs nothing more\n- Not covered: that a \
         household takes part at all\n",
        round_up_for_display(share * COLUMNS.len() as f64),
        COLUMNS.len(),
    );
    Ok((moments.solved(ridge), statement))
}

/// Gaussian noise of one standard deviation on every raw feature, as the handout has it (`Income += N(0, 1000)`); the
/// target stays as it is. The statement says what that amounts to: the exact epsilon of that Gaussian if values stay
/// within the public bounds (Balle and Wang, arXiv 1805.06530).
pub fn obfuscated(rows: &[Row], bounds: &Bounds, deviation: f64, delta: f64) -> Result<(Vec<Row>, String)> {
    let key = PrivacyKey::draw(Entropy::os())?;
    let mut noisy = rows.to_vec();
    let mut noise = vec![0.0; rows.len()];
    let mut statement = format!("\nstandard deviation {deviation}:\n");
    for (column, &(low, high)) in bounds.iter().enumerate().take(FEATURES) {
        fill_gaussian_f64(&key, column as u64, 0, &mut noise, deviation)?;
        for (row, noise) in noisy.iter_mut().zip(&noise) {
            let value = row[column];
            row[column] = noise + if value.is_nan() { low } else { value.clamp(low, high) };
        }
        let epsilon = gaussian_epsilon(deviation / (high - low), delta)?;
        let _ = writeln!(
            statement,
            "  {:13} between {low} and {high}: epsilon {}",
            COLUMNS[column],
            round_up_for_display(epsilon)
        );
    }
    statement.push_str("  affordability not protected at all\n");
    Ok((noisy, statement))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_privacy_examples::affordability::data::BOUNDS;
    use burn_privacy_examples::affordability::{generated, r_squared};

    #[test]
    fn perturbed_rows_are_right_on_average_and_say_what_they_cost() {
        let rows = vec![[40.0, 60_000.0, 30_000.0, 400_000.0, 0.5]; 4_000];
        let (noisy, statement) = perturbed(&rows, &BOUNDS, 10.0).unwrap();
        assert!(statement.contains("is 10-locally"), "{statement}");
        for (column, (low, high)) in BOUNDS.into_iter().enumerate() {
            let mean = noisy.iter().map(|row| row[column]).sum::<f64>() / rows.len() as f64;
            // A cell's noise has a standard deviation of no more than the range; eight standard errors.
            let slack = 8.0 * (high - low) / (rows.len() as f64).sqrt();
            assert!((mean - rows[0][column]).abs() < slack, "{column}: {mean}");
        }
    }

    #[test]
    fn a_line_is_found_in_spite_of_noise_that_is_known() {
        let rows = generated::households().unwrap();
        let (train, test) = rows.split_at(20_000);
        let truth: Vec<f64> = test.iter().map(|row| row[FEATURES]).collect();
        let score = |epsilon: f64| {
            let (model, _) = corrected(train, &BOUNDS, 20_000, epsilon).unwrap();
            let predictions: Vec<f64> = test.iter().map(|row| model.predict(row, &BOUNDS)).collect();
            r_squared(&predictions, &truth)
        };
        // With little noise the line is that of least squares, 0.83; with much, the ridge keeps it near the mean.
        assert!(score(60.0) > 0.75, "{}", score(60.0));
        assert!(score(1.0) > -0.5, "{}", score(1.0));
        assert!(corrected(train, &BOUNDS, 20_000, 1e-9).is_err());
    }

    #[test]
    fn obfuscation_leaves_the_target_and_admits_it() {
        let rows = vec![[40.0, 60_000.0, 30_000.0, 400_000.0, 0.5]; 10];
        let (noisy, statement) = obfuscated(&rows, &BOUNDS, 1_000.0, 1e-5).unwrap();
        assert!(noisy.iter().all(|row| row[4] == 0.5 && row[1] != 60_000.0));
        assert!(statement.contains("not protected"), "{statement}");
    }
}
