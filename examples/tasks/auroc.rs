//! How well scores rank: the area under the receiver operating characteristic.

/// The probability that a record of the positive class has a higher score than one of the other, ties counting half: 0.5 for
/// guesses, 1 for a perfect ranking, whatever the threshold. Nothing unless both classes are there.
///
/// `labels` above 0 are positive. It is the Mann-Whitney statistic, by ranks.
pub fn auroc(scores: &[f64], labels: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len().min(labels.len())).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut below, mut pairs, mut positives) = (0.0, 0.0, 0.0);
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let up = tied.iter().filter(|&&at| labels[at] > 0.0).count() as f64;
        let down = tied.len() as f64 - up;
        pairs += up * (below + 0.5 * down);
        below += down;
        positives += up;
    }
    (positives > 0.0 && below > 0.0).then(|| pairs / (positives * below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_pairs_in_order_and_ties_half() {
        let labels = [1.0, -1.0, 1.0, -1.0];
        assert_eq!(auroc(&[4.0, 1.0, 3.0, 2.0], &labels), Some(1.0));
        assert_eq!(auroc(&[1.0, 4.0, 2.0, 3.0], &labels), Some(0.0));
        assert_eq!(auroc(&[0.0; 4], &labels), Some(0.5));
        assert_eq!(auroc(&[2.0, 1.0, 1.0, 1.5], &labels), Some(2.5 / 4.0));
        assert_eq!(auroc(&[1.0, 2.0], &[1.0, 1.0]), None);
        // By counting all pairs.
        let scores: Vec<f64> = (0..200).map(|i| f64::from(i * 37 % 50)).collect();
        let labels: Vec<f64> = (0..200).map(|i| if i % 3 == 0 { 1.0 } else { -1.0 }).collect();
        let (mut right, mut all) = (0.0, 0.0);
        for i in (0..200).filter(|i| labels[*i] > 0.0) {
            for j in (0..200).filter(|j| labels[*j] < 0.0) {
                all += 1.0;
                right += if scores[i] > scores[j] {
                    1.0
                } else if scores[i] == scores[j] {
                    0.5
                } else {
                    0.0
                };
            }
        }
        assert!((auroc(&scores, &labels).unwrap() - right / all).abs() < 1e-12);
    }
}
