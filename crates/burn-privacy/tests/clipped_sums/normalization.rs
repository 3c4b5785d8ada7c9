//! Layer and group normalization, against the batch-of-one loop.

use burn::prelude::*;
use burn_privacy::nn::{GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig};
use proptest::prelude::*;

use crate::support::{Values, assert_equals_loop, distance, flex, with_values};

fn check_layer<const D: usize>(dims: &[usize], bias: bool) {
    assert_eq!(D, dims.len() + 1);
    let length = dims.iter().product();
    let model = with_values(LayerNormConfig::new(dims[D - 2]).with_bias(bias).init(&flex()), 1);
    assert_equals_loop(&flex(), &model, &Values::new(2).examples(7, length, length), |model: &LayerNorm, batch| {
        distance(model.forward(batch.shaped::<D>(dims)), batch.target)
    });
}

fn check_group<const D: usize>(groups: usize, dims: &[usize]) {
    assert_eq!(D, dims.len() + 1);
    let length = dims.iter().product();
    let model = with_values(GroupNormConfig::new(groups, dims[0]).init(&flex()), 1);
    assert_equals_loop(&flex(), &model, &Values::new(2).examples(7, length, length), |model: &GroupNorm, batch| {
        distance(model.forward(batch.shaped::<D>(dims)), batch.target)
    });
}

#[test]
fn layer_norm() {
    for bias in [true, false] {
        check_layer::<2>(&[6], bias);
        check_layer::<3>(&[4, 6], bias);
        check_layer::<4>(&[2, 3, 6], bias);
    }
}

#[test]
fn group_norm() {
    check_group::<2>(2, &[6]);
    check_group::<3>(3, &[6, 4]);
    check_group::<4>(2, &[6, 3, 3]);
    check_group::<4>(1, &[4, 3, 3]);
    check_group::<4>(4, &[4, 3, 3]);
}

#[test]
fn group_norm_without_scale_and_shift_has_nothing_to_train() {
    let model = GroupNormConfig::new(2, 4).with_affine(false).init(&flex());
    assert_eq!(burn::module::Module::num_params(&model), 0);
    let output = model.forward(Tensor::<3>::ones([2, 4, 3], &flex()));
    assert_eq!(output.dims(), [2, 4, 3]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_shapes(groups in 1_usize..4, per_group in 2_usize..4, height in 1_usize..4, width in 2_usize..5, bias: bool) {
        // One value a group would normalise to zero.
        check_group::<4>(groups, &[groups * per_group, height, width]);
        check_layer::<4>(&[height, groups, width + 1], bias);
    }
}
