//! Per-example values: the terms of a sum over the batch, formed, or not yet formed where products are enough.

use burn_backend::ops::{FloatTensorOps, IntTensorOps, ModuleOps};
use burn_backend::{Scalar, Shape, TensorData, TensorMetadata};
use burn_dispatch::DispatchDevice;

use crate::convolution::Convolution;
use crate::tensors::{D, T, cat, dims, expand, permute, reshape, swap};

/// One value for each example.
#[derive(Debug, Clone)]
pub(crate) enum PerExample {
    /// `[examples, ..]`
    Formed(T),
    Products(Products),
    Table(Table),
    Convolution(Convolution),
}

/// `sum_t x_t g_t^T` of each example's positions, in pieces that are yet to be put behind each other.
#[derive(Debug, Clone)]
pub(crate) struct Products {
    /// `[examples, positions, n]`
    pub(crate) inputs: Vec<T>,
    /// `[examples, positions, m]`
    pub(crate) output_gradients: Vec<T>,
    /// The shape that `n * m` entries are to have.
    pub(crate) dims: Vec<usize>,
}

/// Rows that are added into an example's own table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// `[examples, positions]`, whole numbers.
    pub(crate) tokens: T,
    /// `[examples, positions, length]`
    pub(crate) rows: T,
    /// Rows of the table.
    pub(crate) length: usize,
}

impl Products {
    /// Both factors, their pieces put behind each other along the positions.
    pub(crate) fn factors(self) -> (T, T) {
        (cat(self.inputs, 1), cat(self.output_gradients, 1))
    }

    fn sides(&self) -> (usize, usize) {
        let last = |pieces: &[T]| pieces.first().map_or(0, |piece| dims(piece)[2]);
        (last(&self.inputs), last(&self.output_gradients))
    }

    /// Whether it is a matrix, but for axes of length 1 in front.
    fn is_matrix(&self) -> bool {
        let (n, m) = self.sides();
        let rank = self.dims.len();
        rank >= 2 && self.dims[rank - 2..] == [n, m] && self.dims[..rank - 2].iter().all(|length| *length == 1)
    }
}

impl PerExample {
    /// `[examples, ..]`
    pub(crate) fn formed(self, device: &DispatchDevice) -> T {
        match self {
            Self::Formed(tensor) => tensor,
            Self::Products(products) => {
                let shape = products.dims.clone();
                let (x, g) = products.factors();
                let examples = dims(&x)[0];
                reshape(D::float_matmul(swap(x, 1, 2), g), [vec![examples], shape].concat())
            }
            Self::Table(Table { tokens, rows, length }) => {
                let [examples, positions] = [0, 1].map(|axis| dims(&tokens)[axis]);
                let width = dims(&rows)[2];
                // Example i writes into its own copy of the table: token x of it is row i * length + x.
                let first: Vec<i64> = (0..examples).map(|example| (example * length) as i64).collect();
                let first = TensorData::new(first, [examples, 1]).convert_dtype(tokens.dtype());
                let tokens = D::int_add(tokens, D::int_from_data(first, device));
                let tokens = reshape(tokens, vec![1, examples * positions]);
                let table = D::float_zeros(Shape::from(vec![examples * length, width]), device, rows.dtype().into());
                let rows = reshape(rows, vec![1, examples * positions, width]);
                reshape(D::embedding_backward(table, rows, tokens), vec![examples, length, width])
            }
            Self::Convolution(convolution) => convolution.formed(device),
        }
    }

    /// The sum of two: products stay products.
    pub(crate) fn plus(self, other: Self, device: &DispatchDevice) -> Self {
        match (self, other) {
            (Self::Products(mut a), Self::Products(b)) if a.dims == b.dims && a.sides() == b.sides() => {
                a.inputs.extend(b.inputs);
                a.output_gradients.extend(b.output_gradients);
                Self::Products(a)
            }
            (a, b) => Self::Formed(D::float_add(a.formed(device), b.formed(device))),
        }
    }

    /// Two axes exchanged, where products can stay products.
    pub(crate) fn swapped(self, first: usize, second: usize) -> Result<Self, Self> {
        match self {
            Self::Products(a)
                if a.is_matrix() && first.abs_diff(second) == 1 && first.max(second) + 1 == a.dims.len() =>
            {
                let mut dims = a.dims;
                dims.swap(first, second);
                Ok(Self::Products(Products { inputs: a.output_gradients, output_gradients: a.inputs, dims }))
            }
            other => Err(other),
        }
    }

    /// Another shape, where products can stay products.
    pub(crate) fn reshaped(self, to: &[usize]) -> Result<Self, Self> {
        match self {
            // The entries keep their order, whatever the shape.
            Self::Products(products) => Ok(Self::Products(Products { dims: to.to_vec(), ..products })),
            other => Err(other),
        }
    }

    /// Times a number, where products can stay products.
    pub(crate) fn scaled(self, by: impl Fn(T) -> T) -> Result<Self, Self> {
        match self {
            Self::Products(a) => {
                let output_gradients = a.output_gradients.into_iter().map(by).collect();
                Ok(Self::Products(Products { output_gradients, ..a }))
            }
            other => Err(other),
        }
    }

    /// A shared matrix from the right, `(x^T g) m = x^T (g m)`, where products can stay products.
    pub(crate) fn times(self, matrix: &T) -> Result<Self, Self> {
        match (self, shared_matrix(matrix)) {
            (Self::Products(a), Some(matrix)) if a.is_matrix() => {
                let columns = dims(&matrix)[2];
                let output_gradients = a.output_gradients.into_iter().map(|g| D::float_matmul(g, matrix.clone()));
                let mut dims = a.dims;
                if let Some(last) = dims.last_mut() {
                    *last = columns;
                }
                Ok(Self::Products(Products { inputs: a.inputs, output_gradients: output_gradients.collect(), dims }))
            }
            (other, _) => Err(other),
        }
    }

    /// A shared matrix from the left, `m (x^T g) = (x m^T)^T g`, where products can stay products.
    pub(crate) fn under(self, matrix: &T) -> Result<Self, Self> {
        match (self, shared_matrix(matrix)) {
            (Self::Products(a), Some(matrix)) if a.is_matrix() => {
                let transposed = swap(matrix, 1, 2);
                let rows = dims(&transposed)[2];
                let inputs = a.inputs.into_iter().map(|x| D::float_matmul(x, transposed.clone())).collect();
                let mut dims = a.dims;
                let rank = dims.len();
                dims[rank - 2] = rows;
                Ok(Self::Products(Products { inputs, output_gradients: a.output_gradients, dims }))
            }
            (other, _) => Err(other),
        }
    }
}

/// `[1, n, m]` of a matrix with nothing but axes of length 1 in front.
fn shared_matrix(tensor: &T) -> Option<T> {
    let shape = dims(tensor);
    let (leading, matrix) = shape.split_at(shape.len().checked_sub(2)?);
    leading.iter().all(|length| *length == 1).then(|| reshape(tensor.clone(), vec![1, matrix[0], matrix[1]]))
}

/// The examples' axis in front, what lay around it behind: `[examples, ..before, outer, inner, ..behind]`.
pub(crate) fn examples_first(tensor: T, layout: crate::kinds::Layout, examples: usize) -> T {
    let shape = dims(&tensor);
    let axis = layout.axis;
    if axis == 0 && layout.outer == 1 {
        return reshape(tensor, [&[examples, 1, layout.inner][..], &shape[1..]].concat());
    }
    let split = [&shape[..axis], &[layout.outer, examples, layout.inner], &shape[axis + 1..]].concat();
    let order: Vec<usize> = std::iter::once(axis + 1).chain((0..split.len()).filter(|k| *k != axis + 1)).collect();
    permute(reshape(tensor, split), &order)
}

/// A copy for each example of what is shared: `[1, ..]` to `[examples, ..]`.
pub(crate) fn for_each(tensor: T, examples: usize) -> T {
    let mut shape = dims(&tensor);
    shape[0] = examples;
    expand(tensor, shape)
}

/// A scalar of the backend.
pub(crate) fn scalar(value: burn_ir::ScalarIr) -> Scalar {
    value.into()
}
