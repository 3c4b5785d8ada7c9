//! Sums in f64 and on a grid of whole numbers, where there are kernels for them: on the CPU.

use burn::tensor::Tensor;

#[cfg(feature = "flex")]
use crate::backends::flex;

/// Whether sums of such a tensor's values are taken in f64.
pub fn sums_in_f64<const D: usize>(values: &Tensor<D>) -> bool {
    #[cfg(feature = "flex")]
    return flex::serve(values);
    #[cfg(not(feature = "flex"))]
    {
        let _ = values;
        false
    }
}

/// The tensor in f64, if [sums](sums_in_f64) are; else as it is.
pub fn in_f64(values: Tensor<1>) -> Tensor<1> {
    #[cfg(feature = "flex")]
    let values = flex::in_f64(values);
    values
}

/// The nearest whole multiples of a spacing; `None` for values that are not in f64 on the CPU.
pub fn whole_multiples(values: &Tensor<1>, spacing: f64) -> Option<Vec<i64>> {
    #[cfg(feature = "flex")]
    return flex::grid(values, spacing);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (values, spacing);
        None
    }
}
