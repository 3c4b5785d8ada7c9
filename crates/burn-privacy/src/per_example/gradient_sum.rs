//! The running sum of clipped gradients, `[entries]` for each parameter, added exactly as whole multiples of a spacing.

use std::collections::HashMap;

use burn::module::ParamId;
use burn::tensor::{DType, Device, Tensor};

use super::clipping::{SquaredNorms, StepClipping};
use super::exact_sum::{
    INTEGER_SPACING, LOWER_STEPS, MOST_ENTRIES_ON_GRID_OF_FLOATS, MOST_EXPECTED_ON_GRID_OF_FLOATS,
    MOST_EXPECTED_ON_GRID_OF_INTEGERS, UPPER_SPACING, scale,
};
use super::factors::ClipFactors;
use super::parameter_gradients::ParameterSum;
use crate::error::{Error, Result};
use burn_privacy_kernels::Rounding;
use burn_privacy_kernels::ops::exact_grid::{in_f64, sums_in_f64, whole_multiples};
use burn_privacy_kernels::ops::noise::require_launches;

/// The running sum of clipped per-example gradients of one logical batch, over its physical batches.
///
/// Sums are added as whole multiples of a fixed spacing, exactly: see [`exact_sum`](super::exact_sum).
///
/// Private data: it leaves this crate only with noise added.
pub(crate) struct GradientSum {
    clipping: StepClipping,
    /// See [`balance`](Self::balance).
    balance: f64,
    /// The smallest power of two that is not below the clipping norm.
    scale: f64,
    sums: HashMap<ParamId, Total>,
}

/// The sum for one parameter.
pub(crate) enum Total {
    /// The only one, `[entries]`, in f64 on the CPU; on another device only until there is a second or it is taken.
    One(Tensor<1>),
    /// The sum of several, in the CPU's memory.
    Integers(Integers),
    /// The sum of several on another device.
    Words(Box<Words>),
}

/// Multiples of a spacing. No sum of as many records as a step may have runs over.
pub(crate) struct Integers {
    pub(crate) values: Vec<i64>,
    pub(crate) spacing: f64,
    pub(crate) device: Device,
}

/// `upper` times its spacing and `lower` times a smaller one, both whole numbers.
pub(crate) struct Words {
    upper: Tensor<1>,
    /// Below [`LOWER_STEPS`] in size.
    lower: Tensor<1>,
    spacing: f64,
}

impl GradientSum {
    /// Nothing yet, of contributions that are clipped so.
    pub(crate) fn new(clipping: impl Into<StepClipping>) -> Self {
        let clipping = clipping.into();
        Self { scale: scale(clipping.norm()), clipping, balance: 0.0, sums: HashMap::new() }
    }

    /// The clip factors of the examples of a physical batch, for each of `squared_norms`; the examples are counted as part of the
    /// sum, where the clipping counts them.
    pub(crate) fn factors(
        &mut self,
        squared_norms: &[SquaredNorms],
        rounding: Rounding,
        leaves: &[usize],
    ) -> Result<Vec<ClipFactors>> {
        let (factors, balance) = self.clipping.factors(squared_norms, rounding, leaves)?;
        self.balance += balance;
        Ok(factors)
    }

    /// Half the number of examples whose gradients were below the clipping norm, less half that of all others; zero where the
    /// clipping does not count. Exact, and of sensitivity 1/2.
    pub(crate) fn balance(&self) -> f64 {
        self.balance
    }

    /// # Errors
    ///
    /// [`Error::Plan`] for more expected records than the device adds up exactly.
    pub(crate) fn require_room(device: &Device, expected: usize) -> Result<()> {
        let most = most_expected(device);
        if expected <= most {
            return Ok(());
        }
        let allowed = format!("at most {most} on this device, whose sums are exact for twice as many records");
        Err(Error::Plan { field: "expected batch size", given: expected.to_string(), allowed })
    }

    /// # Errors
    ///
    /// [`Error::Plan`] for more drawn records than the device adds up exactly: a sum that runs over is no sum. It does not say
    /// how many there are.
    pub(crate) fn require_room_for_drawn(device: &Device, drawn: usize) -> Result<()> {
        let most = 2 * most_expected(device);
        if drawn <= most {
            return Ok(());
        }
        let allowed = format!("at most {most} on this device: give the plan a nominal size that fits the data set");
        Err(Error::Plan { field: "number of drawn records", given: "more than can be added exactly".into(), allowed })
    }

    /// # Errors
    ///
    /// [`Error::Plan`] for more trainable parameters than the rounding of pairs of f32 was bounded for.
    pub(crate) fn require_room_for_entries(device: &Device, entries: usize) -> Result<()> {
        if entries <= MOST_ENTRIES_ON_GRID_OF_FLOATS || sums_in_f64(&Tensor::<1>::zeros([1], device)) {
            return Ok(());
        }
        let allowed = format!(
            "at most {MOST_ENTRIES_ON_GRID_OF_FLOATS} on this device, for which the rounding of its sums is bounded: freeze \
             parameters, or train on the CPU"
        );
        Err(Error::Plan { field: "number of trainable parameters", given: entries.to_string(), allowed })
    }

    /// Adds the sum over the records of one physical batch in f64, or over one leaf in f32.
    pub(crate) fn add(&mut self, sum: ParameterSum) {
        let ParameterSum { id, values } = sum;
        let values = in_f64(values);
        let total = match self.sums.remove(&id) {
            None => Total::One(values),
            Some(Total::One(first)) => match whole_multiples(&first, self.scale * INTEGER_SPACING) {
                Some(multiples) => {
                    let mut integers =
                        Integers { values: multiples, spacing: self.scale * INTEGER_SPACING, device: first.device() };
                    add_to_integers(&mut integers, &values);
                    Total::Integers(integers)
                }
                None => Total::Words(Box::new(Words::of(first, self.scale * UPPER_SPACING).plus(values))),
            },
            Some(Total::Integers(mut integers)) => {
                add_to_integers(&mut integers, &values);
                Total::Integers(integers)
            }
            Some(Total::Words(words)) => Total::Words(Box::new(words.plus(values))),
        };
        self.sums.insert(id, total);
    }

    /// Whether the sums of a device are added up in the CPU's memory.
    pub(crate) fn is_on_cpu(device: &Device) -> bool {
        sums_in_f64(&Tensor::<1>::zeros([1], device))
    }

    /// [`take`](Self::take) as whole numbers, which add up with those of other ranks exactly.
    pub(crate) fn take_integers(&mut self, id: ParamId, zeros: Tensor<1>) -> Result<Integers> {
        let device = zeros.device();
        match self.take(id, zeros) {
            Total::Integers(integers) => Ok(integers),
            Total::One(first) => {
                let spacing = self.scale * INTEGER_SPACING;
                let unreadable = || Error::Execution("a sum that is not in f64 on the CPU".into());
                let values = whole_multiples(&first, spacing).ok_or_else(unreadable)?;
                Ok(Integers { values, spacing, device })
            }
            Total::Words(words) => {
                // In a dry run memory holds anything, gradients of single records too; a number that is none would become 0.
                require_launches()?;
                let no_number = || Error::Execution("a sum is no number: an operation before it did not run".into());
                let read = |part: Tensor<1>| {
                    let data = part.try_into_data().map_err(|error| Error::Execution(format!("{error:?}")))?;
                    let whole = data.iter::<f32>().map(|value| value.is_finite().then_some(value as i64));
                    whole.collect::<Option<Vec<_>>>().ok_or_else(no_number)
                };
                let spacing = words.spacing / LOWER_STEPS;
                let (upper, lower) = (read(words.upper)?, read(words.lower)?);
                let values =
                    upper.into_iter().zip(lower).map(|(upper, lower)| upper * LOWER_STEPS as i64 + lower).collect();
                Ok(Integers { values, spacing, device })
            }
        }
    }

    /// The sum for one parameter over all ranks.
    pub(crate) fn put(&mut self, id: ParamId, total: Integers) {
        self.sums.insert(id, Total::Integers(total));
    }

    /// See [`balance`](Self::balance).
    pub(crate) fn set_balance(&mut self, balance: f64) {
        self.balance = balance;
    }

    /// The sum for one parameter, `zeros` where no physical batch reached it (an empty batch), in the number format and on the
    /// grid that it has with any number of parts: an output's last bits must not tell how many there were.
    pub(crate) fn take(&mut self, id: ParamId, zeros: Tensor<1>) -> Total {
        match self.sums.remove(&id).unwrap_or_else(|| Total::One(in_f64(zeros))) {
            Total::One(first) if first.dtype() != DType::F64 => {
                Total::Words(Box::new(Words::of(first, self.scale * UPPER_SPACING)))
            }
            total => total,
        }
    }
}

/// Sums over parts of one physical batch on their way into a [`GradientSum`], whose grid each leaf (on the CPU: the whole
/// physical batch) is to be rounded to once.
pub(crate) struct PartSums<'a> {
    sum: &'a mut GradientSum,
    open: Vec<ParameterSum>,
}

impl<'a> PartSums<'a> {
    pub(crate) fn new(sum: &'a mut GradientSum) -> Self {
        Self { sum, open: Vec::new() }
    }

    /// Adds a sum over the next examples, one for each leaf or one in f64; the first `continues` the leaf of the one before.
    pub(crate) fn add(&mut self, parts: Vec<ParameterSum>, mut continues: bool) {
        for ParameterSum { id, values } in parts {
            let belongs = values.dtype() == DType::F64 || continues;
            continues = false;
            match self.open.iter_mut().find(|open| open.id == id) {
                Some(open) if belongs => open.values = open.values.clone() + values,
                Some(open) => self.sum.add(std::mem::replace(open, ParameterSum { id, values })),
                None => self.open.push(ParameterSum { id, values }),
            }
        }
    }

    pub(crate) fn finish(self) {
        self.open.into_iter().for_each(|part| self.sum.add(part));
    }
}

fn most_expected(device: &Device) -> usize {
    if GradientSum::is_on_cpu(device) { MOST_EXPECTED_ON_GRID_OF_INTEGERS } else { MOST_EXPECTED_ON_GRID_OF_FLOATS }
}

fn add_to_integers(integers: &mut Integers, values: &Tensor<1>) {
    if let Some(next) = whole_multiples(values, integers.spacing) {
        integers.values.iter_mut().zip(next).for_each(|(total, value)| *total = total.wrapping_add(value));
    }
}

impl Words {
    /// The nearest multiples of the spacings: with powers of two, all operations but the last rounding are exact.
    fn of(values: Tensor<1>, spacing: f64) -> Self {
        let upper = (values.clone() * (1.0 / spacing)).round();
        let rest = values - upper.clone() * spacing;
        Self { upper, lower: (rest * (LOWER_STEPS / spacing)).round(), spacing }
    }

    /// The sum of this and the nearest multiples of `values`, exactly.
    pub(crate) fn plus(self, values: Tensor<1>) -> Self {
        let next = Self::of(values, self.spacing);
        let lower = self.lower + next.lower;
        let carried = (lower.clone() * (1.0 / LOWER_STEPS)).round();
        Self {
            upper: self.upper + next.upper + carried.clone(),
            lower: lower - carried * LOWER_STEPS,
            spacing: self.spacing,
        }
    }

    pub(crate) fn zeros(&self) -> Tensor<1> {
        self.upper.zeros_like()
    }

    /// The sum, rounded.
    pub(crate) fn rounded(self) -> Tensor<1> {
        self.upper * self.spacing + self.lower * (self.spacing / LOWER_STEPS)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;

    #[test]
    fn no_step_has_more_records_than_are_added_exactly() {
        let device = Device::flex();
        let most = MOST_EXPECTED_ON_GRID_OF_INTEGERS;
        // Twice as many contributions of the whole clipping norm, which is at most the scale, are the largest multiple.
        assert!(2.0 * most as f64 / INTEGER_SPACING <= 2.0_f64.powi(63));
        assert!(GradientSum::require_room(&device, most).is_ok());
        assert!(GradientSum::require_room(&device, most + 1).is_err());
        assert!(GradientSum::require_room_for_drawn(&device, 2 * most).is_ok());
        let error = GradientSum::require_room_for_drawn(&device, 2 * most + 1).unwrap_err().to_string();
        assert!(!error.contains(&(2 * most + 1).to_string()), "{error}");
    }

    #[test]
    fn pairs_of_floats_add_exactly() {
        let device = Device::flex();
        let tensor = |values: &[f32]| Tensor::<1>::from_floats(values, &device);
        let spacing = UPPER_SPACING;
        // A large value, many small ones that f32 would lose, and the large one's opposite.
        let mut words = Words::of(tensor(&[70_000.0, -3.0]), spacing);
        for _ in 0..1_000 {
            words = words.plus(tensor(&[3e-6, -1e-3]));
        }
        let found: Vec<f32> = words.plus(tensor(&[-70_000.0, 3.0])).rounded().into_data().try_to_vec().unwrap();
        let grid = spacing / LOWER_STEPS;
        for (found, each) in found.iter().zip([3e-6_f32, -1e-3]) {
            let expected = 1_000.0 * (f64::from(each) / grid).round() * grid;
            assert!((f64::from(*found) - expected).abs() <= expected.abs() * 1e-7, "{found} {expected}");
        }
    }

    #[test]
    fn what_is_no_number_is_no_whole_number() {
        let id = ParamId::new();
        for lost in [f32::NAN, f32::INFINITY] {
            let tensor = |values: [f32; 2]| Tensor::<1>::from_floats(values, &Device::flex());
            let words = Words { upper: tensor([3.0, lost]), lower: tensor([0.0, 0.0]), spacing: UPPER_SPACING };
            let mut sum = GradientSum::new(1.0);
            sum.sums.insert(id, Total::Words(Box::new(words)));
            assert!(sum.take_integers(id, tensor([0.0, 0.0])).is_err());
        }
    }
}
