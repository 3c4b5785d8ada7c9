//! How a row's epsilon, or its delta, is divided among columns.

use crate::decimal_sum::sum_as_written;

/// What a column asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Request {
    /// An amount of its own.
    Own(f64),
    /// A weight in what the others leave.
    Share(f64),
}

/// What every column gets, and the sum.
///
/// Amounts are summed as the decimals they were written as: 0.1 and 0.2 are 0.3 (see [`crate::decimal_sum`]). That is
/// sound because each mechanism spends less than its own amount by far more than a sum's rounding: noise holds back
/// [`EPSILON_SLACK`](burn_privacy_mechanisms::local::EPSILON_SLACK) (`2^-20`) of epsilon and the same part of delta, of which the rounding
/// of the noise needs no more than a quarter, and coins hold back `2^-40` of their probability. Where there is no
/// decimal sum, doubles are added and rounded up.
///
/// The error is a sentence, for which `what` is `epsilon` or `delta`.
pub(super) fn divide(what: &str, budget: Option<f64>, requests: &[Request]) -> Result<(Vec<f64>, f64), String> {
    let own: Vec<f64> = requests
        .iter()
        .filter_map(|request| if let Request::Own(amount) = request { Some(*amount) } else { None })
        .collect();
    let own = sum_as_written(&own);
    let weights: f64 =
        requests.iter().map(|request| if let Request::Share(weight) = request { *weight } else { 0.0 }).sum();
    let shared = requests.iter().any(|request| matches!(request, Request::Share(_)));
    // Less what summing and subtracting may round away, so that own amounts and shares never exceed the budget.
    let rest = budget.unwrap_or(0.0) * (1.0 - (requests.len() + 2) as f64 * f64::EPSILON) - own;
    if let Some(budget) = budget {
        if !(budget > 0.0 && budget.is_finite()) {
            return Err(format!("{what} is {budget}, but must be a finite number above 0"));
        }
        if own > budget {
            return Err(format!(
                "columns ask for {what} {own} in sum, but the row's is {budget}; raise it or ask \
                 for less"
            ));
        }
        if shared && rest <= 0.0 {
            return Err(format!(
                "columns with {what} of their own use up the row's {budget}, and the others need a share; raise it or \
                 ask for less"
            ));
        }
    } else if shared {
        return Err(format!(
            "some columns have no {what} of their own: give it to each of them, or `{what}` at the top to divide \
             among them"
        ));
    }
    let amounts: Vec<f64> = requests
        .iter()
        .map(|request| match request {
            Request::Own(amount) => *amount,
            // A little less, for the rounding of the quotient and the product.
            Request::Share(weight) => rest * (weight / weights) * (1.0 - 1e-14),
        })
        .collect();
    let total = match budget {
        Some(budget) if shared => budget,
        _ => own,
    };
    Ok((amounts, total))
}

#[cfg(test)]
mod tests {
    use super::Request::{Own, Share};
    use super::*;

    #[test]
    fn shares_divide_what_the_others_leave() {
        let (amounts, total) = divide("epsilon", Some(4.0), &[Share(1.0), Own(1.0), Share(2.0)]).unwrap();
        assert_eq!(total, 4.0);
        assert!((amounts[0] - 1.0).abs() < 1e-12 && (amounts[2] - 2.0).abs() < 1e-12);
        assert!(amounts.iter().sum::<f64>() <= 4.0);
        for count in 1..50 {
            let (amounts, _) = divide("epsilon", Some(1.0), &vec![Share(1.0); count]).unwrap();
            assert!(amounts.iter().sum::<f64>() <= 1.0, "{count}");
        }
    }

    #[test]
    fn own_amounts_add_up() {
        assert_eq!(divide("epsilon", None, &[Own(1.0)]).unwrap().1, 1.0);
        assert_eq!(divide("epsilon", Some(4.0), &[Own(1.0)]).unwrap().1, 1.0);
        for (amounts, total) in [(vec![0.1, 0.2], 0.3), (vec![0.1; 10], 1.0), (vec![1e-7; 3], 3e-7), (vec![], 0.0)] {
            let requests: Vec<_> = amounts.iter().map(|&amount| Own(amount)).collect();
            // Bit for bit: -0.0 would be written as such.
            assert_eq!(divide("epsilon", None, &requests).unwrap().1.to_bits(), f64::to_bits(total), "{amounts:?}");
        }
        // The whole of a budget, no less: 0.1 + 0.2 is not above 0.3.
        assert_eq!(divide("epsilon", Some(0.3), &[Own(0.1), Own(0.2)]).unwrap().1, 0.3);
        // Beyond decimal places, up.
        let (_, total) = divide("delta", None, &[Own(0.1), Own(1e-60)]).unwrap();
        assert!(total > 0.1 && total < 0.1 + 1e-15);
    }

    #[test]
    fn what_does_not_work_out_is_refused() {
        assert!(divide("epsilon", None, &[Share(1.0)]).unwrap_err().contains("of their own"));
        assert!(divide("epsilon", Some(1.0), &[Own(0.6), Own(0.6)]).unwrap_err().contains("in sum"));
        assert!(divide("epsilon", Some(1.0), &[Own(1.0), Share(1.0)]).unwrap_err().contains("use up"));
        for budget in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(divide("epsilon", Some(budget), &[Share(1.0)]).unwrap_err().contains("above 0"));
        }
    }
}
