//! Classes under a partial choice of levels, rolled up one attribute at a time.
//!
//! At depth d the levels of the first d attributes are chosen and the rest is at level 0. Rows are grouped by the chosen
//! labels alone: whatever the rest will be, a class is part of one group. So a group with too few rows (or sensitive
//! values) is suppressed under every completion, and is dropped here for good.

use super::problem::{Problem, Step};
use super::releasable::releasable;
use crate::table::PrivacyModel;

/// A group: its entries, rows, and the loss of one of its rows in the chosen attributes.
#[derive(Clone, Copy, Default)]
pub(super) struct Group {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) rows: u32,
    /// Rows of it that are suppressed under every completion, though it is not known which.
    pub(super) held: u32,
    pub(super) loss: f64,
}

/// Rows that are equal in all that is not chosen yet (`suffix`), within a group; some tuple stands for what is chosen.
#[derive(Clone, Copy, Default)]
pub(super) struct Entry {
    pub(super) suffix: u32,
    pub(super) rows: u32,
    pub(super) tuple: u32,
    /// The sensitive value, where one is needed. Entries of a group are sorted by it.
    pub(super) value: u32,
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
#[repr(align(32))]
struct Bucket {
    rows: u32,
    entries: u32,
    /// Where its next entry goes.
    next: u32,
    /// Suffix of the entry before that.
    suffix: u32,
    /// Its group, or [`DROPPED`].
    group: u32,
    /// Sensitive values so far, and the last of them.
    values: u32,
    value: u32,
}

/// Buckets for the labels, kept between calls.
#[derive(Default)]
pub(super) struct Scratch {
    buckets: Vec<Bucket>,
    touched: Vec<u32>,
    codes: Vec<u32>,
    histogram: Vec<u64>,
}

/// Marks a label whose rows are too few, and what no entry has yet.
const DROPPED: u32 = u32::MAX;

impl Classes {
    /// All tuples in one group: nothing is chosen.
    pub(super) fn root(problem: &Problem) -> Self {
        if problem.rows < problem.least_rows {
            return Self { suppressed: problem.rows, ..Self::default() };
        }
        let value = |tuple: usize| problem.sensitive.get(tuple).copied().unwrap_or(0);
        let entries: Vec<Entry> = (0..)
            .zip(&problem.counts)
            .map(|(tuple, &rows)| Entry { suffix: tuple, rows, tuple, value: value(tuple as usize) })
            .collect();
        let whole = Group { start: 0, end: entries.len() as u32, rows: problem.rows as u32, held: 0, loss: 0.0 };
        Self { entries, groups: vec![whole], ..Self::default() }
    }

    /// The entries of a group.
    pub(super) fn of(&self, group: &Group) -> &[Entry] {
        &self.entries[group.start as usize..group.end as usize]
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
        let attribute = &problem.attributes[depth];
        let (chosen, steps) = (&attribute.levels[level], attribute.steps.as_slice());
        if scratch.buckets.len() < chosen.loss.len() {
            scratch.buckets.resize(chosen.loss.len(), Bucket::default());
        }
        if out.entries.len() < self.entries.len() {
            out.entries.resize(self.entries.len(), Entry::default());
        }
        out.groups.clear();
        out.suppressed = self.suppressed;
        out.held = 0;
        if chosen.loss.len() == 1 && !problem.bounds_shares() {
            self.keep_groups(steps, chosen.loss[0], out);
            return out.suppressed <= problem.limit;
        }
        let mut next = 0_u32;
        // At full depth, without sensitive values, a class is one entry: no need to sort any.
        let counts_only = depth + 1 == problem.depth() && !problem.needs_values();
        for group in &self.groups {
            let entries = self.of(group);
            if let ([entry], false) = (entries, problem.bounds_shares()) {
                // A tuple alone in its group stays alone, and was enough before.
                let step = steps[entry.suffix as usize];
                out.entries[next as usize] = Entry { suffix: step.next, ..*entry };
                let loss = group.loss + chosen.loss[chosen.code_of_suffix[entry.suffix as usize] as usize];
                out.groups.push(Group { start: next, end: next + 1, loss, ..*group });
                next += 1;
                continue;
            }
            scratch.count(entries, &chosen.code_of_suffix);
            let first = out.groups.len();
            for &code in &scratch.touched {
                let bucket = &mut scratch.buckets[code as usize];
                if u64::from(bucket.rows) < problem.least_rows {
                    out.suppressed += u64::from(bucket.rows);
                    bucket.group = DROPPED;
                    continue;
                }
                bucket.group = out.groups.len() as u32;
                (bucket.next, bucket.suffix, bucket.values, bucket.value) = (next, DROPPED, 0, DROPPED);
                let loss = group.loss + chosen.loss[code as usize];
                out.groups.push(Group { start: next, end: next, rows: bucket.rows, held: 0, loss });
                next += if counts_only { 1 } else { bucket.entries };
            }
            if out.suppressed > problem.limit {
                scratch.clear();
                return false;
            }
            scratch.sort(entries, steps, &mut out.entries);
            for &code in &scratch.touched {
                let bucket = &scratch.buckets[code as usize];
                if bucket.group != DROPPED {
                    out.groups[bucket.group as usize].end = bucket.next;
                }
            }
            if problem.bounds_shares() {
                scratch.clear();
                if let ([only], true) = (&mut out.groups[first..], scratch.touched.len() == 1) {
                    // All rows have the one label: what is known of the group still holds.
                    only.held = group.held;
                    out.held += u64::from(group.held);
                    if out.suppressed + out.held > problem.limit {
                        return false;
                    }
                } else if !out.drop_poor_groups(problem, first, scratch) {
                    return false;
                }
                continue;
            }
            if problem.least_values > 1 {
                let buckets = &scratch.buckets;
                let mut kept = first;
                // Groups follow each other as the labels were touched.
                let released = scratch.touched.iter().filter(|&&code| buckets[code as usize].group != DROPPED);
                for (index, &code) in (first..).zip(released) {
                    let group = out.groups[index];
                    if u64::from(buckets[code as usize].values) < problem.least_values {
                        out.suppressed += u64::from(group.rows);
                    } else {
                        out.groups[kept] = group;
                        kept += 1;
                    }
                }
                out.groups.truncate(kept);
            }
            scratch.clear();
            if out.suppressed > problem.limit {
                return false;
            }
        }
        true
    }

    /// The groups as they are, all of their rows having one label: only entries join.
    fn keep_groups(&self, steps: &[Step], loss: f64, out: &mut Self) {
        let mut next = 0_usize;
        for group in &self.groups {
            let start = next;
            let mut last = DROPPED;
            for entry in self.of(group) {
                let suffix = steps[entry.suffix as usize].next;
                if last == suffix {
                    out.entries[next - 1].rows += entry.rows;
                } else {
                    out.entries[next] = Entry { suffix, ..*entry };
                    next += 1;
                    last = suffix;
                }
            }
            out.groups.push(Group { start: start as u32, end: next as u32, loss: group.loss + loss, ..*group });
        }
    }

    /// Drops groups from `first` on that have too few sensitive values, and counts rows of the others that no class can
    /// release; false once too many rows are suppressed.
    fn drop_poor_groups(&mut self, problem: &Problem, first: usize, scratch: &mut Scratch) -> bool {
        let mut kept = first;
        for index in first..self.groups.len() {
            let mut group = self.groups[index];
            scratch.histogram.clear();
            scratch.histogram.resize(problem.sensitive_values, 0);
            for entry in self.of(&group) {
                scratch.histogram[entry.value as usize] += u64::from(entry.rows);
            }
            let values = scratch.histogram.iter().filter(|count| **count > 0).count() as u64;
            let most = releasable(problem, u64::from(group.rows), &scratch.histogram);
            if values < problem.least_values || most < problem.least_rows {
                self.suppressed += u64::from(group.rows);
            } else {
                group.held = group.rows - most as u32;
                self.held += u64::from(group.held);
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
        let mut covered = 0;
        self.held = 0;
        self.groups.retain_mut(|group| {
            group.held = 0;
            histogram.fill(0);
            let needed = if problem.needs_values() { group.start as usize..group.end as usize } else { 0..0 };
            for entry in &entries[needed] {
                histogram[entry.value as usize] += u64::from(entry.rows);
            }
            let people = population.as_ref().and_then(|rows| {
                let tuple = entries[group.start as usize].tuple as usize;
                let labels = problem.attributes.iter().zip(levels);
                let codes: Vec<u32> = labels.map(|(attribute, &level)| attribute.code(level, tuple)).collect();
                rows.get(&codes).copied()
            });
            let rows = u64::from(group.rows);
            let met = problem
                .models
                .iter()
                .all(|model| model.is_met(rows, &histogram, problem.distribution.as_ref(), people));
            suppressed += if met { 0 } else { rows };
            covered += usize::from(met && people.is_some());
            met
        });
        // Classes differ in their codes: all of the population's are among them if they are as many.
        let everybody = problem.models.iter().any(PrivacyModel::needs_everybody);
        if population.is_some_and(|rows| everybody && covered < rows.len()) {
            self.groups.clear();
            suppressed = problem.rows;
        }
        self.suppressed = suppressed;
        suppressed <= problem.limit
    }
}

impl Scratch {
    /// Counts a group's rows and entries by label.
    fn count(&mut self, entries: &[Entry], code_of_suffix: &[u32]) {
        self.touched.clear();
        if self.codes.len() < entries.len() {
            self.codes.resize(entries.len(), 0);
        }
        for (entry, kept) in entries.iter().zip(&mut self.codes) {
            let code = code_of_suffix[entry.suffix as usize];
            *kept = code;
            let bucket = &mut self.buckets[code as usize];
            if bucket.entries == 0 {
                self.touched.push(code);
            }
            bucket.entries += 1;
            bucket.rows += entry.rows;
        }
    }

    /// Puts a group's entries where their labels' go, those together whose rest is equal.
    fn sort(&mut self, entries: &[Entry], steps: &[Step], out: &mut [Entry]) {
        for (entry, &code) in entries.iter().zip(&self.codes) {
            let bucket = &mut self.buckets[code as usize];
            if bucket.group == DROPPED {
                continue;
            }
            let suffix = steps[entry.suffix as usize].next;
            if bucket.suffix == suffix {
                out[bucket.next as usize - 1].rows += entry.rows;
                continue;
            }
            out[bucket.next as usize] = Entry { suffix, ..*entry };
            bucket.next += 1;
            bucket.suffix = suffix;
            bucket.values += u32::from(bucket.value != entry.value);
            bucket.value = entry.value;
        }
    }

    fn clear(&mut self) {
        for &code in &self.touched {
            self.buckets[code as usize] = Bucket::default();
        }
    }
}
