//! Labels and tokens that are no index: found on the device, without waiting for it, and kept from Burn's `gather` and
//! `select`, which panic on some backends and read anything on others.

use burn::tensor::{Bool, DType, Int, IntDType, Tensor};

/// The indices with those outside `0..bound` replaced by the nearest inside, and which those were.
pub(crate) fn clamped<const D: usize>(indices: Tensor<D, Int>, bound: usize) -> (Tensor<D, Int>, Tensor<D, Bool>) {
    // In a byte the bound would not be the bound.
    let indices = match indices.dtype() {
        DType::I64 | DType::I32 | DType::U64 | DType::U32 => indices,
        _ => indices.cast(IntDType::I32),
    };
    let last = bound.saturating_sub(1).min(i32::MAX as usize) as i64;
    let clamped = indices.clone().clamp(0, last);
    let outside = clamped.clone().not_equal(indices);
    (clamped, outside)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn of_every_kind_of_integer() {
        let device = Device::flex();
        let check = |indices: Tensor<1, Int>, bound, expected: &[i64], outside: &[bool]| {
            let (found, found_outside) = clamped(indices, bound);
            assert_eq!(found.into_data().convert::<i64>().try_to_vec::<i64>().unwrap(), expected);
            assert_eq!(found_outside.into_data().try_to_vec::<bool>().unwrap(), outside);
        };
        let wide = [-100, -1, 0, 9, 10, 255, i64::MAX, i64::MIN];
        let flags = [true, true, false, false, true, true, true, true];
        let data = TensorData::new(wide.to_vec(), [8]);
        check(Tensor::from_data(data, (&device, DType::I64)), 10, &[0, 0, 0, 9, 9, 9, 9, 0], &flags);
        let bytes = TensorData::new(vec![0_u8, 9, 255], [3]);
        check(Tensor::from_data(bytes.clone(), (&device, DType::U8)), 10, &[0, 9, 9], &[false, false, true]);
        check(Tensor::from_data(bytes, (&device, DType::U8)), 1_000, &[0, 9, 255], &[false; 3]);
    }
}
