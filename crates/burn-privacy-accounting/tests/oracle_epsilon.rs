//! Epsilon by Renyi divergences against the reference table: real orders, dp-accounting's orders, Opacus's orders.

mod common;

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, EpsilonSchedule, RdpAccountant};
use common::{assert_upper_bound, entries, number, numbers, table};
use serde_json::Value;

/// (event of one step, steps) of each phase.
fn phases(entry: &Value) -> Vec<(DpEvent, u64)> {
    let one = [entry.clone()];
    let list = entry["phases"].as_array().map_or(&one[..], Vec::as_slice);
    list.iter()
        .map(|phase| {
            let gaussian = DpEvent::gaussian(number(&phase["sigma"])).unwrap();
            let step = DpEvent::poisson_sampled(number(&phase["q"]), gaussian).unwrap();
            (step, phase["steps"].as_u64().unwrap())
        })
        .collect()
}

fn composed(mut accountant: RdpAccountant, entry: &Value) -> RdpAccountant {
    for (step, steps) in phases(entry) {
        accountant.compose(&step, steps).unwrap();
    }
    accountant
}

#[test]
fn default_orders_lie_between_all_real_orders_and_156_orders() {
    let table = table("epsilon_rdp.json");
    for entry in entries(&table) {
        let delta = number(&entry["delta"]);
        let found = composed(RdpAccountant::new(Adjacency::AddOrRemoveOne), entry).epsilon(delta).unwrap();
        let infimum = number(&entry["true_epsilon_inf_orders"]).max(0.0);
        let coarse = number(&entry["true_epsilon_dpa_orders"]);
        assert!(found <= coarse, "{entry}: {found}");
        // The reference's own minimizer stops within 1e-11 of the minimum.
        assert_upper_bound(found, infimum, 1e-10, 1e-12, &entry["id"].to_string());
    }
    assert_eq!(entries(&table).len(), 82);
}

#[test]
fn given_orders_reproduce_other_libraries_to_1e_minus_9() {
    let table = table("epsilon_rdp.json");
    for (orders, truth) in
        [("dpa_default_orders", "true_epsilon_dpa_orders"), ("opacus_default_orders", "true_epsilon_opacus_orders")]
    {
        let orders = numbers(&table[orders]);
        for entry in entries(&table) {
            let delta = number(&entry["delta"]);
            let empty = RdpAccountant::with_orders(Adjacency::AddOrRemoveOne, &orders).unwrap();
            let found = composed(empty, entry).epsilon(delta).unwrap();
            let truth = number(&entry[truth]).max(0.0);
            assert_upper_bound(found, truth, 1e-9, 1e-12, &entry["id"].to_string());
        }
    }
}

#[test]
fn schedules_are_upper_bounds_within_1e_minus_7() {
    let table = table("epsilon_rdp.json");
    for entry in entries(&table) {
        let phases = phases(entry);
        let Some(((last, steps), before)) = phases.split_last() else { panic!("{entry}") };
        let mut accountant = RdpAccountant::new(Adjacency::AddOrRemoveOne);
        for (step, steps) in before {
            accountant.compose(step, *steps).unwrap();
        }
        let delta = number(&entry["delta"]);
        let found = EpsilonSchedule::continuing(&accountant, last).unwrap().epsilon_after(*steps, delta).unwrap();
        let infimum = number(&entry["true_epsilon_inf_orders"]).max(0.0);
        assert_upper_bound(found, infimum, 1e-7, 1e-12, &entry["id"].to_string());
    }
}

#[test]
fn delta_is_the_inverse_of_epsilon() {
    let table = table("epsilon_rdp.json");
    for entry in entries(&table) {
        let delta = number(&entry["delta"]);
        let accountant = composed(RdpAccountant::new(Adjacency::AddOrRemoveOne), entry);
        let epsilon = accountant.epsilon(delta).unwrap();
        if epsilon > 0.0 && epsilon.is_finite() {
            let back = accountant.delta(epsilon).unwrap();
            assert!((back / delta - 1.0).abs() < 1e-9, "{entry}: {back}");
        }
    }
}
