//! Calibrated noise against the reference table.

mod common;

use burn_privacy_accounting::{
    Accountant, Adjacency, DpEvent, PldAccountant, RdpAccountant, calibrate_noise_multiplier, calibrate_sampling_rate,
    calibrate_steps,
};
use common::{entries, number, numbers, table};

fn training(q: f64, noise: f64, steps: u64) -> burn_privacy_accounting::Result<DpEvent> {
    DpEvent::self_composed(DpEvent::poisson_sampled(q, DpEvent::gaussian(noise)?)?, steps)
}

fn epsilon(mut accountant: RdpAccountant, event: &DpEvent, delta: f64) -> f64 {
    accountant.compose(event, 1).unwrap();
    accountant.epsilon(delta).unwrap()
}

#[test]
fn noise_is_the_smallest_that_holds() {
    let orders = numbers(&table("epsilon_rdp.json")["dpa_default_orders"]);
    let default = || RdpAccountant::new(Adjacency::AddOrRemoveOne);
    let listed = || RdpAccountant::with_orders(Adjacency::AddOrRemoveOne, &orders).unwrap();
    let table = table("calibration.json");
    for entry in entries(&table) {
        let (target, delta) = (number(&entry["target_epsilon"]), number(&entry["target_delta"]));
        let (q, steps) = (number(&entry["q"]), entry["steps"].as_u64().unwrap());
        let make = |noise| training(q, noise, steps);

        let tight = calibrate_noise_multiplier(make, target, delta, default).unwrap();
        assert!(epsilon(default(), &make(tight).unwrap(), delta) <= target, "{entry}");
        assert!(epsilon(default(), &make(tight * (1.0 - 1e-6)).unwrap(), delta) > target, "{entry}");
        let infimum = number(&entry["rdp_inf_orders_sigma"]);
        let coarse = number(&entry["rdp_true_sigma_dpa_orders"]);
        assert!(tight >= infimum * (1.0 - 1e-9) && tight <= infimum * (1.0 + 1e-8), "{entry}: {tight}");
        assert!(tight <= coarse * (1.0 + 1e-9), "{entry}: {tight}");

        let same_orders = calibrate_noise_multiplier(make, target, delta, listed).unwrap();
        assert!(epsilon(listed(), &make(same_orders).unwrap(), delta) <= target, "{entry}");
        let relative = same_orders / coarse - 1.0;
        assert!((-1e-10..1e-6).contains(&relative), "{entry}: {same_orders}, {relative:e}");
    }
    assert_eq!(entries(&table).len(), 28);
}

#[test]
fn steps_and_sampling_rate_are_the_largest_that_hold() {
    let default = || RdpAccountant::new(Adjacency::AddOrRemoveOne);
    for entry in entries(&table("calibration.json")) {
        let (target, delta) = (number(&entry["target_epsilon"]), number(&entry["target_delta"]));
        let (q, steps) = (number(&entry["q"]), entry["steps"].as_u64().unwrap());
        let noise = number(&entry["rdp_inf_orders_sigma"]) * (1.0 + 1e-7);

        let found = calibrate_steps(|steps| training(q, noise, steps), target, delta, default).unwrap();
        assert!(found >= steps && found as f64 <= steps as f64 * 1.001, "{entry}: {found}");
        assert!(epsilon(default(), &training(q, noise, found).unwrap(), delta) <= target);
        assert!(epsilon(default(), &training(q, noise, found + 1).unwrap(), delta) > target);

        let rate = calibrate_sampling_rate(|q| training(q, noise, steps), target, delta, default).unwrap();
        assert!(rate >= q * (1.0 - 1e-9) && rate <= q * 1.001, "{entry}: {rate}");
        assert!(epsilon(default(), &training(rate, noise, steps).unwrap(), delta) <= target);
    }
}

#[test]
fn noise_by_pld_is_tight() {
    let new = || PldAccountant::new(Adjacency::AddOrRemoveOne);
    for entry in entries(&table("calibration.json")) {
        if entry["exact_sigma"].is_null() {
            continue;
        }
        let (target, delta) = (number(&entry["target_epsilon"]), number(&entry["target_delta"]));
        let (q, steps) = (number(&entry["q"]), entry["steps"].as_u64().unwrap());
        let start = std::time::Instant::now();
        let found = calibrate_noise_multiplier(|noise| training(q, noise, steps), target, delta, new).unwrap();
        let exact = number(&entry["exact_sigma"]);
        println!("{:9.1} ms {:e} {entry}", start.elapsed().as_secs_f64() * 1e3, found / exact - 1.0);
        assert!(found >= exact * (1.0 - 1e-6) && found <= exact * (1.0 + 2e-4), "{entry}: {found}");
        let epsilon = |noise: f64| {
            let mut accountant = new();
            accountant.compose(&training(q, noise, steps).unwrap(), 1).unwrap();
            accountant.epsilon(delta).unwrap()
        };
        assert!(epsilon(found) <= target && epsilon(found * (1.0 - 1e-6)) > target, "{entry}: {found}");
    }
}
