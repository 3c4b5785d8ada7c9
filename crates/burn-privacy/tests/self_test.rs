//! The self-test of the private step, on the real step: in both ways to differentiate, whatever the physical batch.
#![cfg(feature = "flex")]
#![allow(missing_docs)]

use burn::tensor::Device;
use burn_privacy::audit::SelfTest;
use burn_privacy::mechanisms::Entropy;
use burn_privacy::per_example::PerExample;
use burn_privacy::statement::Noise;

#[test]
fn the_step_is_what_the_plan_says() {
    let device = Device::flex().autodiff();
    let few = SelfTest::new().with_canaries(600).with_steps(10).with_noise_multiplier(2.0);
    for (name, test) in [
        ("the default", SelfTest::new()),
        ("small physical batches", few.clone().with_physical_batch(7)),
        ("one physical batch", few.clone().with_physical_batch(600)),
        ("a large clipping norm", few.clone().with_clipping_norm(300.0)),
        ("exact noise", SelfTest::new().with_noise(Noise::ExactRounded)),
        ("exact noise, small physical batches", few.clone().with_noise(Noise::ExactRounded).with_physical_batch(7)),
        ("floating-point noise", few.clone().with_noise(Noise::FloatingPoint)),
        ("one example at a time", few.with_per_example(PerExample::Loop)),
    ] {
        // A fixed seed: the check itself is what is random here, and it must not fail in a millionth of all runs.
        let report = test.run(&device, Entropy::seeded(24)).unwrap();
        assert!(report.passed(), "{name}: {report}");
        let shown = report.to_string();
        assert!(shown.contains("passed") && shown.contains("claimed at most"), "{shown}");
    }
}

#[test]
fn what_cannot_be_tested_is_refused() {
    let device = Device::flex().autodiff();
    let refused = |test: SelfTest| test.run(&device, Entropy::seeded(1)).unwrap_err().to_string();
    assert!(refused(SelfTest::new().with_canaries(10)).contains("at least 100"));
    assert!(refused(SelfTest::new().with_noise_multiplier(0.0)).contains("nothing to compare"));
}
