//! The run in intervals of time, a row for each.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::figures::maybe_time;
use crate::evidence::Outcome;
use crate::outcome::{Summary, Timeline};
use crate::stats::Coarse;
use crate::unit::{Nanos, Quantile};

/// The columns of the CSV. Arrivals, sends and ends are counted in the interval in which they
/// were; response stands in the interval of the intended time, to two digits.
const COLUMNS: [&str; 10] = [
    "start_s",
    "length_s",
    "planned",
    "sent",
    "ok",
    "errors",
    "in_flight",
    "response_p50_ns",
    "response_p99_ns",
    "response_max_ns",
];

/// An interval, for reports.
struct Row {
    start: Nanos,
    length: Nanos,
    planned: u64,
    sent: u64,
    ok: u64,
    /// Ends of any other kind.
    errors: u64,
    /// Requests between their send and their end, on average.
    in_flight: f64,
    p50: Option<Nanos>,
    p99: Option<Nanos>,
    max: Option<Nanos>,
}

fn rows(timeline: &Timeline) -> impl Iterator<Item = Row> {
    let length = timeline.width();
    let intervals = (0..).zip(timeline.intervals()).zip(timeline.levels());
    intervals.map(move |((number, interval), level)| {
        let ok = interval.outcome(Outcome::Ok);
        let at = |millionths| interval.response.nearest_rank(Quantile(millionths));
        Row {
            start: Nanos(number * length.0),
            length,
            planned: interval.planned,
            sent: interval.sent(),
            ok,
            errors: interval.outcomes.iter().sum::<u64>() - ok,
            in_flight: level.in_flight,
            p50: at(500_000),
            p99: at(990_000),
            max: largest(&interval.response),
        }
    })
}

/// To the two digits that it keeps.
fn largest(times: &Coarse) -> Option<Nanos> {
    times.nearest_rank(Quantile(1_000_000))
}

/// A table for people.
pub(super) fn text(summary: &Summary) -> String {
    let mut out = format!(
        "{:>9}{:>9}{:>9}{:>9}{:>9}{:>10}{:>8}{:>8}{:>8}\n",
        "from", "planned", "sent", "ok", "errors", "in flight", "p50", "p99", "max"
    );
    for row in rows(&summary.timeline) {
        let _ = writeln!(
            out,
            "{:>8.3}s{:>9}{:>9}{:>9}{:>9}{:>10.1}{:>8}{:>8}{:>8}",
            row.start.as_secs_f64(),
            row.planned,
            row.sent,
            row.ok,
            row.errors,
            row.in_flight,
            maybe_time(row.p50),
            maybe_time(row.p99),
            maybe_time(row.max),
        );
    }
    out
}

/// A line for each interval, below the names of the columns.
pub fn csv(summary: &Summary) -> String {
    let mut out = format!("{}\n", COLUMNS.join(","));
    let nanos = |time: Option<Nanos>| time.map_or_else(String::new, |time| time.0.to_string());
    for row in rows(&summary.timeline) {
        let _ = writeln!(
            out,
            "{:.6},{:.6},{},{},{},{},{:.3},{},{},{}",
            row.start.as_secs_f64(),
            row.length.as_secs_f64(),
            row.planned,
            row.sent,
            row.ok,
            row.errors,
            row.in_flight,
            nanos(row.p50),
            nanos(row.p99),
            nanos(row.max),
        );
    }
    out
}

/// The rows under the names of the columns.
pub(super) fn json(summary: &Summary) -> Value {
    let rows = rows(&summary.timeline).map(|row| {
        json!({
            "start_s": row.start.as_secs_f64(),
            "length_s": row.length.as_secs_f64(),
            "planned": row.planned,
            "sent": row.sent,
            "ok": row.ok,
            "errors": row.errors,
            "in_flight": row.in_flight,
            "response_p50_ns": row.p50.map(|time| time.0),
            "response_p99_ns": row.p99.map(|time| time.0),
            "response_max_ns": row.max.map(|time| time.0),
        })
    });
    rows.collect()
}
