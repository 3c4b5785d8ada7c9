//! Executes one recorded operation on the tensors of a device, exactly as it was recorded.

mod base;
mod by_kernel;
mod module;
mod numeric;
mod operands;
mod pointwise;

use burn_ir::OperationIr;

use crate::tensors::{DispatchDevice, T};

pub(crate) use operands::Operands;

/// The outputs, in the order of [`OperationIr::outputs`]; `None` for an operation that this crate does not execute.
pub(crate) fn execute(op: &OperationIr, from: &mut impl Operands, device: &DispatchDevice) -> Option<Vec<T>> {
    if by_kernel::serves(device)
        && let Some(output) = by_kernel::execute(op, from)
    {
        return Some(vec![output]);
    }
    match op {
        OperationIr::BaseFloat(op) => base::execute(op, base::Created::Float, from, device),
        OperationIr::BaseInt(op) => base::execute(op, base::Created::Int, from, device),
        OperationIr::BaseBool(op) => base::execute(op, base::Created::Bool, from, device),
        OperationIr::NumericFloat(_, op) => numeric::execute(op, true, from, device),
        OperationIr::NumericInt(_, op) => numeric::execute(op, false, from, device),
        OperationIr::Float(_, op) => pointwise::float(op, from, device),
        OperationIr::Int(op) => pointwise::int(op, from),
        OperationIr::Bool(op) => pointwise::bool(op, from),
        OperationIr::Activation(op) => pointwise::activation(op, from),
        OperationIr::Module(op) => module::execute(op, from),
        OperationIr::Init(_) | OperationIr::Custom(_) | OperationIr::Drop(_) | OperationIr::Distributed(_) => None,
    }
}
