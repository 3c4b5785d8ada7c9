//! BatchNorms frozen, or replaced by group norms.

use std::collections::HashMap;

use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use super::report::{Change, Conversion, Replacement};
use crate::error::{Error, Result};

/// Parameters and buffers of a BatchNorm, by their fields.
const STATISTICS: [&str; 2] = ["running_mean", "running_var"];

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

/// Every float tensor of a module as it is saved.
#[derive(Default)]
struct Contents {
    place: Place,
    values: HashMap<String, TensorData>,
    /// Paths of BatchNorms and their channels, in the module's order, and whether they are in training mode.
    batch_norms: Vec<(String, usize, bool)>,
    group_norms: Vec<String>,
    autodiff: bool,
}

impl Contents {
    fn of<M: Module>(module: &M) -> Self {
        let mut contents = Self::default();
        module.visit(&mut contents);
        contents
    }

    fn is_initial(&self, batch_norm: &str) -> bool {
        STATISTICS.iter().zip([0.0, 1.0]).all(|(field, initial)| {
            let values = self.values.get(&format!("{batch_norm}.{field}"));
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
        if let Some((path, _)) = self.place.field_of("BatchNorm") {
            let found = self.batch_norms.iter_mut().find(|(known, _, _)| *known == path);
            if let Some((_, _, training)) = found {
                *training = flag.val().is_enabled();
            }
        }
    }
}

/// Freezes the statistics of every BatchNorm of a module, whatever the module is: no batch changes them, and the layer is a scale and
/// a shift of each example. Scale and shift stay trainable if they were.
///
/// The statistics must be public, as those of public pre-training are; those of private data would be released without noise.
#[must_use]
pub fn freeze_batch_norms<M: Module>(module: M) -> (M, Conversion) {
    struct Freeze(Place);
    impl ModuleMapper for Freeze {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            self.0.enter(name, container_type);
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.0.exit();
        }

        fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
            if self.0.field_of("BatchNorm").is_some() { flag.with_value(false) } else { flag }
        }
    }
    let before = Contents::of(&module);
    // A step's update of the statistics waits until the next one: taking the module out of training and back brings it in.
    let module = if before.autodiff && !before.batch_norms.is_empty() { module.valid().train() } else { module };
    let module = module.map(&mut Freeze(Place::default()));
    let contents = Contents::of(&module);
    let changes = before.batch_norms.into_iter().map(|(path, channels, training)| {
        let initial_statistics = contents.is_initial(&path);
        Change { path, channels, to: Replacement::Frozen { already: !training, initial_statistics } }
    });
    let changes: Vec<Change> = changes.collect();
    let kept = contents.values.len() - 4 * changes.len();
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
        path.rsplit_once('.').is_some_and(|(layer, field)| {
            STATISTICS.contains(&field) && changes.iter().any(|change| change.path == layer)
        })
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
    let kept = target.values.len() - 2 * changes.len();
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
