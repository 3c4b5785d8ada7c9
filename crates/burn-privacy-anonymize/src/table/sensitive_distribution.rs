//! The sensitive values of a whole table, with which models compare a class's.

/// How often each sensitive value occurs in a whole table.
#[derive(Debug, Clone, PartialEq)]
pub struct SensitiveDistribution {
    pub(super) counts: Vec<u64>,
    pub(super) total: u64,
    pub(super) values: Vec<String>,
    /// Codes in the order of their numbers, if all values are numbers.
    pub(super) order: Option<Vec<u32>>,
}

impl SensitiveDistribution {
    /// From the values and how often each occurs.
    pub fn new(values: &[String], counts: Vec<u64>) -> Self {
        let numbers: Option<Vec<f64>> =
            values.iter().map(|value| value.trim().parse().ok().filter(|number: &f64| number.is_finite())).collect();
        let order = numbers.map(|numbers| {
            let mut order: Vec<u32> = (0..numbers.len() as u32).collect();
            order.sort_by(|one, other| numbers[*one as usize].total_cmp(&numbers[*other as usize]));
            order
        });
        Self { total: counts.iter().sum(), counts, values: values.to_vec(), order }
    }

    /// Two values that are the same number, if there are such.
    pub(super) fn same_number(&self) -> Option<(&str, &str)> {
        let number = |value: &str| value.trim().parse::<f64>().ok();
        let mut texts = self.order.iter().flatten().map(|&code| self.values[code as usize].as_str());
        let mut before = texts.next()?;
        texts.find_map(|text| {
            let pair = (std::mem::replace(&mut before, text), text);
            (number(pair.0) == number(pair.1)).then_some(pair)
        })
    }

    /// The share of each value, by code.
    pub(crate) fn shares(&self) -> impl Iterator<Item = f64> {
        self.counts.iter().map(|&count| count as f64 / self.total as f64)
    }
}
