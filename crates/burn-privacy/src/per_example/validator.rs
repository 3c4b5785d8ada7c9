//! The check that no example's loss or gradient depends on another example: what a step's sensitivity rests on.

use std::cmp::Ordering;

use burn::module::Module;
use burn::tensor::Tensor;

use super::PerExample;
use super::coverage::TrainableParameters;
use super::evaluation::{Evaluation, Evaluator};
use super::model_variants::{Perturb, Quieten, has_enabled_flags};
use super::random_records::RandomRecords;
use super::rank_tests::{kendall, mann_whitney, signs};
use super::validation_schedule::Thoroughness;
use crate::error::{Error, Result};
use burn_privacy_kernels::Rounding;

/// Records that are tried until one has a finite loss and gradient.
const TRIED: usize = 32;
/// How often a difference in gradients must repeat itself with other records: one that comes from the rounding of a value
/// beside a kink (a ReLU's zero) does not.
pub(crate) const ROUNDS: usize = 3;
/// Calls of each kind after which random losses are compared: how many of the last of them, and the score below which they
/// count as alike, from which on the last look refuses. Each of its at most eight scores is that large with a probability
/// of at most 1.2e-7 (37 of 40 signs: 2e-8). What comes before the last 40 calls lets a state settle.
const LOOKS: [(usize, usize, f64); 3] = [(8, 8, 2.0), (16, 16, 3.0), (48, 40, 5.3)];

/// How a step's gradients are computed, and what of it is to be validated.
pub(crate) struct Validation<'a> {
    pub(crate) trainable: &'a TrainableParameters,
    pub(crate) per_example: PerExample,
    pub(crate) views: usize,
    /// Examples of a physical batch.
    pub(crate) examples: usize,
    pub(crate) rounding: Rounding,
    pub(crate) records: RandomRecords<'a>,
    pub(crate) thoroughness: Thoroughness,
}

impl Validation<'_> {
    /// Refuses a model, closure or batcher with which the loss or gradient of one example depends on another. Nothing is
    /// returned about the records but that.
    ///
    /// Records are drawn at random from the data set, whoever is in the step's batch. All passes are made at parameters
    /// that are moved a little at random, so that a zero-initialized layer can't hide a path (and at the parameters as they
    /// are if no loss is finite otherwise). With several examples in a physical batch, two batches of the size of a
    /// physical batch are compared, in which a random half of the examples is the same, at the same places, and the others
    /// are exchanged:
    ///
    /// 1. The losses of the same half are backpropagated: every row of the other half must receive a gradient of exactly zero
    ///    at every recorded output. This catches batch statistics, losses that compare examples, and a time axis where the
    ///    example axis should be. It holds for random losses as well.
    /// 2. The losses of the same half, and their gradients at every recorded output, must be the same in both. This catches
    ///    what no gradient flows along: inputs normalized by the batch (also in the batcher), detached statistics, masks and
    ///    weights counted in the batch.
    /// 3. One example alone must have the loss and the parameter gradient that it has in a batch. This catches a division
    ///    by the batch size.
    ///
    /// One example at a time ([`PerExample::Loop`]), the loss and the gradient of a record must be the same after another
    /// record was seen. This catches a closure that keeps state; so does 2, as the batches follow one another.
    ///
    /// Returned is whether a record had the same bits alone and in a batch wherever that was compared: losses and gradients without
    /// randomness.
    ///
    /// Where losses are random from call to call, 2 and 3 are made for the losses of one example by rank tests over up to 48
    /// calls each ([`LOOKS`]): they catch an influence of about the size of the randomness, and a trend. Then 2 and 3 are
    /// made with dropout and the like off, too.
    ///
    /// # Errors
    ///
    /// [`Error::CoupledExamples`]; [`Error::NothingToValidate`] if none of [`TRIED`] records has a finite loss and gradient;
    /// [`Error::UntrackedLoss`] if none of them depends on a trainable parameter; those of the closure.
    pub(crate) fn run<M: Module>(
        self,
        model: &M,
        forward: impl FnMut(&M, &[usize]) -> Result<Tensor<1>>,
    ) -> Result<Option<bool>> {
        let examples = self.thoroughness.examples_of(self.examples);
        let rounds = match self.thoroughness {
            Thoroughness::Full => 2,
            Thoroughness::Short => 1,
        };
        let mut check = Check {
            evaluator: Evaluator {
                trainable: self.trainable,
                per_example: self.per_example,
                views: self.views,
                rounding: self.rounding,
                forward,
            },
            examples: if self.per_example == PerExample::Loop { 1 } else { examples.max(1) },
            records: self.records,
            tolerance: Tolerance::of(self.rounding),
            last_bits_agreed: None,
        };
        let moved = model.clone().map(&mut Perturb);
        // Parameters that were moved out of a model's domain show nothing: take them as they are.
        let model = if check.focus(&moved)?.is_some() { moved } else { model.clone() };
        for _ in 0..rounds {
            if check.settle(&model)? == Found::Random && has_enabled_flags(&model) {
                check.settle(&model.clone().map(&mut Quieten))?;
            }
        }
        Ok(check.last_bits_agreed)
    }
}

/// Differences that rounding explains: of losses relative to the loss and to the largest of the batch, of gradients relative
/// to their norm.
pub(crate) struct Tolerance {
    /// The same place in a batch of the same size: the same arithmetic, but for sums in no fixed order.
    same_place: [f32; 3],
    /// Alone and in a batch: other kernels for other shapes.
    pub(crate) alone: [f32; 3],
}

impl Tolerance {
    pub(crate) fn of(rounding: Rounding) -> Self {
        if rounding == Rounding::SINGLE {
            Self { same_place: [1e-4, 1e-6, 1e-3], alone: [1e-3, 1e-4, 2e-2] }
        } else {
            Self { same_place: [1e-2, 1e-3, 2e-2], alone: [1e-2, 1e-2, 2e-1] }
        }
    }
}

/// The order of two losses, equal if rounding explains the difference or neither is finite.
fn order(a: f32, b: f32, largest: f32, [of_itself, of_largest, _]: [f32; 3]) -> Ordering {
    match (a.is_finite(), b.is_finite()) {
        (false, false) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (true, true) if (a - b).abs() <= of_itself * a.abs().max(b.abs()) + of_largest * largest => Ordering::Equal,
        (true, true) => a.total_cmp(&b),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// No coupling, but losses or gradients are random from call to call.
    Random,
}

/// What one comparison found.
enum Comparison {
    Same,
    /// What these arms show differs, and may be random.
    Differs(Vec<Arm>, Quantity),
    /// Gradients differ, and are not random.
    Gradients(&'static str),
}

/// What is compared.
#[derive(Clone, Copy)]
enum Quantity {
    /// Losses, of which the largest of a batch has this size.
    Loss { largest: f32 },
    /// Norms of gradients.
    GradientNorm,
}

/// A batch, what is called before it, and the example of it that is looked at.
struct Arm {
    before: Option<usize>,
    batch: Vec<usize>,
    example: usize,
    /// What it means if this arm's loss is another one than the first arm's.
    seen: &'static str,
    tolerance: [f32; 3],
}

struct Check<'a, F> {
    evaluator: Evaluator<'a, F>,
    /// Examples of a batch.
    examples: usize,
    records: RandomRecords<'a>,
    tolerance: Tolerance,
    last_bits_agreed: Option<bool>,
}

fn coupled(seen: impl Into<String>) -> Error {
    Error::CoupledExamples { seen: seen.into() }
}

impl<F> Check<'_, F> {
    /// One comparison, repeated where it must be.
    fn settle<M: Module>(&mut self, model: &M) -> Result<Found>
    where
        F: FnMut(&M, &[usize]) -> Result<Tensor<1>>,
    {
        let mut seen = "";
        for _ in 0..ROUNDS {
            let Some((focus, alone)) = self.focus(model)? else {
                return Err(Error::NothingToValidate { tried: TRIED });
            };
            let comparison = match self.examples {
                1 => self.compare_before_and_after_another(model, focus, &alone)?,
                _ => self.compare_batches(model, focus, &alone)?,
            };
            match comparison {
                Comparison::Same => return Ok(Found::Nothing),
                Comparison::Differs(arms, quantity) => {
                    self.compare_random(model, &arms, quantity)?;
                    return Ok(Found::Random);
                }
                Comparison::Gradients(difference) => seen = difference,
            }
        }
        Err(coupled(seen))
    }

    /// A record whose loss and gradient are finite, if possible not zero, and what it shows alone. An error if no loss depends on a
    /// trainable parameter at all.
    fn focus<M: Module>(&mut self, model: &M) -> Result<Option<(usize, Evaluation)>>
    where
        F: FnMut(&M, &[usize]) -> Result<Tensor<1>>,
    {
        let (mut without_gradient, mut reached) = (None, false);
        for record in self.records.distinct(TRIED)? {
            let alone = self.evaluator.evaluate(model, &[record], &[0])?;
            reached |= alone.reaches_parameters();
            let norm = alone.gradient_norm()?;
            if alone.losses[0].is_finite() && norm.is_finite() {
                if norm > 0.0 {
                    return Ok(Some((record, alone)));
                }
                without_gradient.get_or_insert((record, alone));
            }
        }
        // A loss of another model, a clone that the closure has captured for instance, trains nothing.
        if reached { Ok(without_gradient) } else { Err(Error::UntrackedLoss) }
    }

    fn compare_batches<M: Module>(&mut self, model: &M, focus: usize, alone: &Evaluation) -> Result<Comparison>
    where
        F: FnMut(&M, &[usize]) -> Result<Tensor<1>>,
    {
        let places = self.records.shuffled(self.examples)?;
        let (kept, exchanged) = places.split_at(self.examples / 2);
        let place = kept[0];
        // Only a recording scope keeps the gradients of several examples apart.
        let kept = if self.evaluator.per_example == PerExample::OneBackward { kept } else { &kept[..1] };
        let pool: Vec<usize> =
            self.records.distinct(2 * self.examples)?.into_iter().filter(|record| *record != focus).collect();
        let mut batch: Vec<usize> = pool.iter().copied().cycle().take(self.examples).collect();
        batch.resize(self.examples, focus);
        batch[place] = focus;
        let mut other = batch.clone();
        // Where the data set has no more records, the focus itself is another record than the one in its place.
        let mut rest = pool.iter().skip(self.examples);
        exchanged.iter().for_each(|place| other[*place] = rest.next().copied().unwrap_or(focus));

        let here = self.evaluator.evaluate(model, &batch, kept)?;
        let there = self.evaluator.evaluate(model, &other, kept)?;
        if let Some(parameters) = here.reached(exchanged).or(there.reached(exchanged)) {
            let paths: Vec<String> = parameters.iter().map(|id| self.evaluator.trainable.path_of(*id)).collect();
            return Err(coupled(format!("at the output of the layer with {}", paths.join(", "))));
        }

        let finite = here.losses.iter().filter(|loss| loss.is_finite());
        let largest = finite.fold(0.0_f32, |largest, loss| largest.max(loss.abs()));
        let Tolerance { same_place, alone: loose } = self.tolerance;
        let differs =
            |example: &&usize| order(here.losses[**example], there.losses[**example], largest, same_place).is_ne();
        let alone_differs = order(alone.losses[0], here.losses[place], largest, loose).is_ne();
        let arms = |example: usize, beside, alone| {
            let arm = |batch: &[usize], example, seen, tolerance| Arm {
                before: None,
                batch: batch.to_vec(),
                example,
                seen,
                tolerance,
            };
            vec![
                arm(&batch, example, "", same_place),
                arm(&other, example, beside, same_place),
                arm(&batch[example..example + 1], 0, alone, loose),
            ]
        };
        if let Some(example) = kept.iter().find(differs).copied().or(alone_differs.then_some(place)) {
            let alone = "in the loss, which is another one when the example is alone in its batch";
            let arms = arms(example, "in the loss, which is another one beside other examples", alone);
            return Ok(Comparison::Differs(arms, Quantity::Loss { largest }));
        }

        const BESIDE: &str = "in the gradient of the parameters, which is another one beside other examples";
        const ALONE: &str =
            "in the gradient of the parameters, which is another one when the example is alone in its batch";
        // Without a recording scope, another example that is not finite leaves no gradient to compare.
        if self.evaluator.per_example != PerExample::OneBackward
            && !(here.gradient_norm()?.is_finite() && there.gradient_norm()?.is_finite())
        {
            return Ok(Comparison::Same);
        }
        let seen = if here.output_difference(&there, kept)? > same_place[2] {
            "in the gradient at a layer's output, which is another one beside other examples"
        } else if here.gradient_difference(&there)? > same_place[2] {
            BESIDE
        } else if alone.gradient_difference(&here)? > loose[2] {
            ALONE
        } else {
            let agree = alone.has_the_same_bits(0, &here, place);
            self.last_bits_agreed = Some(self.last_bits_agreed.unwrap_or(true) && agree);
            return Ok(Comparison::Same);
        };
        let again = self.evaluator.evaluate(model, &batch, kept)?;
        let limit = same_place[2];
        let random = here.gradient_difference(&again)? > limit || here.output_difference(&again, kept)? > limit;
        Ok(match random {
            true => Comparison::Differs(arms(place, BESIDE, ALONE), Quantity::GradientNorm),
            false => Comparison::Gradients(seen),
        })
    }

    fn compare_before_and_after_another<M: Module>(
        &mut self,
        model: &M,
        focus: usize,
        alone: &Evaluation,
    ) -> Result<Comparison>
    where
        F: FnMut(&M, &[usize]) -> Result<Tensor<1>>,
    {
        let another = self.records.distinct(2)?.into_iter().find(|record| *record != focus).unwrap_or(focus);
        self.evaluator.losses(model, &[another])?;
        let after = self.evaluator.evaluate(model, &[focus], &[0])?;
        let largest = alone.losses[0].abs();
        let same_place = self.tolerance.same_place;
        let arms = |seen| {
            let arm = |before, seen| Arm { before, batch: vec![focus], example: 0, seen, tolerance: same_place };
            vec![arm(Some(another), ""), arm(None, seen)]
        };
        if order(alone.losses[0], after.losses[0], largest, same_place).is_ne() {
            let arms = arms("in the loss, which is another one after another record was seen");
            return Ok(Comparison::Differs(arms, Quantity::Loss { largest }));
        }
        if alone.gradient_difference(&after)? > same_place[2] {
            let arms = arms("in the gradient of the parameters, which is another one after another record was seen");
            return Ok(Comparison::Differs(arms, Quantity::GradientNorm));
        }
        Ok(Comparison::Same)
    }

    /// Calls the arms in turn, and refuses if what the first one shows is not as likely in another one, or has a trend.
    fn compare_random<M: Module>(&mut self, model: &M, arms: &[Arm], quantity: Quantity) -> Result<()>
    where
        F: FnMut(&M, &[usize]) -> Result<Tensor<1>>,
    {
        let mut values_of_arms: Vec<Vec<f32>> = vec![Vec::new(); arms.len()];
        for (look, (calls, window, limit)) in LOOKS.into_iter().enumerate() {
            while values_of_arms[0].len() < calls {
                for (arm, values) in arms.iter().zip(&mut values_of_arms) {
                    if let Some(record) = arm.before {
                        self.evaluator.losses(model, &[record])?;
                    }
                    values.push(match quantity {
                        Quantity::Loss { .. } => self.evaluator.losses(model, &arm.batch)?[arm.example],
                        Quantity::GradientNorm => {
                            self.evaluator.evaluate(model, &arm.batch, &[arm.example])?.gradient_norm()?
                        }
                    });
                }
            }
            let windows: Vec<&[f32]> = values_of_arms.iter().map(|values| &values[calls - window..]).collect();
            let (score, seen) = worst_score(arms, &windows, quantity);
            if score < limit {
                return Ok(());
            }
            if look + 1 == LOOKS.len() {
                return Err(coupled(seen));
            }
        }
        Ok(())
    }
}

/// The largest score of a difference from the first arm, or of a trend, and what it means.
fn worst_score(arms: &[Arm], shown: &[&[f32]], quantity: Quantity) -> (f64, &'static str) {
    let drift = "in what one example shows, which drifts from call to call: the closure or the batcher keeps state";
    let mut scores = Vec::new();
    for (arm, values) in arms.iter().zip(shown) {
        let order = |a, b| match quantity {
            Quantity::Loss { largest } => order(a, b, largest, arm.tolerance),
            Quantity::GradientNorm => order(a, b, 0.0, [arm.tolerance[2], 0.0, 0.0]),
        };
        scores.push((kendall(values, order), drift));
        scores.push((mann_whitney(shown[0], values, order), arm.seen));
        scores.push((signs(shown[0], values, order), arm.seen));
    }
    let scores = scores.into_iter().map(|(score, seen)| (score.abs(), seen));
    scores.fold((0.0, drift), |worst, next| if next.0 > worst.0 { next } else { worst })
}
