//! Top-down greedy recoding (Xu et al. 2006, "Utility-based anonymization using local recoding", section 4.2): a class is
//! divided by two rows that are far from each other, each other row joining the one with which it loses less.

use super::Recoding;
use super::judge::{Group, Judge};
use super::pair_losses::{Joined, PairLosses};
use crate::AnonymizeError;
use crate::table::{PrivacyModel, Table};

/// Steps from a row to the one farthest from it, and from that on.
const HOPS: usize = 4;

/// Recodes a table by dividing classes in two as long as both parts meet the models and less is lost. A part with too few
/// rows takes the nearest rows of the other, if that can spare them.
///
/// # Errors
///
/// Those of [`super::recode_locally`].
pub fn recode_top_down(table: &Table, models: &[PrivacyModel]) -> Result<Recoding, AnonymizeError> {
    let judge = Judge::new(table, models)?;
    judge.check_whole()?;
    let pairs = PairLosses::new(table)?;
    let mut open: Vec<Group> = vec![(0..table.tuples()).map(|tuple| (tuple, table.count(tuple))).collect()];
    let mut done: Vec<Group> = Vec::new();
    while let Some(group) = open.pop() {
        match divide(&judge, &pairs, &group) {
            Some((one, other)) => open.extend([one, other]),
            None => done.push(group),
        }
    }
    let recoding = Recoding::local(table, &done)?;
    recoding.verify(table, models)?;
    Ok(recoding)
}

fn rows_of(group: &Group) -> u64 {
    group.iter().map(|(_, rows)| rows).sum()
}

fn divide(judge: &Judge<'_>, pairs: &PairLosses, group: &Group) -> Option<(Group, Group)> {
    let least = judge.least_rows();
    if rows_of(group) < 2 * least || group.len() < 2 {
        return None;
    }
    let before = judge.loss(group)?;
    let tuples: Vec<u32> = group.iter().map(|&(tuple, _)| tuple as u32).collect();
    let mut losses = Vec::new();
    let mut farthest = |from: u32| {
        pairs.with_each(&Joined::alone(pairs, from), &tuples, &mut losses);
        let places = 0..tuples.len();
        places.max_by(|&one, &other| losses[one].total_cmp(&losses[other])).map(|place| tuples[place])
    };
    let (mut one, mut other) = (tuples[0], farthest(tuples[0])?);
    for _ in 1..HOPS {
        (one, other) = (other, farthest(other)?);
    }
    if one == other {
        return None;
    }
    // Each tuple goes where it adds less, given what is there already; those that are sure come first.
    let near = |tuple: u32| pairs.between(one, tuple) - pairs.between(other, tuple);
    let mut order: Vec<(f64, usize)> = tuples.iter().map(|&tuple| near(tuple).abs()).zip(0..).collect();
    order.sort_by(|(sure, place), (than, next)| than.total_cmp(sure).then(place.cmp(next)));
    let mut sides = [(Joined::alone(pairs, one), Group::new(), 0_u64), (Joined::alone(pairs, other), Group::new(), 0)];
    for (_, place) in order {
        let (tuple, rows) = group[place];
        let alone = Joined::alone(pairs, tuple as u32);
        let added = |(joined, _, there): &(Joined, Group, u64)| {
            joined.loss_with(pairs, &alone) * (there + rows) as f64 - joined.loss() * *there as f64
        };
        let side = match tuple as u32 {
            tuple if tuple == one => 0,
            tuple if tuple == other => 1,
            _ => usize::from(added(&sides[1]) < added(&sides[0])),
        };
        sides[side].0.join(pairs, tuple as u32);
        sides[side].1.push((tuple, rows));
        sides[side].2 += rows;
    }
    let [(first, mut low, low_rows), (second, mut high, high_rows)] = sides;
    if low_rows < least {
        borrow(pairs, &first, &mut low, &mut high, least);
    } else if high_rows < least {
        borrow(pairs, &second, &mut high, &mut low, least);
    }
    let after = judge.loss(&low)? + judge.loss(&high)?;
    let met = judge.meets(low.iter().copied()) && judge.meets(high.iter().copied());
    (met && after < before - 1e-9).then_some((low, high))
}

/// Fills `to` up to `least` rows with the nearest rows of `from`, a part of a tuple if need be.
fn borrow(pairs: &PairLosses, joined: &Joined, to: &mut Group, from: &mut Group, least: u64) {
    let tuples: Vec<u32> = from.iter().map(|&(tuple, _)| tuple as u32).collect();
    let mut losses = Vec::new();
    pairs.with_each(joined, &tuples, &mut losses);
    let mut order: Vec<usize> = (0..tuples.len()).collect();
    order.sort_by(|&one, &other| losses[one].total_cmp(&losses[other]));
    let mut needed = least.saturating_sub(rows_of(to));
    for place in order {
        let taken = from[place].1.min(needed);
        if taken == 0 {
            break;
        }
        from[place].1 -= taken;
        needed -= taken;
        to.push((from[place].0, taken));
    }
    from.retain(|(_, rows)| *rows > 0);
}
