//! The table of times: each series at its percentiles, with error bars and our own share.

use std::fmt::Write as _;

use super::figures::{PERCENTILES, maybe_time, number};
use super::text::has_requests;
use super::updates;
use crate::outcome::Summary;
use crate::stats::{Bounds, Distribution, Unbounded};
use crate::unit::Quantile;

/// Where a percentile of the response lies.
pub(super) fn response_bounds(summary: &Summary, at: Quantile) -> Option<Bounds> {
    bounds(summary, at).ok().filter(|_| summary.has_truth())
}

/// As [`response_bounds`], of the service.
pub(super) fn service_bounds(summary: &Summary, at: Quantile) -> Option<Bounds> {
    let blocks = &summary.confidence.service;
    let bounds = blocks.bounds(&summary.figures.service, at).ok();
    bounds.filter(|_| summary.has_truth())
}

/// How many samples like these it takes to say where a percentile of the response lies, where
/// they are too few.
pub(super) fn samples_needed(summary: &Summary, at: Quantile) -> Option<u64> {
    match bounds(summary, at) {
        Err(Unbounded::Needs(samples)) if summary.has_truth() => Some(samples),
        _ => None,
    }
}

fn bounds(summary: &Summary, at: Quantile) -> Result<Bounds, Unbounded> {
    summary.confidence.response.bounds(&summary.figures.response, at)
}

/// What there is of updates and of requests.
pub(super) fn tables(summary: &Summary) -> String {
    let of_updates = summary.watching.as_ref().map(updates::times).unwrap_or_default();
    match (has_requests(summary), of_updates.is_empty()) {
        (true, true) => of_requests(summary),
        (true, false) => of_updates + "\n" + &of_requests(summary),
        (false, _) => of_updates,
    }
}

/// The table, and under it what its percentiles lack.
fn of_requests(summary: &Summary) -> String {
    let figures = &summary.figures;
    let mut out = format!("{:<11}", "");
    for quantile in PERCENTILES {
        let _ = write!(out, "{:>8}", quantile.to_string());
    }
    let _ = writeln!(out, "{:>8}{:>10}", "max", "samples");
    series(&mut out, "response", &figures.response);
    row(&mut out, "  ci95", |at| error_bar(summary, at));
    row(&mut out, "  ours <=", |at| maybe_time(summary.ours.at(at)));
    series(&mut out, "service", &figures.service);
    series(&mut out, "wait", &figures.wait);
    series(&mut out, "lag", &figures.lag);
    if summary.plan.fresh {
        series(&mut out, "connect", &figures.connect);
        series(&mut out, "first byte", &figures.first_byte);
    }
    let _ = write!(out, "{:<11}", "beyond");
    for quantile in PERCENTILES {
        let _ = write!(out, "{:>8}", figures.response.samples_beyond(quantile));
    }
    out.push_str("         samples of response\n");
    out + &lacking(summary)
}

fn series(out: &mut String, name: &str, distribution: &Distribution) {
    let _ = write!(out, "{name:<11}");
    for quantile in PERCENTILES {
        let _ = write!(out, "{:>8}", maybe_time(distribution.quantile(quantile)));
    }
    let _ = writeln!(out, "{:>8}{:>10}", maybe_time(distribution.max()), distribution.count());
}

fn row(out: &mut String, name: &str, cell: impl Fn(Quantile) -> String) {
    let _ = write!(out, "{name:<11}");
    for quantile in PERCENTILES {
        let _ = write!(out, "{:>8}", cell(quantile));
    }
    out.push('\n');
}

/// `+-1.2%`: half the width of the interval that holds the percentile 95 times in 100.
fn error_bar(summary: &Summary, at: Quantile) -> String {
    let value = summary.figures.response.quantile(at);
    match response_bounds(summary, at).zip(value) {
        Some((bounds, value)) => format!("+-{}%", digits2(100.0 * bounds.relative(value))),
        None => "n/a".into(),
    }
}

/// Two digits are enough for an error.
fn digits2(percent: f64) -> String {
    if percent < 9.95 { format!("{percent:.1}") } else { number(percent.round()) }
}

fn lacking(summary: &Summary) -> String {
    let needed = PERCENTILES.iter().filter_map(|&at| {
        let samples = samples_needed(summary, at)?;
        Some(format!("{at} {samples}"))
    });
    let needed: Vec<String> = needed.collect();
    if needed.is_empty() || summary.figures.response.count() == 0 {
        return String::new();
    }
    format!("{:<11} {} samples for an error bar\n", "needs", needed.join(", "))
}
