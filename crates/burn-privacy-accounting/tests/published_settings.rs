//! Published settings of DP-SGD, with the epsilon that their authors printed, against both accountants.
//!
//! Most of the older numbers are Renyi (or "moments") bounds turned into epsilon by D + ln(1 / delta) / (order - 1),
//! at the best of a few orders. This conversion is looser than today's, hence our epsilon is smaller; but the printed
//! digits must come out of our divergences if they are converted in the old way.
//!
//! `cargo test --release --test published_settings -- --nocapture` prints the table.

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, PldAccountant, RdpAccountant};

const ADD: Adjacency = Adjacency::AddOrRemoveOne;

/// How a printed epsilon was computed, and so what is asserted besides `lower <= upper <= RDP`.
#[derive(Clone, Copy)]
enum How {
    /// By the old conversion at these orders: reproduced to the printed digits; our RDP is not above it.
    Moments(fn() -> Vec<f64>),
    /// By today's conversion at these orders: reproduced to the printed digits, or below by at most this fraction; our
    /// RDP is not above it.
    Renyi(fn() -> Vec<f64>, f64),
    /// By privacy loss distributions, to this error: our bracket agrees within it and the printed digits.
    Loss(f64),
    /// A budget that noise or steps were chosen for by RDP: our RDP spends 98.5 % to 100 % of it.
    Budget,
    /// Not reproduced, for the reason given at the row: only a bound, of the right size.
    Bound,
}
use How::{Bound, Budget, Loss, Moments, Renyi};

struct Row {
    setting: &'static str,
    /// Records, and how many of them are expected in a batch.
    data: (f64, f64),
    noise: f64,
    steps: u64,
    delta: f64,
    /// As printed: its digits are its precision.
    printed: &'static str,
    how: How,
}

fn row(
    setting: &'static str,
    data: (f64, f64),
    (noise, steps): (f64, u64),
    delta: f64,
    printed: &'static str,
    how: How,
) -> Row {
    Row { setting, data, noise, steps, delta, printed, how }
}

/// TensorFlow Privacy's tutorial and Opacus; dp-accounting's has further ones that are never the best here.
fn tenths() -> Vec<f64> {
    (11..110).map(|x| f64::from(x) / 10.0).chain((12..64).map(f64::from)).collect()
}

/// TensorFlow Privacy's `compute_dp_sgd_privacy`.
fn quarters() -> Vec<f64> {
    let small = [1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0, 3.5, 4.0, 4.5];
    small.into_iter().chain((5..64).map(f64::from)).chain([128.0, 256.0, 512.0]).collect()
}

/// The moments accountant: 1 to 32 moments, each an order less 1.
fn integers() -> Vec<f64> {
    (2..34).map(f64::from).collect()
}

const MNIST_256: (f64, f64) = (60_000.0, 256.0);
const MNIST_240: (f64, f64) = (60_000.0, 240.0);
const MNIST_600: (f64, f64) = (60_000.0, 600.0);
const CIFAR_2000: (f64, f64) = (50_000.0, 2_000.0);
const CIFAR_4096: (f64, f64) = (50_000.0, 4_096.0);
const CIFAR_16384: (f64, f64) = (50_000.0, 16_384.0);

/// Abadi et al., "Deep Learning with Differential Privacy", CCS 2016 (arXiv 1607.00133).
fn abadi() -> Vec<Row> {
    vec![
        // Section 5.1 and figure 2: q = 0.01, sigma = 4 and E = 100 or 400 epochs of 1 / q steps.
        row("Abadi, MNIST, 100 epochs", MNIST_600, (4.0, 10_000), 1e-5, "1.26", Moments(integers)),
        // No order gives less than 2.57 by their theorem 2, 1 % above what they printed.
        row("Abadi, MNIST, 400 epochs", MNIST_600, (4.0, 40_000), 1e-5, "2.55", Bound),
    ]
}

/// TensorFlow Privacy.
fn tensorflow_privacy() -> Vec<Row> {
    // The tutorial counts 60,000 / 256 rounded down, 234, steps an epoch.
    let steps = |epochs: u64| 234 * epochs;
    vec![
        // tutorials/README.md, "Select Parameters".
        row("TFP, MNIST, 15 epochs", MNIST_256, (1.3, steps(15)), 1e-5, "1.19", Moments(tenths)),
        row("TFP, MNIST, 60 epochs", MNIST_256, (1.1, steps(60)), 1e-5, "3.01", Moments(tenths)),
        row("TFP, MNIST, 45 epochs", MNIST_256, (0.7, steps(45)), 1e-5, "7.10", Moments(tenths)),
        // The same, "Expected Output".
        row("TFP, MNIST, 1 epoch", MNIST_256, (1.1, steps(1)), 1e-5, "1.03", Moments(tenths)),
        row("TFP, MNIST, 2 epochs", MNIST_256, (1.1, steps(2)), 1e-5, "1.11", Moments(tenths)),
        // An earlier version of that file.
        row("TFP (earlier), MNIST, 60 epochs", MNIST_256, (1.12, steps(60)), 1e-5, "2.92", Moments(tenths)),
        row("TFP (earlier), MNIST, 10 epochs", MNIST_256, (1.2, steps(10)), 1e-5, "1.20", Moments(tenths)),
        row("TFP (earlier), MNIST, 1 epoch", MNIST_256, (1.12, steps(1)), 1e-5, "1.00", Moments(tenths)),
        row("TFP (earlier), MNIST, 2 epochs", MNIST_256, (1.12, steps(2)), 1e-5, "1.04", Moments(tenths)),
        // The best of their orders gives 9.747, which rounds to 9.75: perhaps they cut off.
        row("TFP (earlier), MNIST, 30 epochs", MNIST_256, (0.6, steps(30)), 1e-5, "9.74", Bound),
        // analysis/compute_dp_sgd_privacy_test.py, before and after the conversion was improved.
        row("TFP test 0, old", (60_000.0, 150.0), (1.3, 6_000), 1e-5, "0.941870567", Moments(quarters)),
        row("TFP test 0, new", (60_000.0, 150.0), (1.3, 6_000), 1e-5, "0.7242234026", Renyi(quarters, 0.0)),
        row("TFP test 1, old", (100_000.0, 100.0), (1.0, 30_000), 1e-7, "1.70928734", Moments(quarters)),
        row("TFP test 1, new", (100_000.0, 100.0), (1.0, 30_000), 1e-7, "1.4154988495", Renyi(quarters, 0.0)),
        // The same: 1.2 epochs at q = 0.01, and all the records twice.
        // At a fractional order, 4.4, they add up the absolute values of an alternating series: 2.3e-5 too much.
        row("TFP, 1.2 epochs by RDP", (100.0, 1.0), (0.7, 120), 1e-5, "3.2392676", Renyi(tenths, 2.4e-5)),
        row("TFP, 1.2 epochs by PLD", (100.0, 1.0), (0.7, 120), 1e-5, "2.4612381", Loss(0.0)),
        row("TFP, full batches by RDP", (1.0, 1.0), (0.7, 2), 1e-5, "10.8602036", Renyi(tenths, 0.0)),
        row("TFP, full batches by PLD", (1.0, 1.0), (0.7, 2), 1e-5, "10.1224946", Loss(0.0)),
        // The same: the statement on noise 2.0, halved since microbatches double the sensitivity.
        row("TFP statement by RDP", (10_000.0, 64.0), (1.0, 782), 1e-6, "1.616", Renyi(tenths, 0.0)),
        row("TFP statement by PLD", (10_000.0, 64.0), (1.0, 782), 1e-6, "1.199", Loss(0.0)),
    ]
}

/// Opacus.
fn opacus() -> Vec<Row> {
    vec![
        // examples/mnist_README.md at a rate of 0.004 (now: batches of 240), hence 250 steps an epoch.
        row("Opacus, MNIST, 15 epochs", MNIST_240, (1.3, 3_750), 1e-5, "1.16", Moments(tenths)),
        row("Opacus, MNIST, 60 epochs", MNIST_240, (1.1, 15_000), 1e-5, "2.91", Moments(tenths)),
        row("Opacus, MNIST, 45 epochs", MNIST_240, (0.7, 11_250), 1e-5, "6.86", Moments(tenths)),
        row("Opacus, MNIST, 1 epoch", MNIST_240, (1.3, 250), 1e-5, "0.71", Moments(tenths)),
        // tests/accountants_test.py (to the 7 places it asserts), the defaults of examples/cifar10.py: 90 epochs.
        row("Opacus, CIFAR-10 by RDP", CIFAR_2000, (1.5, 2_250), 1e-5, "7.3291112", Renyi(tenths, 0.0)),
        // The same: an upper end with an error of 0.01 on either side; 90 // 0.04 is 2249 in binary.
        row("Opacus, CIFAR-10 by PRV", CIFAR_2000, (1.5, 2_249), 1e-5, "6.7773957", Loss(0.01)),
        // The same: noise calibrated to epsilon = 8, over 90 epochs and over 2000 steps.
        row("Opacus, CIFAR-10, calibrated", CIFAR_2000, (1.416, 2_250), 1e-5, "8", Budget),
        row("Opacus, CIFAR-10, calibrated", CIFAR_2000, (1.3562, 2_000), 1e-5, "8", Budget),
    ]
}

/// De et al., "Unlocking High-Accuracy Differentially Private Image Classification through Scale" (arXiv 2204.13650),
/// who stop at a budget by RDP; and Sander et al., "TAN without a burn" (arXiv 2210.03403), who follow them.
fn at_scale() -> Vec<Row> {
    // 10,000 of the 1,281,167 records are kept for validation.
    let imagenet_16384 = (1_271_167.0, 16_384.0);
    vec![
        // Their code, experiments/image_classification/configs.
        row("De, CIFAR-100, fine-tuned", CIFAR_16384, (21.1, 250), 1e-5, "1.0", Budget),
        row("De, ImageNet, NF-ResNet-50", imagenet_16384, (2.5, 71_589), 8e-7, "8.0", Budget),
        // The file says 725 updates, but also that training goes on until epsilon = 1 (some 875, the next row).
        row("De, CIFAR-10, WRN-16-4", CIFAR_4096, (10.0, 725), 1e-5, "1.0", Bound),
        // The paper's appendix C, quoted second-hand; without epsilon = 8 of WRN-16-4, whose pair is uncertain.
        row("De, CIFAR-10, WRN-16-4", CIFAR_4096, (10.0, 875), 1e-5, "1", Budget),
        row("De, CIFAR-10, WRN-16-4", CIFAR_4096, (6.0, 1_125), 1e-5, "2", Budget),
        row("De, CIFAR-10, WRN-16-4", CIFAR_4096, (5.0, 1_593), 1e-5, "3", Budget),
        row("De, CIFAR-10, WRN-16-4", CIFAR_4096, (4.0, 1_687), 1e-5, "4", Budget),
        row("De, CIFAR-10, WRN-16-4", CIFAR_4096, (3.0, 1_843), 1e-5, "6", Budget),
        row("De, CIFAR-10, WRN-40-4", CIFAR_16384, (9.4, 2_000), 1e-5, "8", Budget),
        // README.md of the TAN code. On CIFAR-10 the budget isn't spent: 7.82 even by the old conversion.
        row("TAN, ImageNet", (1_281_167.0, 32_768.0), (2.5, 18_000), 8e-7, "8", Budget),
        row("TAN, CIFAR-10", CIFAR_4096, (3.0, 2_500), 1e-5, "8", Bound),
    ]
}

/// Bu et al., "Deep Learning with Gaussian Differential Privacy", HDSR 2020 (PMC7695347), figure 4.
fn bu() -> Vec<Row> {
    // As real numbers, 20 and 70 epochs are 4687.5 and 16406.25 steps.
    vec![
        // The best of the orders gives 1.3497.
        row("Bu, MNIST, 20 epochs", MNIST_256, (1.3, 4_687), 1e-5, "1.34", Bound),
        row("Bu, MNIST, 70 epochs", MNIST_256, (0.7, 16_406), 1e-5, "8.68", Moments(tenths)),
    ]
}

/// The best epsilon by the old conversion.
fn by_moments(accountant: &RdpAccountant, orders: &[f64], delta: f64) -> f64 {
    let epsilon = |order: f64| accountant.divergence(order).unwrap() - delta.ln() / (order - 1.0);
    orders.iter().map(|&order| epsilon(order)).fold(f64::INFINITY, f64::min)
}

#[test]
fn printed_epsilons() {
    println!("| setting | q | sigma | steps | delta | printed | ours RDP | ours PLD |");
    println!("|---|---|---|---|---|---|---|---|");
    for row in [abadi(), tensorflow_privacy(), opacus(), at_scale(), bu()].into_iter().flatten() {
        let Row { setting, data: (records, batch), noise, steps, delta, printed, how } = row;
        let rate = batch / records;
        let step = DpEvent::poisson_sampled(rate, DpEvent::gaussian(noise).unwrap()).unwrap();
        let mut renyi = RdpAccountant::new(ADD);
        renyi.compose(&step, steps).unwrap();
        let by_renyi = renyi.epsilon(delta).unwrap();
        let mut loss = PldAccountant::new(ADD);
        loss.compose(&step, steps).unwrap();
        let (lower, upper) = loss.epsilon_bounds(delta).unwrap();
        println!("| {setting} | {rate:.6} | {noise} | {steps} | {delta:e} | {printed} | {by_renyi:.4} | {upper:.4} |");

        let what = format!("{setting}, sigma {noise}, {steps} steps, printed {printed}");
        assert!(0.0 < lower && lower <= upper && upper <= lower * (1.0 + 2e-4), "{what}: {lower} {upper}");
        assert!(upper <= by_renyi * (1.0 + 2e-4), "{what}: {upper} {by_renyi}");
        let digits = printed.split_once('.').map_or(0, |(_, digits)| digits.len());
        let half = 0.5 * 10_f64.powi(-i32::try_from(digits).unwrap());
        let printed: f64 = printed.parse().unwrap();
        let reproduced = |found: f64, below: f64| {
            let range = printed * (1.0 - below) - half..=printed + half;
            assert!(range.contains(&found), "{what}: reproduced as {found}");
        };
        match how {
            Moments(orders) => {
                reproduced(by_moments(&renyi, &orders(), delta), 0.0);
                assert!((0.5 * printed..=printed + half).contains(&by_renyi), "{what}: {by_renyi}");
            }
            Renyi(orders, below) => {
                let mut fixed = RdpAccountant::with_orders(ADD, &orders()).unwrap();
                fixed.compose(&step, steps).unwrap();
                reproduced(fixed.epsilon(delta).unwrap(), below);
                assert!((0.98 * printed..=printed + half).contains(&by_renyi), "{what}: {by_renyi}");
            }
            Loss(error) => {
                let agrees = lower <= printed + half && upper >= printed - 2.0 * error - half;
                assert!(agrees, "{what}: {lower} {upper}");
            }
            Budget => assert!((0.985 * printed..=printed).contains(&by_renyi), "{what}: {by_renyi}"),
            Bound => assert!((0.5 * printed..=printed).contains(&by_renyi), "{what}: {by_renyi}"),
        }
    }
}

/// What the code of Abadi et al. said that it had spent after 10 steps at its default settings, for seven epsilons:
/// tensorflow/models, research/differential_privacy/dp_sgd/README.md (2016).
#[test]
fn deltas_of_the_moments_accountant() {
    // Lots of 600, sigma 4; each step counts two weight matrices. First, principal components with sigma 7.
    let step = DpEvent::poisson_sampled(0.01, DpEvent::gaussian(4.0).unwrap()).unwrap();
    let projection = DpEvent::gaussian(7.0).unwrap();
    let mut renyi = RdpAccountant::new(ADD);
    let mut loss = PldAccountant::new(ADD);
    for (event, count) in [(&step, 20), (&projection, 1)] {
        renyi.compose(event, count).unwrap();
        loss.compose(event, count).unwrap();
    }
    println!("| epsilon | printed delta | by moments | ours RDP | ours PLD |");
    println!("|---|---|---|---|---|");
    // The last digit, in units of the first: the printer drops zeros at the end.
    for (epsilon, printed, unit) in [
        (0.125, 0.727_09, 1e-5),
        (0.25, 0.247_08, 1e-5),
        (0.5, 0.002_913_9, 1e-7),
        (1.0, 6.494e-10, 1e-14),
        (2.0, 8.2242e-24, 1e-28),
        (4.0, 1.319e-51, 1e-55),
        (8.0, 3.3927e-107, 1e-111),
    ] {
        let delta = |order: f64| ((order - 1.0) * (renyi.divergence(order).unwrap() - epsilon)).exp();
        let by_moments = integers().into_iter().map(delta).fold(1.0, f64::min);
        let by_renyi = renyi.delta(epsilon).unwrap();
        let (lower, upper) = loss.delta_bounds(epsilon).unwrap();
        println!("| {epsilon} | {printed:e} | {by_moments:.5e} | {by_renyi:.5e} | {upper:.5e} |");
        // They integrate numerically, and keep the sums in 32 bits.
        assert!((by_moments - printed).abs() <= unit, "{epsilon}: {by_moments:e} {printed:e}");
        assert!(lower <= upper && upper <= by_renyi && by_renyi <= printed, "{epsilon}: {lower} {upper} {by_renyi}");
    }
}

/// DPBayes/PLD-Accountant (Koskela et al., arXiv 1906.03049), examples/simple_usage_example.py: the setting of
/// Abadi et al. by another PLD accountant. The file says 1000 steps, but the printed delta is that of 10,000.
#[test]
fn delta_of_the_fourier_accountant() {
    let printed = 4.243_484_012e-6;
    let step = DpEvent::poisson_sampled(0.01, DpEvent::gaussian(4.0).unwrap()).unwrap();
    let mut loss = PldAccountant::with_accuracy(ADD, 1e-7).unwrap();
    loss.compose(&step, 10_000).unwrap();
    let (lower, upper) = loss.delta_bounds(1.0).unwrap();
    println!("delta at epsilon 1, printed {printed:e}, ours {lower:e} to {upper:e}");
    assert!(lower <= upper && upper <= lower * (1.0 + 1e-4), "{lower} {upper}");
    assert!(lower <= printed * (1.0 + 1e-6) && upper >= printed * (1.0 - 1e-6), "{lower} {upper}");
}
