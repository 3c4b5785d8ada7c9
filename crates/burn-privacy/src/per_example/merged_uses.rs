//! Several uses of one linear layer in a forward pass (recurrent steps, layers that are shared) as one use over all positions.
//!
//! Norms are then bounded without forming each use's gradients, and the clipped sum is one product for all of them.

use burn::module::ParamId;
use burn::tensor::Tensor;

use super::tape::LayerUse;

/// A use whose gradients are nothing but `sum_t a_t g_t^T`, and of the bias `sum_t g_t`, over the positions of an example.
#[allow(missing_debug_implementations)]
pub struct ProductUse {
    pub(crate) weight: ParamId,
    pub(crate) bias: Option<ParamId>,
    /// `[examples, positions, d_input]`
    pub(crate) input: Tensor<3>,
    /// `[examples, positions, d_output]`
    pub(crate) output_gradient: Tensor<3>,
    /// One use of at least one.
    pub(crate) merge: Merge,
}

/// The same uses, those of one layer put together where all uses of its parameters are such products.
pub(super) fn merged(uses: Vec<Box<dyn LayerUse>>) -> Vec<Box<dyn LayerUse>> {
    let mut found = Vec::with_capacity(uses.len());
    let mut rest = uses.into_iter();
    while let Some(first) = rest.next() {
        let ids = first.parameters();
        let (same, others): (Vec<_>, Vec<_>) =
            rest.partition(|layer_use| layer_use.parameters().iter().any(|id| ids.contains(id)));
        rest = others.into_iter();
        if same.is_empty() {
            found.push(first);
            continue;
        }
        let group: Vec<Box<dyn LayerUse>> = std::iter::once(first).chain(same).collect();
        match products_of(&group) {
            Some((merge, products)) => found.push(merge(products)),
            None => found.extend(group),
        }
    }
    found
}

pub(crate) type Merge = fn(Vec<ProductUse>) -> Box<dyn LayerUse>;

/// Of one weight and one bias.
fn products_of(group: &[Box<dyn LayerUse>]) -> Option<(Merge, Vec<ProductUse>)> {
    let products: Vec<ProductUse> = group.iter().map(|layer_use| layer_use.product()).collect::<Option<_>>()?;
    let first = products.first()?;
    let (ids, merge) = ((first.weight, first.bias), first.merge);
    products.iter().all(|product| (product.weight, product.bias) == ids).then_some((merge, products))
}
