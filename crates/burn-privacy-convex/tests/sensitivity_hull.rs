//! Noise in the shape of the rows' sensitivity hull: its sensitivity, its distribution, and what an attacker sees of it.

mod support;

use burn_privacy_accounting::Adjacency;
use burn_privacy_convex::{
    Block, FeatureMap, Features, Loss, NoiseDistribution, PrivacyBudget, RowScale, TrainingSet, objective_perturbation,
};
use burn_privacy_mechanisms::Entropy;
use statrs::distribution::{ContinuousCDF, Gamma};
use support::{Numbers, attacked};

const NUMBERS: Block = Block::Numbers { columns: 2, low: -0.5, high: 1.0 };
const CATEGORIES: Block = Block::Categories { columns: 3 };
const COLUMNS: usize = 6;

/// Its slope is 1 for any score below 0.9, so that gradients are as large as they can be.
const LOSS: Loss = Loss::HuberSvm { h: H };
const H: f64 = 0.1;

fn map(intercept: f64) -> FeatureMap {
    let blocks = vec![NUMBERS, CATEGORIES, Block::Categories { columns: 1 }];
    let map = FeatureMap::new(COLUMNS, RowScale::Clip(2.0)).unwrap().with_blocks(blocks).unwrap();
    if intercept > 0.0 { map.with_intercept(intercept).unwrap() } else { map }
}

fn set(rows: &[f64], labels: &[f64], intercept: f64) -> TrainingSet {
    TrainingSet::new(Features::new(rows, map(intercept)).unwrap(), labels.to_vec(), LOSS).unwrap()
}

/// The norm whose unit ball is the hull of `map(intercept)`: the least r with v / r in it, found inequality by inequality with
/// t = (1 + share / r) / 2.
fn norm(v: &[f64], intercept: f64) -> f64 {
    let scale = (1.0 - intercept * intercept).sqrt() / 2.0;
    let share = v[COLUMNS] / intercept;
    let mut most = share.abs();
    for x in &v[..2] {
        let (low, high) = (-0.5, 1.0);
        most = most.max((2.0 * x / scale - share * (low + high)).abs() / (high - low));
    }
    for block in [&v[2..5], &v[5..6]] {
        let sum = |sign: f64| block.iter().map(|x| (sign * x / scale).max(0.0)).sum::<f64>();
        most = most.max(2.0 * sum(1.0) - share).max(2.0 * sum(-1.0) + share);
    }
    most
}

/// Rows with wild numbers, with numbers at the ends, and one-hot ones.
fn random_row(numbers: &mut Numbers) -> Vec<f64> {
    let size = if numbers.next() > 0.0 { 1.5 } else { 20.0 };
    let mut row: Vec<f64> = (0..COLUMNS).map(|_| size * numbers.next()).collect();
    if numbers.next() > 0.0 {
        let category = 2 + ((numbers.next() + 1.0) * 2.0) as usize;
        for (column, x) in row.iter_mut().enumerate().skip(2) {
            *x = f64::from(u8::from(column == category));
        }
    }
    row
}

/// 2 L bounds the difference of any two records' gradients, at any weights, and is nearly attained.
#[test]
fn gradients_of_neighbors_are_near_in_the_norm() {
    let mut numbers = Numbers(3);
    let mut largest = 0.0_f64;
    for _ in 0..200_000 {
        let intercept = if numbers.next() > 0.0 { 0.3 } else { 0.9 };
        let rows = [random_row(&mut numbers), random_row(&mut numbers)].concat();
        let features = Features::new(&rows, map(intercept)).unwrap();
        let mut vectors = features.vectors();
        let (x, y) = (vectors.next().unwrap(), vectors.next().unwrap());
        // Slopes of the loss for whatever labels and weights: most tellingly, the largest ones.
        let mut slope = || if numbers.next() > 0.0 { numbers.next() } else { numbers.next().signum() };
        let (a, b) = (slope(), slope());
        let difference: Vec<f64> = x.iter().zip(y).map(|(x, y)| a * x - b * y).collect();
        let length = norm(&difference, intercept);
        assert!(length <= 2.0, "{length}: {rows:?} {a} {b}");
        largest = largest.max(length);
    }
    assert!(largest > 2.0 - 1e-8, "{largest}");
}

/// ln of the determinant of n times the Hessian of the objective, by elimination.
fn ln_determinant(set: &TrainingSet, labels: &[f64], weights: &[f64], lambda: f64) -> f64 {
    let d = weights.len();
    let mut matrix = vec![vec![0.0; d]; d];
    for (i, row) in matrix.iter_mut().enumerate() {
        row[i] = labels.len() as f64 * lambda;
    }
    for (x, label) in set.features().vectors().zip(labels) {
        let score: f64 = x.iter().zip(weights).map(|(x, w)| x * w).sum();
        let curvature = if (1.0 - label * score).abs() <= H { 0.5 / H } else { 0.0 };
        for (row, a) in matrix.iter_mut().zip(x) {
            row.iter_mut().zip(x).for_each(|(entry, b)| *entry += curvature * a * b);
        }
    }
    let mut sum = 0.0;
    for i in 0..d {
        let (done, rest) = matrix.split_at_mut(i + 1);
        let pivot = &done[i];
        sum += pivot[i].ln();
        for row in rest {
            let factor = row[i] / pivot[i];
            row.iter_mut().zip(pivot).for_each(|(entry, p)| *entry -= factor * p);
        }
    }
    sum
}

/// The theorem itself: for random neighbors and weights, the logarithm of the ratio of the densities stays within epsilon
/// (module `objective`: noise and determinants), and comes near it.
#[test]
fn densities_of_neighbors_are_within_epsilon() {
    let (mut numbers, intercept, epsilon) = (Numbers(29), 0.6, 1.0);
    let mut largest = 0.0_f64;
    for case in 0..3_000 {
        let n = 1 + case % 4;
        let lambda = [2.0, 10.0, 100.0][case % 3];
        let mut rows: Vec<f64> = (0..n).flat_map(|_| random_row(&mut numbers)).collect();
        let mut labels: Vec<f64> = (0..n).map(|_| numbers.next().signum()).collect();
        let one = (set(&rows, &labels, intercept), labels.clone());
        if numbers.next() > 0.0 {
            rows.splice(..COLUMNS, random_row(&mut numbers));
        }
        labels[0] = numbers.next().signum();
        let other = (set(&rows, &labels, intercept), labels);
        let privacy = PrivacyBudget::pure(epsilon).unwrap();
        let statement = objective_perturbation(&one.0, lambda, &privacy, Entropy::os()).unwrap().statement;
        let NoiseDistribution::KNorm { scale } = statement.noise else { panic!("{statement}") };
        for _ in 0..100 {
            let size = (4.0 * numbers.next()).exp();
            let weights: Vec<f64> = (0..=COLUMNS).map(|_| size * numbers.next()).collect();
            let ln_density = |(set, labels): &(TrainingSet, Vec<f64>)| {
                ln_determinant(set, labels, &weights, statement.lambda)
                    - norm(&linear_term(set, labels, &weights, statement.lambda), intercept) / scale
            };
            let ratio = (ln_density(&one) - ln_density(&other)).abs();
            assert!(ratio <= epsilon, "{ratio}: {rows:?} {weights:?}");
            largest = largest.max(ratio);
        }
    }
    println!("largest: {largest}");
    assert!(largest > 0.9 * epsilon, "{largest}");
}

/// The linear term of a release's objective, off by what its output noise is: a thousandth.
fn linear_term(set: &TrainingSet, labels: &[f64], weights: &[f64], lambda: f64) -> Vec<f64> {
    let mut linear: Vec<f64> = weights.iter().map(|w| -(labels.len() as f64) * lambda * w).collect();
    for (x, label) in set.features().vectors().zip(labels) {
        let score: f64 = x.iter().zip(weights).map(|(x, w)| x * w).sum();
        let slope = -label * ((1.0 - label * score + H) / (2.0 * H)).clamp(0.0, 1.0);
        for (linear, x) in linear.iter_mut().zip(x) {
            *linear -= slope * x;
        }
    }
    linear
}

const ROW: [f64; COLUMNS] = [1.0, -0.5, 0.0, 1.0, 0.0, 1.0];
const LAMBDA: f64 = 40.0;

/// Weights of a release of epsilon 1, and the scale of its noise.
fn release(set: &TrainingSet, seed: u64) -> (Vec<f64>, f64) {
    let privacy = PrivacyBudget::pure(1.0).unwrap();
    let release = objective_perturbation(set, LAMBDA, &privacy, Entropy::seeded(seed)).unwrap();
    let NoiseDistribution::KNorm { scale } = release.statement.noise else { panic!("{:?}", release.statement.noise) };
    (release.model.weights().to_vec(), scale)
}

/// Linear terms of many releases, from fixed seeds, and the scale of their noise.
fn linear_terms(set: &TrainingSet, labels: &[f64], seeds: std::ops::Range<u64>) -> (Vec<Vec<f64>>, f64) {
    let mut scale = 0.0;
    let terms = seeds.map(|seed| {
        let (weights, stated) = release(set, seed);
        scale = stated;
        linear_term(set, labels, &weights, LAMBDA)
    });
    (terms.collect(), scale)
}

/// The largest distance between the distribution functions of two sorted samples.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let below = |sorted: &[f64], x: f64| sorted.partition_point(|&y| y <= x) as f64 / sorted.len() as f64;
    a.iter().chain(b).map(|&x| (below(a, x) - below(b, x)).abs()).fold(0.0, f64::max)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// 20,000 linear terms against as many uniform points of the hull, found by trying points of a box, times lengths of Gamma
/// distribution; and, for the drop of the intercept, without it. By the inequality of Dvoretzky, Kiefer, Wolfowitz and Massart
/// each of the two empirical functions is off by more than sqrt(ln(2 / 1e-8) / (2 n)) = 0.0219 with probability at most
/// 1e-8; 35 comparisons of two make false failures less than 1e-6. 0.002 is for the output noise.
#[test]
fn noise_has_its_distribution() {
    let n = 20_000;
    let limit = (f64::ln(2.0 / 1e-8) / (2.0 * n as f64)).sqrt();
    let intercept = 0.6;
    let (labels, mut numbers) = ([1.0], Numbers(17));
    let one = set(&ROW, &labels, intercept);
    let (terms, scale) = linear_terms(&one, &labels, 0..n);

    let m = COLUMNS as f64 + 1.0;
    let gamma = Gamma::new(m, 1.0 / scale).unwrap();
    let lengths = sorted(terms.iter().map(|v| norm(v, intercept)));
    for (i, &x) in lengths.iter().enumerate() {
        assert!((gamma.cdf(x) - i as f64 / n as f64).abs() < limit + 0.002, "length: {x}");
    }

    let longer = Gamma::new(m + 1.0, 1.0 / scale).unwrap();
    let row_scale = (1.0 - intercept * intercept).sqrt() / 2.0;
    let mut brute = || loop {
        let mut v: Vec<f64> = (0..COLUMNS).map(|_| row_scale * numbers.next()).collect();
        v.push(intercept * numbers.next());
        if norm(&v, intercept) <= 1.0 {
            let length = longer.inverse_cdf(0.5 * (numbers.next() + 1.0));
            return v.iter().map(|x| x * length).collect::<Vec<f64>>();
        }
    };
    let expected: Vec<Vec<f64>> = (0..n).map(|_| brute()).collect();
    let without = set(&ROW, &labels, 0.0);
    let (without_intercept, _) = linear_terms(&without, &labels, n..2 * n);
    let grown = 2.0 * row_scale; // rows are longer where no intercept takes its part
    for direction in 0..24 {
        let towards: Vec<f64> = (0..=COLUMNS)
            .map(|i| if direction <= COLUMNS { f64::from(u8::from(i == direction)) } else { numbers.next() })
            .collect();
        let along = |vectors: &[Vec<f64>], factor: f64, columns: usize| {
            let dot = |v: &Vec<f64>| v.iter().zip(&towards).take(columns).map(|(x, y)| factor * x * y).sum();
            sorted(vectors.iter().map(dot))
        };
        let apart = distance(&along(&terms, 1.0, COLUMNS + 1), &along(&expected, 1.0, COLUMNS + 1));
        assert!(apart < 2.0 * limit + 0.002, "{direction}: {apart}");
        if direction % 2 == 0 {
            let apart = distance(&along(&without_intercept, grown, COLUMNS), &along(&expected, 1.0, COLUMNS));
            assert!(apart < 2.0 * limit + 0.002, "without intercept, {direction}: {apart}");
        }
    }
}

/// The attacker knows both neighbors, and finds for each the linear term that must have been drawn for the weights seen: the
/// difference of their norms is the whole log-ratio of the densities, but for the determinants.
///
/// The attack must find a good part of epsilon, or it would prove nothing.
#[test]
fn no_attack_finds_more_than_epsilon() {
    let intercept = 0.6;
    let other = [-0.5, 1.0, 1.0, 0.0, 0.0, 0.0];
    for (name, neighbor, label, found) in [("other label", ROW, -1.0, 0.6), ("other row", other, 1.0, 0.6)] {
        let labels = [[-1.0, 1.0], [-1.0, label]];
        let rows = |last: [f64; COLUMNS]| [[0.0; COLUMNS], last].concat();
        let sets = [set(&rows(ROW), &labels[0], intercept), set(&rows(neighbor), &labels[1], intercept)];
        let statistic = |weights: &[f64]| {
            let drawn = |i: usize| norm(&linear_term(&sets[i], &labels[i], weights, LAMBDA), intercept);
            drawn(1) - drawn(0)
        };
        let releases = 100_000;
        let draw = |of: usize| {
            let seeds = of as u64 * releases..(of as u64 + 1) * releases;
            seeds.map(|seed| statistic(&release(&sets[of], seed).0)).collect()
        };
        let (estimate, lower) = attacked(draw(0), draw(1), 0.0);
        println!("{name}: epsilon 1 claimed, {estimate:.3} estimated, at least {lower:.3}");
        assert!(lower <= 1.0, "{name}: at least {lower}");
        assert!(estimate < 1.2, "{name}: {estimate}");
        assert!(lower > found, "{name}: the attack is weak, {lower}");
    }
}

#[test]
fn blocks_are_for_pure_noise_alone_and_stated() {
    let one = set(&ROW, &[1.0], 0.6);
    let pure = objective_perturbation(&one, 0.1, &PrivacyBudget::pure(1.0).unwrap(), Entropy::os()).unwrap().statement;
    assert_eq!((pure.sensitivity, pure.adjacency, pure.epsilon), (2.0, Adjacency::ReplaceOne, 1.0));
    assert!(matches!(pure.noise, NoiseDistribution::KNorm { scale } if scale > 2.0), "{pure}");
    assert!(pure.to_string().contains("sensitivity hull") && pure.theorem.contains("1801.09236"), "{pure}");
    let approximate = PrivacyBudget::approximate(1.0, 1e-6).unwrap();
    let gaussian = objective_perturbation(&one, 0.1, &approximate, Entropy::os()).unwrap().statement;
    assert!(matches!(gaussian.noise, NoiseDistribution::Gaussian { .. }), "{gaussian}");
}

#[test]
fn blocks_that_do_not_fit_are_refused() {
    let map = |scale| FeatureMap::new(COLUMNS, scale).unwrap();
    let refused = |scale, blocks: Vec<Block>| map(scale).with_blocks(blocks).unwrap_err().to_string();
    assert!(refused(RowScale::Clip(1.0), vec![NUMBERS, CATEGORIES]).contains("has 5 entries, but 6"));
    assert!(refused(RowScale::Clip(1.0), vec![]).contains("has 0 entries, but 6"));
    let endless = Block::Categories { columns: usize::MAX };
    assert!(refused(RowScale::Clip(1.0), vec![endless, endless]).contains("but 6 are needed"));
    assert!(refused(RowScale::Normalize, vec![NUMBERS; 3]).contains("normalized rows leave their blocks"));
    let none = Block::Numbers { columns: 6, low: 1.0, high: 2.0 };
    assert!(refused(RowScale::Clip(1.0), vec![none]).contains("with 0 in it"));
}

/// Scales at the end of floats give an error, never infinite weights.
#[test]
fn extreme_scales_never_give_infinite_weights() {
    for norm in [1e-320, 1e-300, 1e300] {
        for high in [1e-300, 1.0, 1e300] {
            let blocks = vec![Block::Numbers { columns: 1, low: 0.0, high }, Block::Categories { columns: 1 }];
            let map = FeatureMap::new(2, RowScale::Clip(norm)).unwrap().with_blocks(blocks).unwrap();
            let set = TrainingSet::new(Features::new(&[high, 1.0], map).unwrap(), vec![1.0], Loss::Logistic).unwrap();
            if let Ok(release) = objective_perturbation(&set, 1.0, &PrivacyBudget::pure(1.0).unwrap(), Entropy::os()) {
                assert!(release.model.weights().iter().all(|w| w.is_finite()), "{norm:e} {high:e}");
            }
        }
    }
}
