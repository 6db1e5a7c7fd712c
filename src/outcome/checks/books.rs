//! Whether the books balance: what was counted in different ways has to come to the same.

use super::{Check, KILLED, Limits, NONE_OR_INVALID, NONE_OR_SUSPECT, Subject, is_watching};
use crate::evidence::{Evidence, UpdatesSeen};
use crate::outcome::Summary;
use crate::plan::LogMode;

const DEFECT: &str = "a defect of this tool, please report it with the log";

pub(super) fn checks(summary: &Summary) -> Vec<Check> {
    let mut checks = vec![log_ended(summary), nothing_counted(summary)];
    checks.extend(identities(summary));
    checks.extend([counters_are_records(summary), littles_law(summary), cut_short(summary)]);
    checks.extend(slips_are_records(summary));
    checks
}

fn log_ended(summary: &Summary) -> Check {
    let log = summary.plan.log;
    let remedy = format!("the run was killed: the figures are those of its records (--log {log})");
    Subject::count("log_unfinished", "logs without an end").counted(
        u64::from(!summary.clues.has_ended),
        NONE_OR_SUSPECT,
        remedy,
    )
}

/// A run that ended in its warm-up, a rate without an arrival, a cut beyond the end: no figure is
/// wrong, since there is none.
fn nothing_counted(summary: &Summary) -> Check {
    let subject = Subject::count("nothing_counted", "reports that count no request");
    if is_watching(summary) {
        let says = "reports that count no update";
        return nothing_came(summary, Subject { says, ..subject });
    }
    let is_empty = summary.tally.outcomes.iter().all(|&count| count == 0);
    let remedy = "no request falls into it: a longer run, a higher rate, or a wider cut";
    subject.counted(u64::from(is_empty), NONE_OR_SUSPECT, remedy)
}

fn nothing_came(summary: &Summary, subject: Subject) -> Check {
    let Some(watching) = &summary.watching else { return subject.unavailable(KILLED) };
    let is_empty = watching.updates.received == 0;
    let remedy = "none came in the measure phase: do the channels change? Else a longer run";
    subject.counted(u64::from(is_empty), NONE_OR_SUSPECT, remedy)
}

fn identities(summary: &Summary) -> [Check; 4] {
    let t = &summary.tally;
    let holds = |name, says, whole: u64, parts: &[u64]| {
        let apart = whole.abs_diff(parts.iter().sum());
        Subject::count(name, says).counted(apart, NONE_OR_INVALID, DEFECT)
    };
    [
        holds(
            "sessions_planned_apart",
            "sessions planned, and neither started, dropped nor unserved",
            t.sessions_planned,
            &[t.sessions_started, t.sessions_dropped, t.sessions_unserved],
        ),
        holds(
            "sessions_started_apart",
            "sessions started, and neither ok, failed nor in flight",
            t.sessions_started,
            &[t.sessions_ok, t.sessions_failed, t.sessions_in_flight],
        ),
        holds(
            "requests_sent_apart",
            "requests sent, and neither ok, failed nor in flight",
            t.requests_sent,
            &[t.requests_ok, t.requests_failed, t.requests_in_flight],
        ),
        holds(
            "outcomes_apart",
            "requests that have no outcome, or two",
            t.outcomes.iter().sum(),
            &[t.requests_ok, t.requests_failed, t.sessions_dropped, t.sessions_unserved],
        ),
    ]
}

fn counters_are_records(summary: &Summary) -> Check {
    let subject = Subject::count("counters_records_apart", "requests not both counted and logged");
    match summary.clues.difference {
        Some(apart) => subject.counted(
            // Records that found no room are a check of their own.
            apart.saturating_sub(summary.tally.log_lost),
            NONE_OR_INVALID,
            "records are missing or damaged: was the log cut or copied while the run went on?",
        ),
        None if summary.plan.log != LogMode::All => {
            subject.unavailable(format!("the log keeps {}", summary.plan.log))
        }
        None => subject.unavailable(KILLED),
    }
}

/// Of a run that watches: whether the log holds every update that was not the next.
fn slips_are_records(summary: &Summary) -> Option<Check> {
    if !is_watching(summary) {
        return None;
    }
    let subject = Subject::count(
        "slips_records_apart",
        "updates lost, duplicate or backwards, not both counted and logged",
    );
    let log = summary.plan.log;
    Some(match &summary.watching {
        _ if log == LogMode::Nothing => subject.unavailable(format!("the log keeps {log}")),
        None => subject.unavailable(KILLED),
        // One that found no room may tell of any number: that is a check of its own.
        Some(_) if summary.tally.log_lost > 0 => subject.unavailable("records found no room"),
        Some(watching) => {
            let faults = |seen: &UpdatesSeen| [seen.lost, seen.duplicate, seen.backwards];
            let pairs = faults(&watching.updates).into_iter().zip(faults(&summary.slips));
            subject.counted(
                pairs.map(|(counted, logged)| counted.abs_diff(logged)).sum(),
                NONE_OR_INVALID,
                "records are missing or damaged: was the log cut or copied while the run went on?",
            )
        }
    })
}

/// Little's law in the form that holds for every run, steady or not, that begins and ends with
/// nothing under way: the number of open sessions, summed up over time by the loop, is the sum
/// of the times that the records say they were open. Divided by the length of the run that is
/// `L = lambda * W`.
fn littles_law(summary: &Summary) -> Check {
    let subject = Subject::share("littles_law_apart", "|L - lambda W| / L");
    let Some(evidence) = &summary.evidence else { return subject.unavailable(KILLED) };
    if summary.plan.log != LogMode::All {
        return subject.unavailable(format!("the log keeps {}", summary.plan.log));
    }
    if summary.tally.sessions_in_flight > 0 || summary.tally.log_lost > 0 {
        return subject.unavailable("sessions are not in the log: in flight at the end, or lost");
    }
    let integrals = evidence.shards.iter().map(|shard| shard.open_ns.map(u128::from));
    let Some(counted) = integrals.sum::<Option<u128>>() else {
        return subject.unavailable("the run kept no account of it");
    };
    let apart = counted.abs_diff(summary.clues.open_ns) as f64 / counted.max(1) as f64;
    let limits = Limits { suspect: f64::INFINITY, invalid: 1.0 };
    subject.judged(100.0 * apart, limits, DEFECT)
}

/// What ended a run before its time, other than a signal.
fn cut_short(summary: &Summary) -> Check {
    let subject = Subject::count("cut_short", "ends before the time");
    match &summary.evidence {
        None => subject.unavailable(KILLED),
        Some(Evidence { cut_short: None, .. }) => {
            subject.counted(0, NONE_OR_SUSPECT, "what ended it is said")
        }
        Some(Evidence { cut_short: Some(why), .. }) => {
            subject.counted(1, NONE_OR_SUSPECT, why.as_str())
        }
    }
}
