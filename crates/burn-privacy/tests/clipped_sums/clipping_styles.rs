//! Every style of clipping: what a record adds to the sum is what the style's formula says, is never more than its stated
//! sensitivity (measured on adversarial neighbors), and does not depend on how gradients are computed.

use burn::module::Module;
use burn::prelude::*;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;

use crate::support::{
    Ask, Batch, ByPath, Example, Values, assert_says, clipped_sum, distance, flex, given, norm, refusal,
    relative_difference, with_values,
};

/// Two layers that the same target reaches, so that gradients of both are known: each is input times target.
#[derive(Module, Debug)]
struct Two {
    first: Linear,
    second: Linear,
}

fn two() -> Two {
    let layer = || LinearConfig::new(3, 2).init(&flex());
    with_values(Two { first: layer(), second: layer() }, 5)
}

/// The second layer's gradient is a hundred times the first one's.
fn loss(model: &Two, batch: Batch) -> Tensor<1> {
    given(model.first.forward(batch.input.clone()), batch.target.clone())
        + given(model.second.forward(batch.input), batch.target * 100.0)
}

fn styles() -> [Clipping; 6] {
    [
        Clipping::normalized(),
        Clipping::psac(0.5),
        Clipping::per_layer(0.5),
        Clipping::per_group([("first", 0.3), ("", 0.4)]),
        Clipping::per_group([("first.weight", 0.1), ("second.bias", 0.2), ("", 0.3)]),
        Clipping::quantile(0.5, 0.5, 10.0),
    ]
}

fn part(sum: &ByPath, prefix: &str) -> f64 {
    norm(sum.iter().filter(|(path, _)| path.starts_with(prefix)).map(|(_, values)| values))
}

fn difference(with: &ByPath, without: &ByPath) -> ByPath {
    let subtract = |(path, values): (&String, &Vec<f64>)| {
        (path.clone(), values.iter().zip(&without[path]).map(|(a, b)| a - b).collect())
    };
    with.iter().map(subtract).collect()
}

/// Groups by parameter, not by layer, need gradients one example at a time.
fn splits_a_layer(style: &Clipping) -> bool {
    style.to_string().contains("first.weight")
}

#[test]
fn no_record_adds_more_than_the_stated_sensitivity() {
    let model = two();
    let mut values = Values::new(1);
    let others: Vec<Example> = values.examples(7, 3, 2);
    for style in styles() {
        let sensitivity = style.norm();
        let mut largest = 0.0_f64;
        for one_at_a_time in [false, true] {
            if splits_a_layer(&style) && !one_at_a_time {
                continue;
            }
            let ask = Ask::flex(1.0).clipped(&style);
            let ask = if one_at_a_time { ask.loop_over_examples() } else { ask };
            let without = clipped_sum(&ask, &model, &others, loss);
            // From gradients that are nothing beside any stability to ones whose squares overflow.
            for size in [0.0, 1e-30, 1e-12, 1e-6, 1e-3, 0.03, 0.1, 0.3, 1.0, 10.0, 1e4, 1e12, 1e17, 1e25, f64::INFINITY]
            {
                let direction = values.examples(1, 3, 2).remove(0);
                let target = direction.target.iter().map(|value| value * size as f32).collect();
                let mut with = others.clone();
                with.push(Example::new(direction.input.clone(), target));
                let moved = difference(&clipped_sum(&ask, &model, &with, loss), &without);
                let found = norm(moved.values());
                assert!(found <= sensitivity, "{style}, size {size}: {found} above {sensitivity}");
                if matches!(style, Clipping::PerGroup { .. }) && !splits_a_layer(&style) {
                    assert!(part(&moved, "first") <= 0.3 && part(&moved, "second") <= 0.4, "{style}, size {size}");
                }
                largest = largest.max(found);
            }
        }
        // The bound is not far from what happens, or this test would see nothing.
        assert!(largest > 0.99 * sensitivity, "{style}: {largest} of {sensitivity}");
    }
}

#[test]
fn contributions_are_those_of_the_formulas() {
    let model = two();
    let mut values = Values::new(2);
    for size in [0.001, 0.02, 0.3, 5.0] {
        let example = values.examples(1, 3, 2).remove(0);
        let target = example.target.iter().map(|value| value * size).collect();
        let example = [Example::new(example.input, target)];
        let gradient = clipped_sum(&Ask::flex(1e9), &model, &example, loss);
        let whole = norm(gradient.values());
        let ask = |style: Clipping| clipped_sum(&Ask::flex(1.0).clipped(&style), &model, &example, loss);
        let check = |found: &ByPath, prefix: &str, expected: f64| {
            let ratio = part(found, prefix) / part(&gradient, prefix);
            assert!((ratio / expected - 1.0).abs() < 2e-4, "size {size}, {prefix}: {ratio} instead of {expected}");
        };
        check(&ask(Clipping::normalized()), "", 1.0 / (whole + 0.01));
        check(&ask(Clipping::Normalized { stability: 3.0 }), "", 1.0 / (whole + 3.0));
        check(&ask(Clipping::psac(0.5)), "", 0.5 / (whole + 0.1 / (whole + 0.1)));
        check(&ask(Clipping::quantile(0.5, 0.5, 1.0)), "", (0.5 / whole).min(1.0));
        let by_layer = ask(Clipping::per_layer(0.5));
        let by_group = ask(Clipping::per_group([("first", 0.01), ("second", 2.0)]));
        for (layer, bound) in [("first", 0.01), ("second", 2.0)] {
            let of_layer = part(&gradient, layer);
            check(&by_layer, layer, (0.5 / 2.0_f64.sqrt() / of_layer).min(1.0));
            check(&by_group, layer, (bound / of_layer).min(1.0));
        }
    }
}

#[test]
fn one_backward_pass_gives_what_single_examples_give() {
    let model = two();
    let examples = Values::new(3).examples(9, 3, 2);
    let through_both = |model: &Two, batch: Batch| {
        distance(model.first.forward(batch.input.clone()) + model.second.forward(batch.input.square()), batch.target)
    };
    for style in styles() {
        if splits_a_layer(&style) {
            continue;
        }
        let ask = |size| Ask::flex(1.0).clipped(&style).physical_batch(size);
        let expected = clipped_sum(&ask(9).loop_over_examples(), &model, &examples, through_both);
        for size in [1, 4, 9] {
            let found = clipped_sum(&ask(size), &model, &examples, through_both);
            let difference = relative_difference(&found, &expected);
            assert!(difference < 1e-4, "{style}, physical batch {size}: {difference:e}");
        }
    }
}

#[test]
fn an_example_that_is_not_finite_in_one_group_adds_nothing_to_any() {
    let model = two();
    let finite = Values::new(4).examples(1, 3, 2);
    // The first layer's gradient is finite, the second one's is not.
    let mut both = finite.clone();
    both.push(Example::new(vec![1.0; 3], vec![1e37; 2]));
    for style in [Clipping::per_layer(0.5), Clipping::per_group([("first", 0.3), ("", 0.4)])] {
        for one_at_a_time in [false, true] {
            let ask = Ask::flex(1.0).clipped(&style);
            let ask = if one_at_a_time { ask.loop_over_examples() } else { ask };
            let alone = clipped_sum(&ask, &model, &finite, loss);
            let beside = clipped_sum(&ask, &model, &both, loss);
            assert!(norm(difference(&beside, &alone).values()) < 1e-6, "{style}");
        }
    }
}

#[test]
fn groups_that_do_not_fit_the_model_are_refused_by_name() {
    let examples = Values::new(6).examples(2, 3, 2);
    let message = |groups: &[(&str, f64)]| {
        let style = Clipping::per_group(groups.iter().copied());
        refusal(&Ask::flex(1.0).clipped(&style), &two(), &examples, loss)
    };
    assert_says(&message(&[("first", 1.0)]), &["second.weight", "empty path"]);
    // A path is one of whole names.
    assert_says(&message(&[("fir", 1.0), ("", 1.0)]), &["`fir`", "no parameter"]);
    assert_says(&message(&[("first.weight", 1.0), ("", 1.0)]), &["first.weight", "together"]);
}
