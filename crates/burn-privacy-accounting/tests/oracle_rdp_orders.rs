//! Renyi divergences of the Poisson-sampled Gaussian against 260-bit integration (1520 entries, rates 1e-5 to 1,
//! noise 0.3 to 100, orders 1.1 to 1024).

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, RdpAccountant};

#[test]
fn every_divergence_is_an_upper_bound_within_1e_minus_11() {
    let text = include_str!("fixtures/rdp_orders.csv");
    let mut worst = (0.0, String::new());
    let mut count = 0;
    for line in text.lines().skip(1) {
        let row: Vec<f64> = line.split(',').map(|field| field.parse().unwrap()).collect();
        let [q, sigma, order, truth, reverse] = row[..] else { panic!("{line}") };
        for adjacency in [Adjacency::AddOrRemoveOne, Adjacency::ZeroOut] {
            let mut accountant = RdpAccountant::new(adjacency);
            let step = DpEvent::poisson_sampled(q, DpEvent::gaussian(sigma).unwrap()).unwrap();
            accountant.compose(&step, 1).unwrap();
            let found = accountant.divergence(order).unwrap();
            let relative = found / truth - 1.0;
            // The truth is rounded to nearest, so half a unit in the last place may be missing.
            assert!((-2e-16..1e-11).contains(&relative), "{line}: found {found}, {relative:e}");
            // Both directions are covered.
            assert!(found >= reverse, "{line}: found {found}, below the other direction's {reverse}");
            if relative > worst.0 {
                worst = (relative, line.to_owned());
            }
        }
        count += 1;
    }
    assert_eq!(count, 1520);
    println!("largest relative excess {:e} at {}", worst.0, worst.1);
}
