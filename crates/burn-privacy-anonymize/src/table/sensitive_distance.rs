//! Earth mover's distances between a class's sensitive values and the table's (Li, Li and Venkatasubramanian 2007,
//! "t-Closeness", sections 4.1 and 4.2), from counts.

use super::hierarchy::Hierarchy;

/// Equal distance: half the sum of |p - q|, as an exact numerator over 2 `rows` `total`.
pub(super) fn equal_numerator(class: &[u64], rows: u64, table: &[u64], total: u64) -> u128 {
    class
        .iter()
        .zip(table)
        .map(|(&here, &all)| (u128::from(here) * u128::from(total)).abs_diff(u128::from(all) * u128::from(rows)))
        .sum()
}

/// Ordered distance: the sum of |cumulated p - q| over (values - 1), for counts in the values' order; an exact numerator
/// over (values - 1) `rows` `total`.
pub(super) fn ordered_numerator(class: &[u64], rows: u64, table: &[u64], total: u64) -> u128 {
    let mut sum = 0_u128;
    let (mut here_so_far, mut all_so_far) = (0_u128, 0_u128);
    for (&here, &all) in class.iter().zip(table) {
        here_so_far += u128::from(here);
        all_so_far += u128::from(all);
        sum += (here_so_far * u128::from(total)).abs_diff(all_so_far * u128::from(rows));
    }
    sum
}

/// Hierarchical distance: mass that has to cross a node of height h (of H) costs h / H.
///
/// `leaves` is the code in the hierarchy of each sensitive value.
pub(super) fn hierarchical(
    class: &[u64],
    rows: u64,
    table: &[u64],
    total: u64,
    hierarchy: &Hierarchy,
    leaves: &[u32],
) -> f64 {
    let top = hierarchy.levels() - 1;
    if top == 0 {
        return equal_numerator(class, rows, table, total) as f64 / (2.0 * rows as f64 * total as f64);
    }
    // The difference times rows x total, which is an integer.
    let mut extra = vec![0_i128; hierarchy.leaves()];
    for ((&here, &all), &leaf) in class.iter().zip(table).zip(leaves) {
        extra[leaf as usize] += i128::from(here) * i128::from(total) - i128::from(all) * i128::from(rows);
    }
    let mut distance = 0.0;
    for height in 1..=top {
        let mut positive = vec![0_i128; hierarchy.labels_at(height)];
        let mut negative = vec![0_i128; hierarchy.labels_at(height)];
        let mut above = vec![0_i128; hierarchy.labels_at(height)];
        // A label of the level below hands on the sum of what is under it.
        let mut handed = vec![false; hierarchy.labels_at(height - 1)];
        for leaf in 0..hierarchy.leaves() as u32 {
            let below = hierarchy.generalize(leaf, height - 1) as usize;
            if std::mem::replace(&mut handed[below], true) {
                continue;
            }
            let label = hierarchy.generalize(leaf, height) as usize;
            let value = extra[below];
            above[label] += value;
            if value > 0 { positive[label] += value } else { negative[label] -= value }
        }
        let crossing: i128 = positive.iter().zip(&negative).map(|(more, less)| *more.min(less)).sum();
        distance += height as f64 / top as f64 * crossing as f64;
        extra = above;
    }
    distance / (rows as f64 * total as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_salaries_have_the_papers_distances() {
        // Salaries 3k..11k once each; {3k,4k,5k} is 0.375 away, {6k,8k,11k} 0.167 (example 3 of the paper).
        let table = [1; 9];
        let distance = |class: [u64; 9]| ordered_numerator(&class, 3, &table, 9) as f64 / (8.0 * 3.0 * 9.0);
        assert!((distance([1, 1, 1, 0, 0, 0, 0, 0, 0]) - 0.375).abs() < 1e-12);
        assert!((distance([0, 0, 0, 1, 0, 1, 0, 0, 1]) - 1.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn equal_distance_is_the_total_variation() {
        assert_eq!(equal_numerator(&[2, 0], 2, &[5, 5], 10) as f64 / (2.0 * 2.0 * 10.0), 0.5);
        assert_eq!(equal_numerator(&[1, 1], 2, &[5, 5], 10), 0);
    }

    #[test]
    fn hierarchical_distance_is_half_within_a_group_and_whole_across() {
        let lines: Vec<Vec<String>> =
            ["a;x;*", "b;x;*", "c;y;*", "d;y;*"].map(|line| line.split(';').map(str::to_owned).collect()).to_vec();
        let tree = Hierarchy::new("s", &lines).unwrap();
        let distance = |class: [u64; 4], rows| hierarchical(&class, rows, &[1, 1, 1, 1], 4, &tree, &[0, 1, 2, 3]);
        // a and c stand for their groups: 1/4 goes a to b, 1/4 c to d, at 1/2 each.
        assert!((distance([1, 0, 1, 0], 2) - 0.25).abs() < 1e-12);
        // a alone: 1/4 to b at 1/2, 1/2 across at 1.
        assert!((distance([1, 0, 0, 0], 1) - 0.625).abs() < 1e-12);
    }
}
