//! The contour estimate against contour integrals computed elsewhere, and against closed forms.

mod common;

use std::time::Instant;

use burn_privacy_accounting::{Accountant, AccountingError, Adjacency, ContourEstimator, DpEvent};
use common::{entries, number, table};

#[test]
fn estimates_agree_to_1e_minus_6_or_are_refused() {
    let (mut answered, mut refused) = (0, 0);
    for entry in entries(&table("epsilon_pld.json")) {
        let phases = entry["phases"].as_array().unwrap();
        let gaussian = phases.iter().all(|phase| phase["kind"].as_str().unwrap().ends_with("gaussian"));
        if !gaussian || entry["exact_epsilon"].is_null() {
            continue;
        }
        let id = format!("{} {}", entry["id"], entry["phases"]);
        let mut estimator = ContourEstimator::new(Adjacency::AddOrRemoveOne);
        let mut steps = 0;
        for phase in phases {
            let event =
                DpEvent::poisson_sampled(number(&phase["q"]), DpEvent::gaussian(number(&phase["sigma"])).unwrap());
            let count = phase["steps"].as_u64().unwrap();
            estimator.compose(&event.unwrap(), count).unwrap();
            steps += count;
        }
        let truth = number(&entry["exact_epsilon"]);
        let start = Instant::now();
        match estimator.epsilon(number(&entry["delta"])) {
            Ok(found) => {
                answered += 1;
                println!("{:8.2} ms {:e} {id}", start.elapsed().as_secs_f64() * 1e3, found / truth - 1.0);
                assert!((found - truth).abs() <= 1e-6 * truth + 1e-9, "{id}: {found} {truth}");
                // The tables check themselves less well here.
                let check = entry["check"].as_f64().unwrap_or(0.0) + 1e-6;
                for query in entry["delta_query"].as_array().unwrap() {
                    if query["exact_delta"].is_null() {
                        continue;
                    }
                    let truth = number(&query["exact_delta"]);
                    let Ok(found) = estimator.delta(number(&query["epsilon"])) else {
                        assert!(steps < 100, "{id}");
                        continue;
                    };
                    assert!((found - truth).abs() <= check * truth + 1e-300, "{id}: delta {found} {truth}");
                }
            }
            Err(error) => {
                refused += 1;
                println!("refused {id}: {error}");
                assert!(matches!(error, AccountingError::NoEstimate { .. }), "{id}: {error}");
                assert!(steps < 100 || entry["id"] == "epsilon_pld-0031", "{id}: {error}");
            }
        }
    }
    assert!(answered >= 35, "{answered} answered, {refused} refused");
}

#[test]
fn slowly_decaying_integrands_and_other_noise_are_refused() {
    let mut estimator = ContourEstimator::new(Adjacency::AddOrRemoveOne);
    assert!(!estimator.is_bound());
    for event in [DpEvent::laplace(1.0), DpEvent::exponential_mechanism(1.0), DpEvent::epsilon_delta(1.0, 1e-6)] {
        let error = estimator.compose(&event.unwrap(), 10).unwrap_err();
        assert!(error.to_string().contains("contour"), "{error}");
    }
    assert_eq!(estimator.epsilon(1e-5).unwrap(), 0.0);
    let single = DpEvent::poisson_sampled(0.01, DpEvent::gaussian(0.5).unwrap()).unwrap();
    estimator.compose(&single, 1).unwrap();
    let error = estimator.epsilon(1e-5).unwrap_err();
    assert!(matches!(error, AccountingError::NoEstimate { .. }), "{error}");
}
