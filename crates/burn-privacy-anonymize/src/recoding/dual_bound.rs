//! A sharper certificate: rows can't all be in the class that each likes best.
//!
//! Give each row r a price y(r). If in every class that could be made the prices come to at most what the class loses, then
//! the sum of all prices is at most the loss of every recoding, since its classes are disjoint (the prices are a solution
//! of the dual of the set partitioning program). A class shows some cells g, each of its rows losing L(g), and its rows
//! are at least k of those that g covers. So the condition is, for every g that covers k rows or more:
//!
//! > the k largest prices among the rows that g covers come to at most k L(g).
//!
//! (Then the next largest is at most L(g), so that no larger class breaks the condition.) The prices start from the loss
//! of a known recoding, and are lowered where they break the condition, group by group. Lowering a price never breaks a
//! condition that held, so that all hold after one pass over all g. A g whose loss is no less than the largest price
//! that it covers needs no look, and neither does one that covers what a cheaper one covers.
//!
//! Suppressed rows lose 1 a column; prices are kept at that or below.

use crate::table::Table;

/// Groups that are looked at in all; beyond that there is no bound.
const MOST_GROUPS: u64 = 200_000_000;

/// Prices, a row of each tuple, that meet the condition; none if there are too many groups to look at.
pub(super) fn feasible_prices(table: &Table, k: u64, start: &[f64], rounds: usize) -> Option<Vec<f64>> {
    let columns = table.columns().len() as f64;
    let total = |prices: &[f64]| -> f64 {
        prices.iter().enumerate().map(|(tuple, price)| price * table.count(tuple) as f64).sum()
    };
    let mut best: Option<(f64, Vec<f64>)> = None;
    let mut groups = 0;
    let mut step = 1.0;
    for _ in 0..rounds {
        // From the prices so far towards those of the known recoding.
        let prices = match &best {
            None => start.to_vec(),
            Some((_, prices)) => prices
                .iter()
                .zip(start)
                .map(|(price, known)| price + step * (known.max(price * 1.1 + 0.01) - price))
                .collect(),
        };
        let mut pricing = Pricing {
            table,
            k,
            prices: prices.into_iter().map(|price: f64| price.clamp(0.0, columns)).collect(),
            threshold: 0.0,
            groups,
        };
        let all: Vec<u32> = (0..table.tuples() as u32).collect();
        // Cheap groups first: they hold down the prices of rows that have near neighbors, which leaves room for others.
        for threshold in [0.125, 0.25, 0.5, 1.0, 2.0, f64::INFINITY] {
            pricing.threshold = threshold;
            pricing.visit(0, &all, 0.0);
        }
        groups = pricing.groups;
        if groups >= MOST_GROUPS {
            break;
        }
        let sum = total(&pricing.prices);
        match &best {
            Some((known, _)) if *known >= sum => step *= 0.5,
            _ => best = Some((sum, pricing.prices)),
        }
    }
    best.map(|(_, prices)| prices)
}

/// A pass over all groups.
struct Pricing<'a> {
    table: &'a Table,
    k: u64,
    prices: Vec<f64>,
    /// Groups above this loss wait for a later pass.
    threshold: f64,
    groups: u64,
}

impl Pricing<'_> {
    /// All cells that begin as those of `group`, whose tuples they cover in the columns before `depth` at a loss of `loss`.
    fn visit(&mut self, depth: usize, group: &[u32], loss: f64) {
        self.groups += 1;
        let largest = group.iter().map(|&tuple| self.prices[tuple as usize]).fold(0.0, f64::max);
        if loss >= largest || loss > self.threshold || self.groups >= MOST_GROUPS {
            return;
        }
        let Some(column) = self.table.columns().get(depth) else {
            self.lower(group, loss);
            return;
        };
        let hierarchy = &column.hierarchy;
        // Tuples by code, and how many there were under each code of the level below.
        let mut by_code: Vec<(u32, u32)> = Vec::with_capacity(group.len());
        let mut sizes_below: Vec<(u32, usize)> = Vec::new();
        for level in 0..hierarchy.levels() {
            by_code.clear();
            by_code.extend(
                group
                    .iter()
                    .map(|&tuple| (hierarchy.generalize(self.table.tuple(tuple as usize)[depth], level), tuple)),
            );
            by_code.sort_unstable();
            let mut sizes = Vec::new();
            for same in by_code.chunk_by(|one, other| one.0 == other.0) {
                let code = same[0].0;
                // A tuple's group on the level below, which lies within this one.
                let first = self.table.tuple(same[0].1 as usize)[depth];
                let below = level.checked_sub(1).map(|below| hierarchy.generalize(first, below));
                let dominated = below.is_some_and(|below| {
                    let place = sizes_below.binary_search_by_key(&below, |(code, _)| *code);
                    place.is_ok_and(|place| sizes_below[place].1 == same.len())
                });
                sizes.push((code, same.len()));
                let rows: u64 = same.iter().map(|&(_, tuple)| self.table.count(tuple as usize)).sum();
                if dominated || rows < self.k {
                    continue;
                }
                let tuples: Vec<u32> = same.iter().map(|&(_, tuple)| tuple).collect();
                self.visit(depth + 1, &tuples, loss + hierarchy.loss(level, code));
            }
            sizes_below = sizes;
        }
    }

    /// Lowers prices until the `k` largest come to `k` times `loss` at most.
    fn lower(&mut self, group: &[u32], loss: f64) {
        let mut above: Vec<u32> = group.to_vec();
        loop {
            above.sort_unstable_by(|one, other| {
                self.prices[*other as usize].total_cmp(&self.prices[*one as usize]).then(one.cmp(other))
            });
            // What the k largest have above the loss, and what they have below it.
            let (mut rows, mut excess, mut slack) = (0, 0.0, 0.0);
            for &tuple in &above {
                let taken = self.table.count(tuple as usize).min(self.k - rows);
                let more = self.prices[tuple as usize] - loss;
                if more > 0.0 {
                    excess += taken as f64 * more
                } else {
                    slack -= taken as f64 * more
                }
                rows += taken;
                if rows == self.k {
                    break;
                }
            }
            if rows < self.k || excess <= slack {
                return;
            }
            // A little lower than needed, so that rounding can't leave it above.
            let factor = slack / excess * (1.0 - 1e-9);
            let mut changed = false;
            for &tuple in &above {
                let price = &mut self.prices[tuple as usize];
                if *price > loss {
                    let lowered = loss + (*price - loss) * factor;
                    changed |= lowered < *price;
                    *price = lowered;
                }
            }
            if !changed {
                // Nothing is left above by more than rounding.
                for &tuple in &above {
                    self.prices[tuple as usize] = self.prices[tuple as usize].min(loss);
                }
                return;
            }
        }
    }
}
