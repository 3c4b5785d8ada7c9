//! The analytic Gaussian mechanism, zCDP and tree aggregation against 60-digit references.

mod common;

use burn_privacy_accounting::{
    Accountant, Adjacency, DpEvent, RdpAccountant, discrete_gaussian_variance, gaussian_delta, gaussian_epsilon,
    gaussian_sigma, laplace_scale, zcdp_delta, zcdp_epsilon,
};
use common::{assert_close, assert_upper_bound, entries, number, numbers, table};

#[test]
fn analytic_gaussian_is_an_upper_bound_within_1e_minus_10() {
    let mut seen = 0;
    for entry in entries(&table("gaussian_analytic.json")) {
        let id = entry.to_string();
        let get = |field: &str| number(&entry[field]);
        match entry["kind"].as_str().unwrap() {
            "gaussian_sigma" => {
                let found = gaussian_sigma(get("epsilon"), get("delta"), get("sensitivity")).unwrap();
                assert_upper_bound(found, get("sigma"), 1e-10, 0.0, &id);
            }
            "gaussian_epsilon" => {
                let found = gaussian_epsilon(get("sigma") / get("sensitivity"), get("delta")).unwrap();
                assert_upper_bound(found, get("epsilon"), 1e-10, 0.0, &id);
            }
            "gaussian_delta" => {
                let found = gaussian_delta(get("sigma") / get("sensitivity"), get("epsilon")).unwrap();
                assert_upper_bound(found, get("delta"), 1e-10, 0.0, &id);
            }
            "discrete_gaussian_variance" => {
                let variance = discrete_gaussian_variance(get("sigma2").sqrt()).unwrap();
                assert_close(variance, get("variance"), 1e-12, &id);
                let mut accountant = RdpAccountant::new(Adjacency::ReplaceOne);
                accountant.compose(&DpEvent::discrete_gaussian(get("sigma2").sqrt(), 1.0).unwrap(), 1).unwrap();
                for order in [1.5, 8.0, 100.0] {
                    assert_close(accountant.divergence(order).unwrap(), get("rho_sensitivity1") * order, 1e-14, &id);
                }
            }
            "laplace_b" => {
                let scale = laplace_scale(get("epsilon"), get("delta"), get("sensitivity")).unwrap();
                assert_upper_bound(scale, get("b"), 1e-14, 0.0, &id);
                // With delta 0 a Laplace mechanism's epsilon is 1 / b, which is its divergence's limit.
                if get("delta") == 0.0 {
                    let mut accountant = RdpAccountant::new(Adjacency::AddOrRemoveOne);
                    accountant.compose(&DpEvent::laplace(get("b") / get("sensitivity")).unwrap(), 1).unwrap();
                    assert_close(accountant.divergence(1e9).unwrap(), get("epsilon"), 1e-7, &id);
                    assert!(accountant.epsilon(1e-9).unwrap() <= get("epsilon") * (1.0 + 1e-7));
                }
            }
            other => panic!("{other}"),
        }
        seen += 1;
    }
    assert_eq!(seen, 50);
}

#[test]
fn gaussian_functions_invert_each_other() {
    for noise in [0.02, 0.3, 1.0, 1.5, 7.0, 100.0, 1e5] {
        for delta in [0.3, 1e-3, 1e-9, 1e-100, 1e-300] {
            let epsilon = gaussian_epsilon(noise, delta).unwrap();
            if epsilon > 0.0 {
                assert_close(gaussian_delta(noise, epsilon).unwrap(), delta, 1e-8, "delta");
                assert_close(gaussian_sigma(epsilon, delta, 1.0).unwrap(), noise, 1e-10, "sigma");
            }
        }
    }
}

#[test]
fn zcdp_is_the_infimum_over_real_orders() {
    for entry in entries(&table("zcdp.json")) {
        let (rho, delta) = (number(&entry["rho"]), number(&entry["delta"]));
        let truth = number(&entry["epsilon_inf_orders"]);
        let found = zcdp_epsilon(rho, delta).unwrap();
        assert_upper_bound(found, truth, 1e-11, 0.0, &entry["id"].to_string());
        assert!(found >= number(&entry["gaussian_exact_epsilon"]));
        assert!(found <= number(&entry["simple_epsilon"]));
        assert_close(zcdp_delta(rho, found).unwrap(), delta, 1e-9, &entry["id"].to_string());
        let mut accountant = RdpAccountant::new(Adjacency::ReplaceOne);
        accountant.compose(&DpEvent::zcdp(rho).unwrap(), 1).unwrap();
        assert_close(accountant.epsilon(delta).unwrap(), truth, 1e-11, "accountant");
    }
}

#[test]
fn trees_cost_one_gaussian_a_level() {
    let orders = numbers(&table("epsilon_rdp.json")["dpa_default_orders"]);
    for entry in entries(&table("tree.json")) {
        let trees = entry["step_counts"].as_array().unwrap().iter().map(|steps| steps.as_u64().unwrap()).collect();
        let event = DpEvent::tree_aggregation(number(&entry["noise_multiplier"]), trees).unwrap();
        let (epochs, delta) = (entry["epochs"].as_u64().unwrap(), number(&entry["delta"]));
        let id = entry["id"].to_string();
        for (mut accountant, truth) in [
            (RdpAccountant::new(Adjacency::ZeroOut), "epsilon_inf_orders"),
            (RdpAccountant::with_orders(Adjacency::ZeroOut, &orders).unwrap(), "closed_form_epsilon_dpa_orders"),
        ] {
            accountant.compose(&event, epochs).unwrap();
            // The entry without noise has no figure for the 156 orders.
            let truth = if number(&entry["rho"]).is_finite() { number(&entry[truth]) } else { f64::INFINITY };
            assert_upper_bound(accountant.epsilon(delta).unwrap(), truth, 1e-9, 0.0, &id);
        }
    }
}
