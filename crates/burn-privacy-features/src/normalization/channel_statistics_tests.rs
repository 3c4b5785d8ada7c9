//! Tests of channel statistics: sensitivity record by record, accuracy without noise, refusals.

use burn_privacy_budget::PhasedRun;
use burn_privacy_budget::plan::PhasedPlanConfig;
use burn_privacy_mechanisms::Entropy;
use half::f16;

use super::*;

fn table(rows: usize) -> FeatureTable {
    let value = |at: usize| {
        let (row, channel) = (at / 12, at / 4 % 3);
        let wave = ((row * 7 + at * 13) as f32 * 0.61).sin();
        [1.0 + 0.5 * wave, 0.01 * wave, 30.0 * wave][channel]
    };
    FeatureTable::new(3, 4, (0..rows * 12).map(|at| f16::from_f32(value(at))).collect()).unwrap()
}

fn statistics(table: &FeatureTable, bounds: &ChannelBounds, noise: f64) -> ChannelStatistics {
    let plan = PhasedPlanConfig::new(1e-5).with_phase(statistics_phase(table.rows(), PhaseNoise::Multiplier(noise)));
    let mut run = PhasedRun::new(plan.build().unwrap(), Entropy::seeded(3)).unwrap();
    ChannelStatistics::release(table, bounds, run.charge(PHASE).unwrap()).unwrap()
}

#[test]
fn units_in_which_squares_vanish_or_run_over_are_refused() {
    assert!(ChannelBounds::new(vec![1e163], 1e-165, 1.0).is_err());
    for (scale, norm) in [(1e-31, 1.0), (1e31, 1.0), (1.0, 1e-31), (1.0, 1e31), (f64::NAN, 1.0), (1.0, f64::INFINITY)] {
        assert!(ChannelBounds::new(vec![scale], norm, 1.0).is_err(), "{scale} {norm}");
        assert!(ChannelBounds::new(vec![scale], 1.0, norm).is_err(), "{scale} {norm}");
    }
    // At the ends of the range a record's vector keeps its norm.
    for (scale, mean, square) in [(1e30, 1e-30, 1e-30), (1e-30, 1e30, 1e30), (1e30, 1e-30, 1e30), (1.0, 1e-30, 1e-30)] {
        for value in [6e-8, 1.0, 6e4] {
            let table = FeatureTable::new(1, 2, vec![f16::from_f32(value), f16::from_f32(-value)]).unwrap();
            let sum = clipped_sums(&table, &ChannelBounds::new(vec![scale], mean, square).unwrap());
            assert!(sum.iter().all(|x| x.abs() <= 1.0), "{scale} {mean} {square} {value}: {sum:?}");
        }
    }
}

#[test]
fn no_record_moves_the_sum_by_more_than_was_stated() {
    let table = table(500);
    for bounds in [
        ChannelBounds::new(vec![1.0; 3], 0.2, 0.1).unwrap(),
        ChannelBounds::new(vec![1.0, 0.01, 30.0], 2.0, 2.0).unwrap(),
        ChannelBounds::new(vec![1e-3, 1e3, 1.0], 1e-6, 1e6).unwrap(),
    ] {
        let all = clipped_sums(&table, &bounds);
        for row in [0, 17, 499] {
            let mut values = table.values().to_vec();
            values.drain(row * 12..row * 12 + 12);
            let without = clipped_sums(&FeatureTable::new(3, 4, values).unwrap(), &bounds);
            let moved: Vec<f64> = all.iter().zip(&without).map(|(a, b)| a - b).collect();
            assert!(norm(&moved[..3]) <= 1.0 && norm(&moved[3..]) <= 1.0, "{moved:?}");
            // Exactly that record's vector.
            let own = contribution(&record_moments(&table, row, bounds.scales()), &bounds);
            assert_eq!(own.len(), moved.len());
            assert!(moved.iter().zip(own).all(|(moved, own)| *moved == own as f64 / GRID));
        }
    }
}

#[test]
fn with_little_noise_and_wide_bounds_they_are_the_statistics() {
    let table = table(3_000);
    let bounds = ChannelBounds::of_public_records(&table).unwrap();
    let (mean_norm, square_norm) = bounds.norms();
    let wide = ChannelBounds::new(bounds.scales().to_vec(), 4.0 * mean_norm, 4.0 * square_norm).unwrap();
    let statistics = statistics(&table, &wide, 0.01);
    assert_eq!(statistics.lost(), 0);
    let mut rows = Vec::new();
    for row in 0..table.rows() {
        let mut values = [0.0; 12];
        table.read_row(row, &mut values);
        statistics.normalize(&mut values);
        rows.push(values);
    }
    for channel in 0..3 {
        let values = || rows.iter().flat_map(|row| &row[channel * 4..channel * 4 + 4]).map(|&x| f64::from(x));
        let mean = values().sum::<f64>() / 12_000.0;
        let variance = values().map(|x| (x - mean).powi(2)).sum::<f64>() / 12_000.0;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{channel}: {mean} {variance}");
    }
}

#[test]
fn norms_are_found_from_a_poor_guess_and_kept_where_noise_is_all_there_is() {
    let table = table(4_000);
    let right = ChannelBounds::of_public_records(&table).unwrap();
    let poor = ChannelBounds::new(right.scales().to_vec(), right.norms().0 / 5.0, right.norms().1 * 5.0).unwrap();
    let fitted = |noise: f64| {
        let plan = PhasedPlanConfig::new(1e-5).with_phase(norms_phase(4_000, PhaseNoise::Multiplier(noise)));
        let mut run = PhasedRun::new(plan.build().unwrap(), Entropy::seeded(5)).unwrap();
        poor.fitted(&table, run.charge(NORMS_PHASE).unwrap()).unwrap().norms()
    };
    let (mean, square) = fitted(4.0);
    assert!((mean / right.norms().0 - 1.0).abs() < 0.2, "{mean} {:?}", right.norms());
    assert!((square / right.norms().1 - 1.0).abs() < 0.6, "{square} {:?}", right.norms());
    let (mean, square) = fitted(1e9);
    assert!(mean > 0.0 && square > 0.0);
}

#[test]
fn channels_that_noise_swamps_become_zero_and_broken_records_count_as_zeros() {
    let table = table(50);
    let statistics = statistics(&table, &ChannelBounds::new(vec![1.0; 3], 1.0, 1.0).unwrap(), 100.0);
    assert!(statistics.lost() > 0);
    let mut row = [1.0; 12];
    statistics.normalize(&mut row);
    assert!(row.contains(&0.0));
    let broken = FeatureTable::new(3, 4, vec![f16::NAN; 12]).unwrap();
    let sums = clipped_sums(&broken, &ChannelBounds::new(vec![1.0; 3], 1.0, 1.0).unwrap());
    assert!(sums.iter().all(|&sum| sum == 0.0));
}

#[test]
fn other_phases_and_bounds_are_refused() {
    assert!(ChannelBounds::new(vec![0.0], 1.0, 1.0).is_err() && ChannelBounds::new(vec![1.0], f64::NAN, 1.0).is_err());
    let table = table(50);
    let small = PhaseConfig { contribution: 1.0, ..statistics_phase(50, PhaseNoise::Multiplier(1.0)) };
    let plan = PhasedPlanConfig::new(1e-5).with_phase(small).build().unwrap();
    let mut run = PhasedRun::new(plan, Entropy::os()).unwrap();
    let bounds = ChannelBounds::new(vec![1.0; 3], 1.0, 1.0).unwrap();
    assert!(ChannelStatistics::release(&table, &bounds, run.charge(PHASE).unwrap()).is_err());
}
