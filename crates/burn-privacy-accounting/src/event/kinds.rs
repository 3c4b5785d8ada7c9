//! Events as data, a tree of kinds that is checked once, and which numbers each kind allows.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::error::{finite_above_zero, finite_at_least_zero, invalid, probability};

/// The largest count, number of steps or number of records: 2^53, the last integer up to which floats are exact.
pub const MAX_COUNT: u64 = 1 << 53;

/// A use of private data whose privacy cost can be counted: a checked, immutable tree.
///
/// It is made by constructors that check their arguments, or read from JSON with the same checks, so that whoever holds
/// one holds a valid one. [`DpEvent::kind`] gives the [`EventKind`] to match on.
///
/// ```
/// use burn_privacy_accounting::{DpEvent, EventKind};
///
/// let step = DpEvent::poisson_sampled(0.01, DpEvent::gaussian(1.1)?)?;
/// let training = DpEvent::self_composed(step, 1_000)?;
/// assert!(matches!(training.kind(), EventKind::SelfComposed { count: 1_000, .. }));
/// assert_eq!(DpEvent::from_json(&training.to_json())?, training);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "EventKind")]
pub struct DpEvent {
    pub(super) kind: EventKind,
    /// Levels of events, 1 for an event that contains no other.
    pub(super) depth: usize,
}

/// The kinds of events, for matching and for JSON. [`DpEvent::new`] checks one and makes an event of it.
///
/// In JSON an event is an object with one key, the kind in snake case, whose value holds the fields, for example
/// `{"gaussian": {"noise_multiplier": 1.1}}`; kinds without fields are the plain strings `"no_op"` and `"non_private"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum EventKind {
    /// Nothing about the private data was released.
    NoOp,

    /// Something was released that has no guarantee at all: epsilon is infinite.
    NonPrivate,

    /// A vector plus Gaussian noise.
    Gaussian {
        /// Standard deviation of the noise divided by the L2 sensitivity under the accountant's adjacency; 0 is no
        /// noise.
        noise_multiplier: f64,
    },

    /// A value plus Laplace noise with density proportional to exp(-|x|/b).
    Laplace {
        /// Scale b of the noise divided by the L1 sensitivity; 0 is no noise.
        noise_multiplier: f64,
    },

    /// An integer vector plus discrete Gaussian noise, P(x) proportional to exp(-x^2 / (2 sigma^2)) on the integers
    /// (Canonne, Kamath and Steinke, arXiv 2004.00010).
    DiscreteGaussian {
        /// The parameter sigma, in grid steps (not the standard deviation, which is slightly smaller).
        sigma: f64,
        /// L2 sensitivity in grid steps.
        sensitivity: f64,
    },

    /// An integer plus discrete Laplace (two-sided geometric) noise, P(x) proportional to exp(-|x| / scale).
    DiscreteLaplace {
        /// Scale in grid steps.
        scale: f64,
        /// L1 sensitivity in grid steps.
        sensitivity: u64,
    },

    /// Each record reports its category, or with a given probability one drawn uniformly from all categories.
    #[serde(alias = "randomised_response")]
    RandomizedResponse {
        /// Probability of answering by the uniform draw (which may draw the true category, too).
        noise_probability: f64,
        /// Number of categories, at least 1.
        categories: u64,
    },

    /// Choice by the exponential mechanism, or any mechanism whose privacy loss lies in a range of width epsilon
    /// ("bounded range", Dong, Durfee and Rogers, arXiv 1909.13830).
    ExponentialMechanism {
        /// Width of the range, in nats: 2 x score sensitivity x weight, half of it for a monotonic score.
        epsilon: f64,
    },

    /// A mechanism that satisfies (xi, rho)-zCDP: Renyi divergence at most xi + rho x order at every order
    /// (Bun and Steinke, arXiv 1605.02065, definition 1.1).
    Zcdp {
        /// The slope.
        rho: f64,
        /// The offset, usually 0.
        #[serde(default)]
        xi: f64,
    },

    /// A mechanism that satisfies (epsilon, delta)-differential privacy, about which nothing else is known.
    EpsilonDelta {
        /// In nats.
        epsilon: f64,
        /// From 0 to 1.
        delta: f64,
    },

    /// The inner event, run on a sample into which each record falls independently of the others.
    PoissonSampled {
        /// Probability of each record to be sampled.
        sampling_rate: f64,
        /// What is done to the sample.
        event: Box<DpEvent>,
    },

    /// The inner event, run on a uniformly drawn subset of fixed size.
    SampledWithoutReplacement {
        /// Number of records.
        dataset_size: u64,
        /// Number of records in the sample, at most the number of records.
        sample_size: u64,
        /// What is done to the sample.
        event: Box<DpEvent>,
    },

    /// The inner event, run on a Poisson sample that is cut at a size by dropping a uniformly drawn surplus.
    TruncatedPoissonSampled {
        /// Number of records; of the smaller one of two neighbors under add-or-remove-one.
        dataset_size: u64,
        /// Probability of each record to be sampled before the cut.
        sampling_rate: f64,
        /// Largest size of a sample.
        max_sample_size: u64,
        /// What is done to the sample.
        event: Box<DpEvent>,
    },

    /// The inner event, run on a sample into which each record falls independently of the others, for the privacy of units (users)
    /// of which each has at most `group_size` records: example-level sampling with user-level privacy (Charles et al., arXiv
    /// 2407.07737). Neighbors differ by all records of one unit.
    GroupPoissonSampled {
        /// Probability of each record to be sampled.
        sampling_rate: f64,
        /// The most records that one unit has.
        group_size: u64,
        /// What is done to the sample; its noise is relative to what one *record* adds.
        event: Box<DpEvent>,
    },

    /// One pass of tree aggregation (DP-FTRL, Kairouz et al., arXiv 2103.00039): prefix sums by a binary tree with
    /// Gaussian noise on each node, restarted between trees; each record is used at most once in the whole pass.
    TreeAggregation {
        /// Standard deviation of a node's noise divided by the L2 sensitivity of one step.
        noise_multiplier: f64,
        /// Number of steps (leaves) of each tree; the trees of one pass are disjoint in records.
        steps_per_tree: Vec<u64>,
    },

    /// Banded matrix factorization with cyclic Poisson sampling (Choquette-Choo et al., arXiv 2306.08153): records
    /// are divided into `bands` groups once and independently of each other, step i samples from group i mod `bands`.
    #[serde(alias = "banded_matrix_factorisation")]
    BandedMatrixFactorization {
        /// Standard deviation of the noise divided by the sensitivity of one participation (clip x largest column
        /// norm).
        noise_multiplier: f64,
        /// Number of bands of the strategy matrix, which is also the number of groups.
        bands: u64,
        /// Number of steps.
        steps: u64,
        /// Probability of each record of the step's group to be sampled.
        sampling_rate: f64,
    },

    /// The inner event, run a random number of times, of which only the best result is released (Papernot and Steinke,
    /// arXiv 2110.03620).
    RepeatAndSelect {
        /// Distribution of the number of runs.
        runs: RunCount,
        /// One run.
        event: Box<DpEvent>,
    },

    /// All of these events, each free to depend on the results of those before.
    Composed {
        /// The events.
        events: Vec<DpEvent>,
    },

    /// The same event a number of times, on the same private data.
    SelfComposed {
        /// The event.
        event: Box<DpEvent>,
        /// How many times.
        count: u64,
    },
}

/// Distribution of the random number of runs of [`EventKind::RepeatAndSelect`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum RunCount {
    /// Poisson; with no run at all, nothing about the data is released.
    Poisson {
        /// Mean number of runs.
        mean: f64,
    },
    /// Truncated negative binomial (never 0): shape 1 is geometric, shape 0 logarithmic.
    TruncatedNegativeBinomial {
        /// Shape, above -1.
        shape: f64,
        /// Stopping probability, above 0 and below 1; the smaller, the more runs.
        gamma: f64,
    },
}

impl EventKind {
    /// The name, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoOp => "no_op",
            Self::NonPrivate => "non_private",
            Self::Gaussian { .. } => "gaussian",
            Self::Laplace { .. } => "laplace",
            Self::DiscreteGaussian { .. } => "discrete_gaussian",
            Self::DiscreteLaplace { .. } => "discrete_laplace",
            Self::RandomizedResponse { .. } => "randomized_response",
            Self::ExponentialMechanism { .. } => "exponential_mechanism",
            Self::Zcdp { .. } => "zcdp",
            Self::EpsilonDelta { .. } => "epsilon_delta",
            Self::PoissonSampled { .. } => "poisson_sampled",
            Self::SampledWithoutReplacement { .. } => "sampled_without_replacement",
            Self::TruncatedPoissonSampled { .. } => "truncated_poisson_sampled",
            Self::GroupPoissonSampled { .. } => "group_poisson_sampled",
            Self::TreeAggregation { .. } => "tree_aggregation",
            Self::BandedMatrixFactorization { .. } => "banded_matrix_factorization",
            Self::RepeatAndSelect { .. } => "repeat_and_select",
            Self::Composed { .. } => "composed",
            Self::SelfComposed { .. } => "self_composed",
        }
    }

    /// The events directly inside this one.
    pub fn children(&self) -> &[DpEvent] {
        match self {
            Self::PoissonSampled { event, .. }
            | Self::SampledWithoutReplacement { event, .. }
            | Self::TruncatedPoissonSampled { event, .. }
            | Self::GroupPoissonSampled { event, .. }
            | Self::RepeatAndSelect { event, .. }
            | Self::SelfComposed { event, .. } => std::slice::from_ref(event),
            Self::Composed { events } => events,
            _ => &[],
        }
    }

    /// Checks this level's own numbers (its children are checked already) and turns -0.0 into 0.0.
    pub(super) fn checked(self) -> Result<Self> {
        Ok(match self {
            Self::NoOp | Self::NonPrivate | Self::Composed { .. } => self,
            Self::Gaussian { noise_multiplier } => {
                Self::Gaussian { noise_multiplier: finite_at_least_zero("noise_multiplier", noise_multiplier)? }
            }
            Self::Laplace { noise_multiplier } => {
                Self::Laplace { noise_multiplier: finite_at_least_zero("noise_multiplier", noise_multiplier)? }
            }
            Self::DiscreteGaussian { sigma, sensitivity } => Self::DiscreteGaussian {
                sigma: finite_at_least_zero("sigma", sigma)?,
                sensitivity: finite_at_least_zero("sensitivity", sensitivity)?,
            },
            Self::DiscreteLaplace { scale, sensitivity } => Self::DiscreteLaplace {
                scale: finite_at_least_zero("scale", scale)?,
                sensitivity: count_from(0, "sensitivity", sensitivity)?,
            },
            Self::RandomizedResponse { noise_probability, categories } => Self::RandomizedResponse {
                noise_probability: probability("noise_probability", noise_probability)?,
                categories: count_from(1, "categories", categories)?,
            },
            Self::ExponentialMechanism { epsilon } => {
                Self::ExponentialMechanism { epsilon: finite_at_least_zero("epsilon", epsilon)? }
            }
            Self::Zcdp { rho, xi } => {
                Self::Zcdp { rho: finite_at_least_zero("rho", rho)?, xi: finite_at_least_zero("xi", xi)? }
            }
            Self::EpsilonDelta { epsilon, delta } => Self::EpsilonDelta {
                epsilon: finite_at_least_zero("epsilon", epsilon)?,
                delta: probability("delta", delta)?,
            },
            Self::PoissonSampled { sampling_rate, event } => {
                Self::PoissonSampled { sampling_rate: probability("sampling_rate", sampling_rate)?, event }
            }
            Self::SampledWithoutReplacement { dataset_size, sample_size, event } => {
                count_from(1, "dataset_size", dataset_size)?;
                if sample_size > dataset_size {
                    return Err(invalid(
                        "sample_size",
                        sample_size,
                        format!("at most the number of records, {dataset_size}"),
                    ));
                }
                Self::SampledWithoutReplacement { dataset_size, sample_size, event }
            }
            Self::TruncatedPoissonSampled { dataset_size, sampling_rate, max_sample_size, event } => {
                Self::TruncatedPoissonSampled {
                    dataset_size: count_from(1, "dataset_size", dataset_size)?,
                    sampling_rate: probability("sampling_rate", sampling_rate)?,
                    max_sample_size: count_from(1, "max_sample_size", max_sample_size)?,
                    event,
                }
            }
            Self::GroupPoissonSampled { sampling_rate, group_size, event } => Self::GroupPoissonSampled {
                sampling_rate: probability("sampling_rate", sampling_rate)?,
                group_size: count_from(1, "group_size", group_size)?,
                event,
            },
            Self::TreeAggregation { noise_multiplier, steps_per_tree } => {
                if steps_per_tree.is_empty() {
                    return Err(invalid("steps_per_tree", "[]", "a list of at least one tree"));
                }
                for &steps in &steps_per_tree {
                    count_from(1, "steps_per_tree", steps)?;
                }
                Self::TreeAggregation {
                    noise_multiplier: finite_at_least_zero("noise_multiplier", noise_multiplier)?,
                    steps_per_tree,
                }
            }
            Self::BandedMatrixFactorization { noise_multiplier, bands, steps, sampling_rate } => {
                Self::BandedMatrixFactorization {
                    noise_multiplier: finite_at_least_zero("noise_multiplier", noise_multiplier)?,
                    bands: count_from(1, "bands", bands)?,
                    steps: count_from(0, "steps", steps)?,
                    sampling_rate: probability("sampling_rate", sampling_rate)?,
                }
            }
            Self::RepeatAndSelect { runs, event } => Self::RepeatAndSelect { runs: runs.checked()?, event },
            Self::SelfComposed { event, count } => Self::SelfComposed { event, count: count_from(0, "count", count)? },
        })
    }
}

impl RunCount {
    fn checked(self) -> Result<Self> {
        match self {
            Self::Poisson { mean } => Ok(Self::Poisson { mean: finite_at_least_zero("mean", mean)? }),
            Self::TruncatedNegativeBinomial { shape, gamma } => {
                if !(shape.is_finite() && shape > -1.0) {
                    return Err(invalid("shape", shape, "a finite number above -1"));
                }
                finite_above_zero("gamma", gamma)?;
                if gamma >= 1.0 {
                    return Err(invalid("gamma", gamma, "above 0 and below 1"));
                }
                Ok(Self::TruncatedNegativeBinomial { shape: shape + 0.0, gamma })
            }
        }
    }
}

/// Lets a count between `least` and [`MAX_COUNT`] pass.
fn count_from(least: u64, name: &'static str, value: u64) -> Result<u64> {
    if (least..=MAX_COUNT).contains(&value) {
        Ok(value)
    } else {
        Err(invalid(name, value, format!("a whole number from {least} to {MAX_COUNT}")))
    }
}
