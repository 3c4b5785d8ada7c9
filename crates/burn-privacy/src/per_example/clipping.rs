//! What a plan's clipping means for the parameters of one model: which of them are clipped together, and at which norm.

use std::collections::HashMap;

use burn::module::ParamId;
use burn::tensor::Tensor;

use super::factors::{ClipFactors, Scaling};
use crate::error::{Error, Result};
use crate::plan::Clipping;
use burn_privacy_kernels::Rounding;

/// How the contributions of one step are bounded.
///
/// # Formal guarantee
///
/// Each contribution has a norm below `norm (1 - kappa)` (see [`exact_sum`](super::exact_sum)): with groups, that of group k is
/// below `C_k (1 - kappa)`, and `norm` is at least the root of the sum of the squares of all `C_k`.
pub(crate) struct StepClipping {
    norm: f64,
    parts: Parts,
    /// The norm below which examples are counted, if they are.
    counted_below: Option<f64>,
}

enum Parts {
    /// All parameters together.
    Whole(Scaling),
    /// Each group by itself, flat.
    Groups { of: HashMap<ParamId, usize>, norms: Vec<f64>, names: Vec<String> },
}

/// Upper bounds `[examples]` of the squared norms of the gradients of some parameters.
pub(crate) struct SquaredNorms {
    pub(crate) parameters: Vec<ParamId>,
    pub(crate) bounds: Tensor<1>,
}

impl From<f64> for StepClipping {
    /// Flat clipping at a norm.
    fn from(norm: f64) -> Self {
        Self { norm, parts: Parts::Whole(Scaling::Flat { norm }), counted_below: None }
    }
}

impl StepClipping {
    /// For the trainable `parameters`, with their paths. `norm` is that of this step, which is the clipping's own unless it follows a
    /// quantile.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] if the groups do not fit the model.
    pub(crate) fn of(clipping: &Clipping, norm: f64, parameters: &[(ParamId, &str)]) -> Result<Self> {
        let whole = |scaling| Self { norm, parts: Parts::Whole(scaling), counted_below: None };
        match clipping {
            Clipping::Flat { .. } => Ok(norm.into()),
            Clipping::Normalized { stability } => Ok(whole(Scaling::Normalized { stability: *stability })),
            Clipping::Psac { stability, .. } => Ok(whole(Scaling::Psac { norm, stability: *stability })),
            Clipping::Quantile { .. } => Ok(Self { counted_below: Some(norm), ..norm.into() }),
            Clipping::PerLayer { .. } => {
                let layer = |path: &str| path.rsplit_once('.').map_or(String::new(), |(layer, _)| layer.to_owned());
                let mut names: Vec<String> = Vec::new();
                let mut of = HashMap::new();
                for (id, path) in parameters {
                    let name = layer(path);
                    let index = names.iter().position(|known| *known == name).unwrap_or_else(|| {
                        names.push(name);
                        names.len() - 1
                    });
                    of.insert(*id, index);
                }
                let norms = vec![norm / (names.len() as f64).sqrt(); names.len()];
                Ok(Self { norm, parts: Parts::Groups { of, norms, names }, counted_below: None })
            }
            Clipping::PerGroup { groups } => {
                let mut of = HashMap::new();
                for (id, path) in parameters {
                    let fits = |group: &str| {
                        let rest = path.strip_prefix(group);
                        group.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                    };
                    let fitting = groups.iter().enumerate().filter(|(_, group)| fits(&group.path));
                    let Some((index, _)) = fitting.max_by_key(|(_, group)| group.path.len()) else {
                        return Err(Error::Plan {
                            field: "clipping groups",
                            given: format!("none that holds `{path}`"),
                            allowed: "a group for every trainable parameter; the empty path takes all that are left"
                                .into(),
                        });
                    };
                    of.insert(*id, index);
                }
                let names: Vec<String> = groups.iter().map(|group| group.path.clone()).collect();
                if let Some(index) = (0..groups.len()).find(|index| !of.values().any(|used| used == index)) {
                    return Err(Error::Plan {
                        field: "clipping groups",
                        given: format!("`{}`, in which no parameter is trained", names[index]),
                        allowed: "groups with trainable parameters: each one's norm is paid for with noise".into(),
                    });
                }
                let norms = groups.iter().map(|group| group.norm).collect();
                Ok(Self { norm, parts: Parts::Groups { of, norms, names }, counted_below: None })
            }
            _ => Err(Error::Plan {
                field: "clipping",
                given: clipping.to_string(),
                allowed: "a style that this version knows".into(),
            }),
        }
    }

    /// The largest norm of a contribution.
    pub(crate) fn norm(&self) -> f64 {
        self.norm
    }

    /// The factors of each of `squared_norms`, in order, and the number of examples below the norm less that of all others, in
    /// halves, where they are counted.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] if one layer's use belongs to two groups, [`Error::Execution`] if a device can't be read.
    pub(crate) fn factors(
        &self,
        squared_norms: &[SquaredNorms],
        rounding: Rounding,
        leaves: &[usize],
    ) -> Result<(Vec<ClipFactors>, f64)> {
        let bounds = |of: &SquaredNorms| of.bounds.clone();
        let (of, norms, names) = match &self.parts {
            Parts::Whole(scaling) => {
                let all: Vec<_> = squared_norms.iter().map(bounds).collect();
                let factors = ClipFactors::new(*scaling, &all, rounding, leaves);
                let balance = match self.counted_below {
                    Some(_) => factors.balance_of_unclipped(rounding)?,
                    None => 0.0,
                };
                return Ok((vec![factors; squared_norms.len()], balance));
            }
            Parts::Groups { of, norms, names } => (of, norms, names),
        };
        let mut groups = Vec::with_capacity(squared_norms.len());
        for squares in squared_norms {
            let mut indices = squares.parameters.iter().filter_map(|id| of.get(id));
            let first = *indices.next().unwrap_or(&0);
            if let Some(other) = indices.find(|index| **index != first) {
                return Err(Error::Plan {
                    field: "clipping groups",
                    given: format!("one use of parameters of both `{}` and `{}`", names[first], names[*other]),
                    allowed: "groups that keep the parameters of a layer, and layers that share one, together".into(),
                });
            }
            groups.push(first);
        }
        let of_group: Vec<Option<ClipFactors>> = norms
            .iter()
            .enumerate()
            .map(|(group, norm)| {
                let members = groups.iter().zip(squared_norms).filter(|(index, _)| **index == group);
                let members: Vec<_> = members.map(|(_, squares)| bounds(squares)).collect();
                (!members.is_empty())
                    .then(|| ClipFactors::new(Scaling::Flat { norm: *norm }, &members, rounding, leaves))
            })
            .collect();
        // An example that is not finite in one group contributes nothing to any.
        let all: Vec<ClipFactors> = of_group.iter().flatten().cloned().collect();
        Ok((groups.into_iter().filter_map(|group| Some(of_group[group].as_ref()?.excluding(&all))).collect(), 0.0))
    }
}
