//! Whether a record's last bits depend on the records beside it: what a session sees of it, and what its statement assumes.

use burn::data::dataset::InMemDataset;
use burn::prelude::*;
use burn_privacy::ledger::Ledger;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;

use crate::support::{Batch, Rows, Values, distance, flex};

const WIDTH: usize = 784;

/// What a step with a loss shows, and the statement's sentences about last bits.
fn shown(per_example: PerExample, loss: impl Fn(&Linear, Batch) -> Tensor<1>) -> (Option<bool>, Vec<String>) {
    let model = LinearConfig::new(WIDTH, 6).init(&flex());
    let examples = Values::new(3).examples(40, WIDTH, 6);
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(40))
        .with_clipping(Clipping::flat(1.0))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-6)
        .with_steps(1)
        .build()
        .unwrap();
    let mut session =
        plan.start(InMemDataset::new(examples), Rows, &flex(), Entropy::os()).unwrap().with_per_example(per_example);
    assert_eq!(session.last_bits_agreed(), None);
    let step = session.next_step().unwrap().unwrap();
    let _ = step.gradients(&model, |model, batch: Batch| Ok(loss(model, batch))).unwrap();
    let assumptions = session.statement().unwrap().assumptions;
    (session.last_bits_agreed(), assumptions.into_iter().filter(|sentence| sentence.contains("last bits")).collect())
}

#[test]
fn the_librarys_layers_give_a_record_its_own_bits_and_other_products_do_not() {
    let ours = |model: &Linear, batch: Batch| distance(model.forward(batch.shaped::<2>(&[WIDTH])), batch.target);
    let (agreed, sentences) = shown(PerExample::OneBackward, ours);
    assert_eq!(agreed, Some(true));
    assert!(sentences.len() == 1 && sentences[0].contains("on the CPU"), "{sentences:?}");

    // A product of the closure's own, of all rows at once.
    let device = flex();
    let mixer = Values::new(5).normals(WIDTH * WIDTH);
    let mixer = Tensor::<2>::from_data(TensorData::new(mixer, [WIDTH, WIDTH]), &device) / 28.0;
    let (agreed, _) = shown(PerExample::OneBackward, |model, batch| {
        distance(model.forward(batch.shaped::<2>(&[WIDTH]).matmul(mixer.clone())), batch.target)
    });
    assert_eq!(agreed, Some(false));

    let (agreed, sentences) = shown(PerExample::Loop, ours);
    assert_eq!((agreed, sentences.len()), (None, 0));
}

#[test]
fn statements_tell_of_all_steps_what_holds_of_the_weakest() {
    let folder = tempfile::tempdir().unwrap();
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(40))
        .with_clipping(Clipping::flat(1.0))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-6)
        .with_steps(3)
        .build()
        .unwrap();
    let model = LinearConfig::new(WIDTH, 6).init(&flex());
    let start = || {
        let examples = Values::new(3).examples(40, WIDTH, 6);
        let session = plan.start(InMemDataset::new(examples), Rows, &flex(), Entropy::os()).unwrap();
        session.with_ledger(Ledger::open(folder.path().join("ledger.jsonl"), "data").unwrap(), "run").unwrap()
    };
    let loss = |model: &Linear, batch: Batch| Ok(distance(model.forward(batch.shaped::<2>(&[WIDTH])), batch.target));

    let mut session = start().with_per_example(PerExample::Loop).with_noise(Noise::ExactRounded);
    let _ = session.next_step().unwrap().unwrap().gradients(&model, loss).unwrap();
    let text = session.statement().unwrap().assumptions.join("\n");
    assert!(text.contains("drawn exactly") && !text.contains("last bits"), "{text}");
    // Another step with less, and settings that come too late for both.
    session = session.with_per_example(PerExample::OneBackward).with_noise(Noise::FloatingPoint);
    let _ = session.next_step().unwrap().unwrap().gradients(&model, loss).unwrap();
    session = session.with_per_example(PerExample::Loop).with_noise(Noise::ExactRounded);
    let text = session.finish().unwrap().assumptions.join("\n");
    assert!(!text.contains("drawn exactly") && text.contains("lowest bits") && text.contains("last bits"), "{text}");

    // Of the steps of an earlier session a later one knows the number.
    let mut resumed = start().with_per_example(PerExample::Traced).with_noise(Noise::ExactRounded);
    let _ = resumed.next_step().unwrap().unwrap().gradients(&model, loss).unwrap();
    let statement = resumed.finish().unwrap();
    assert_eq!(statement.charged_steps, 3);
    let text = statement.assumptions.join("\n");
    assert!(!text.contains("drawn exactly") && text.contains("last bits"), "{text}");
    assert!(!text.contains("proved on the operation graph at every step"), "{text}");
}
