//! Statements, noise and refusals of the three mechanisms.

mod support;

use burn_privacy_accounting::{Accountant, Adjacency, PldAccountant, RdpAccountant};
use burn_privacy_budget::statement::Statement;
use burn_privacy_convex::{
    Loss, NoiseDistribution, PrivacyBudget, Release, RowScale, SgdPlan, StepSize, TrainingSet, bolt_on_sgd,
    minimizer_sensitivity, objective_perturbation, optimizer_error, output_perturbation, solve_without_privacy,
};
use burn_privacy_mechanisms::Entropy;
use statrs::distribution::{Beta, ContinuousCDF, Gamma, Normal};
use support::{Numbers, random_rows, set};

fn small(loss: Loss) -> TrainingSet {
    let (rows, labels) = random_rows(&mut Numbers(11), 300, 4);
    set(&rows, 4, &labels, RowScale::Clip(2.0), loss)
}

const PLAN: SgdPlan = SgdPlan { passes: 2, batch_size: 7, lambda: 0.1, step: StepSize::Decreasing };

fn all(set: &TrainingSet, privacy: &PrivacyBudget, entropy: Entropy) -> [Release; 3] {
    [
        output_perturbation(set, 0.1, privacy, entropy).unwrap(),
        objective_perturbation(set, 0.1, privacy, entropy).unwrap(),
        bolt_on_sgd(set, &PLAN, privacy, entropy).unwrap(),
    ]
}

#[test]
fn statements_say_what_was_done() {
    let set = small(Loss::Logistic);
    for privacy in [PrivacyBudget::pure(0.7).unwrap(), PrivacyBudget::approximate(0.7, 1e-6).unwrap()] {
        for release in all(&set, &privacy, Entropy::os()) {
            let statement = &release.statement;
            assert_eq!(statement.adjacency, Adjacency::ReplaceOne);
            assert_eq!((statement.epsilon, statement.delta), (0.7, privacy.delta().unwrap_or(0.0)));
            assert_eq!((statement.records, statement.lambda), (300, 0.1));
            assert!(!statement.is_void());
            let text = statement.to_string();
            for part in ["replace-one", "(0.7, ", "logistic loss", "operating system", "Sensitivity"] {
                assert!(text.contains(part), "{part}: {text}");
            }
            // The event costs what the statement says.
            if let Some(delta) = privacy.delta() {
                let mut accountant = PldAccountant::new(Adjacency::ReplaceOne);
                accountant.compose(&release.event, 1).unwrap();
                let epsilon = accountant.epsilon(delta).unwrap();
                assert!((epsilon - 0.7).abs() < 0.002, "{}: {epsilon}", statement.mechanism);
            } else {
                let mut accountant = RdpAccountant::new(Adjacency::ReplaceOne);
                accountant.compose(&release.event, 1).unwrap();
                assert!(accountant.epsilon(1e-9).unwrap() <= 0.7 + 1e-9);
            }
        }
    }
    let output = output_perturbation(&set, 0.1, &PrivacyBudget::pure(0.7).unwrap(), Entropy::os()).unwrap();
    assert_eq!(output.statement.sensitivity, minimizer_sensitivity(&set, 0.1).unwrap());
    assert!(output.statement.sensitivity >= 2.0 / 30.0 + 2.0 * optimizer_error(&set, 0.1));
    let objective = objective_perturbation(&set, 0.1, &PrivacyBudget::pure(0.7).unwrap(), Entropy::os()).unwrap();
    let Some(NoiseDistribution::Gamma { scale }) = objective.statement.output_noise else {
        panic!("no noise for the error")
    };
    assert!(scale >= 2.0 * optimizer_error(&set, 0.1) / (0.7 * 1e-3) * (1.0 - 1e-12));
}

#[test]
fn a_seed_repeats_and_voids_and_the_system_does_not_repeat() {
    let set = small(Loss::HuberSvm { h: 0.5 });
    let privacy = PrivacyBudget::pure(1.0).unwrap();
    let (first, second, other) = (
        all(&set, &privacy, Entropy::seeded(1)),
        all(&set, &privacy, Entropy::seeded(1)),
        all(&set, &privacy, Entropy::os()),
    );
    for ((first, second), other) in first.iter().zip(&second).zip(&other) {
        assert_eq!(first, second);
        assert_ne!(first.model, other.model);
        assert!(first.statement.to_string().starts_with("*** NOT PRIVATE: fixed seed ***"));
    }
}

#[test]
fn a_raised_lambda_is_stated() {
    let set = small(Loss::Logistic);
    let release = objective_perturbation(&set, 1e-12, &PrivacyBudget::pure(0.1).unwrap(), Entropy::os()).unwrap();
    let needed = 0.25 / (300.0 * f64::exp_m1(0.05));
    assert!(release.statement.lambda >= needed && release.statement.lambda < 1.01 * needed);
}

#[test]
fn ridge_is_refused_by_objective_perturbation_only() {
    let set = small(Loss::Ridge { label_bound: 1.0, radius: 1.0 });
    let privacy = PrivacyBudget::pure(1.0).unwrap();
    let error = objective_perturbation(&set, 0.1, &privacy, Entropy::os()).unwrap_err();
    assert!(error.to_string().contains("output perturbation or bolt-on SGD"), "{error}");
    output_perturbation(&set, 0.1, &privacy, Entropy::os()).unwrap();
    bolt_on_sgd(&set, &PLAN, &privacy, Entropy::os()).unwrap();
}

#[test]
fn bad_parameters_are_refused() {
    for epsilon in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(PrivacyBudget::pure(epsilon).unwrap_err().to_string().starts_with("epsilon is"));
        assert!(PrivacyBudget::approximate(epsilon, 1e-5).is_err());
    }
    for delta in [0.0, 1.0, -0.1, f64::NAN] {
        assert!(PrivacyBudget::approximate(1.0, delta).unwrap_err().to_string().starts_with("delta is"));
    }
    let set = small(Loss::Logistic);
    let privacy = PrivacyBudget::pure(1.0).unwrap();
    for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(output_perturbation(&set, lambda, &privacy, Entropy::os()).is_err(), "{lambda}");
        assert!(objective_perturbation(&set, lambda, &privacy, Entropy::os()).is_err(), "{lambda}");
    }
    let constant = |step| SgdPlan { lambda: 0.0, step: StepSize::Constant(step), ..PLAN };
    for (plan, part) in [
        (SgdPlan { passes: 0, ..PLAN }, "passes is 0"),
        (SgdPlan { batch_size: 0, ..PLAN }, "batch_size is 0"),
        (SgdPlan { batch_size: 301, ..PLAN }, "batch_size is 301"),
        (SgdPlan { lambda: 0.0, ..PLAN }, "lambda, for decreasing steps, is 0"),
        (SgdPlan { lambda: f64::NAN, ..PLAN }, "lambda is NaN"),
        (constant(0.0), "the step size is 0"),
        (constant(8.01), "at most 2 / (beta + 2 lambda) = 8"),
        (constant(f64::NAN), "the step size is NaN"),
    ] {
        let error = bolt_on_sgd(&set, &plan, &privacy, Entropy::os()).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    let release = output_perturbation(&set, 0.1, &privacy, Entropy::os()).unwrap();
    assert!(release.model.score(&[1.0]).is_err());
    assert!(release.model.score(&[1.0, f64::NAN, 0.0, 0.0]).is_err());
    // Too little epsilon for floats: an error, never infinite weights.
    let tiny = PrivacyBudget::pure(f64::MIN_POSITIVE).unwrap();
    assert!(output_perturbation(&set, 0.1, &tiny, Entropy::os()).is_err());
    assert!(objective_perturbation(&set, 0.1, &tiny, Entropy::os()).is_err());
}

/// Largest distance between the samples' distribution function and a given one.
fn kolmogorov(mut samples: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let n = samples.len() as f64;
    let gaps = samples.iter().enumerate().map(|(i, &x)| {
        let (i, p) = (i as f64, cdf(x));
        f64::max(p - i / n, (i + 1.0) / n - p)
    });
    gaps.fold(0.0, f64::max)
}

/// 20,000 noise vectors of fixed seeds. By the inequality of Dvoretzky, Kiefer, Wolfowitz and Massart the distance is above
/// sqrt(ln(2 / 1e-7) / (2 n)) = 0.0205 with probability at most 1e-7; nine comparisons make false failures less than 1e-6.
#[test]
fn noise_has_its_distribution() {
    let (n, d) = (20_000_u64, 4);
    let set = small(Loss::Logistic);
    let center = solve_without_privacy(&set, 0.1).unwrap().weights;
    let limit = (f64::ln(2.0 / 1e-7) / (2.0 * n as f64)).sqrt();
    let noise = |privacy: &PrivacyBudget| -> Vec<Vec<f64>> {
        let draw = |seed| output_perturbation(&set, 0.1, privacy, Entropy::seeded(seed)).unwrap();
        let minus = |w: &[f64]| w.iter().zip(&center).map(|(w, c)| w - c).collect();
        (0..n).map(|seed| minus(draw(seed).model.weights())).collect()
    };
    let norm = |v: &Vec<f64>| v.iter().map(|x| x * x).sum::<f64>().sqrt();

    let vectors = noise(&PrivacyBudget::pure(2.0).unwrap());
    let scale = minimizer_sensitivity(&set, 0.1).unwrap() / 2.0;
    let gamma = Gamma::new(d as f64, 1.0 / scale).unwrap();
    let distance = kolmogorov(vectors.iter().map(norm).collect(), |x| gamma.cdf(x));
    assert!(distance < limit, "norm: {distance}");
    // A coordinate u of a uniform direction has (1 + u)/2 of Beta((d-1)/2, (d-1)/2) distribution.
    let beta = Beta::new((d - 1) as f64 / 2.0, (d - 1) as f64 / 2.0).unwrap();
    for i in 0..d {
        let distance = kolmogorov(vectors.iter().map(|v| v[i] / norm(v)).collect(), |u| beta.cdf(0.5 * (1.0 + u)));
        assert!(distance < limit, "direction {i}: {distance}");
    }

    let std = burn_privacy_accounting::gaussian_sigma(1.0, 1e-5, minimizer_sensitivity(&set, 0.1).unwrap()).unwrap();
    let vectors = noise(&PrivacyBudget::approximate(1.0, 1e-5).unwrap());
    let normal = Normal::new(0.0, std).unwrap();
    for i in 0..d {
        let distance = kolmogorov(vectors.iter().map(|v| v[i]).collect(), |x| normal.cdf(x));
        assert!(distance < limit, "Gaussian {i}: {distance}");
    }
}
