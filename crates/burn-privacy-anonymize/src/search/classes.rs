//! Classes under a partial choice of levels, rolled up one attribute at a time.
//!
//! At depth d the levels of the first d attributes are chosen and the rest is at level 0. Rows are grouped by the chosen
//! labels alone: whatever the rest will be, a class is part of one group. So a group with too few rows (or sensitive
//! values) is suppressed under every completion, and is dropped here for good.

use super::problem::Problem;
use super::releasable::releasable;

/// A group: its entries, rows, and the loss of one of its rows in the chosen attributes.
#[derive(Clone, Copy, Default)]
pub(super) struct Group {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) rows: u64,
    pub(super) loss: f64,
    /// Rows of it that are suppressed under every completion, though it is not known which.
    pub(super) held: u64,
}

/// Tuples that are equal under the choice, the first standing for all.
#[derive(Clone, Copy, Default)]
pub(super) struct Entry {
    pub(super) tuple: u32,
    pub(super) rows: u32,
}

/// The groups at some depth.
#[derive(Clone, Default)]
pub(super) struct Classes {
    pub(super) entries: Vec<Entry>,
    pub(super) groups: Vec<Group>,
    /// Rows that are in no group any more.
    pub(super) suppressed: u64,
    /// Sum of what the groups hold.
    pub(super) held: u64,
}

/// What one label of the attribute collects within a group.
#[derive(Clone, Copy, Default)]
struct Bucket {
    entries: u32,
    next: u32,
    rows: u64,
    group: u32,
    first: u32,
}

/// Buckets for the labels, kept between calls.
#[derive(Default)]
pub(super) struct Scratch {
    buckets: Vec<Bucket>,
    touched: Vec<u32>,
    histogram: Vec<u64>,
}

/// Marks a label whose rows are too few.
const DROPPED: u32 = u32::MAX;

impl Classes {
    /// All tuples in one group: nothing is chosen.
    pub(super) fn root(problem: &Problem) -> Self {
        let entries: Vec<Entry> =
            problem.counts.iter().enumerate().map(|(tuple, &rows)| Entry { tuple: tuple as u32, rows }).collect();
        let whole = Group { start: 0, end: entries.len() as u32, rows: problem.rows, loss: 0.0, held: 0 };
        if problem.rows < problem.least_rows {
            return Self { suppressed: problem.rows, ..Self::default() };
        }
        Self { entries, groups: vec![whole], ..Self::default() }
    }

    /// Chooses `level` for the attribute at `depth`, into `out`. Gives up, with false, once more rows are suppressed than
    /// may be.
    pub(super) fn refine(
        &self,
        problem: &Problem,
        depth: usize,
        level: usize,
        scratch: &mut Scratch,
        out: &mut Self,
    ) -> bool {
        let chosen = &problem.attributes[depth].levels[level];
        let suffix = &problem.suffix[depth + 1];
        if scratch.buckets.len() < chosen.loss.len() {
            scratch.buckets.resize(chosen.loss.len(), Bucket::default());
        }
        if out.entries.len() < self.entries.len() {
            out.entries.resize(self.entries.len(), Entry::default());
        }
        out.groups.clear();
        out.suppressed = self.suppressed;
        out.held = 0;
        let mut next = 0_u32;
        // At full depth, without sensitive values, a class is one entry: no need to sort any.
        let counts_only = depth + 1 == problem.depth() && !problem.needs_values();
        for group in &self.groups {
            let entries = &self.entries[group.start as usize..group.end as usize];
            if let ([entry], false) = (entries, problem.looks_at_values()) {
                // A tuple alone in its group stays alone, and was enough before.
                let code = chosen.code[entry.tuple as usize];
                out.entries[next as usize] = *entry;
                let loss = group.loss + chosen.loss[code as usize];
                out.groups.push(Group { start: next, end: next + 1, rows: group.rows, loss, held: 0 });
                next += 1;
                continue;
            }
            scratch.touched.clear();
            for entry in entries {
                let code = chosen.code[entry.tuple as usize];
                let bucket = &mut scratch.buckets[code as usize];
                if bucket.entries == 0 {
                    scratch.touched.push(code);
                    bucket.first = entry.tuple;
                }
                bucket.entries += 1;
                bucket.rows += u64::from(entry.rows);
            }
            let first = out.groups.len();
            for &code in &scratch.touched {
                let bucket = &mut scratch.buckets[code as usize];
                if bucket.rows < problem.least_rows {
                    out.suppressed += bucket.rows;
                    bucket.group = DROPPED;
                    continue;
                }
                bucket.group = out.groups.len() as u32;
                bucket.next = next;
                let loss = group.loss + chosen.loss[code as usize];
                out.groups.push(Group { start: next, end: next, rows: bucket.rows, loss, held: 0 });
                if counts_only {
                    out.entries[next as usize] = Entry { tuple: bucket.first, rows: bucket.rows as u32 };
                    out.groups.last_mut().into_iter().for_each(|group| group.end += 1);
                    next += 1;
                } else {
                    next += bucket.entries;
                }
            }
            if out.suppressed > problem.limit {
                scratch.clear();
                return false;
            }
            for entry in entries.iter().filter(|_| !counts_only) {
                let code = chosen.code[entry.tuple as usize];
                let bucket = &mut scratch.buckets[code as usize];
                if bucket.group == DROPPED {
                    continue;
                }
                let group = &mut out.groups[bucket.group as usize];
                if group.end > group.start {
                    let last = &mut out.entries[group.end as usize - 1];
                    if suffix[last.tuple as usize] == suffix[entry.tuple as usize] {
                        last.rows += entry.rows;
                        continue;
                    }
                }
                out.entries[group.end as usize] = *entry;
                group.end += 1;
            }
            scratch.clear();
            if !problem.looks_at_values() {
                continue;
            }
            if let ([only], true) = (&mut out.groups[first..], scratch.touched.len() == 1) {
                // All rows have the one label: what is known of the group still holds.
                only.held = group.held;
                out.held += group.held;
                if out.suppressed + out.held > problem.limit {
                    return false;
                }
            } else if !out.drop_poor_groups(problem, first, scratch) {
                return false;
            }
        }
        true
    }

    /// Drops groups from `first` on that have too few sensitive values, and counts rows of the others that no class can
    /// release; false once too many rows are suppressed.
    fn drop_poor_groups(&mut self, problem: &Problem, first: usize, scratch: &mut Scratch) -> bool {
        let mut kept = first;
        for index in first..self.groups.len() {
            let mut group = self.groups[index];
            scratch.histogram.clear();
            scratch.histogram.resize(problem.sensitive_values, 0);
            for entry in &self.entries[group.start as usize..group.end as usize] {
                scratch.histogram[problem.sensitive[entry.tuple as usize] as usize] += u64::from(entry.rows);
            }
            let values = scratch.histogram.iter().filter(|count| **count > 0).count() as u64;
            let most = releasable(problem, group.rows, &scratch.histogram);
            if values < problem.least_values || most < problem.least_rows {
                self.suppressed += group.rows;
            } else {
                group.held = group.rows - most;
                self.held += group.held;
                self.groups[kept] = group;
                kept += 1;
            }
        }
        self.groups.truncate(kept);
        self.suppressed + self.held <= problem.limit
    }

    /// Judges complete classes (at full depth) by the models; false once more rows are suppressed than may be.
    pub(super) fn judge(&mut self, problem: &Problem, levels: &[usize]) -> bool {
        if !problem.needs_values() && problem.population.is_none() {
            return self.suppressed <= problem.limit;
        }
        let mut histogram = vec![0_u64; problem.sensitive_values];
        let (mut suppressed, entries) = (self.suppressed, &self.entries);
        let population = problem.population.as_ref().map(|population| population.rows_at(problem, levels));
        self.held = 0;
        self.groups.retain_mut(|group| {
            group.held = 0;
            histogram.fill(0);
            let needed = if problem.needs_values() { group.start as usize..group.end as usize } else { 0..0 };
            for entry in &entries[needed] {
                histogram[problem.sensitive[entry.tuple as usize] as usize] += u64::from(entry.rows);
            }
            let people = population.as_ref().and_then(|rows| {
                let tuple = entries[group.start as usize].tuple as usize;
                let labels = problem.attributes.iter().zip(levels);
                let codes: Vec<u32> = labels.map(|(attribute, &level)| attribute.levels[level].code[tuple]).collect();
                rows.get(&codes).copied()
            });
            let met = problem
                .models
                .iter()
                .all(|model| model.is_met(group.rows, &histogram, problem.distribution.as_ref(), people));
            suppressed += if met { 0 } else { group.rows };
            met
        });
        self.suppressed = suppressed;
        suppressed <= problem.limit
    }
}

impl Scratch {
    fn clear(&mut self) {
        for &code in &self.touched {
            self.buckets[code as usize] = Bucket::default();
        }
    }
}
