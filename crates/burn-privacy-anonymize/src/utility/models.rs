//! The models: two of `smartcore`, and logistic regression with and without privacy.

use burn_privacy_convex::{
    Block, ConvexError, FeatureMap, Features, Loss, PrivacyBudget, RowScale, TrainingSet, objective_perturbation,
    solve_without_privacy,
};
use burn_privacy_mechanisms::Entropy;
use smartcore::ensemble::random_forest_classifier::{RandomForestClassifier, RandomForestClassifierParameters};
use smartcore::error::Failed;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::svm::Kernels;
use smartcore::svm::svc::{SVC, SVCParameters};

use super::{Encoding, Examples};
use crate::AnonymizeError;

/// Settings of a random forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForestSettings {
    /// Number of trees.
    pub trees: u16,
    /// Deepest tree.
    pub depth: u16,
    /// Rows of a leaf at least.
    pub leaf: usize,
    /// Columns that each division chooses from; the root of their number unless given.
    pub columns: Option<usize>,
}

impl Default for ForestSettings {
    fn default() -> Self {
        Self { trees: 100, depth: 14, leaf: 8, columns: None }
    }
}

/// Share of right answers.
pub fn accuracy(answers: &[i32], test: &Examples) -> f64 {
    let right = answers.iter().zip(&test.classes).filter(|(one, other)| one == other).count();
    right as f64 / test.len().max(1) as f64
}

fn failed(error: Failed) -> AnonymizeError {
    AnonymizeError::Model(error.to_string())
}

fn convex_failed(error: ConvexError) -> AnonymizeError {
    AnonymizeError::Model(error.to_string())
}

fn matrix(examples: &Examples) -> Result<DenseMatrix<f64>, AnonymizeError> {
    DenseMatrix::from_2d_vec(&examples.features).map_err(failed)
}

/// Answers of a random forest, to `test` after `training`.
///
/// # Errors
///
/// [`AnonymizeError::Model`] if it can't be trained, as without rows.
pub fn forest(
    training: &Examples,
    test: &Examples,
    settings: ForestSettings,
    seed: u64,
) -> Result<Vec<i32>, AnonymizeError> {
    let width = training.features.first().map_or(1, Vec::len) as f64;
    let mut parameters = RandomForestClassifierParameters::default()
        .with_n_trees(settings.trees)
        .with_max_depth(settings.depth)
        .with_min_samples_leaf(settings.leaf)
        .with_m(settings.columns.unwrap_or(width.sqrt().ceil() as usize).clamp(1, width as usize));
    parameters.seed = seed;
    let model = RandomForestClassifier::fit(&matrix(training)?, &training.classes, parameters).map_err(failed)?;
    model.predict(&matrix(test)?).map_err(failed)
}

/// Settings of a support vector machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VectorSettings {
    /// Training rows that are used, drawn from all: the time grows with their square.
    pub rows: usize,
    /// Cost of an error.
    pub cost: f64,
    /// Width of the kernel exp(-gamma d^2).
    pub gamma: f64,
}

impl Default for VectorSettings {
    fn default() -> Self {
        Self { rows: 3000, cost: 1.0, gamma: 0.1 }
    }
}

/// Answers of a support vector machine with a radial kernel.
///
/// # Errors
///
/// [`AnonymizeError::Model`] if it can't be trained, as with rows of one class only.
pub fn support_vectors(
    training: &Examples,
    test: &Examples,
    settings: VectorSettings,
    seed: u64,
) -> Result<Vec<i32>, AnonymizeError> {
    let training = training.sample(settings.rows, seed);
    let parameters = SVCParameters::default()
        .with_c(settings.cost)
        .with_kernel(Kernels::rbf().with_gamma(settings.gamma))
        .with_seed(Some(seed));
    let (rows, tested) = (matrix(&training)?, matrix(test)?);
    let model = SVC::fit(&rows, &training.classes, &parameters).map_err(failed)?;
    let answers = model.predict(&tested).map_err(failed)?;
    Ok(answers.into_iter().map(|answer| i32::from(answer > 0.5)).collect())
}

fn training_set(training: &Examples, encoding: &Encoding) -> Result<TrainingSet, ConvexError> {
    let blocks: Vec<Block> = encoding
        .blocks()
        .map(|block| match block {
            None => Block::Numbers { columns: 1, low: 0.0, high: 1.0 },
            Some(columns) => Block::Categories { columns },
        })
        .collect();
    // No row is longer: a number is 1 at most, and so are the shares of a column.
    let longest = (blocks.len() as f64).sqrt();
    let map = FeatureMap::new(encoding.width(), RowScale::Clip(longest))?.with_blocks(blocks)?.with_intercept(0.3)?;
    let labels = training.classes.iter().map(|&class| if class > 0 { 1.0 } else { -1.0 }).collect();
    TrainingSet::new(Features::new(&training.features.concat(), map)?, labels, Loss::Logistic)
}

/// Strength of the regularizer; it does not come from the data.
const LAMBDA: f64 = 1e-4;

/// Answers of a logistic regression that is epsilon-differentially private (pure, replace-one) in its training rows, and the headline of
/// its statement.
///
/// # Errors
///
/// [`AnonymizeError::Model`] for an epsilon that is refused, or without rows.
pub fn logistic_with_privacy(
    training: &Examples,
    test: &Examples,
    encoding: &Encoding,
    epsilon: f64,
    entropy: Entropy,
) -> Result<(Vec<i32>, String), AnonymizeError> {
    use burn_privacy_budget::statement::Statement;
    let answer = || -> Result<_, ConvexError> {
        let set = training_set(training, encoding)?;
        let release = objective_perturbation(&set, LAMBDA, &PrivacyBudget::pure(epsilon)?, entropy)?;
        let answers = test.features.iter().map(|row| Ok(i32::from(release.model.classify(row)? > 0.0)));
        Ok((answers.collect::<Result<_, ConvexError>>()?, release.statement.headline()))
    };
    answer().map_err(convex_failed)
}

/// Answers of the same regression without privacy.
///
/// # Errors
///
/// [`AnonymizeError::Model`] without rows.
pub fn logistic_without_privacy(
    training: &Examples,
    test: &Examples,
    encoding: &Encoding,
) -> Result<Vec<i32>, AnonymizeError> {
    let answer = || -> Result<_, ConvexError> {
        let set = training_set(training, encoding)?;
        let minimum = solve_without_privacy(&set, LAMBDA)?;
        let test_set = training_set(test, encoding)?;
        let score = |row: &[f64]| -> f64 { row.iter().zip(&minimum.weights).map(|(x, w)| x * w).sum() };
        Ok(test_set.features().vectors().map(|row| i32::from(score(row) >= 0.0)).collect())
    };
    answer().map_err(convex_failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recoding::recode_by_mondrian;
    use crate::table::{Column, Hierarchy, PrivacyModel, Sensitive, Table};
    use crate::utility::{Model, asked_examples, neighbors, raw_examples, released_examples, split, tuned};

    /// Ages of which the upper half is of class 1, and a city that says nothing.
    fn table() -> Table {
        let ages: Vec<Vec<String>> =
            (0..40).map(|age| vec![age.to_string(), format!("{}s", age / 10), "*".to_owned()]).collect();
        let cities = [["Bonn", "*"], ["Kiel", "*"], ["Ulm", "*"]].map(|line| line.map(str::to_owned).to_vec());
        let column = |name: &str, lines: &[Vec<String>]| Column {
            name: name.to_owned(),
            hierarchy: Hierarchy::new(name, lines).unwrap(),
        };
        let columns = vec![column("age", &ages), column("city", &cities)];
        let target = Sensitive { name: "old".to_owned(), values: vec!["no".to_owned(), "yes".to_owned()] };
        let rows = (0..120_u32).map(|row| (vec![row % 40, row % 3, u32::from(row % 40 >= 20)], 20));
        Table::from_tuples(columns, Some(target), rows).unwrap()
    }

    #[test]
    fn models_learn_from_a_release_what_it_shows() {
        let table = table();
        let encoding = Encoding::new(&table);
        let split = split(&table, &encoding, 0.3, 3).unwrap();
        assert!((split.test.len() as f64 / table.rows() as f64 - 0.3).abs() < 0.05);
        assert_eq!(split.test.len() as u64 + split.training.rows(), table.rows());
        let recoding = recode_by_mondrian(&split.training, &[PrivacyModel::KAnonymity { k: 50 }]).unwrap();
        let released = released_examples(&split.training, &recoding, &encoding, 1);
        assert_eq!(released.len() as u64, split.training.rows());
        let settings = ForestSettings { trees: 9, ..ForestSettings::default() };
        let by_forest = accuracy(&forest(&released, &split.test, settings, 1).unwrap(), &split.test);
        let by_neighbors = accuracy(&neighbors(&released, &split.test, 5).unwrap(), &split.test);
        let some = VectorSettings { rows: 200, ..VectorSettings::default() };
        let by_vectors = accuracy(&support_vectors(&released, &split.test, some, 1).unwrap(), &split.test);
        // Decades show the class exactly; half the rows are of each.
        assert!(by_forest > 0.9 && by_neighbors > 0.9 && by_vectors > 0.8, "{by_forest} {by_neighbors} {by_vectors}");
        // Asked about labels, a model knows as much; a choice by the training rows is as good as the one that was not made.
        let asked = asked_examples(&split.held_out, &recoding, &encoding);
        assert_eq!(asked.classes.len(), split.test.len());
        let useless = ForestSettings { trees: 3, leaf: 10_000, ..settings };
        let candidates = [Model::Forest(useless), Model::Neighbors(5)];
        let chosen = tuned(&candidates, &released, &encoding, 1).unwrap();
        assert_eq!(chosen, candidates[1]);
        assert!(accuracy(&chosen.answers(&released, &asked, &encoding, 1).unwrap(), &asked) > 0.9);
        assert!(tuned(&[], &released, &encoding, 1).is_err());
        let raw = raw_examples(&split.training, &encoding, 1);
        let entropy = Entropy::seeded(5);
        let (answers, headline) = logistic_with_privacy(&raw, &split.test, &encoding, 50.0, entropy).unwrap();
        let plain = accuracy(&logistic_without_privacy(&raw, &split.test, &encoding).unwrap(), &split.test);
        assert!(accuracy(&answers, &split.test) > 0.8 && plain > 0.9, "{plain}");
        assert!(headline.contains("NOT PRIVATE"), "a fixed seed is said to be one: {headline}");
        assert!(logistic_with_privacy(&raw, &split.test, &encoding, -1.0, entropy).is_err());
        assert!(forest(&Examples::default(), &split.test, settings, 1).is_err());
    }
}
