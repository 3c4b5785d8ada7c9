//! `burn-privacy anonymize utility` (feature `utility`).

use std::io::Write;
use std::path::PathBuf;

use burn_privacy_anonymize::recoding::{Recoding, recode_by_clusters, recode_by_medians, recode_by_mondrian};
use burn_privacy_anonymize::table::{PrivacyModel, Table};
use burn_privacy_anonymize::utility::{
    Encoding, Examples, ForestSettings, accuracy, drawn_examples, forest, logistic_with_privacy,
    logistic_without_privacy, neighbors, raw_examples, released_examples, split, support_vectors,
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
    /// Chooses the rows of a leaf and the number of neighbors by a quarter of each release's own rows: test rows choose nothing
    #[arg(long, conflicts_with_all = ["leaf", "neighbors"])]
    tune: bool,
    /// Draws a value under each label, so many times a row, instead of taking labels for the mean or the shares of their values
    #[arg(long, value_name = "N")]
    draws: Option<usize>,
    /// Rounds in which the likelihood of values under labels is estimated from the release; 0: all are equally likely
    #[arg(long, value_name = "N", default_value_t = 0, requires = "draws")]
    rounds: usize,
    /// Rows that the support vector machine is trained on
    #[arg(long, value_name = "N", default_value_t = 3000)]
    vector_rows: usize,
    /// Seed of the split and of the models that are not private
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

    /// With the settings that answer best for a quarter of the training rows, if they are to be chosen.
    fn tuned(
        &self,
        model: ModelName,
        training: &Examples,
        test: &Examples,
        encoding: &Encoding,
    ) -> Result<f64, Failure> {
        let settings: Vec<Self> = match model {
            ModelName::Forest if self.tune => [2, 8, 32, 128].map(|leaf| Self { leaf, ..self.clone() }).to_vec(),
            ModelName::Neighbors if self.tune => {
                [15, 31, 63, 127].map(|neighbors| Self { neighbors, ..self.clone() }).to_vec()
            }
            _ => return self.answer(model, training, test, encoding),
        };
        let (judged, rest) = training.divided(training.len() / 4);
        let mut best = (0.0, &settings[0]);
        for one in &settings {
            let accuracy = one.answer(model, &rest, &judged, encoding)?;
            if accuracy > best.0 {
                best = (accuracy, one);
            }
        }
        best.1.answer(model, training, test, encoding)
    }

    fn answer(
        &self,
        model: ModelName,
        training: &Examples,
        test: &Examples,
        encoding: &Encoding,
    ) -> Result<f64, Failure> {
        let answers = match model {
            ModelName::Forest => {
                let settings =
                    ForestSettings { trees: self.trees, depth: self.depth, leaf: self.leaf, columns: self.columns };
                forest(training, test, settings, self.seed)?
            }
            ModelName::Neighbors => neighbors(training, test, self.neighbors)?,
            ModelName::Vectors => support_vectors(&training.sample(self.vector_rows, self.seed), test, self.seed)?,
            ModelName::Logistic => logistic_without_privacy(training, test, encoding)?,
        };
        Ok(accuracy(&answers, test))
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
    let encoding = Encoding::new(&table);
    let split = split(&table, &encoding, args.test_share, args.seed)?;
    let raw = raw_examples(&split.training, &encoding, args.seed);
    let mut results: Vec<(String, String, f64, f64)> = Vec::new();
    let mut add = |out: &mut dyn Write, model: &str, protection: &str, at: f64, accuracy: f64| -> Result<(), Failure> {
        if !args.json {
            writeln!(out, "{protection:>12} {at:<6} {model}: {:.2} %", 100.0 * accuracy)?;
            out.flush()?;
        }
        results.push((model.to_owned(), protection.to_owned(), at, accuracy));
        Ok(())
    };
    for &model in &args.models {
        add(out, name_of(model), "none", 0.0, args.tuned(model, &raw, &split.test, &encoding)?)?;
    }
    for &k in &args.k {
        let recoding = args.recode(&split.training, k)?;
        let released = match args.draws {
            None => released_examples(&split.training, &recoding, &encoding, args.seed),
            Some(draws) => drawn_examples(&split.training, &recoding, &encoding, draws.max(1), args.rounds, args.seed),
        };
        for &model in &args.models {
            add(out, name_of(model), "k", k as f64, args.tuned(model, &released, &split.test, &encoding)?)?;
        }
    }
    for &epsilon in &args.epsilon {
        let (answers, _) = logistic_with_privacy(&raw, &split.test, &encoding, epsilon, &Entropy::os())?;
        add(out, "private logistic regression", "epsilon", epsilon, accuracy(&answers, &split.test))?;
    }
    if let Some(plot) = &args.plot {
        write_atomically(plot, svg(&chart(&results, split.test.len()), (1200, 800))?)?;
    }
    if args.json {
        let rows: Vec<_> = results
            .iter()
            .map(|(model, protection, at, accuracy)| {
                json!({"model": model, "protection": protection, "at": at, "accuracy": accuracy})
            })
            .collect();
        let answer = json!({
            "training_rows": split.training.rows(),
            "test_rows": split.test.len(),
            "features": encoding.width(),
            "results": rows,
        });
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

/// One plot: releases over k, private models over epsilon, on one axis of numbers; what has no protection as dashed lines.
fn chart(results: &[(String, String, f64, f64)], test_rows: usize) -> LineChart {
    let places: Vec<f64> = results.iter().filter(|(_, protection, ..)| protection != "none").map(|row| row.2).collect();
    let low = places.iter().copied().fold(f64::INFINITY, f64::min);
    let high = places.iter().copied().fold(0.0, f64::max);
    let mut series: Vec<Series> = Vec::new();
    for (model, protection, at, accuracy) in results {
        let percent = 100.0 * accuracy;
        let (name, stroke, points) = match protection.as_str() {
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
