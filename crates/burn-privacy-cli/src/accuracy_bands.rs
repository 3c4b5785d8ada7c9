//! Accuracies that were measured, to say what an epsilon may be worth before anything is trained.
//!
//! The table is what `crates/burn-privacy-linear/examples/head_choices.rs` prints (`-- DIR bands --seeds 3`): linear heads on MNIST's
//! scattering features, their normalization paid for, measured on 5,000 images that were not trained on. Other tasks are harder or
//! easier; what carries over is how much a larger epsilon or more records buy.

/// `records,epsilon,batch,steps,low,mean,high`, in the order of records, then of epsilon.
const TABLE: &str = include_str!("accuracy_bands.csv");

/// One row: worst and best of its runs, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    pub records: u64,
    pub epsilon: f64,
    pub low: f64,
    pub high: f64,
}

/// All rows.
fn rows() -> impl Iterator<Item = Measured> {
    TABLE.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |at: usize| fields.get(at)?.parse::<f64>().ok();
        Some(Measured {
            records: fields.first()?.parse().ok()?,
            epsilon: number(1)?,
            low: number(4)?,
            high: number(6)?,
        })
    })
}

/// The measurements around a number of records and an epsilon: the nearest with no more of either, and the nearest with no fewer.
/// Nothing where the table ends.
pub fn around(records: u64, epsilon: f64) -> (Option<Measured>, Option<Measured>) {
    let below = rows().filter(|row| row.records <= records && row.epsilon <= epsilon);
    let above = rows().find(|row| row.records >= records && row.epsilon >= epsilon);
    (below.last(), above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_and_accuracies_make_sense() {
        let all: Vec<Measured> = rows().collect();
        assert_eq!(all.len(), TABLE.lines().count() - 1);
        assert!(all.len() >= 12, "{}", all.len());
        assert!(all.is_sorted_by(|a, b| (a.records, a.epsilon) < (b.records, b.epsilon)));
        assert!(all.iter().all(|row| row.low > 0.0 && row.low <= row.high && row.high <= 100.0));
    }

    #[test]
    fn a_question_lies_between_its_neighbors() {
        let all: Vec<Measured> = rows().collect();
        let exact = all[all.len() / 2];
        assert_eq!(around(exact.records, exact.epsilon), (Some(exact), Some(exact)));
        let (first, last) = (all[0], all[all.len() - 1]);
        assert_eq!(around(first.records - 1, first.epsilon).0, None);
        assert_eq!(around(last.records + 1, last.epsilon).1, None);
        let (below, above) = around(first.records + 1, 1.5);
        assert!(below.unwrap().epsilon <= 1.5 && above.unwrap().records > first.records);
        assert!(below.unwrap().low < above.unwrap().high);
    }
}
