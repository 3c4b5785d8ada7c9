//! Bodies with folded weights, against the unfolded definition in double precision.

use burn_privacy_features::FeatureError;
use burn_privacy_features::frozen_body::{
    Dense, Depthwise, FrozenBody, FrozenNorm, InvertedResidual, PixelScale, PublicFeatures,
};
use proptest::prelude::*;

/// Numbers without a pattern, from -1 to 1.
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32 / (1 << 23) as f32) - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn norm(seed: u64, channels: usize) -> FrozenNorm {
    let positive = |seed| numbers(seed, channels).iter().map(|x| x.abs() + 0.5).collect();
    FrozenNorm {
        gamma: positive(seed),
        beta: numbers(seed + 1, channels),
        mean: numbers(seed + 2, channels),
        variance: positive(seed + 3),
        epsilon: 1e-3,
    }
}

/// A convolution with its weights as they were trained.
struct Unfolded {
    weights: Vec<f32>,
    /// Outputs, inputs, kernel, stride.
    shape: [usize; 4],
    depthwise: bool,
    norm: FrozenNorm,
    relu6: bool,
}

impl Unfolded {
    fn dense(seed: u64, shape: [usize; 4], relu6: bool) -> Self {
        let [outputs, inputs, kernel, _] = shape;
        let weights = numbers(seed, outputs * inputs * kernel * kernel);
        Self { weights, shape, depthwise: false, norm: norm(seed + 10, outputs), relu6 }
    }

    fn depthwise(seed: u64, channels: usize, kernel: usize, stride: usize) -> Self {
        let weights = numbers(seed, channels * kernel * kernel);
        let norm = norm(seed + 10, channels);
        Self { weights, shape: [channels, 1, kernel, stride], depthwise: true, norm, relu6: true }
    }

    fn folded_dense(&self) -> Dense {
        let [outputs, inputs, kernel, stride] = self.shape;
        Dense::new(&self.weights, [outputs, inputs, kernel], stride, &self.norm, self.relu6).unwrap()
    }

    fn folded_depthwise(&self) -> Depthwise {
        let [channels, _, kernel, stride] = self.shape;
        Depthwise::new(&self.weights, [channels, kernel], stride, &self.norm).unwrap()
    }

    /// By the definition, `[side, side, channels]` to the same.
    fn forward(&self, input: &[f64], side: usize, channels: usize) -> (Vec<f64>, usize) {
        let [outputs, inputs, kernel, stride] = self.shape;
        let side_out = side.div_ceil(stride);
        let padding = (((side_out - 1) * stride + kernel).saturating_sub(side) / 2) as isize;
        let mut out = Vec::new();
        for row in 0..side_out {
            for column in 0..side_out {
                for output in 0..outputs {
                    let mut sum = 0.0;
                    for y in 0..kernel {
                        for x in 0..kernel {
                            let (down, right) =
                                ((row * stride + y) as isize - padding, (column * stride + x) as isize - padding);
                            if down < 0 || right < 0 || down >= side as isize || right >= side as isize {
                                continue;
                            }
                            let pixel = (down as usize * side + right as usize) * channels;
                            for input_channel in 0..inputs {
                                let from = if self.depthwise { output } else { input_channel };
                                let weight = ((output * inputs + input_channel) * kernel + y) * kernel + x;
                                sum += f64::from(self.weights[weight]) * input[pixel + from];
                            }
                        }
                    }
                    let at = |values: &[f32]| f64::from(values[output]);
                    let norm = &self.norm;
                    let scale = at(&norm.gamma) / (at(&norm.variance) + norm.epsilon).sqrt();
                    let value = (sum - at(&norm.mean)) * scale + at(&norm.beta);
                    out.push(if self.relu6 { value.clamp(0.0, 6.0) } else { value });
                }
            }
        }
        (out, side_out)
    }
}

/// The body's layers in their order, and the body.
fn network(seed: u64) -> (Vec<Unfolded>, FrozenBody) {
    let layers = vec![
        Unfolded::dense(seed, [8, 3, 3, 2], true),
        // Without an expansion.
        Unfolded::depthwise(seed + 1, 8, 3, 1),
        Unfolded::dense(seed + 2, [5, 8, 1, 1], false),
        // A residual one, with more channels than are summed at once.
        Unfolded::dense(seed + 3, [35, 5, 1, 1], true),
        Unfolded::depthwise(seed + 4, 35, 5, 1),
        Unfolded::dense(seed + 5, [5, 35, 1, 1], false),
        // One that halves the side.
        Unfolded::dense(seed + 6, [16, 5, 1, 1], true),
        Unfolded::depthwise(seed + 7, 16, 5, 2),
        Unfolded::dense(seed + 8, [6, 16, 1, 1], false),
        Unfolded::dense(seed + 9, [20, 6, 1, 1], true),
    ];
    let block = |expand: Option<usize>, depthwise: usize| InvertedResidual {
        expand: expand.map(|at| layers[at].folded_dense()),
        depthwise: layers[depthwise].folded_depthwise(),
        project: layers[depthwise + 1].folded_dense(),
    };
    let blocks = vec![block(None, 1), block(Some(3), 4), block(Some(6), 7)];
    let body = FrozenBody::new(layers[0].folded_dense(), blocks, layers[9].folded_dense()).unwrap();
    (layers, body)
}

fn by_definition(layers: &[Unfolded], image: &[f32], side: usize) -> Vec<f64> {
    let (mut values, mut side, mut channels) = (image.iter().map(|&x| f64::from(x)).collect::<Vec<_>>(), side, 3);
    let mut kept = Vec::new();
    for (at, layer) in layers.iter().enumerate() {
        if at == 3 {
            kept = values.clone();
        }
        (values, side) = layer.forward(&values, side, channels);
        channels = layer.shape[0];
        if at == 5 {
            values.iter_mut().zip(&kept).for_each(|(value, kept)| *value += kept);
        }
    }
    let places = (side * side) as f64;
    (0..channels).map(|channel| values.iter().skip(channel).step_by(channels).sum::<f64>() / places).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn features_are_those_of_the_unfolded_network(seed in 1_u64..1000, side in 1_usize..13, count in 1_usize..4) {
        let (layers, body) = network(seed);
        let images = numbers(seed + 77, count * side * side * 3);
        let found = body.compute(&images, side).unwrap();
        for (image, found) in images.chunks_exact(side * side * 3).zip(found.chunks_exact(20)) {
            for (expected, found) in by_definition(&layers, image, side).iter().zip(found) {
                prop_assert!((expected - f64::from(*found)).abs() < 1e-4, "{expected} {found}");
            }
        }
    }
}

#[test]
fn an_image_has_the_same_features_in_any_company_and_its_mirror_image_has_them_too() {
    let (_, body) = network(3);
    let images = burn_privacy_features::dead_leaves(40, 3, 8);
    let scale = PixelScale { mean: 127.0, deviation: 128.0 };
    let features = PublicFeatures::new(body.clone(), "a test", scale, [8, 24], false).unwrap();
    let all = features.compute(&images).unwrap();
    let size = 3 * 8 * 8;
    for at in [0, 15, 16, 39] {
        let alone = features.compute(&images[at * size..(at + 1) * size]).unwrap();
        let among = &all[at * 20..(at + 1) * 20];
        assert_eq!(alone, among, "{at}");
    }
    let mirrored = PublicFeatures::new(body, "a test", scale, [8, 24], true).unwrap();
    let mut turned = images.clone();
    turned.chunks_exact_mut(8).for_each(<[u8]>::reverse);
    let (a, b) = (mirrored.compute(&images).unwrap(), mirrored.compute(&turned).unwrap());
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-4));
    assert_ne!(all, features.compute(&turned).unwrap());
}

/// One pixel is left and more than 512 channels go in: products of one row and of several are other programs.
#[test]
fn an_image_has_the_same_bits_alone_and_among_others() {
    let stem = Unfolded::dense(1, [600, 3, 3, 2], true).folded_dense();
    let body = FrozenBody::new(stem, vec![], Unfolded::dense(2, [16, 600, 1, 1], true).folded_dense()).unwrap();
    let images = numbers(7, 18 * 12);
    let all = body.compute(&images, 2).unwrap();
    for count in [1, 2, 15, 16, 17] {
        assert_eq!(body.compute(&images[..count * 12], 2).unwrap(), all[..count * 16], "{count}");
    }
    // A record before it is missing: all others move by a place.
    assert_eq!(body.compute(&images[12..], 2).unwrap(), all[16..]);
}

#[test]
fn the_cache_tells_weights_and_settings_apart() {
    let folder = tempfile::tempdir().unwrap();
    let images = burn_privacy_features::dead_leaves(7, 3, 8);
    let scale = PixelScale { mean: 127.0, deviation: 128.0 };
    let mut files = 0;
    for (seed, side, mirrored) in [(1, 8, false), (2, 8, false), (1, 9, false), (1, 8, true)] {
        let features = PublicFeatures::new(network(seed).1, "a test", scale, [8, side], mirrored).unwrap();
        let table = features.cached(folder.path(), &images, |_| ()).unwrap();
        assert_eq!(table, features.table(&images).unwrap());
        assert_eq!(table, features.cached(folder.path(), &images, |_| ()).unwrap());
        files += 1;
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), files);
    }
}

#[test]
fn layers_that_do_not_fit_are_refused() {
    let (layers, body) = network(1);
    let stem = || layers[0].folded_dense();
    let refused = |result: burn_privacy_features::Result<FrozenBody>| match result {
        Err(FeatureError::Length { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(FrozenBody::new(stem(), vec![], layers[9].folded_dense())), "input channels of the head");
    let wrong =
        InvertedResidual { expand: None, depthwise: layers[4].folded_depthwise(), project: layers[5].folded_dense() };
    assert_eq!(refused(FrozenBody::new(stem(), vec![wrong], layers[9].folded_dense())), "input channels of a block");
    assert!(Dense::new(&[1.0; 5], [2, 3, 1], 1, &norm(1, 2), true).is_err());
    assert!(Dense::new(&[1.0; 6], [2, 3, 1], 1, &norm(1, 3), true).is_err());
    assert!(Depthwise::new(&[1.0; 9], [1, 3], 0, &norm(1, 1)).is_err());
    assert!(body.compute(&[0.0; 10], 2).is_err() && body.compute(&[], 0).is_err());
    let scale = PixelScale { mean: 0.0, deviation: 1.0 };
    assert!(PublicFeatures::new(body.clone(), "", scale, [8, 4], false).is_err());
    assert!(PublicFeatures::new(body, "", PixelScale { mean: 0.0, deviation: 0.0 }, [8, 8], false).is_err());
}
