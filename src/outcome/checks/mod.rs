//! The checks that judge a run, as data: each has a name, what was seen, its limit, and the cure.
//!
//! The rule behind the limits, in one sentence: a run is INVALID where its books do not balance,
//! where more than 1 % of the plan was not sent in time, or where what it shows is mostly our own
//! doing; it is SUSPECT where a tenth of a percentile may be. What the target does, stalls and
//! overload included, is a result.

mod books;
mod machine;
mod ours;
mod rings;

use super::Summary;
use crate::plan::ChannelPlan;
use crate::words;

words! {
    /// What a check came to.
    pub enum State: "a state is ok, suspect, invalid or unavailable" {
        /// Nothing is wrong.
        Ok = "ok",
        /// The figures may be off.
        Suspect = "suspect",
        /// The figures are not to be used.
        Invalid = "invalid",
        /// It could not be looked at; the remedy says why.
        Unavailable = "unavailable",
    }
}

words! {
    /// What the checks come to: the worst of them.
    pub enum Verdict: "a verdict is VALID, SUSPECT or INVALID" {
        /// No check found anything.
        Valid = "VALID",
        /// Some figures may be off.
        Suspect = "SUSPECT",
        /// The figures are not to be used.
        Invalid = "INVALID",
    }
}

impl Verdict {
    /// The worst of `checks`.
    pub fn of(checks: &[Check]) -> Self {
        let any = |state| checks.iter().any(|check| check.state == state);
        if any(State::Invalid) {
            Self::Invalid
        } else if any(State::Suspect) {
            Self::Suspect
        } else {
            Self::Valid
        }
    }
}

/// One thing that was looked at. Every value is better the lower it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Stable name, for scripts.
    pub name: &'static str,
    /// What its value is, in words: `plan not sent in time`.
    pub says: &'static str,
    /// What it came to.
    pub state: State,
    /// What was seen; `None` where it is unavailable.
    pub value: Option<f64>,
    /// Unit of value and limit; empty for counts.
    pub unit: &'static str,
    /// What the value should not exceed; `None` where it is unavailable.
    pub limit: Option<f64>,
    /// The cure, or why it is unavailable.
    pub remedy: String,
    /// There is nothing to look at in a run of this kind: unavailable, and no loss.
    pub is_moot: bool,
}

/// Above these a value is suspect or invalid; infinite where it cannot be.
#[derive(Clone, Copy)]
struct Limits {
    suspect: f64,
    invalid: f64,
}

const NONE_OR_SUSPECT: Limits = Limits { suspect: 0.0, invalid: f64::INFINITY };
const NONE_OR_INVALID: Limits = Limits { suspect: f64::INFINITY, invalid: 0.0 };

/// What a check is called, and what its value is: in words, and the unit.
#[derive(Clone, Copy)]
struct Subject {
    name: &'static str,
    says: &'static str,
    unit: &'static str,
}

impl Subject {
    const fn share(name: &'static str, says: &'static str) -> Self {
        Self { name, says, unit: "%" }
    }

    const fn count(name: &'static str, says: &'static str) -> Self {
        Self { name, says, unit: "" }
    }

    fn judged(self, value: f64, limits: Limits, remedy: impl Into<String>) -> Check {
        let state = if value > limits.invalid {
            State::Invalid
        } else if value > limits.suspect {
            State::Suspect
        } else {
            State::Ok
        };
        let limit = match state {
            State::Invalid => limits.invalid,
            _ => limits.suspect.min(limits.invalid),
        };
        let Self { name, says, unit } = self;
        let (value, limit) = (Some(value), Some(limit));
        Check { name, says, state, value, unit, limit, remedy: remedy.into(), is_moot: false }
    }

    fn counted(self, count: u64, limits: Limits, remedy: impl Into<String>) -> Check {
        self.judged(count as f64, limits, remedy)
    }

    fn unavailable(self, why: impl Into<String>) -> Check {
        let Self { name, says, unit } = self;
        let state = State::Unavailable;
        let (value, limit, remedy) = (None, None, why.into());
        Check { name, says, state, value, unit, limit, remedy, is_moot: false }
    }

    fn moot(self, why: impl Into<String>) -> Check {
        Check { is_moot: true, ..self.unavailable(why) }
    }
}

const WATCHING: &str = "a monitor plans and times no request";
const KILLED: &str = "the log ends without a trailer";
const CUT: &str = "the report is cut: what the run counted as a whole says nothing of a part";

/// Whether nothing is scheduled, and the servers set the pace.
fn is_watching(summary: &Summary) -> bool {
    summary.plan.channels.as_ref().is_some_and(ChannelPlan::is_watching)
}

/// Looks at everything that can spoil a run.
pub(super) fn of(summary: &Summary) -> Vec<Check> {
    let mut checks = books::checks(summary);
    checks.extend(ours::checks(summary));
    checks.extend(rings::checks(summary));
    checks.extend(machine::checks(summary));
    if summary.cut.is_some() {
        // It is not for want of a trailer.
        checks.iter_mut().filter(|check| check.remedy == KILLED).for_each(|check| {
            check.remedy = CUT.to_owned();
        });
    }
    checks
}

/// What a part of a run has from the whole: where that is INVALID, so may the part be, whatever
/// its own requests show.
pub(super) fn of_whole(whole: &Summary) -> Check {
    let invalid = whole.checks.iter().filter(|check| check.state == State::Invalid);
    let names: Vec<&str> = invalid.map(|check| check.name).collect();
    Subject::count("whole_invalid", "checks by which the whole run is INVALID").counted(
        names.len() as u64,
        NONE_OR_SUSPECT,
        format!("{}: look at the report that is not cut", names.join(", ")),
    )
}

#[cfg(test)]
mod tests;
