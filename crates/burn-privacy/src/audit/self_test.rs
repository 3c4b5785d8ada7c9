//! A private run on canaries whose gradients are known exactly.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::nn::Initializer;
use burn::optim::SgdConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn_privacy_accounting::gaussian_epsilon;
use burn_privacy_audit::{AuditReport, Runs, Scores};
use burn_privacy_mechanisms::{Entropy, PrivacyKey, poisson_sample};

use crate::error::{Error, Result};
use crate::nn::{Embedding, EmbeddingConfig};
use crate::per_example::PerExample;
use crate::plan::{Clipping, NoiseLevel, PrivacyPlanConfig, Sampling};
use crate::session::{PhysicalBatch, StartPlan};
use crate::statement::Noise;

/// A test of the whole private step on one device.
///
/// Each of `canaries` is a record with a parameter of its own, whose gradient is far above the clipping norm `C`; a fair coin
/// decides whether it is in the data set. Every step takes the full batch. The score of a canary is what the model says of its
/// parameter afterwards, in units of `C`: normal with variance `T z^2` after `T` steps of noise multiplier `z`, about `T` if the
/// canary was in and about 0 if not. So the whole run is a Gaussian mechanism of mean `sqrt(T) / z`, exactly.
///
/// ```
/// use burn::tensor::Device;
/// use burn_privacy::audit::SelfTest;
/// use burn_privacy::mechanisms::Entropy;
///
/// let report = SelfTest::new().with_canaries(1_000).run(&Device::flex().autodiff(), Entropy::os())?;
/// assert!(report.passed(), "{report}");
/// # Ok::<(), burn_privacy::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SelfTest {
    canaries: usize,
    steps: u64,
    noise_multiplier: f64,
    clipping_norm: f64,
    physical_batch: PhysicalBatch,
    per_example: PerExample,
    noise: Option<Noise>,
}

impl Default for SelfTest {
    fn default() -> Self {
        Self {
            canaries: 4_000,
            steps: 50,
            noise_multiplier: 5.0,
            clipping_norm: 1.0,
            physical_batch: PhysicalBatch::Auto,
            per_example: PerExample::default(),
            noise: None,
        }
    }
}

impl SelfTest {
    /// 4,000 canaries, 50 steps, noise multiplier 5, clipping norm 1, physical batches of 256.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many canaries there are, at least 100.
    pub fn with_canaries(mut self, canaries: usize) -> Self {
        self.canaries = canaries;
        self
    }

    /// How many steps are taken.
    pub fn with_steps(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }

    /// The noise's standard deviation over the clipping norm, above 0.
    pub fn with_noise_multiplier(mut self, noise_multiplier: f64) -> Self {
        self.noise_multiplier = noise_multiplier;
        self
    }

    /// The clipping norm.
    pub fn with_clipping_norm(mut self, norm: f64) -> Self {
        self.clipping_norm = norm;
        self
    }

    /// As [`Session::with_physical_batch`](crate::session::Session::with_physical_batch).
    pub fn with_physical_batch(mut self, examples: impl Into<PhysicalBatch>) -> Self {
        self.physical_batch = examples.into();
        self
    }

    /// As [`Session::with_per_example`](crate::session::Session::with_per_example).
    pub fn with_per_example(mut self, per_example: PerExample) -> Self {
        self.per_example = per_example;
        self
    }

    /// As [`Session::with_noise`](crate::session::Session::with_noise); what a session has by itself unless told.
    pub fn with_noise(mut self, noise: Noise) -> Self {
        self.noise = Some(noise);
        self
    }

    /// Runs it.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] for fewer than 100 canaries or no noise; those of a session.
    pub fn run(&self, device: &Device, entropy: Entropy) -> Result<SelfTestReport> {
        if self.canaries < 100 {
            return Err(Error::Plan {
                field: "canaries",
                given: self.canaries.to_string(),
                allowed: "at least 100, so that their scores tell the noise's size".into(),
            });
        }
        let plan = PrivacyPlanConfig::new()
            .with_sampling(Sampling::full_batch(self.canaries))
            .with_clipping(Clipping::flat(self.clipping_norm))
            .with_noise(NoiseLevel::multiplier(self.noise_multiplier))
            .with_delta(DELTA)
            .with_steps(self.steps)
            .build()?;
        let mean = (self.steps as f64).sqrt() / plan.noise_multiplier();
        if !mean.is_finite() || mean == 0.0 {
            return Err(Error::Plan {
                field: "noise multiplier and steps",
                given: format!("{} and {}", self.noise_multiplier, self.steps),
                allowed: "both above 0: there is nothing to compare with otherwise".into(),
            });
        }
        // The sampler's stream of this key at rate one half: a fair coin for each canary.
        let included = poisson_sample(&PrivacyKey::draw(entropy)?, 0, self.canaries as u64, 0.5)?;
        let mut session = plan
            .start(InMemDataset::new(included.clone()), Numbers, device, entropy)?
            .with_physical_batch(self.physical_batch)
            .with_per_example(self.per_example);
        if let Some(noise) = self.noise {
            session = session.with_noise(noise);
        }
        let mut model: Embedding =
            EmbeddingConfig::new(self.canaries, 1).with_initializer(Initializer::Zeros).init(device);
        let mut optim = SgdConfig::new().init();
        // Far above the clipping norm, so that what arrives is the norm itself.
        let scale = 1e3 * self.clipping_norm;
        while let Some(step) = session.next_step()? {
            let update = step.gradients(&model, |model, numbers: Tensor<2, Int>| {
                let [batch, _] = numbers.dims();
                Ok(model.forward(numbers).reshape([batch]).mul_scalar(scale))
            })?;
            model = optim.step(1.0, model, update.into());
        }
        // Of no interest: nothing of the canaries is private.
        let _ = session.finish()?;
        // The model is minus the sum of the noisy means, whose divisor is the number of canaries.
        let unit = -(self.canaries as f64) / self.clipping_norm;
        let scores = values(&model, self.canaries)?.into_iter().map(|value| f64::from(value) * unit);
        let (mut members, mut others) = (Vec::new(), Vec::new());
        let mut included = included.into_iter().peekable();
        for (number, score) in scores.enumerate() {
            let part = if included.next_if_eq(&number).is_some() { &mut members } else { &mut others };
            part.push(score);
        }
        SelfTestReport::new(members, others, self.steps, plan.noise_multiplier())
    }
}

/// Small enough for thousands of canaries.
const DELTA: f64 = 1e-7;

struct Numbers;

impl Batcher<usize, Tensor<2, Int>> for Numbers {
    fn batch(&self, numbers: Vec<usize>, device: &Device) -> Tensor<2, Int> {
        let count = numbers.len();
        let numbers: Vec<i64> = numbers.into_iter().map(|number| number as i64).collect();
        Tensor::from_data(TensorData::new(numbers, [count, 1]), device)
    }
}

fn values(model: &Embedding, canaries: usize) -> Result<Vec<f32>> {
    let model = model.valid();
    let device = model.devices().remove(0);
    let data = model.forward(Numbers.batch((0..canaries).collect(), &device)).into_data().convert::<f32>();
    data.try_to_vec::<f32>()
        .map_err(|error| Error::Execution(format!("the canaries could not be read back: {error:?}")))
}

/// What a [`SelfTest`] found, beside what must come out.
#[derive(Clone, Debug)]
pub struct SelfTestReport {
    /// Lower bounds on epsilon beside the claim. The trade-off curve *is* a Gaussian one here.
    pub audit: AuditReport,
    /// Mean of the members' scores in clipping norms a step; must be 1.
    pub signal: f64,
    /// Mean of the other scores, in clipping norms a step; must be 0.
    pub offset: f64,
    /// Standard deviation of all scores over what the noise multiplier says; must be 1.
    pub noise: f64,
    /// How far the three may be from that with a probability of about 1e-9 each.
    pub tolerances: [f64; 3],
    /// What the area under the ROC curve is in expectation.
    pub expected_area: f64,
}

impl SelfTestReport {
    fn new(members: Vec<f64>, others: Vec<f64>, steps: u64, noise_multiplier: f64) -> Result<Self> {
        // 6.1 standard deviations; the rounding margin of the clipping norm lowers the signal by less than 1e-4.
        const DEVIATIONS: f64 = 6.1;
        const MARGIN: f64 = 1e-4;
        let length = steps as f64;
        let deviation = length.sqrt() * noise_multiplier;
        let average = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len().max(1) as f64;
        let (mean_in, mean_out) = (average(&members), average(&others));
        let squares = |scores: &[f64], mean: f64| scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>();
        let freedom = (members.len() + others.len()).saturating_sub(2).max(1) as f64;
        let spread = ((squares(&members, mean_in) + squares(&others, mean_out)) / freedom).sqrt();
        let tolerances = [
            DEVIATIONS * deviation / length / (members.len().max(1) as f64).sqrt() + MARGIN,
            DEVIATIONS * deviation / length / (others.len().max(1) as f64).sqrt(),
            // The standard deviation of a sample's standard deviation is 1 / sqrt(2 n); chi-square is skewed a little.
            1.2 * DEVIATIONS / (2.0 * freedom).sqrt(),
        ];
        let mean = length.sqrt() / noise_multiplier;
        let claimed = gaussian_epsilon(1.0 / mean, DELTA)?;
        let scores = Scores::new(members, others)?;
        Ok(Self {
            audit: AuditReport::new(&scores, Runs::One, DELTA, 1e-6, Some(claimed))?,
            signal: mean_in / length,
            offset: mean_out / length,
            noise: spread / deviation,
            tolerances,
            expected_area: burn_privacy_audit::gaussian_area(mean),
        })
    }

    /// True if signal, offset and noise are what they must be, and no lower bound is above the claim. A sound step fails with
    /// a probability below 1e-5.
    pub fn passed(&self) -> bool {
        let [signal, offset, noise] = self.tolerances;
        let within = |found: f64, expected: f64, tolerance: f64| (found - expected).abs() <= tolerance;
        within(self.signal, 1.0, signal)
            && within(self.offset, 0.0, offset)
            && within(self.noise, 1.0, noise)
            && self
                .audit
                .findings
                .iter()
                .all(|finding| self.audit.claimed.is_none_or(|claimed| finding.epsilon <= claimed))
    }
}

impl std::fmt::Display for SelfTestReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = if self.passed() { "passed" } else { "FAILED: this device's steps are not what the plan says" };
        writeln!(f, "Self-test of the private step: {verdict}")?;
        let [signal, offset, noise] = self.tolerances;
        writeln!(f, "  a record's contribution, in clipping norms  {:.4} (1 within {signal:.4})", self.signal)?;
        writeln!(f, "  the contribution of an absent record        {:.4} (0 within {offset:.4})", self.offset)?;
        writeln!(f, "  noise over what the plan says               {:.4} (1 within {noise:.4})", self.noise)?;
        writeln!(
            f,
            "  area under the ROC curve                    {:.4} ({:.4} expected)",
            self.audit.area, self.expected_area
        )?;
        writeln!(f, "  (an error smaller than the tolerances passes: more canaries and steps narrow them)\n")?;
        f.write_str(&self.audit.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores of a step that does what the plan says but for three factors, made from quantiles in place of chance.
    fn report(contribution: f64, absent: f64, noise: f64) -> SelfTestReport {
        let (count, steps, noise_multiplier) = (2_000, 50, 5.0);
        let deviation = noise * noise_multiplier * f64::from(steps).sqrt();
        // The logistic approximation of a normal quantile: its standard deviation is taken out.
        let quantile = |i: usize| {
            let p = (i as f64 + 0.5) / count as f64;
            (p / (1.0 - p)).ln() / (std::f64::consts::PI / 3_f64.sqrt())
        };
        let part = |mean: f64| (0..count).map(|i| mean * f64::from(steps) + deviation * quantile(i)).collect();
        SelfTestReport::new(part(contribution), part(absent), steps as u64, noise_multiplier).unwrap()
    }

    #[test]
    fn a_sound_step_passes_and_faults_do_not() {
        assert!(report(1.0, 0.0, 1.0).passed(), "{}", report(1.0, 0.0, 1.0));
        for (fault, report) in [
            ("no noise", report(1.0, 0.0, 1e-3)),
            ("half of the noise", report(1.0, 0.0, 0.5)),
            ("noise once for each of eight physical batches", report(1.0, 0.0, 8_f64.sqrt())),
            ("noise divided by the square root of eight", report(1.0, 0.0, 8_f64.sqrt().recip())),
            ("no clipping", report(1e3, 0.0, 1.0)),
            ("twice the clipping norm", report(2.0, 0.0, 1.0)),
            ("the mean of the physical batch", report(1.0 / 256.0, 0.0, 1.0)),
            ("the realized batch in the divisor", report(2.0, 0.0, 2.0)),
            ("records that are not in the data", report(1.0, 0.5, 1.0)),
        ] {
            assert!(!report.passed(), "{fault} passed: {report}");
        }
    }
}
