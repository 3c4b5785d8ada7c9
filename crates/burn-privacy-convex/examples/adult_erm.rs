//! Logistic regression on UCI Adult: what accuracy each mechanism reaches at each epsilon.
//!
//! ```text
//! cargo run --release -p burn-privacy-convex --example adult_erm -- --data DIR
//! ```
//!
//! DIR holds `adult.data` and `adult.test`, plain or as `.gz`, from <https://archive.ics.uci.edu/dataset/2/adult>.
//! Categories, bounds, scales and the rule for lambda are public: written down here, not read from the records.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use burn_privacy_convex::{
    FeatureMap, Features, LinearModel, Loss, Privacy, RowScale, TrainingSet, objective_perturbation,
    output_perturbation, solve_without_privacy,
};
use burn_privacy_mechanisms::Entropy;
use clap::Parser;
use flate2::read::GzDecoder;

/// A result, or whatever went wrong.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// Accuracy of private logistic regression on UCI Adult, as a Markdown table.
#[derive(Parser)]
struct Arguments {
    /// Folder with adult.data and adult.test, plain or .gz
    #[arg(long)]
    data: PathBuf,
    /// Epsilons
    #[arg(long, value_delimiter = ',', default_value = "0.1,0.5,1,2,4,8")]
    epsilons: Vec<f64>,
    /// Releases for each mean; from seeds, so that the table can be repeated: nothing here is private
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// Delta of the Gaussian variants
    #[arg(long, default_value_t = 1e-6)]
    delta: f64,
    /// Train on the first four fifths of adult.data and show multiples of the rule's lambda on the last fifth; leaves
    /// adult.test alone
    #[arg(long)]
    tune: bool,
}

/// Columns with categories, by their place in the file, with the lists of adult.names; what is not in a list, a question
/// mark for one, is `other`. A star marks the public reference category, which has no column, which
/// makes rows shorter.
const CATEGORIES: [(usize, &str); 8] = [
    (1, "*Private Self-emp-not-inc Self-emp-inc Federal-gov Local-gov State-gov Without-pay Never-worked"),
    (
        3,
        "Bachelors Some-college 11th *HS-grad Prof-school Assoc-acdm Assoc-voc 9th 7th-8th 12th Masters 1st-4th 10th \
         Doctorate 5th-6th Preschool",
    ),
    (5, "*Married-civ-spouse Divorced Never-married Separated Widowed Married-spouse-absent Married-AF-spouse"),
    (
        6,
        "Tech-support *Craft-repair Other-service Sales Exec-managerial Prof-specialty Handlers-cleaners \
         Machine-op-inspct Adm-clerical Farming-fishing Transport-moving Priv-house-serv Protective-serv Armed-Forces",
    ),
    (7, "Wife Own-child *Husband Not-in-family Other-relative Unmarried"),
    (8, "*White Asian-Pac-Islander Amer-Indian-Eskimo Other Black"),
    (9, "Female *Male"),
    (
        13,
        "*United-States Cambodia England Puerto-Rico Canada Germany Outlying-US(Guam-USVI-etc) India Japan Greece South \
         China Cuba Iran Honduras Philippines Italy Poland Jamaica Vietnam Mexico Portugal Ireland France \
         Dominican-Republic Laos Ecuador Taiwan Haiti Columbia Hungary Guatemala Nicaragua Scotland Thailand Yugoslavia \
         El-Salvador Trinadad&Tobago Peru Hong Holand-Netherlands",
    ),
];

/// Numeric columns with public bounds, and whether they are taken in logarithms. They become numbers from 0 to
/// [`NUMBER_SIZE`].
const NUMBERS: [(usize, f64, f64, bool); 5] = [
    (0, 17.0, 90.0, false),
    (4, 1.0, 16.0, false),
    (10, 0.0, 99_999.0, true),
    (11, 0.0, 4_356.0, true),
    (12, 1.0, 99.0, false),
];

/// The largest a number becomes; a category is 1.
const NUMBER_SIZE: f64 = 1.5;

/// Rows are clipped to this norm: room for a record in which about half of the categories are not the reference.
const ROW_NORM: f64 = 2.5;

/// The constant feature.
const INTERCEPT: f64 = 0.4;

/// The mechanisms, with the rule for lambda of each: factor x (n epsilon)^-power. The factors and powers were chosen on
/// the last fifth of adult.data (`--tune`), not on adult.test.
const MECHANISMS: [(&str, f64, f64); 4] = [
    ("output, pure", 0.3, 0.5),
    ("output, Gaussian", 0.15, 0.5),
    ("objective, pure", 1.8, 0.8),
    ("objective, Gaussian", 1.0, 0.8),
];

/// Lambda without privacy.
const PLAIN_LAMBDA: f64 = 1e-6;

/// Raw rows, one after another, and labels.
struct Records {
    columns: usize,
    rows: Vec<f64>,
    labels: Vec<f64>,
}

impl Records {
    /// The records of a range.
    fn part(&self, range: std::ops::Range<usize>) -> Self {
        let rows = self.rows[range.start * self.columns..range.end * self.columns].to_vec();
        Self { columns: self.columns, rows, labels: self.labels[range].to_vec() }
    }

    fn training_set(&self) -> Outcome<TrainingSet> {
        let map = FeatureMap::new(self.columns, RowScale::Clip(ROW_NORM))?.with_intercept(INTERCEPT)?;
        Ok(TrainingSet::new(Features::new(&self.rows, map)?, self.labels.clone(), Loss::Logistic)?)
    }

    /// Share of the records that a model gets right, in percent.
    fn accuracy(&self, classify: impl Fn(&[f64]) -> Outcome<f64>) -> Outcome<f64> {
        let mut right = 0;
        for (row, label) in self.rows.chunks_exact(self.columns).zip(&self.labels) {
            right += usize::from(classify(row)? == *label);
        }
        Ok(100.0 * right as f64 / self.labels.len() as f64)
    }
}

/// Opens a file, or its .gz.
fn open(folder: &Path, name: &str) -> Outcome<Box<dyn Read>> {
    let plain = folder.join(name);
    if plain.exists() {
        return Ok(Box::new(File::open(plain)?));
    }
    let packed = folder.join(format!("{name}.gz"));
    let file = File::open(&packed).map_err(|error| format!("neither {name} nor {name}.gz can be read: {error}"))?;
    Ok(Box::new(GzDecoder::new(file)))
}

fn read(folder: &Path, name: &str) -> Outcome<Records> {
    let lists: Vec<(usize, Vec<&str>)> =
        CATEGORIES.iter().map(|(column, list)| (*column, list.split_whitespace().collect())).collect();
    let columns = NUMBERS.len() + lists.iter().map(|(_, list)| list.len()).sum::<usize>();
    let mut records = Records { columns, rows: Vec::new(), labels: Vec::new() };
    for line in BufReader::new(open(folder, name)?).lines() {
        let line = line?;
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let &[.., income] = fields.as_slice() else { continue };
        if fields.len() != 15 {
            continue; // the test file's first line, and empty ones
        }
        for &(column, low, high, logarithm) in &NUMBERS {
            let value = fields[column].parse::<f64>()?.clamp(low, high) - low;
            let width = high - low;
            let share = if logarithm { value.ln_1p() / width.ln_1p() } else { value / width };
            records.rows.push(NUMBER_SIZE * share);
        }
        for (column, list) in &lists {
            let is_field = |name: &&str| name.trim_start_matches('*') == fields[*column];
            let place = list.iter().position(is_field).unwrap_or(list.len());
            let shown = (0..=list.len()).filter(|&i| !list.get(i).is_some_and(|name| name.starts_with('*')));
            records.rows.extend(shown.map(|i| f64::from(u8::from(i == place))));
        }
        records.labels.push(if income.starts_with(">50K") { 1.0 } else { -1.0 });
    }
    Ok(records)
}

/// Releases a model by the mechanism of this name.
fn release(name: &str, set: &TrainingSet, lambda: f64, epsilon: f64, delta: f64, seed: u64) -> Outcome<LinearModel> {
    let entropy = Entropy::seeded(seed);
    let privacy = if name.ends_with("pure") { Privacy::pure(epsilon)? } else { Privacy::approximate(epsilon, delta)? };
    let mechanism = if name.starts_with("output") { output_perturbation } else { objective_perturbation };
    Ok(mechanism(set, lambda, &privacy, &entropy)?.model)
}

/// Mean and standard deviation.
fn summary(values: &[f64]) -> String {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    format!("{mean:.2} +- {:.2}", variance.sqrt())
}

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    let training = read(&arguments.data, "adult.data")?;
    let n = training.labels.len();
    let (training, test) = if arguments.tune {
        (training.part(0..n / 5 * 4), training.part(n / 5 * 4..n))
    } else {
        (training, read(&arguments.data, "adult.test")?)
    };
    let set = training.training_set()?;
    let n = set.rows() as f64;
    println!("{n} records, {} features, {} others to test on\n", set.dimension(), test.labels.len());

    let factors: &[f64] = if arguments.tune { &[0.3, 0.55, 1.0, 1.8, 3.0] } else { &[1.0] };
    print!("| mechanism |");
    for epsilon in &arguments.epsilons {
        print!(" epsilon {epsilon} |");
    }
    println!("\n|---|{}", "---|".repeat(arguments.epsilons.len()));
    for (name, factor, power) in MECHANISMS {
        for multiple in factors {
            print!("| {name}{} |", if arguments.tune { format!(", {multiple} x lambda") } else { String::new() });
            for &epsilon in &arguments.epsilons {
                let lambda = multiple * factor * (n * epsilon).powf(-power);
                let accuracies = (0..arguments.seeds)
                    .map(|seed| {
                        let model = release(name, &set, lambda, epsilon, arguments.delta, seed)?;
                        test.accuracy(|row| Ok(model.classify(row)?))
                    })
                    .collect::<Outcome<Vec<f64>>>()?;
                print!(" {} |", summary(&accuracies));
            }
            println!();
        }
    }
    let plain = solve_without_privacy(&set, PLAIN_LAMBDA)?;
    let vectors = test.training_set()?;
    let scores = vectors.features().vectors().map(|x| x.iter().zip(&plain.weights).map(|(x, w)| x * w).sum::<f64>());
    let right = scores.zip(&test.labels).filter(|(score, label)| score * *label > 0.0).count();
    println!(
        "| no privacy |{}",
        format!(" {:.2} |", 100.0 * right as f64 / test.labels.len() as f64).repeat(arguments.epsilons.len())
    );
    Ok(())
}
