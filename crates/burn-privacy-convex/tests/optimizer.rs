//! The optimizer finds known solutions, and its certificate holds.

mod support;

use burn_privacy_convex::{
    ConvexError, FeatureMap, Features, Loss, RowScale, TrainingSet, optimizer_error, solve_without_privacy,
};
use support::{Numbers, distance, random_rows, set};

/// The unit row is shortened by this, so that rounding never makes it longer than 1.
const MARGIN: f64 = 1.0 - 1e-9;

#[test]
fn ridge_of_one_weight_has_its_formula() {
    // w = mean(x y) / (mean(x^2) + lambda), or the ball's end.
    let (rows, labels) = ([1.0, 0.5, -1.0, 0.25], [0.8, 0.1, -0.9, 0.6]);
    let (xy, xx) = ((0.8 + 0.05 + 0.9 + 0.15) / 4.0 * MARGIN, (1.0 + 0.25 + 1.0 + 0.0625) / 4.0 * MARGIN * MARGIN);
    for (radius, lambda) in [(10.0, 0.1), (0.3, 0.1), (10.0, 3.0)] {
        let set = set(&rows, 1, &labels, RowScale::Clip(1.0), Loss::Ridge { label_bound: 1.0, radius });
        let expected = f64::min(xy / (xx + lambda), radius);
        let minimum = solve_without_privacy(&set, lambda).unwrap();
        assert!((minimum.weights[0] - expected).abs() <= minimum.distance, "{radius} {lambda}: {minimum:?}");
        assert!((minimum.weights[0] - expected).abs() < 1e-7);
    }
}

#[test]
fn logistic_of_one_weight_solves_its_equation() {
    // All records (1, 1): lambda w = sigmoid(-w), whose root is found by bisection.
    let lambda = 0.01;
    let set = set(&[1.0; 9], 1, &[1.0; 9], RowScale::Clip(1.0), Loss::Logistic);
    let (mut low, mut high) = (0.0, 100.0);
    for _ in 0..200 {
        let w = 0.5 * (low + high);
        if lambda * w < MARGIN / (1.0 + f64::exp(MARGIN * w)) { low = w } else { high = w }
    }
    let minimum = solve_without_privacy(&set, lambda).unwrap();
    assert!((minimum.weights[0] - low).abs() <= minimum.distance + 1e-14 * low, "{minimum:?} {low}");
}

#[test]
fn ridge_in_a_ball_is_a_fixed_point_of_projected_steps() {
    let mut numbers = Numbers(5);
    let (rows, labels) = random_rows(&mut numbers, 200, 8);
    for radius in [0.05, 0.5, 50.0] {
        let loss = Loss::Ridge { label_bound: 1.0, radius };
        let set = set(&rows, 8, &labels, RowScale::Clip(2.0), loss);
        let minimum = solve_without_privacy(&set, 0.01).unwrap();
        assert!(minimum.distance <= optimizer_error(&set, 0.01));
        let w = &minimum.weights;
        let mut next: Vec<f64> = w.iter().map(|w| w - 0.5 * 0.01 * w).collect();
        for (x, label) in set.features().vectors().zip(&labels) {
            let rest = x.iter().zip(w).map(|(x, w)| x * w).sum::<f64>() - label;
            for (next, x) in next.iter_mut().zip(x) {
                *next -= 0.5 * rest * x / 200.0;
            }
        }
        let length = next.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length > radius {
            next.iter_mut().for_each(|x| *x *= radius / length);
        }
        assert!(distance(w, &next) < 1e-7, "{radius}: {}", distance(w, &next));
        assert!(w.iter().map(|x| x * x).sum::<f64>().sqrt() <= radius * (1.0 + 1e-12));
    }
}

#[test]
fn every_loss_converges_also_where_it_is_hard() {
    let mut numbers = Numbers(6);
    for (n, d) in [(1, 1), (3, 10), (500, 20), (5_000, 50)] {
        let (rows, labels) = random_rows(&mut numbers, n, d);
        for loss in [
            Loss::Logistic,
            Loss::HuberSvm { h: 0.5 },
            Loss::HuberSvm { h: 1e-3 },
            Loss::Ridge { label_bound: 1.0, radius: 1.0 },
        ] {
            for lambda in [1e-6, 1e-3, 1.0] {
                if matches!(loss, Loss::HuberSvm { h } if h < 0.01 && (lambda < 1e-3 || n > 500)) {
                    continue; // hardly smooth: may be an error, as documented
                }
                let set = set(&rows, d, &labels, RowScale::Normalize, loss);
                let minimum =
                    solve_without_privacy(&set, lambda).unwrap_or_else(|e| panic!("{n} {d} {loss:?} {lambda}: {e}"));
                assert!(minimum.distance <= optimizer_error(&set, lambda));
            }
        }
    }
}

#[test]
fn a_large_set_takes_seconds() {
    let (n, d) = (50_000, 150);
    let mut numbers = Numbers(7);
    let (rows, labels) = random_rows(&mut numbers, n, d);
    let set = set(&rows, d, &labels, RowScale::Clip(8.0), Loss::Logistic);
    let start = std::time::Instant::now();
    solve_without_privacy(&set, 1e-4).unwrap();
    println!("{n} x {d}: {:.2} s", start.elapsed().as_secs_f64());
}

#[test]
fn bad_input_is_refused_with_a_sentence() {
    let map = || FeatureMap::new(2, RowScale::Clip(1.0)).unwrap();
    let refusals: Vec<(ConvexError, &str)> = vec![
        (Features::new(&[], map()).unwrap_err(), "no rows"),
        (Features::new(&[1.0], map()).unwrap_err(), "1 entries, but 2"),
        (Features::new(&[1.0, 2.0, 3.0, f64::NAN], map()).unwrap_err(), "row 1, column 1"),
        (Features::new(&[f64::INFINITY, 2.0], map()).unwrap_err(), "row 0, column 0"),
        (FeatureMap::new(0, RowScale::Normalize).unwrap_err(), "no columns"),
        (FeatureMap::new(1, RowScale::Clip(0.0)).unwrap_err(), "clipping norm is 0"),
        (FeatureMap::new(1, RowScale::Clip(f64::NAN)).unwrap_err(), "clipping norm is NaN"),
        (map().with_intercept(1.0).unwrap_err(), "strictly between 0 and 1"),
    ];
    for (error, part) in refusals {
        assert!(error.to_string().contains(part), "{error}");
    }

    let features = || Features::new(&[1.0, 2.0, 3.0, 4.0], map()).unwrap();
    let ridge = |label_bound, radius| Loss::Ridge { label_bound, radius };
    for (labels, loss, part) in [
        (vec![1.0], Loss::Logistic, "1 entries, but 2"),
        (vec![1.0, 0.0], Loss::Logistic, "row 1 is not allowed: it must be -1 or 1"),
        (vec![1.0, f64::NAN], Loss::HuberSvm { h: 0.5 }, "row 1"),
        (vec![1.0, 1.0], Loss::HuberSvm { h: 0.0 }, "h is 0"),
        (vec![f64::NEG_INFINITY, 1.0], ridge(1.0, 1.0), "row 0"),
        (vec![1.0, 1.0], ridge(-1.0, 1.0), "label_bound is -1"),
        (vec![1.0, 1.0], ridge(1.0, f64::INFINITY), "radius is inf"),
    ] {
        let error = TrainingSet::new(features(), labels, loss).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
    let set = TrainingSet::new(features(), vec![1.0, -1.0], Loss::Logistic).unwrap();
    for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = solve_without_privacy(&set, lambda).unwrap_err();
        assert!(error.to_string().starts_with("lambda is"), "{error}");
    }
}
