//! `burn-privacy anonymize utility` (feature `utility`).

use std::io::Write;
use std::path::PathBuf;

use burn_privacy_anonymize::recoding::{Recoding, recode_by_clusters, recode_by_medians, recode_by_mondrian};
use burn_privacy_anonymize::table::{PrivacyModel, Table};
use burn_privacy_anonymize::utility::{
    Encoding, Examples, ForestSettings, Model, VectorSettings, accuracy, asked_examples, drawn_examples,
    logistic_with_privacy, raw_examples, released_examples, split, tuned,
};
use burn_privacy_mechanisms::Entropy;
use burn_privacy_output::plot::{Axis, LineChart, Series, Stroke, svg};
use burn_privacy_output::write_atomically;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::input::{read_table, refuse_existing, separator};
use crate::failure::Failure;

/// How the release is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UtilityMethod {
    /// Halves at medians, equal values together
    MondrianStrict,
    /// Division by labels
    Mondrian,
    /// Clusters that are divided anew
    Clusters,
}

/// A model that is trained on the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModelName {
    /// Random forest
    Forest,
    /// Nearest neighbors
    Neighbors,
    /// Support vector machine, on some thousand rows
    Vectors,
    /// Logistic regression
    Logistic,
}

/// How models of a release are asked about held-out rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Asked {
    /// With the row's values
    Values,
    /// With the labels of the class of the release that covers the row
    Labels,
}

/// `anonymize utility`.
#[derive(Clone, Debug, Args)]
pub struct UtilityArgs {
    /// CSV file with a header
    data: PathBuf,
    /// Separator of its cells
    #[arg(long, default_value = ",", value_parser = separator)]
    separator: u8,
    /// Folder of hierarchies, as for search; columns without one are left out
    #[arg(long, value_name = "DIR")]
    hierarchies: PathBuf,
    /// The column to predict, which has two values
    #[arg(long, value_name = "COLUMN")]
    target: String,
    /// k of each release
    #[arg(long, value_delimiter = ',', default_value = "2,5,10,100")]
    k: Vec<u64>,
    /// Epsilon of each private model, trained on the raw rows
    #[arg(long, value_delimiter = ',', default_value = "1,4,8")]
    epsilon: Vec<f64>,
    /// How releases are made
    #[arg(long, value_enum, default_value = "mondrian-strict")]
    method: UtilityMethod,
    /// Models to train on each release, and on the raw rows
    #[arg(long, value_enum, value_delimiter = ',', default_value = "forest,neighbors,vectors,logistic")]
    models: Vec<ModelName>,
    /// Share of the rows that are held out, raw
    #[arg(long, value_name = "SHARE", default_value_t = 0.3)]
    test_share: f64,
    /// Trees of the random forest
    #[arg(long, value_name = "N", default_value_t = 100)]
    trees: u16,
    /// Deepest tree
    #[arg(long, value_name = "N", default_value_t = 14)]
    depth: u16,
    /// Rows of a leaf at least
    #[arg(long, value_name = "N", default_value_t = 8)]
    leaf: usize,
    /// Columns that each division of a tree chooses from; the root of their number unless given
    #[arg(long, value_name = "N")]
    columns: Option<usize>,
    /// Neighbors that are asked
    #[arg(long, value_name = "N", default_value_t = 31)]
    neighbors: usize,
    /// Cost of an error of the support vector machine
    #[arg(long, value_name = "C", default_value_t = 1.0)]
    cost: f64,
    /// Width of its kernel exp(-gamma d^2)
    #[arg(long, value_name = "G", default_value_t = 0.1)]
    gamma: f64,
    /// Chooses the rows of a leaf (2, 8, 32, 128), the number of neighbors (15, 31, 63, 127), cost (1, 10) and gamma (0.03, 0.1, 0.3) by
    /// a quarter of each release's own rows: test rows choose nothing
    #[arg(long, conflicts_with_all = ["leaf", "neighbors", "cost", "gamma"])]
    tune: bool,
    /// How models of a release are asked about held-out rows
    #[arg(long, value_enum, default_value = "values")]
    ask: Asked,
    /// Splits of the table, by one seed after another; accuracies are means over them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    splits: u64,
    /// Draws a value under each label, so many times a row, instead of taking labels for the mean or the shares of their values
    #[arg(long, value_name = "N")]
    draws: Option<usize>,
    /// Rounds in which the likelihood of values under labels is estimated from the release; 0: all are equally likely
    #[arg(long, value_name = "N", default_value_t = 0, requires = "draws")]
    rounds: usize,
    /// Rows that the support vector machine is trained on
    #[arg(long, value_name = "N", default_value_t = 3000)]
    vector_rows: usize,
    /// Seed of the first split and of the models that are not private
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// SVG file with one plot of all
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Replaces a plot that exists
    #[arg(long, requires = "plot")]
    force: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl UtilityArgs {
    fn recode(&self, table: &Table, k: u64) -> Result<Recoding, Failure> {
        let models = [PrivacyModel::KAnonymity { k }];
        Ok(match self.method {
            UtilityMethod::MondrianStrict => recode_by_medians(table, &models, false)?,
            UtilityMethod::Mondrian => recode_by_mondrian(table, &models)?,
            UtilityMethod::Clusters => recode_by_clusters(table, &models, 5)?,
        })
    }

    /// The settings of a model that are tried.
    fn candidates(&self, model: ModelName) -> Vec<Model> {
        let forest =
            |leaf| Model::Forest(ForestSettings { trees: self.trees, depth: self.depth, leaf, columns: self.columns });
        let vectors = |cost, gamma| Model::Vectors(VectorSettings { rows: self.vector_rows, cost, gamma });
        match (model, self.tune) {
            (ModelName::Forest, true) => [2, 8, 32, 128].map(forest).to_vec(),
            (ModelName::Forest, false) => vec![forest(self.leaf)],
            (ModelName::Neighbors, true) => [15, 31, 63, 127].map(Model::Neighbors).to_vec(),
            (ModelName::Neighbors, false) => vec![Model::Neighbors(self.neighbors)],
            (ModelName::Vectors, true) => {
                let costs = [1.0, 10.0].into_iter();
                costs.flat_map(|cost| [0.03, 0.1, 0.3].map(|gamma| vectors(cost, gamma))).collect()
            }
            (ModelName::Vectors, false) => vec![vectors(self.cost, self.gamma)],
            (ModelName::Logistic, _) => vec![Model::Logistic],
        }
    }

    /// Accuracy on `test`, and the settings, which are chosen by the training rows if they are to be chosen.
    fn outcome(
        &self,
        model: ModelName,
        training: &Examples,
        test: &Examples,
        encoding: &Encoding,
        seed: u64,
    ) -> Result<(f64, String), Failure> {
        let chosen = tuned(&self.candidates(model), training, encoding, seed)?;
        let answers = chosen.answers(training, test, encoding, seed)?;
        Ok((accuracy(&answers, test), chosen.to_string()))
    }

    /// All outcomes of one split.
    fn split(&self, table: &Table, seed: u64, report: &mut Report<'_>) -> Result<SplitSizes, Failure> {
        let encoding = Encoding::new(table);
        let split = split(table, &encoding, self.test_share, seed)?;
        let raw = raw_examples(&split.training, &encoding, seed);
        for &model in &self.models {
            report.add(name_of(model), "none", 0.0, self.outcome(model, &raw, &split.test, &encoding, seed)?)?;
        }
        for &k in &self.k {
            let recoding = self.recode(&split.training, k)?;
            let released = match self.draws {
                None => released_examples(&split.training, &recoding, &encoding, seed),
                Some(draws) => drawn_examples(&split.training, &recoding, &encoding, draws.max(1), self.rounds, seed),
            };
            let test = match self.ask {
                Asked::Values => split.test.clone(),
                Asked::Labels => asked_examples(&split.held_out, &recoding, &encoding),
            };
            for &model in &self.models {
                report.add(name_of(model), "k", k as f64, self.outcome(model, &released, &test, &encoding, seed)?)?;
            }
        }
        for &epsilon in &self.epsilon {
            let (answers, _) = logistic_with_privacy(&raw, &split.test, &encoding, epsilon, Entropy::os())?;
            let outcome = (accuracy(&answers, &split.test), String::new());
            report.add("private logistic regression", "epsilon", epsilon, outcome)?;
        }
        Ok(SplitSizes { training: split.training.rows(), test: split.test.len(), features: encoding.width() })
    }
}

/// Sizes that are told with the results.
struct SplitSizes {
    training: u64,
    test: usize,
    features: usize,
}

/// What a model reached at one level of protection, of each split.
struct Outcomes {
    model: &'static str,
    protection: &'static str,
    at: f64,
    accuracies: Vec<f64>,
    settings: Vec<String>,
}

impl Outcomes {
    fn mean(&self) -> f64 {
        self.accuracies.iter().sum::<f64>() / self.accuracies.len() as f64
    }

    /// Standard deviation over splits; none of a single one.
    fn deviation(&self) -> Option<f64> {
        let freedom = self.accuracies.len() as f64 - 1.0;
        let squares: f64 = self.accuracies.iter().map(|accuracy| (accuracy - self.mean()).powi(2)).sum();
        (freedom > 0.0).then(|| (squares / freedom).sqrt())
    }
}

/// All outcomes, and where they are told as they come.
struct Report<'a> {
    out: Option<&'a mut dyn Write>,
    outcomes: Vec<Outcomes>,
}

impl Report<'_> {
    fn add(
        &mut self,
        model: &'static str,
        protection: &'static str,
        at: f64,
        (accuracy, settings): (f64, String),
    ) -> Result<(), Failure> {
        if let Some(out) = &mut self.out {
            let with = if settings.is_empty() { String::new() } else { format!(" ({settings})") };
            writeln!(out, "{protection:>12} {at:<6} {model}: {:.2} %{with}", 100.0 * accuracy)?;
            out.flush()?;
        }
        let is_same = |known: &&mut Outcomes| (known.model, known.protection, known.at) == (model, protection, at);
        match self.outcomes.iter_mut().find(is_same) {
            Some(known) => {
                known.accuracies.push(accuracy);
                known.settings.push(settings);
            }
            None => {
                let (accuracies, settings) = (vec![accuracy], vec![settings]);
                self.outcomes.push(Outcomes { model, protection, at, accuracies, settings });
            }
        }
        Ok(())
    }
}

fn name_of(model: ModelName) -> &'static str {
    match model {
        ModelName::Forest => "random forest",
        ModelName::Neighbors => "nearest neighbors",
        ModelName::Vectors => "support vector machine",
        ModelName::Logistic => "logistic regression",
    }
}

/// `burn-privacy anonymize utility`.
pub fn utility(args: &UtilityArgs, out: &mut impl Write) -> Result<(), Failure> {
    if let Some(plot) = &args.plot {
        refuse_existing(&[plot], args.force)?;
    }
    let table = read_table(&args.data, args.separator, &args.hierarchies, Some(&args.target))?;
    let mut report = Report { out: (!args.json).then_some(&mut *out as &mut dyn Write), outcomes: Vec::new() };
    let mut sizes = None;
    for number in 0..args.splits {
        if args.splits > 1
            && let Some(out) = &mut report.out
        {
            writeln!(out, "split {} of {}", number + 1, args.splits)?;
        }
        sizes = Some(args.split(&table, args.seed.wrapping_add(number), &mut report)?);
    }
    let outcomes = report.outcomes;
    let Some(sizes) = sizes else { return Ok(()) };
    if !args.json && args.splits > 1 {
        writeln!(out, "means over {} splits, and the standard deviation of one", args.splits)?;
        for outcome in &outcomes {
            let (mean, deviation) = (100.0 * outcome.mean(), 100.0 * outcome.deviation().unwrap_or(0.0));
            let Outcomes { model, protection, at, .. } = outcome;
            writeln!(out, "{protection:>12} {at:<6} {model}: {mean:.2} % ({deviation:.2})")?;
        }
    }
    if let Some(plot) = &args.plot {
        write_atomically(plot, svg(&chart(&outcomes, sizes.test), (1200, 800))?)?;
    }
    if args.json {
        let rows: Vec<_> = outcomes
            .iter()
            .map(|outcome| {
                json!({
                    "model": outcome.model,
                    "protection": outcome.protection,
                    "at": outcome.at,
                    "accuracy": outcome.mean(),
                    "deviation": outcome.deviation(),
                    "accuracies": outcome.accuracies,
                    "settings": outcome.settings,
                })
            })
            .collect();
        let answer = json!({
            "training_rows": sizes.training,
            "test_rows": sizes.test,
            "features": sizes.features,
            "splits": args.splits,
            "results": rows,
        });
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

/// One plot: releases over k, private models over epsilon, on one axis of numbers; what has no protection as dashed lines.
fn chart(outcomes: &[Outcomes], test_rows: usize) -> LineChart {
    let places: Vec<f64> =
        outcomes.iter().filter(|outcome| outcome.protection != "none").map(|outcome| outcome.at).collect();
    let low = places.iter().copied().fold(f64::INFINITY, f64::min);
    let high = places.iter().copied().fold(0.0, f64::max);
    let mut series: Vec<Series> = Vec::new();
    for outcome in outcomes {
        let percent = 100.0 * outcome.mean();
        let Outcomes { model, protection, at, .. } = outcome;
        let (name, stroke, points) = match *protection {
            "none" => (format!("{model}, raw rows"), Stroke::Dashed, vec![(low, percent), (high, percent)]),
            "k" => (format!("{model}, release of that k"), Stroke::Dotted, vec![(*at, percent)]),
            _ => (format!("{model} of that epsilon"), Stroke::Dotted, vec![(*at, percent)]),
        };
        match series.iter_mut().find(|known| known.name == name) {
            Some(known) => known.points.extend(points),
            None => series.push(Series::new(name, stroke, points)),
        }
    }
    LineChart {
        title: "Models of releases, and differentially private models".to_owned(),
        subtitle: format!(
            "tested on {test_rows} raw rows that no model has seen; k protects a table, epsilon a person"
        ),
        x: Axis::logarithmic("k of the release, or epsilon of the model"),
        y: Axis::linear("Test accuracy (%)"),
        series,
    }
}
