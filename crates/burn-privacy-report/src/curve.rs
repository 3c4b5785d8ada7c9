//! A run's curve, as CSV and JSON.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// One point of a run's curve: what had been spent and reached after a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurvePoint {
    /// Number of updates so far.
    pub step: u64,
    /// The same in passes over the (nominal) training set.
    pub epoch: f64,
    /// Epsilon of the updates so far at the plan's delta, in nats; infinite without privacy (in JSON the string
    /// `"inf"`).
    #[serde(with = "burn_privacy_accounting::json::number_or_inf")]
    pub epsilon: f64,
    /// Accuracy on the public evaluation images, from 0 to 1.
    pub accuracy: f64,
}

/// A curve as comma-separated values with a header line; `accuracy` names the last column, such as
/// `test_accuracy`. Numbers have full precision.
pub fn curve_csv(points: &[CurvePoint], accuracy: &str) -> String {
    let mut text = format!("step,epoch,epsilon,{accuracy}\n");
    for point in points {
        let CurvePoint { step, epoch, epsilon, accuracy } = point;
        // Writing to a string can't fail.
        let _ = writeln!(text, "{step},{epoch},{epsilon},{accuracy}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_has_a_header_and_full_precision() {
        let points = [
            CurvePoint { step: 10, epoch: 0.5, epsilon: 0.1 + 0.2, accuracy: 0.25 },
            CurvePoint { step: 20, epoch: 1.0, epsilon: f64::INFINITY, accuracy: 1.0 },
        ];
        assert_eq!(
            curve_csv(&points, "test_accuracy"),
            "step,epoch,epsilon,test_accuracy\n10,0.5,0.30000000000000004,0.25\n20,1,inf,1\n"
        );
    }

    #[test]
    fn infinity_survives_json() {
        let point = CurvePoint { step: 1, epoch: 0.1, epsilon: f64::INFINITY, accuracy: 0.1 };
        let json = serde_json::to_string(&point).unwrap();
        assert!(json.contains("\"inf\""));
        assert_eq!(serde_json::from_str::<CurvePoint>(&json).unwrap(), point);
        assert!(serde_json::from_str::<CurvePoint>(&json.replace("inf", "no")).is_err());
    }
}
