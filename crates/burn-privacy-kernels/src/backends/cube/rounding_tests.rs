//! The rounding of a GPU's matrix products, judged by what its client says of itself.

use cubecl::prelude::Scalar;

use super::adapter::on_adapter;
use crate::Rounding;

#[test]
fn products_are_tf32_where_the_client_has_the_type_whatever_the_device_is_called() {
    on_adapter("products_are_tf32_where_the_client_has_the_type_whatever_the_device_is_called", |adapter| {
        let has_tf32 = adapter.client().properties().supports_type(cubecl::tf32::elem_type_native());
        let expected = if has_tf32 { Rounding::TENSOR_FLOAT } else { Rounding::SINGLE };
        assert_eq!(Rounding::of(&adapter.device), expected);
        assert_eq!(Rounding::of(&adapter.device.clone().autodiff()), expected);
    });
}
