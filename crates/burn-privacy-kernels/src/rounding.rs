//! Upper bounds of norms computed in floating point.
//!
//! A clip factor `C / n` keeps an example's contribution below `C` only if `n` is not below the true norm.
//! Products computed in f32 (and in TF32 on some accelerators) and then summed can cancel, so the computed
//! norm of an adversarial example may lie far below the true one. Every norm here is therefore a computed
//! value plus a bound of its own rounding error, by the standard model of floating-point arithmetic
//! (Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 3.1): a sum of `n` products
//! accumulated in any order is off by at most `gamma_n * sum |a_i b_i|` with `gamma_n = n u / (1 - n u)`.

use burn::backend::DispatchDevice;
use burn::tensor::{Device, Tensor};

/// The smallest positive normal f32: what a product that underflows (or is flushed to zero) can lose.
const UNDERFLOW: f64 = f32::MIN_POSITIVE as f64;

/// The rounding behavior of a device's arithmetic, from which error bounds of norms are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rounding {
    unit: f64,
    product_unit: f64,
}

impl Rounding {
    /// IEEE 754 single precision throughout: unit roundoff 2^-24.
    pub const SINGLE: Rounding = Rounding { unit: 5.960_464_477_539_063e-8, product_unit: 5.960_464_477_539_063e-8 };

    /// Matrix products with inputs rounded to TF32 (10 explicit bits), accumulated in f32: unit roundoff 2^-11 a factor.
    pub const TENSOR_FLOAT: Rounding = Rounding { unit: 5.960_464_477_539_063e-8, product_unit: 4.882_812_5e-4 };

    /// What to assume of `device`, with or without autodiff: f32 on the CPU (flex, ndarray); on a GPU TF32 products where its
    /// runtime has the type, for Burn's matrix products of f32 are rounded to it on matrix units then (CubeK 0.3.1,
    /// `adjust_dtypes`); TF32 products also on any device that is not known.
    ///
    /// # Panics
    ///
    /// As the first tensor on a GPU: if its driver cannot be brought up.
    pub fn of(device: &Device) -> Self {
        let device = device.clone().inner();
        let is_single = match device.as_dispatch() {
            #[cfg(feature = "flex")]
            DispatchDevice::Flex(_) => true,
            #[cfg(feature = "ndarray")]
            DispatchDevice::NdArray(_) => true,
            #[cfg(feature = "gpu-kernels")]
            DispatchDevice::Cube(device) => {
                use cubecl::prelude::Scalar;
                !device.client().properties().supports_type(cubecl::tf32::elem_type_native())
            }
            #[allow(unreachable_patterns)]
            _ => false,
        };
        if is_single { Self::SINGLE } else { Self::TENSOR_FLOAT }
    }

    /// What the clipping norm is multiplied by, so that neither the rounding of a clip factor, nor that of the product it enters,
    /// nor that of the sum of contributions, which may take the part `margin`, lifts the sum's sensitivity above the clipping norm.
    pub fn shrink(&self, margin: f64) -> f64 {
        1.0 - margin - 16.0 * self.unit - if self.product_unit > self.unit { 4.0 * self.product_unit } else { 0.0 }
    }

    /// Relative bound `gamma_n` of a sum of `terms` f32 values or products accumulated in any order.
    pub fn sum(&self, terms: usize) -> f64 {
        gamma(self.unit, terms as f64 + 4.0)
    }

    /// Relative bound, with respect to the sum of absolute products, of a matrix product whose inner axis has
    /// `terms` entries.
    pub fn matrix_product(&self, terms: usize) -> f64 {
        let inputs =
            if self.product_unit > self.unit { 2.0 * self.product_unit * (1.0 + self.product_unit) } else { 0.0 };
        inputs + gamma(self.unit, terms as f64 + 4.0)
    }
}

/// What a sum of `terms` products can lose because products underflow, or are flushed to zero.
pub fn underflow(terms: usize) -> f64 {
    terms as f64 * UNDERFLOW
}

fn gamma(unit: f64, terms: f64) -> f64 {
    let product = unit * terms;
    if product < 0.5 { product / (1.0 - product) } else { f64::INFINITY }
}

/// Upper bound, per example, of the squared norm of the error of `sum_t a_t g_t^T` computed as a matrix
/// product with inner axis `terms`: `(gamma * ||A||_F * ||G||_F)^2`, which bounds
/// `gamma * || |A|^T |G| ||_F`.
pub fn squared_product_error(
    squared_inputs: Tensor<1>,
    squared_output_gradients: Tensor<1>,
    terms: usize,
    entries: usize,
    rounding: Rounding,
) -> Tensor<1> {
    let relative = rounding.matrix_product(terms);
    // Underflow of products and of their square loses at most `terms * UNDERFLOW` an entry.
    let absolute = underflow(terms) * (entries as f64).sqrt();
    let product = squared_inputs * squared_output_gradients;
    product * (relative * relative * (1.0 + 8.0 * rounding.unit)) + absolute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_grow_with_the_terms_and_give_up_at_half() {
        let single = Rounding::SINGLE;
        assert!(single.sum(1) < single.sum(100) && single.sum(100) < 1e-5);
        assert_eq!(single.sum(1 << 24), f64::INFINITY);
        assert_eq!(single.matrix_product(10), single.sum(10));
        assert!(Rounding::TENSOR_FLOAT.matrix_product(10) > single.matrix_product(10) + 2.0 * 4.8e-4);
        assert!(Rounding::TENSOR_FLOAT.shrink(1e-4) < single.shrink(1e-4) && single.shrink(1e-4) < 1.0 - 1e-4);
    }

    #[cfg(feature = "flex")]
    #[test]
    fn the_cpu_is_single_with_and_without_autodiff() {
        assert_eq!(Rounding::of(&Device::flex()), Rounding::SINGLE);
        assert_eq!(Rounding::of(&Device::flex().autodiff()), Rounding::SINGLE);
    }

    #[cfg(feature = "ndarray")]
    #[test]
    fn ndarray_is_single_with_and_without_autodiff() {
        assert_eq!(Rounding::of(&Device::ndarray()), Rounding::SINGLE);
        assert_eq!(Rounding::of(&Device::ndarray().autodiff()), Rounding::SINGLE);
    }
}
