//! The checks that judge a run, as data: each has a name, what was seen, its limit, and the cure.

use super::Summary;
use crate::evidence::{Evidence, Outcome};
use crate::plan::{ClockName, LogMode, Pattern};
use crate::unit::{Quantile, Rate};
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
    pub(super) fn of(checks: &[Check]) -> Self {
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
}

/// Above these a value is suspect or invalid; infinite where it cannot be.
#[derive(Clone, Copy)]
struct Limits {
    suspect: f64,
    invalid: f64,
}

const NONE_OR_SUSPECT: Limits = Limits { suspect: 0.0, invalid: f64::INFINITY };
const NONE_OR_INVALID: Limits = Limits { suspect: f64::INFINITY, invalid: 0.0 };

impl Check {
    fn judged(
        name: &'static str,
        (value, unit): (f64, &'static str),
        limits: Limits,
        remedy: impl Into<String>,
    ) -> Self {
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
        let (value, limit) = (Some(value), Some(limit));
        Self { name, state, value, unit, limit, remedy: remedy.into() }
    }

    fn counted(name: &'static str, count: u64, limits: Limits, remedy: &str) -> Self {
        Self::judged(name, (count as f64, ""), limits, remedy)
    }

    fn unavailable(name: &'static str, unit: &'static str, why: impl Into<String>) -> Self {
        let remedy = why.into();
        Self { name, state: State::Unavailable, value: None, unit, limit: None, remedy }
    }
}

const KILLED: &str = "the log ends without a trailer";
const CUT: &str = "the report is cut: what the run counted as a whole says nothing of a part";

/// Looks at everything that can spoil a run.
pub(super) fn of(summary: &Summary) -> Vec<Check> {
    let mut checks = vec![log_ended(summary)];
    checks.extend(identities(summary));
    checks.extend([
        counters_are_records(summary),
        sent_shortfall(summary),
        lag_share(summary),
        stalled_share(summary),
        cut_short(summary),
        no_port(summary),
        connections_missing(summary),
        clock_error(summary),
    ]);
    checks.extend(kernel_counts(summary));
    if summary.cut.is_some() {
        // It is not for want of a trailer.
        checks.iter_mut().filter(|check| check.remedy == KILLED).for_each(|check| {
            check.remedy = CUT.to_owned();
        });
    }
    checks
}

fn log_ended(summary: &Summary) -> Check {
    let log = summary.plan.log;
    let remedy = format!("the run was killed: the figures are those of its records (--log {log})");
    let is_killed = f64::from(u8::from(!summary.clues.has_ended));
    Check::judged("log_unfinished", (is_killed, ""), NONE_OR_SUSPECT, remedy)
}

fn identities(summary: &Summary) -> [Check; 4] {
    let t = &summary.tally;
    let remedy = "a defect of this tool, please report it with the log";
    let holds = |name, whole: u64, parts: &[u64]| {
        let apart = whole.abs_diff(parts.iter().sum());
        Check::counted(name, apart, NONE_OR_INVALID, remedy)
    };
    [
        holds(
            "sessions_planned_apart",
            t.sessions_planned,
            &[t.sessions_started, t.sessions_dropped, t.sessions_unserved],
        ),
        holds(
            "sessions_started_apart",
            t.sessions_started,
            &[t.sessions_ok, t.sessions_failed, t.sessions_in_flight],
        ),
        holds(
            "requests_sent_apart",
            t.requests_sent,
            &[t.requests_ok, t.requests_failed, t.requests_in_flight],
        ),
        holds(
            "outcomes_apart",
            t.outcomes.iter().sum(),
            &[t.requests_ok, t.requests_failed, t.sessions_dropped, t.sessions_unserved],
        ),
    ]
}

fn counters_are_records(summary: &Summary) -> Check {
    let name = "counters_records_apart";
    match summary.clues.difference {
        Some(apart) => Check::counted(
            name,
            // Records that found no room are a check of their own.
            apart.saturating_sub(summary.tally.log_lost),
            NONE_OR_INVALID,
            "records are missing or damaged: was the log cut or copied while the run went on?",
        ),
        None if summary.plan.log != LogMode::All => {
            Check::unavailable(name, "", format!("the log keeps {}", summary.plan.log))
        }
        None => Check::unavailable(name, "", KILLED),
    }
}

/// The part of the plan that we did not send in time. A target that is slow defers sessions, or
/// leaves those unserved that had been deferred: neither is counted here. What is: sessions
/// that were left without ever meeting the cap, and the time by which the sending of those that
/// did not have to wait outran the measure phase.
fn sent_shortfall(summary: &Summary) -> Check {
    let (name, tally) = ("sent_shortfall", &summary.tally);
    if summary.plan.rate == Rate::Max {
        return Check::unavailable(name, "%", "a closed loop plans no rate");
    }
    if tally.sessions_planned == 0 || summary.measured.0 == 0 {
        return Check::unavailable(name, "%", "nothing was planned");
    }
    let never_reached = tally.sessions_unserved.saturating_sub(tally.sessions_deferred);
    let reached = 1.0 - never_reached as f64 / tally.sessions_planned as f64;
    let sending = summary.clues.prompt.unwrap_or_default().max(summary.measured);
    let pace = summary.measured.as_secs_f64() / sending.as_secs_f64();
    Check::judged(
        name,
        (100.0 * (1.0 - reached * pace), "%"),
        Limits { suspect: f64::INFINITY, invalid: 1.0 },
        "the generator cannot keep this rate here: more shards (-t), free CPUs, or a lower rate",
    )
}

/// Percentiles at which lag is held against response; the first that has support counts.
const LAG_AT: [Quantile; 4] =
    [Quantile(999_000), Quantile(990_000), Quantile(900_000), Quantile(500_000)];

fn lag_share(summary: &Summary) -> Check {
    let (name, figures) = ("lag_share", &summary.figures);
    if summary.plan.rate == Rate::Max {
        return Check::unavailable(name, "%", "in a closed loop nothing is late");
    }
    if matches!(summary.plan.pattern, Pattern::Rush(_)) {
        let why = "the last of a rush are late by what one core can burst";
        return Check::unavailable(name, "%", why);
    }
    let supported = LAG_AT.into_iter().find_map(|at| {
        let (lag, response) = (figures.lag.quantile(at)?, figures.response.quantile(at)?);
        Some((at, 100.0 * lag.0 as f64 / response.0.max(1) as f64))
    });
    let Some((at, share)) = supported else {
        return Check::unavailable(name, "%", "it takes 20 timed requests");
    };
    Check::judged(
        name,
        (share, "%"),
        Limits { suspect: 10.0, invalid: 50.0 },
        format!(
            "at {at} so much of the response may be our own lateness: give each shard a CPU of \
             its own (--cpus), or lower the rate"
        ),
    )
}

/// The part of the measure phase in which a shard was not there, though it was to be: stopped,
/// descheduled, or without its CPU. It holds in a closed loop too.
fn stalled_share(summary: &Summary) -> Check {
    let (name, unit) = ("stalled_share", "%");
    let Some(evidence) = &summary.evidence else {
        return Check::unavailable(name, unit, KILLED);
    };
    let lost = evidence.shards.iter().filter_map(|shard| Some(shard.holes.as_ref()?.total.0));
    let worst = lost.max();
    let Some(worst) = worst.filter(|_| summary.measured.0 > 0) else {
        return Check::unavailable(name, unit, "the run kept no account of it");
    };
    Check::judged(
        name,
        (100.0 * worst as f64 / summary.measured.0 as f64, unit),
        Limits { suspect: 1.0, invalid: 10.0 },
        "something else held a shard up: keep its CPU free (--cpus, isolcpus), or watch for steal",
    )
}

/// What ended a run before its time, other than a signal.
fn cut_short(summary: &Summary) -> Check {
    let name = "cut_short";
    match &summary.evidence {
        None => Check::unavailable(name, "", KILLED),
        Some(Evidence { cut_short: None, .. }) => {
            Check::counted(name, 0, NONE_OR_SUSPECT, "what ended it is said")
        }
        Some(Evidence { cut_short: Some(why), .. }) => {
            Check::counted(name, 1, NONE_OR_SUSPECT, why)
        }
    }
}

fn no_port(summary: &Summary) -> Check {
    let invalid = summary.tally.sessions_started as f64 / 100.0;
    Check::judged(
        "no_port",
        (summary.tally.outcome(Outcome::NoPort) as f64, ""),
        Limits { suspect: 0.0, invalid },
        "source ports ran out: more addresses (--source), more ports (--ports), or --close rst",
    )
}

fn connections_missing(summary: &Summary) -> Check {
    let (name, tally) = ("connections_missing", &summary.tally);
    match &summary.evidence {
        _ if summary.plan.fresh => {
            Check::unavailable(name, "", "fresh sessions open theirs as they go")
        }
        None => Check::unavailable(name, "", KILLED),
        Some(_) => Check::counted(
            name,
            tally.connections_asked.saturating_sub(tally.connections_opened),
            NONE_OR_SUSPECT,
            "fewer connections opened than asked: raise the target's limit, or ask for fewer (-c)",
        ),
    }
}

fn clock_error(summary: &Summary) -> Check {
    let (name, unit) = ("clock_error", "ppm");
    if summary.plan.clock != ClockName::Tsc {
        let why = format!("{} is the kernel's own and is not calibrated", summary.plan.clock);
        return Check::unavailable(name, unit, why);
    }
    let Some(evidence) = &summary.evidence else {
        return Check::unavailable(name, unit, KILLED);
    };
    let Some(calibration) = evidence.calibration else {
        return Check::unavailable(name, unit, "the run kept no calibration");
    };
    let error = calibration.error_bound_ppm.max(calibration.drift_ppm.unwrap_or(0.0).abs());
    let limits = Limits { suspect: 10.0, invalid: 100.0 };
    let remedy = "the time stamp counter is off: try --clock monotonic, or a longer run";
    Check::judged(name, (error, unit), limits, remedy)
}

/// What the kernel and the rings counted against us.
fn kernel_counts(summary: &Summary) -> [Check; 4] {
    let evidence = summary.evidence.as_ref();
    let count = |name, limits, remedy, of: &dyn Fn(&Evidence) -> Option<u64>| match evidence {
        None => Check::unavailable(name, "", KILLED),
        Some(evidence) => match of(evidence) {
            None => Check::unavailable(name, "", "the kernel did not tell"),
            Some(count) => Check::counted(name, count, limits, remedy),
        },
    };
    [
        count(
            "log_lost",
            NONE_OR_INVALID,
            "records found no room: a faster disk for -o, or --log 1/N",
            &|_| Some(summary.tally.log_lost),
        ),
        count(
            "cq_overflows",
            NONE_OR_SUSPECT,
            "the completion queue overflowed: more shards (-t), or a lower -c",
            &|evidence| Some(evidence.shards.iter().map(|s| s.cq_overflows).sum()),
        ),
        count(
            "buffers_exhausted",
            NONE_OR_SUSPECT,
            "receive buffers ran out and answers waited: more shards (-t), or a lower -c",
            &|evidence| Some(evidence.shards.iter().map(|s| s.buffers_exhausted).sum()),
        ),
        count(
            "iowq_threads",
            NONE_OR_SUSPECT,
            "the kernel ran operations in threads of its own: a kernel of 6.11 or newer avoids it",
            &|evidence| evidence.resources.iowq_threads,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::sample::Run;
    use crate::unit::Nanos;

    #[track_caller]
    fn check(run: &Run, name: &str, state: State) -> Check {
        let summary = run.summary();
        let found = summary.checks.iter().find(|check| check.name == name).unwrap().clone();
        assert_eq!(found.state, state, "{found:?}");
        found
    }

    #[test]
    fn an_undisturbed_run_is_valid() {
        let summary = Run::steady().summary();
        assert_eq!(summary.verdict, Verdict::Valid, "{:?}", summary.checks);
        assert!(summary.checks.iter().all(|check| check.state == State::Ok));
    }

    #[test]
    fn a_killed_run_is_suspect_and_claims_nothing_it_cannot_know() {
        let mut run = Run::steady();
        run.is_killed = true;
        check(&run, "log_unfinished", State::Suspect);
        check(&run, "log_lost", State::Unavailable);
        check(&run, "clock_error", State::Unavailable);
        assert_eq!(run.summary().verdict, Verdict::Suspect);
        assert_eq!(run.summary().tally.sessions_ok, 1000);
    }

    #[test]
    fn a_counter_that_the_records_do_not_bear_out_is_invalid() {
        let mut run = Run::steady();
        run.shards[0].requests.pop();
        assert_eq!(check(&run, "counters_records_apart", State::Invalid).value, Some(1.0));
    }

    #[test]
    fn a_session_that_is_nowhere_is_invalid() {
        let mut run = Run::steady();
        run.shards[0].evidence.tally.sessions_planned += 2;
        assert_eq!(check(&run, "sessions_planned_apart", State::Invalid).value, Some(2.0));
    }

    #[test]
    fn a_slow_target_is_not_our_shortfall_and_a_slow_generator_is() {
        let slow_target = Run::of_responses(1000, |k| (Nanos(k * 1_000_000), Nanos::ZERO));
        check(&slow_target, "sent_shortfall", State::Ok);
        let slow_generator = Run::of_responses(1000, |k| (Nanos::ZERO, Nanos(k * 1_000_000)));
        let found = check(&slow_generator, "sent_shortfall", State::Invalid);
        assert!((found.value.unwrap() - 50.0).abs() < 0.1, "{found:?}");
    }

    #[test]
    fn lag_is_judged_by_its_share_of_the_response() {
        let lag =
            |micros: u64| Run::of_responses(1000, move |_| (Nanos::ZERO, Nanos(micros * 1000)));
        check(&lag(1), "lag_share", State::Ok);
        check(&lag(40), "lag_share", State::Suspect);
        check(&lag(900), "lag_share", State::Invalid);
        let few = Run::of_responses(19, |_| (Nanos::ZERO, Nanos::ZERO));
        check(&few, "lag_share", State::Unavailable);
    }

    #[test]
    fn a_closed_loop_is_not_judged_by_a_rate() {
        let mut run = Run::steady();
        run.plan.rate = Rate::Max;
        check(&run, "lag_share", State::Unavailable);
        check(&run, "sent_shortfall", State::Unavailable);
    }

    #[test]
    fn a_clock_is_judged_by_its_error() {
        let clock = |error_bound_ppm| {
            let mut run = Run::steady();
            run.evidence.calibration.as_mut().unwrap().error_bound_ppm = error_bound_ppm;
            run
        };
        check(&clock(9.0), "clock_error", State::Ok);
        check(&clock(11.0), "clock_error", State::Suspect);
        check(&clock(101.0), "clock_error", State::Invalid);
        let mut run = Run::steady();
        run.plan.clock = ClockName::Monotonic;
        check(&run, "clock_error", State::Unavailable);
    }

    #[test]
    fn every_check_has_a_cure_and_a_name_of_its_own() {
        let checks = Run::steady().summary().checks;
        for (i, check) in checks.iter().enumerate() {
            assert!(!check.remedy.is_empty(), "{}", check.name);
            assert!(checks[..i].iter().all(|other| other.name != check.name), "{}", check.name);
        }
    }
}
