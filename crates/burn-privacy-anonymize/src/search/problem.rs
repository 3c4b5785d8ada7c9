//! A table laid out for the search: attributes in the order in which their levels are chosen, tuples sorted so that
//! generalized tuples merge with their neighbors.

use std::collections::HashMap;

use crate::AnonymizeError;
use crate::table::{Metric, PrivacyModel, SensitiveDistribution, Table, generalization_entropy, histogram_bits};

/// One attribute level, as the search needs it.
pub(super) struct AttributeLevel {
    /// Code of each suffix from this attribute on.
    pub(super) code_of_suffix: Vec<u32>,
    /// Code of each leaf.
    pub(super) code_of_leaf: Vec<u32>,
    /// Loss of each code, between 0 and 1.
    pub(super) loss: Vec<f64>,
    /// Rows of the table under each code.
    pub(super) rows: Vec<u64>,
    /// Bits that this level hides over the whole table.
    pub(super) bits: f64,
}

/// One attribute: the search chooses one of its levels at its depth.
pub(super) struct Attribute {
    /// Place in the table.
    pub(super) place: usize,
    /// Code at level 0 of each tuple.
    pub(super) leaf: Vec<u32>,
    pub(super) levels: Vec<AttributeLevel>,
    /// For each suffix from this attribute on.
    pub(super) steps: Vec<Step>,
}

/// A suffix is what a tuple holds in some attribute, in all that are deeper, and in the sensitive column, as a number. Tuples
/// with the same suffix are neighbors; those of the first attribute are the tuples themselves.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// Its code at level 0 in that attribute.
    pub(super) leaf: u32,
    /// The suffix from the next attribute on.
    pub(super) next: u32,
}

impl Attribute {
    /// The code of a tuple on a level.
    pub(super) fn code(&self, level: usize, tuple: usize) -> u32 {
        self.levels[level].code_of_leaf[self.leaf[tuple] as usize]
    }
}

/// What is searched.
pub(super) struct Problem {
    /// By depth.
    pub(super) attributes: Vec<Attribute>,
    /// Rows of each tuple.
    pub(super) counts: Vec<u32>,
    /// Sensitive code of each tuple; empty where no model needs one.
    pub(super) sensitive: Vec<u32>,
    pub(super) distribution: Option<SensitiveDistribution>,
    /// The share of each sensitive value in the table.
    pub(super) shares: Vec<f64>,
    pub(super) sensitive_values: usize,
    pub(super) rows: u64,
    /// Rows and sensitive values that a class needs at least; a class with fewer has no part that could be released.
    pub(super) least_rows: u64,
    pub(super) least_values: u64,
    /// Rows that may be suppressed.
    pub(super) limit: u64,
    pub(super) metric: Metric,
    pub(super) models: Vec<PrivacyModel>,
    /// The population, where a model compares with it.
    pub(super) population: Option<PopulationTuples>,
}

/// The population's tuples, in the search's order of attributes.
pub(super) struct PopulationTuples {
    leaves: Vec<Vec<u32>>,
    counts: Vec<u64>,
}

impl PopulationTuples {
    fn new(population: &Table, order: &[usize]) -> Self {
        let tuples = || 0..population.tuples();
        let leaves =
            tuples().map(|tuple| order.iter().map(|&place| population.tuple(tuple)[place]).collect()).collect();
        Self { leaves, counts: tuples().map(|tuple| population.count(tuple)).collect() }
    }

    /// Rows of the population in each class of a complete choice. Only complete choices are judged by it: it cuts nothing.
    pub(super) fn rows_at(&self, problem: &Problem, levels: &[usize]) -> HashMap<Vec<u32>, u64> {
        let mut rows: HashMap<Vec<u32>, u64> = HashMap::new();
        for (leaves, count) in self.leaves.iter().zip(&self.counts) {
            let cells = leaves.iter().zip(&problem.attributes).zip(levels);
            let codes = cells.map(|((&leaf, attribute), &level)| attribute.levels[level].code_of_leaf[leaf as usize]);
            *rows.entry(codes.collect()).or_insert(0) += count;
        }
        rows
    }
}

impl Problem {
    pub(super) fn new(
        table: &Table,
        models: &[PrivacyModel],
        metric: Metric,
        limit: u64,
    ) -> Result<Self, AnonymizeError> {
        if table.rows() > u64::from(u32::MAX) {
            return Err(AnonymizeError::parameter("the number of rows", table.rows(), "below 2^32 for the search"));
        }
        let distribution = table.sensitive_distribution();
        for model in models {
            model.check(distribution.as_ref())?;
        }
        let needs_sensitive = models.iter().any(PrivacyModel::needs_sensitive);
        // What splits most comes first: then classes that are too small show early, where they cut most. Rare values make
        // small classes; where large ones count as well, so does how evenly the values are spread (both as measured).
        let evenly = metric == Metric::AverageClassSize
            || models.iter().any(|model| matches!(model, PrivacyModel::EqualTCloseness { .. }));
        let splits = |place: usize| match evenly {
            true => column_bits(table, place),
            false => table.columns()[place].hierarchy.leaves() as f64,
        };
        let mut order: Vec<(f64, usize)> = (0..table.columns().len()).map(|place| (splits(place), place)).collect();
        order.sort_by(|one, other| other.0.total_cmp(&one.0));
        let order: Vec<usize> = order.into_iter().map(|(_, place)| place).collect();

        let mut sorted: Vec<usize> = (0..table.tuples()).collect();
        let sensitive_of = |tuple: usize| if needs_sensitive { table.sensitive_code(tuple) } else { None };
        // The deepest attribute counts most, so that whatever is left to choose keeps equal tuples together.
        let width = order.len() + 1;
        let keys: Vec<u32> = (0..table.tuples())
            .flat_map(|tuple| {
                let leaves = order.iter().rev().map(move |&place| table.tuple(tuple)[place]);
                std::iter::once(sensitive_of(tuple).unwrap_or(0)).chain(leaves)
            })
            .collect();
        let key = |tuple: usize| &keys[tuple * width..(tuple + 1) * width];
        sorted.sort_unstable_by(|&one, &other| key(one).cmp(key(other)).then(one.cmp(&other)));
        // Tuples that differ in a sensitive value alone, which nobody asks for, are one.
        let mut counts: Vec<u32> = Vec::with_capacity(sorted.len());
        let mut before: Option<usize> = None;
        sorted.retain(|&tuple| {
            let rows = table.count(tuple) as u32;
            if before.is_some_and(|before| key(before) == key(tuple)) {
                counts.last_mut().into_iter().for_each(|count| *count += rows);
                return false;
            }
            before = Some(tuple);
            counts.push(rows);
            true
        });
        let mut steps = steps(&sorted, order.len(), key).into_iter();
        let attributes = order
            .iter()
            .map(|&place| {
                let leaf: Vec<u32> = sorted.iter().map(|&tuple| table.tuple(tuple)[place]).collect();
                attribute(table, place, leaf, &counts, steps.next().unwrap_or_default())
            })
            .collect();
        Ok(Self {
            attributes,
            counts,
            sensitive: sorted.iter().filter_map(|&tuple| sensitive_of(tuple)).collect(),
            sensitive_values: table.sensitive().map_or(0, |sensitive| sensitive.values.len()),
            shares: distribution.as_ref().map(|distribution| distribution.shares().collect()).unwrap_or_default(),
            distribution,
            rows: table.rows(),
            least_rows: models.iter().map(PrivacyModel::least_rows).max().unwrap_or(1),
            least_values: models.iter().map(PrivacyModel::least_values).max().unwrap_or(1),
            limit,
            metric,
            models: models.to_vec(),
            population: match models.iter().any(PrivacyModel::needs_population) {
                true => table.population().map(|population| PopulationTuples::new(population, &order)),
                false => None,
            },
        })
    }

    /// Number of attributes.
    pub(super) fn depth(&self) -> usize {
        self.attributes.len()
    }

    /// True if the shares of sensitive values can tell, before all levels are chosen, that rows are suppressed.
    pub(super) fn bounds_shares(&self) -> bool {
        self.models.iter().any(|model| matches!(model, PrivacyModel::EqualTCloseness { .. }))
    }

    /// True if classes need their sensitive values to be judged.
    pub(super) fn needs_values(&self) -> bool {
        !self.sensitive.is_empty()
    }
}

/// The steps of each attribute, from the tuples' keys: the sensitive value, then the attributes, the deepest first.
fn steps<'a>(sorted: &[usize], depth: usize, key: impl Fn(usize) -> &'a [u32]) -> Vec<Vec<Step>> {
    let mut steps: Vec<Vec<Step>> = vec![Vec::new(); depth];
    // The number of suffixes behind the last attribute: of sensitive values.
    let mut values = 0;
    for (index, &tuple) in sorted.iter().enumerate() {
        let this = key(tuple);
        let before = index.checked_sub(1).map(|before| key(sorted[before]));
        let same = before.map_or(0, |before| before.iter().zip(this).take_while(|(one, other)| one == other).count());
        values += u32::from(same == 0);
        // Suffixes from `depth + 1 - same` on are those of the tuple before.
        for place in (0..(depth + 1 - same).min(depth)).rev() {
            let next = steps.get(place + 1).map_or(values, |deeper| deeper.len() as u32) - 1;
            steps[place].push(Step { leaf: this[depth - place], next });
        }
    }
    steps
}

/// The bits of a column's values, over all rows.
fn column_bits(table: &Table, place: usize) -> f64 {
    let mut by_leaf = vec![0_u64; table.columns()[place].hierarchy.leaves()];
    (0..table.tuples()).for_each(|tuple| by_leaf[table.tuple(tuple)[place] as usize] += table.count(tuple));
    histogram_bits(by_leaf.iter().copied())
}

fn attribute(table: &Table, place: usize, leaf: Vec<u32>, counts: &[u32], steps: Vec<Step>) -> Attribute {
    let hierarchy = &table.columns()[place].hierarchy;
    let mut by_leaf = vec![0_u64; hierarchy.leaves()];
    for (&code, &rows) in leaf.iter().zip(counts) {
        by_leaf[code as usize] += u64::from(rows);
    }
    let levels = (0..hierarchy.levels())
        .map(|level| {
            let codes = hierarchy.codes_at(level);
            let labels = hierarchy.labels_at(level);
            let mut rows = vec![0_u64; labels];
            by_leaf.iter().zip(codes).for_each(|(count, &code)| rows[code as usize] += count);
            AttributeLevel {
                loss: (0..labels as u32).map(|code| hierarchy.loss(level, code)).collect(),
                bits: generalization_entropy(&by_leaf, &rows, codes),
                code_of_suffix: steps.iter().map(|step| codes[step.leaf as usize]).collect(),
                code_of_leaf: codes.to_vec(),
                rows,
            }
        })
        .collect();
    Attribute { place, leaf, levels, steps }
}
