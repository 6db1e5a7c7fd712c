//! The verdict with its reason, and what every check, gate and notice has to say.

use super::figures::{UNKNOWN, counted, number, time};
use super::text::line;
use crate::outcome::{Check, Metric, State, Summary, Verdict};
use crate::stats::SAMPLES_BEYOND_MIN;

/// Reasons that the verdict's line gives; the rest are told below it.
const REASONS_MAX: usize = 3;

/// `SUSPECT: p99.9 that may be our own doing 36.7 % (limit 10 %)`.
pub(super) fn verdict(summary: &Summary, colour: bool) -> String {
    let word = summary.verdict.as_str();
    let paint = match summary.verdict {
        Verdict::Valid => "\x1b[1;32m",
        Verdict::Suspect => "\x1b[1;33m",
        Verdict::Invalid => "\x1b[1;31m",
    };
    let why = reasons(summary);
    if colour { format!("{paint}{word}\x1b[0m: {why}\n") } else { format!("{word}: {why}\n") }
}

fn reasons(summary: &Summary) -> String {
    let in_state = |state| summary.checks.iter().filter(move |check| check.state == state);
    let found: Vec<&Check> = in_state(State::Invalid).chain(in_state(State::Suspect)).collect();
    if found.is_empty() {
        let ok = counted(in_state(State::Ok).count() as u64, "check");
        return match in_state(State::Unavailable).filter(|check| !check.is_moot).count() {
            0 => format!("{ok} ok"),
            n => format!("{ok} ok, {n} unavailable"),
        };
    }
    let shown = found.iter().take(REASONS_MAX);
    let mut reasons: Vec<String> = shown.map(|check| seen(check.says, check)).collect();
    match found.len().saturating_sub(REASONS_MAX) {
        0 => {}
        more => reasons.push(format!("and {more} more")),
    }
    reasons.join(", ")
}

/// `own_share_p50 36.7 % (limit 10 %)`.
pub(super) fn seen(name: &str, check: &Check) -> String {
    let unit = if check.unit.is_empty() { String::new() } else { format!(" {}", check.unit) };
    let figure = |value: Option<f64>| value.map_or_else(|| UNKNOWN.to_owned(), number);
    let (value, limit) = (figure(check.value), figure(check.limit));
    format!("{name} {value}{unit} (limit {limit}{unit})")
}

/// Checks that found something or could not look, gates, and the notices of the run.
pub(super) fn list(summary: &Summary) -> String {
    let mut out = String::new();
    let is_found = |check: &&Check| matches!(check.state, State::Suspect | State::Invalid);
    for check in summary.checks.iter().filter(is_found) {
        let what = seen(check.name, check);
        line(&mut out, check.state.as_str(), format_args!("{what}: {}", check.remedy));
    }
    for (names, why) in unavailable(summary) {
        line(&mut out, State::Unavailable.as_str(), format_args!("{}: {why}", names.join(", ")));
    }
    gates(summary, &mut out);
    for notice in notices(summary) {
        line(&mut out, "notice", notice);
    }
    out
}

/// What the run had to say, and whether it came to the precision that it was to go on for.
pub(super) fn notices(summary: &Summary) -> Vec<String> {
    let said = summary.evidence.iter().flat_map(|evidence| &evidence.notices);
    said.cloned().chain(summary.forced()).chain(missed(summary)).collect()
}

/// `p99 is known to +-12 %, and not to +-5 %, ...` where `--target-ci` was not reached.
fn missed(summary: &Summary) -> Option<String> {
    let wanted = summary.plan.target_ci.filter(|_| summary.cut.is_none())?;
    let (at, asked) = (wanted.quantile, f64::from(wanted.share_ppm) / 1e6);
    let percent = |share: f64| number(100.0 * share);
    match summary.error_bar(at) {
        Some(known) if known <= asked => None,
        Some(known) => Some(format!(
            "{at} is known to +-{} %, and not to +-{} %: it takes a longer --max-duration",
            percent(known),
            percent(asked),
        )),
        None => {
            let why = match summary.verdict {
                Verdict::Invalid => "an INVALID run has no error bars",
                _ if summary.regime.is_overloaded => "without a steady state it has no error bar",
                _ => "it takes more samples, by a longer --max-duration",
            };
            Some(format!("{at} is not known to +-{} %: {why}", percent(asked)))
        }
    }
}

/// Checks that could not look, though there was something to see; those with the same reason
/// together.
fn unavailable(summary: &Summary) -> Vec<(Vec<&str>, &str)> {
    let mut groups: Vec<(Vec<&str>, &str)> = Vec::new();
    let is_missed = |check: &&Check| check.state == State::Unavailable && !check.is_moot;
    for check in summary.checks.iter().filter(is_missed) {
        match groups.iter_mut().find(|(_, why)| *why == check.remedy) {
            Some((names, _)) => names.push(check.name),
            None => groups.push((vec![check.name], &check.remedy)),
        }
    }
    groups
}

fn gates(summary: &Summary, out: &mut String) {
    for judged in &summary.gates {
        let value = match (judged.value, judged.gate.metric) {
            (None, Metric::Response(quantile)) => {
                let samples = counted(quantile.samples_for(SAMPLES_BEYOND_MIN), "sample");
                format!("{UNKNOWN}, needs {samples}")
            }
            (None, _) => UNKNOWN.to_owned(),
            (Some(percent), Metric::Errors) => format!("{}%", number(percent)),
            (Some(rate), Metric::Rate) => number(rate),
            (Some(nanos), _) => time(nanos),
        };
        let state = if judged.is_met { "gate kept" } else { "gate BROKEN" };
        line(out, state, format_args!("{}: {value}", judged.gate));
    }
}
