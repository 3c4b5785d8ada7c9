//! Records the forward pass of a model, its loss closure and Burn's own backward pass, without executing anything.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, UnwindSafe, catch_unwind};

use burn::backend::autodiff::grads::Gradients;
use burn::backend::{Autodiff, AutodiffBackend};
use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bool, Device, DeviceConfig, Int, Tensor};
use burn_backend::DeviceError;
use burn_capture::{CaptureBackend, CaptureError, CapturedGraph};
use burn_ir::TensorId;
use burn_privacy_output::SilentThread;

use crate::error::{TraceError, UnprotectedText, count_in_words};
use crate::graph::{Graph, Recorded};
use crate::parameters::{ParameterValues, Visit, Visits, values_of};
use crate::public::{Declarations, id_of};
use crate::recording_devices::recording_device;
use crate::rows::RowsOfRecords;

type Recording = Autodiff<CaptureBackend>;

/// Why there is no recording.
#[derive(Debug)]
pub enum RecordError<E> {
    /// The forward pass failed by itself.
    Forward(E),
    /// It could not be recorded.
    Trace(TraceError),
}

/// Records what `losses` does with a copy of `model` and the batch that `load` makes, on a device that only records: one loss
/// for each of `examples`. `on` is the device that it would be on:
/// the recording device has its settings, and autodiff for the batch if it has.
///
/// The model's parameters and buffers are placeholders, of which neither values are copied nor any can be read.
///
/// # Errors
///
/// Those of `load` and `losses`; [`TraceError`] if a value is read, a tensor comes from elsewhere, the losses are too few or not
/// connected to a parameter.
pub fn record<M: Module, O, E>(
    model: &M,
    examples: usize,
    on: &Device,
    load: impl FnOnce(&Device) -> Result<O, E>,
    losses: impl FnOnce(&M, O) -> Result<Tensor<1>, E>,
) -> Result<Graph, RecordError<E>> {
    let autodiff = on.is_autodiff();
    let originals = values_of(model);
    let (found, recorded, public) = in_scope(on, |device| {
        let program = Program { model, originals: &originals, examples, autodiff };
        program.record(device, load, losses)
    })?;
    let InScope { parameters, gradients, loaded } = found;
    Graph::of(Recorded {
        operations: recorded.graph.operations,
        values: recorded.values,
        parameters,
        public,
        gradients,
        loaded,
        examples,
    })
    .map_err(RecordError::Trace)
}

/// Records what `load` puts into tensors of each of `examples` records alone.
///
/// # Errors
///
/// Those of `load`, and [`TraceError`] as [`record`].
pub fn record_rows<E>(
    examples: usize,
    on: &Device,
    mut load: impl FnMut(usize, &Device) -> Result<(), E>,
) -> Result<RowsOfRecords, RecordError<E>> {
    let autodiff = on.is_autodiff();
    let (ends, recorded, _) = in_scope(on, |device| {
        let of_batch = if autodiff { device.clone().autodiff() } else { device.clone() };
        (0..examples)
            .map(|record| {
                load(record, &of_batch).map_err(RecordError::Forward)?;
                next_id(device)
            })
            .collect::<Result<Vec<_>, _>>()
    })?;
    Ok(RowsOfRecords::new(recorded.values, &ends))
}

/// Runs something in a scope that records: what it returns, what was recorded, and what was declared to be public.
fn in_scope<T, E>(
    on: &Device,
    run: impl FnOnce(&Device) -> Result<T, RecordError<E>>,
) -> Result<(T, CapturedGraph, HashSet<TensorId>), RecordError<E>> {
    let settings = on.settings();
    let device = recording_device(settings);
    let declarations = Declarations::on(&device).ok_or(RecordError::Trace(TraceError::Nested))?;
    let taken = RefCell::new(None);
    let recorded = quietly(AssertUnwindSafe(|| {
        device.capture_scope(|scope| {
            let types = DeviceConfig::default()
                .float_dtype(settings.float_dtype)
                .int_dtype(settings.int_dtype)
                .bool_dtype(settings.bool_dtype);
            // Only inside of a scope, and once: a device that recorded before has these settings.
            match device.clone().configure(types) {
                Ok(()) | Err(DeviceError::AlreadyInitialized { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            *taken.borrow_mut() = Some(run(&device));
            // A declared output is searched for in all operations; here the gradients' ids are enough.
            scope.complete([], [])
        })
    }));
    let recorded = match recorded {
        Ok(recorded) => recorded,
        Err(panic) => return Err(RecordError::Trace(explained(panic))),
    };
    let found = match taken.into_inner() {
        Some(found) => found?,
        None => return Err(RecordError::Trace(TraceError::Nested)),
    };
    let recorded = recorded.map_err(|error| {
        RecordError::Trace(match error {
            CaptureError::AlreadyActive => TraceError::Nested,
            CaptureError::UndeclaredInput { .. } => TraceError::OutsideTensor,
            error => TraceError::Unrecordable(UnprotectedText::new(error.to_string())),
        })
    })?;
    Ok((found, recorded, declarations.declared()))
}

/// An id that is larger than those of all tensors so far: they count up.
fn next_id<E>(device: &Device) -> Result<TensorId, RecordError<E>> {
    id_of(&Tensor::<1>::empty([1], device)).ok_or(RecordError::Trace(TraceError::OutsideTensor))
}

struct InScope {
    parameters: HashMap<TensorId, Visit>,
    gradients: Vec<(ParamId, TensorId)>,
    /// Tensors between these two were made by the loading of the batch.
    loaded: [TensorId; 2],
}

/// What is recorded.
struct Program<'a, M> {
    model: &'a M,
    originals: &'a ParameterValues,
    examples: usize,
    autodiff: bool,
}

impl<M: Module> Program<'_, M> {
    fn record<O, E>(
        self,
        device: &Device,
        load: impl FnOnce(&Device) -> Result<O, E>,
        losses: impl FnOnce(&M, O) -> Result<Tensor<1>, E>,
    ) -> Result<InScope, RecordError<E>> {
        let Self { model, originals, examples, autodiff } = self;
        // Parameters become placeholders; then what else the model holds is moved; then what is trained becomes leaves of a
        // recorded autodiff graph.
        let mut found = Settings { trainable: HashSet::new(), visits: Visits::default(), flags: Vec::new() };
        model.visit(&mut found);
        let flags = found.flags.into_iter();
        let mut plain = Placeholders { device: device.clone(), ids: HashMap::new(), visits: Visits::default(), flags };
        // Running states are shared between clones, but not with what `valid` gives: no recorded tensor stays in the model. Its flags
        // (Dropout's) are switched back.
        let copy = model.valid().map(&mut plain).to_device(device);
        let (trainable, buffers) = (found.trainable, plain.ids);
        let recording = device.clone().autodiff();
        let (visits, path) = (Visits::default(), Vec::new());
        let mut leaves = Leaves { device: recording, trainable, originals, ids: buffers, visits, path };
        let copy = copy.map(&mut leaves);
        let of_batch = if autodiff { device.clone().autodiff() } else { device.clone() };
        let first = next_id(device)?;
        let batch = load(&of_batch).map_err(RecordError::Forward)?;
        let loaded = [first, next_id(device)?];
        let losses = losses(&copy, batch).map_err(RecordError::Forward)?;
        let found = losses.dims()[0];
        if found != examples {
            return Err(RecordError::Trace(TraceError::LossCount { found: count_in_words(found, examples) }));
        }
        let untracked = RecordError::Trace(TraceError::Untracked);
        let Ok(loss) = losses.sum().try_into_primitive::<Recording>() else { return Err(untracked) };
        let gradients = <Recording as AutodiffBackend>::backward(loss);
        let mut reached = Reached { gradients: &gradients, found: Vec::new() };
        copy.visit(&mut reached);
        if reached.found.is_empty() {
            return Err(untracked);
        }
        Ok(InScope { parameters: leaves.ids, gradients: reached.found, loaded })
    }
}

/// Catches a panic without a word: what Burn says of a recorded tensor would only confuse.
fn quietly<T>(run: impl FnOnce() -> T + UnwindSafe) -> std::thread::Result<T> {
    let _silence = SilentThread::begin();
    catch_unwind(run)
}

/// Burn's words for what can't be recorded, in ours.
fn explained(panic: Box<dyn std::any::Any + Send>) -> TraceError {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
    let has = |part: &str| text.contains(part);
    if has("has no concrete value") || has("has no initialized value") {
        TraceError::ReadsValue
    } else if has("capture scope is already complete")
        || has("capture device")
        || has("must run inside CaptureDevice::capture_scope")
        || has("not on the same device")
        || has("same device")
        || has("same backend")
        || has("Cannot move")
        || has("capture tensor operations")
    {
        TraceError::OutsideTensor
    } else {
        TraceError::Unrecordable(UnprotectedText::new(text))
    }
}

/// Puts placeholders without values in the place of parameters.
struct Placeholders {
    device: Device,
    ids: HashMap<TensorId, Visit>,
    visits: Visits,
    /// In the module's order.
    flags: std::vec::IntoIter<bool>,
}

/// The parameters that are trained, and what is switched on.
struct Settings {
    trainable: HashSet<Visit>,
    visits: Visits,
    flags: Vec<bool>,
}

impl ModuleVisitor for Settings {
    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.flags.push(flag.val().is_enabled());
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let visit = self.visits.next(param.id);
        if param.base().is_require_grad() {
            self.trainable.insert(visit);
        }
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.visits.next(param.id);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.visits.next(param.id);
    }
}

impl ModuleMapper for Placeholders {
    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        match self.flags.next() {
            Some(enabled) => flag.with_value(enabled),
            None => flag,
        }
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = param.base();
        let placeholder = Tensor::<D>::empty(value.dims(), (&self.device, value.dtype()));
        let visit = self.visits.next(param.id);
        if let Some(id) = id_of(&placeholder) {
            self.ids.insert(id, visit);
        }
        Param::initialized(param.id, placeholder)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        let value = param.val();
        let placeholder = Tensor::<D, Int>::empty(value.dims(), (&self.device, value.dtype()));
        let visit = self.visits.next(param.id);
        if let Ok(primitive) = placeholder.clone().try_into_primitive::<CaptureBackend>() {
            self.ids.insert(primitive.id(), visit);
        }
        Param::initialized(param.id, placeholder)
    }

    fn map_bool<const D: usize>(&mut self, param: Param<Tensor<D, Bool>>) -> Param<Tensor<D, Bool>> {
        let value = param.val();
        let placeholder = Tensor::<D, Bool>::empty(value.dims(), &self.device);
        let visit = self.visits.next(param.id);
        if let Ok(primitive) = placeholder.clone().try_into_primitive::<CaptureBackend>() {
            self.ids.insert(primitive.id(), visit);
        }
        Param::initialized(param.id, placeholder)
    }
}

/// Makes leaves of an autodiff graph of what is trained.
struct Leaves<'a> {
    device: Device,
    trainable: HashSet<Visit>,
    originals: &'a ParameterValues,
    ids: HashMap<TensorId, Visit>,
    visits: Visits,
    path: Vec<String>,
}

impl ModuleMapper for Leaves<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let visit = self.visits.next(param.id);
        if self.trainable.contains(&visit) {
            let leaf = Tensor::<D>::empty(param.base().dims(), &self.device).require_grad();
            if let Some(id) = id_of(&leaf) {
                self.ids.insert(id, visit);
            }
            return Param::initialized(param.id, leaf);
        }
        // A BatchNorm moves its frozen statistics by itself, which a recording device allows from elsewhere only.
        let running = self.path.last().is_some_and(|name| name.starts_with("running_"));
        match self.originals.get(visit).filter(|_| running) {
            Some(original) => Param::initialized(param.id, Tensor::from_dispatch(original.clone())),
            None => param,
        }
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        self.visits.next(param.id);
        param
    }

    fn map_bool<const D: usize>(&mut self, param: Param<Tensor<D, Bool>>) -> Param<Tensor<D, Bool>> {
        self.visits.next(param.id);
        param
    }
}

/// The gradients that the backward pass found.
struct Reached<'a> {
    gradients: &'a Gradients,
    found: Vec<(ParamId, TensorId)>,
}

impl ModuleVisitor for Reached<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Ok(leaf) = param.base().try_into_primitive::<Recording>() else { return };
        if let Some(gradient) = <Recording as AutodiffBackend>::grad(&leaf, self.gradients) {
            self.found.push((param.id, gradient.id()));
        }
    }
}
