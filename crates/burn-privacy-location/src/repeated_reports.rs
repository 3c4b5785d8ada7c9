//! What several reports of one subject cost together, and the ledger they are charged to before they are made.

use burn_privacy_accounting::{Adjacency, DpEvent};
use burn_privacy_anonymize::decimal_sum::times_as_written;
use burn_privacy_budget::ledger::{Ledger, RunDescription, RunId};
use burn_privacy_budget::statement::{Guarantee, Statement};

use super::error::LocationError;
use super::mask::PointMask;
use super::planar_laplace::MOST_SCALES;
use super::statement::PlaceStatement;

/// What kept draws leave open: they are of places, and a place that is measured again is another one.
pub const JITTER: &str = "a place that jitters is another one each time, whose draws average out and are counted: a coarser \
    grid, or the first place of a period, keeps one draw";

/// How often subjects report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportCount {
    /// Rows with a place.
    pub rows: u64,
    /// Rows without one.
    pub unplaced: u64,
    /// Different subjects; as many as rows where no column names them.
    pub subjects: u64,
    /// The most draws that one subject has: reports, or different places and periods where draws are kept.
    pub most_draws: u64,
}

/// The statement of `draws` reports of one subject: geo-indistinguishability adds up, so `n` draws are `n` epsilon, as it was
/// written (every mask holds back a part in 10^12 of its epsilon or more). A statement of another grade says what more releases
/// mean, and stays as it is.
pub fn statement_of_draws(statement: PlaceStatement, count: ReportCount) -> PlaceStatement {
    let draws = count.most_draws.max(1);
    let guarantee = match statement.guarantee() {
        Guarantee::Metric { mechanism, name, epsilon, unit, delta, .. } if draws > 1 => Guarantee::Metric {
            mechanism,
            name,
            epsilon: times_as_written(epsilon, draws),
            unit,
            delta: times_as_written(delta, draws),
            of: format!("all {draws} draws of a subject together (the sum of {draws} reports)"),
        },
        Guarantee::DifferentialPrivacy { mechanism, epsilon, delta, is_bound, accountant, local, .. } if draws > 1 => {
            Guarantee::DifferentialPrivacy {
                mechanism,
                epsilon: times_as_written(epsilon, draws),
                delta: times_as_written(delta, draws),
                is_bound,
                of: format!("all {draws} draws of a subject together"),
                accountant,
                local,
            }
        }
        other => other,
    };
    statement.with_guarantee(guarantee).fact("Most draws of one subject", draws)
}

/// A charge of reports to a data set's ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportCharge {
    /// Name of the data set.
    pub dataset: String,
    /// Name of the run, unique in the ledger.
    pub run: String,
    /// What is charged: places up to this many meters apart are taken as neighbors, so that a report costs epsilon per meter
    /// times [`PointMask::charged_distance`] of it.
    pub within: f64,
}

impl ReportCharge {
    /// Charges `count`'s draws of one subject to a ledger. Durable when it returns; what is charged stays charged if the
    /// reports are then not made.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] if the mask has no epsilon per meter, or `within` is not above 0 and at most 20 /
    /// epsilon; [`LocationError::Ledger`] if the ledger refuses, as for a run of this name that is over, or a budget that is used up.
    pub fn charge(
        &self,
        ledger: &mut Ledger,
        mask: &dyn PointMask,
        count: ReportCount,
        private: bool,
    ) -> Result<f64, LocationError> {
        self.begin(ledger, mask, count, private)?.charge(ledger)
    }

    /// Everything that [`charge`](Self::charge) can be refused for but a budget that others use up meanwhile: nothing is charged yet.
    pub(crate) fn begin(
        &self,
        ledger: &mut Ledger,
        mask: &dyn PointMask,
        count: ReportCount,
        private: bool,
    ) -> Result<BegunCharge, LocationError> {
        let (each, delta) = self.price(mask)?;
        let event = DpEvent::epsilon_delta(each, delta)?;
        let steps = count.most_draws.max(1);
        let description = RunDescription::of_steps(&self.run, event, steps, Adjacency::ReplaceOne)?;
        let run = ledger.begin(description.with_delta(1e-9).with_private_randomness(private))?;
        Ok(BegunCharge { run, each, steps })
    }

    /// Epsilon and delta of one draw of a mask, for places as far apart as is charged for.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] as for [`Self::charge`].
    pub fn price(&self, mask: &dyn PointMask) -> Result<(f64, f64), LocationError> {
        let (epsilon, delta, distance) = match mask.statement()?.guarantee() {
            Guarantee::Metric { epsilon, delta, .. } => (epsilon, delta, mask.charged_distance(self.within)),
            // Whatever the distance.
            Guarantee::DifferentialPrivacy { epsilon, delta, .. } => (epsilon, delta, 1.0),
            _ => return Err(LocationError::parameter("the mask", "without an epsilon", "one that has one")),
        };
        let most = MOST_SCALES / epsilon;
        if !(self.within > 0.0 && distance <= most.max(1.0)) {
            return Err(LocationError::parameter(
                "the distance charged for",
                self.within,
                format!("above 0, and with what places are moved to a grid or cell first, at most {most:.0} meters"),
            ));
        }
        // Rounded up: the product of two doubles errs by half a unit in the last place, unless one of them is 1.
        let rounding = if distance == 1.0 { 1.0 } else { 1.0 + f64::EPSILON };
        Ok((epsilon * distance * rounding, delta))
    }
}

/// A run of the ledger that was begun for reports.
pub(crate) struct BegunCharge {
    run: RunId,
    each: f64,
    steps: u64,
}

impl BegunCharge {
    /// Charges all of its draws, durably; their epsilon.
    pub(crate) fn charge(self, ledger: &mut Ledger) -> Result<f64, LocationError> {
        for _ in 0..self.steps {
            ledger.charge_step(self.run)?;
        }
        ledger.close(self.run, self.steps)?;
        Ok(times_as_written(self.each, self.steps))
    }
}
