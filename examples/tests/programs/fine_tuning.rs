//! The programs `finetune_dp`, `convert_dp` and `text_dp` from the outside.

use std::process::Command;

use crate::support::{program, text};
use burn::module::Module;
use burn::prelude::*;
use burn_privacy_pretrained::EfficientNetLite0;

fn run(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(program(name)).args(arguments).env_remove("BURN_PRIVACY_DATA").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn convert_dp_shows_refusals_and_what_is_done_about_them() {
    let shown = run("convert_dp", &[]);
    let mut rest = shown.as_str();
    // In this order.
    for words in [
        "refused: `stem.norm` is a BatchNorm in training mode",
        "blocks.1.second.norm: BatchNorm over 16 channels is frozen now",
        "normalizes nothing",
        "refused: the loss closure returned",
        "Accuracy ",
        "stem.norm: BatchNorm over 16 channels is a GroupNorm now",
        "12 other tensors are as they were",
        "epsilon",
        "All 2 private runs of this command together: epsilon ",
    ] {
        let at = rest.find(words).unwrap_or_else(|| panic!("{words:?} is not in what is left of:\n{shown}"));
        rest = &rest[at + words.len()..];
    }
}

#[test]
fn finetune_dp_trains_parts_of_a_network_that_it_made_public() {
    let shown = run("finetune_dp", &["--steps", "3", "--batch", "50", "--train", "all,biases,lora,head"]);
    for words in [
        "declared public: level stripes",
        "norm1: BatchNorm over 16 channels is frozen now and keeps its statistics",
        "| all | 39109 | 3.00 |",
        // The biases of three layers, the shifts of two norms, and the head.
        "| biases | 485 | 3.00 |",
        "| lora | 2629 | 3.00 |",
        "| head | 325 | 3.00 |",
        "was trained on images that this program drew and declares public",
        "proved on the operation graph at every step",
        "Private: nominally 6000 generated images",
        "All 4 private runs of this command together: epsilon ",
        "the nominal data-set size 6000 is public",
    ] {
        assert!(shown.contains(words), "{words:?} is not in:\n{shown}");
    }
}

#[test]
fn text_dp_says_what_its_networks_cost_together() {
    let shown = run("text_dp", &["--model", "bag,bag", "--steps", "3"]);
    assert!(shown.contains("All 2 private runs of this command together: epsilon "), "{shown}");
    let seeded = run("text_dp", &["--model", "bag", "--steps", "3", "--seed", "1"]);
    assert!(seeded.contains("together: epsilon inf") && seeded.contains("| inf |"), "{seeded}");
}

#[test]
fn finetune_dp_takes_features_of_a_public_network() {
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("efficientnet.bpk");
    EfficientNetLite0::new(1000, &Device::flex()).save_file(&weights).unwrap();
    let features = folder.path().join("features");
    let [weights, features] = [&weights, &features].map(|path| path.to_str().unwrap().to_owned());
    let shown = run(
        "finetune_dp",
        &[
            "--pretrained",
            &weights,
            "--side",
            "32",
            "--features",
            &features,
            "--limit",
            "300",
            "--steps",
            "3",
            "--epsilon",
            "1,3",
        ],
    );
    for words in
        ["| head | 12810 | 1.00 |", "| head | 12810 | 3.00 |", "trained on ImageNet", "All 2 private runs of this"]
    {
        assert!(shown.contains(words), "{words:?} is not in:\n{shown}");
    }
}
