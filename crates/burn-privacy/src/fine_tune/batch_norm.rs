//! BatchNorms frozen, or replaced by group norms.

use std::collections::HashMap;

use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use super::report::{Change, Conversion, Replacement};
use crate::error::{Error, Result};

/// A BatchNorm's statistics, by their fields.
const STATISTICS: [&str; 2] = ["running_mean", "running_var"];

/// All its tensors. A struct of this name that has others is somebody else's layer.
const FIELDS: [&str; 4] = ["gamma", "beta", STATISTICS[0], STATISTICS[1]];

/// Names and types around a value.
#[derive(Clone, Debug, Default)]
struct Place {
    /// Name, and type of the struct or enum around it.
    steps: Vec<(String, String)>,
}

impl Place {
    fn enter(&mut self, name: &str, container: &str) {
        self.steps.push((name.to_owned(), container.to_owned()));
    }

    fn exit(&mut self) {
        self.steps.pop();
    }

    fn join(steps: &[(String, String)]) -> String {
        // Variants of an enum have no part in a field's name: a `Normalization` that was `Batch` may be `Group`.
        let names = steps.iter().filter(|(_, container)| !container.starts_with("Enum:"));
        names.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(".")
    }

    fn path(&self) -> String {
        Self::join(&self.steps)
    }

    /// The layer's own path and the field's name, if the field is a layer's of this type.
    fn field_of(&self, layer: &str) -> Option<(String, &str)> {
        let ((name, container), around) = self.steps.split_last()?;
        (container.strip_prefix("Struct:") == Some(layer)).then(|| (Self::join(around), name.as_str()))
    }
}

/// Path of a layer's field; the module's own path is empty.
fn field_at(layer: &str, field: &str) -> String {
    if layer.is_empty() { field.to_owned() } else { format!("{layer}.{field}") }
}

fn layer_and_field(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

/// Every float tensor of a module as it is saved.
#[derive(Default)]
struct Contents {
    place: Place,
    values: HashMap<String, TensorData>,
    /// Paths of BatchNorms and their channels, in the module's order, and whether they are in training mode.
    batch_norms: Vec<(String, usize, bool)>,
    /// By the path of the layer, if it may be a BatchNorm.
    flags: HashMap<String, bool>,
    group_norms: Vec<String>,
    autodiff: bool,
}

impl Contents {
    fn of<M: Module>(module: &M) -> Self {
        let mut contents = Self::default();
        module.visit(&mut contents);
        let Self { values, flags, batch_norms, .. } = &mut contents;
        batch_norms.retain_mut(|(path, channels, training)| {
            let has = |field: &&str| {
                let value = values.get(&field_at(path, field));
                value.is_some_and(|value| value.shape().num_elements() == *channels)
            };
            let Some(enabled) = flags.get(path.as_str()) else { return false };
            *training = *enabled;
            FIELDS.iter().all(has)
        });
        contents
    }

    /// How many tensors there are but `fields` of the changed layers.
    fn besides(&self, changes: &[Change], fields: &[&str]) -> usize {
        let is_of_a_change = |path: &str| {
            let (layer, field) = layer_and_field(path);
            fields.contains(&field) && changes.iter().any(|change| change.path == layer)
        };
        self.values.keys().filter(|path| !is_of_a_change(path)).count()
    }

    fn is_initial(&self, batch_norm: &str) -> bool {
        STATISTICS.iter().zip([0.0, 1.0]).all(|(field, initial)| {
            let values = self.values.get(&field_at(batch_norm, field));
            values.is_some_and(|values| values.iter::<f32>().all(|value| value == initial))
        })
    }
}

impl ModuleVisitor for Contents {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.place.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.place.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.transform_for_save().val();
        self.autodiff |= value.device().is_autodiff();
        if let Some((path, "gamma")) = self.place.field_of("GroupNorm") {
            self.group_norms.push(path);
        }
        if let Some((path, "gamma")) = self.place.field_of("BatchNorm") {
            self.batch_norms.push((path, value.shape().num_elements(), false));
        }
        self.values.insert(self.place.path(), value.into_data());
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        if let Some((path, "training")) = self.place.field_of("BatchNorm") {
            self.flags.insert(path, flag.val().is_enabled());
        }
    }
}

/// Freezes the statistics of every BatchNorm of a module, whatever the module is: no batch changes them, and the layer is a scale and
/// a shift of each example. Scale and shift stay trainable if they were. A BatchNorm is a struct of that name with the fields of Burn's.
///
/// The statistics must be public, as those of public pre-training are; those of private data would be released without noise.
pub fn freeze_batch_norms<M: Module>(module: M) -> (M, Conversion) {
    struct Freeze<'a> {
        place: Place,
        batch_norms: &'a [(String, usize, bool)],
    }
    impl ModuleMapper for Freeze<'_> {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            self.place.enter(name, container_type);
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.place.exit();
        }

        fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
            let Some((path, "training")) = self.place.field_of("BatchNorm") else { return flag };
            let known = self.batch_norms.iter().any(|(known, _, _)| *known == path);
            if known { flag.with_value(false) } else { flag }
        }
    }
    let before = Contents::of(&module);
    // A step's update of the statistics waits until the next one: taking the module out of training and back brings it in.
    let module = if before.autodiff && !before.batch_norms.is_empty() { module.valid().train() } else { module };
    let module = module.map(&mut Freeze { place: Place::default(), batch_norms: &before.batch_norms });
    let contents = Contents::of(&module);
    let changes = before.batch_norms.into_iter().map(|(path, channels, training)| {
        let initial_statistics = contents.is_initial(&path);
        Change { path, channels, to: Replacement::Frozen { already: !training, initial_statistics } }
    });
    let changes: Vec<Change> = changes.collect();
    let kept = contents.besides(&changes, &FIELDS);
    (module, Conversion { changes, kept })
}

/// A module with group norms in the place of another's BatchNorms, and everything else of it: `into` gets all parameters and
/// buffers of `from` by their names, the group norms the scales and shifts.
///
/// `into` decides the number of groups. Ids, trainability and flags are its own.
///
/// # Errors
///
/// [`Error::Conversion`] if `into` has a BatchNorm or none where `from` has one, has a parameter that `from` does not have or has with another
/// shape, or lacks one.
pub fn with_group_norms<A: Module, B: Module>(from: &A, into: B) -> Result<(B, Conversion)> {
    let source = Contents::of(from);
    let target = Contents::of(&into);
    let refused = |path: &str, reason: String| Err(Error::Conversion { path: path.to_owned(), reason });
    let mut changes = Vec::new();
    for (path, channels, _) in &source.batch_norms {
        if !target.group_norms.contains(path) {
            let found = if target.batch_norms.iter().any(|(other, _, _)| other == path) {
                "is a BatchNorm in the second module, too"
            } else {
                "is a BatchNorm, and the second module has no GroupNorm with scale and shift there"
            };
            return refused(path, found.into());
        }
        changes.push(Change { path: path.clone(), channels: *channels, to: Replacement::GroupNorm });
    }
    let is_gone = |path: &str| {
        let (layer, field) = layer_and_field(path);
        STATISTICS.contains(&field) && changes.iter().any(|change| change.path == layer)
    };
    let mut wanted: Vec<_> = target.values.iter().collect();
    wanted.sort_by_key(|(path, _)| *path);
    for (path, values) in wanted {
        let Some(given) = source.values.get(path) else {
            return refused(path, "is not in the first module".into());
        };
        if given.shape() != values.shape() {
            let (given, own) = (given.shape(), values.shape());
            return refused(path, format!("has the shape {given:?} in the first module and {own:?} in the second"));
        }
    }
    let mut lacking: Vec<&String> =
        source.values.keys().filter(|path| !target.values.contains_key(*path) && !is_gone(path)).collect();
    lacking.sort();
    if let Some(path) = lacking.first() {
        return refused(path, "is not in the second module".into());
    }
    let kept = target.besides(&changes, &FIELDS);
    let module = into.map(&mut CarryOver { place: Place::default(), values: source.values });
    Ok((module, Conversion { changes, kept }))
}

struct CarryOver {
    place: Place,
    values: HashMap<String, TensorData>,
}

impl ModuleMapper for CarryOver {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.place.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // Each was found, in this shape.
        let Some(values) = self.values.remove(&self.place.path()) else {
            return param;
        };
        let (id, device) = (param.id, param.lazy_device());
        param.transform_for_load(Tensor::from_data(values, &device), id)
    }
}

#[cfg(all(test, feature = "flex"))]
#[path = "batch_norm_tests.rs"]
mod tests;
