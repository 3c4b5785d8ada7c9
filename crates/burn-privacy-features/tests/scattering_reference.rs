//! The scattering transform beside Kymatio 0.3.0: values that belong to it here, and its oracle file where there is one.

use burn_privacy_features::scattering::{CHANNELS, Scattering};

/// Kymatio's filters are rounded to f32; an independent program in f64 is 1.9e-7 away.
const TOLERANCE: f64 = 1e-6;

fn waves(side: usize) -> Vec<f64> {
    let value = |i: usize, j: usize| {
        (0.3 * i as f64).sin() + 0.5 * (0.7 * j as f64).cos() + ((7 * i + 13 * j) % 11) as f64 / 11.0
    };
    (0..side * side).map(|at| value(at / side, at % side)).collect()
}

fn disc(side: usize) -> Vec<f64> {
    let middle = |at: usize, part: f64| (at as f64 - side as f64 / part).powi(2);
    (0..side * side).map(|at| f64::from(middle(at / side, 2.0) + middle(at % side, 3.0) < 40.0)).collect()
}

/// In both precisions.
fn features(image: &[f64], side: usize) -> [Vec<f64>; 2] {
    let single: Vec<f32> = image.iter().map(|&x| x as f32).collect();
    let single = Scattering::new(side).unwrap().transform(&single).unwrap();
    [Scattering::new(side).unwrap().transform(image).unwrap(), single.into_iter().map(f64::from).collect()]
}

fn near(value: f64, expected: f64, what: &str) {
    assert!((value - expected).abs() < TOLERANCE, "{what}: {value}, but Kymatio has {expected}");
}

/// Sums have an error of each of their terms.
fn sums_near(features: &[f64], sum: f64, squares: f64) {
    let terms = features.len() as f64;
    assert!((features.iter().sum::<f64>() - sum).abs() < TOLERANCE * terms.sqrt(), "sum");
    let found = features.iter().map(|x| x * x).sum::<f64>();
    assert!((found - squares).abs() < TOLERANCE * terms.sqrt(), "squares {found} {squares}");
}

#[test]
fn single_values_are_those_of_kymatio() {
    for features in features(&waves(32), 32) {
        let at = |channel: usize, row: usize, column: usize| features[channel * 64 + row * 8 + column];
        sums_near(&features, 154.787_410_469, 66.393_145_242);
        let row = [
            1.036_833_89,
            0.535_243_03,
            1.025_786_66,
            0.630_836_37,
            0.865_619_99,
            0.849_052_41,
            0.634_541_04,
            1.021_488_66,
        ];
        for (column, value) in row.into_iter().enumerate() {
            near(at(0, 0, column), value, "S0");
        }
        for (channel, value) in [
            (1, 0.065_111_829_6),
            (5, 0.165_861_289_4),
            (9, 0.089_953_979_1),
            (17, 0.003_721_702_3),
            (80, 0.008_522_514_2),
        ] {
            near(at(channel, 3, 4), value, "a channel");
        }
    }
    for features in features(&waves(28), 28) {
        sums_near(&features, 114.172_281, 44.453_136);
        for (channel, value) in [(1, 0.065_111_814_7), (17, 0.003_717_307_3), (80, 0.008_515_907_9)] {
            near(features[channel * 49 + 3 * 7 + 4], value, "a channel");
        }
    }
    for (side, sum, last) in [(32, 33.806_147_6, 0.022_496_791_8), (28, 34.907_185_2, 0.026_417_900_9)] {
        for features in features(&disc(side), side) {
            let cells = side / 4;
            assert!((features.iter().sum::<f64>() - sum).abs() < 1e-4);
            near(features[80 * cells * cells + 3 * cells + 4], last, "the last channel");
        }
    }
}

/// The file `scattering/scattering_reference.json` of the folder that `BURN_PRIVACY_ORACLES` names.
#[test]
fn all_values_of_the_oracle_are_met() {
    let Some(folder) = std::env::var_os("BURN_PRIVACY_ORACLES").filter(|value| !value.is_empty()) else {
        println!("skipped: BURN_PRIVACY_ORACLES is not set");
        return;
    };
    let path = std::path::Path::new(&folder).join("scattering/scattering_reference.json");
    let oracle: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut compared = 0;
    for side in [28, 32] {
        let cells = side / 4;
        for (name, image) in [("sincos", waves(side)), ("disc", disc(side))] {
            let expected = &oracle[format!("n{side}")][name];
            for features in features(&image, side) {
                let number = |key: &str| expected[key].as_f64().unwrap();
                sums_near(&features, number("sum_all"), number("sumsq"));
                for (column, value) in expected["ch0_row0"].as_array().unwrap().iter().enumerate() {
                    near(features[column], value.as_f64().unwrap(), "ch0_row0");
                }
                near(features[cells * cells], number("ch1_00"), "ch1_00");
                for channel in [1, 5, 9, 16, 17, 80] {
                    let key = format!("ch{channel}_34");
                    near(features[channel * cells * cells + 3 * cells + 4], number(&key), &key);
                }
                let means = expected["chan_means"].as_array().unwrap();
                assert_eq!(means.len(), CHANNELS);
                for (channel, mean) in features.chunks(cells * cells).zip(means) {
                    near(channel.iter().sum::<f64>() / (cells * cells) as f64, mean.as_f64().unwrap(), "chan_means");
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 8 * CHANNELS);
}

#[test]
fn an_images_features_do_not_depend_on_its_neighbors() {
    let scattering = Scattering::<f32>::new(28).unwrap();
    let images: Vec<Vec<f32>> =
        (0..9).map(|k| waves(28).iter().map(|&x| (x * f64::from(k + 1)).cos() as f32).collect()).collect();
    let together = scattering.transform_all(&images.concat(), 9).unwrap();
    for (image, features) in images.iter().zip(together.chunks(CHANNELS * 49)) {
        assert_eq!(scattering.transform(image).unwrap(), features);
    }
}
