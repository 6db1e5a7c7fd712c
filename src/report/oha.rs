//! The report in the keys of oha's JSON, for what already reads that. Times are seconds; what we
//! do not measure is `null`.

use serde_json::{Map, Value, json};

use super::errors;
use crate::evidence::Outcome;
use crate::outcome::{SeriesName, Summary};
use crate::stats::Distribution;
use crate::unit::{Nanos, Quantile};

/// The percentiles of oha, in millionths.
const PERCENTILES: [(&str, u32); 9] = [
    ("p10", 100_000),
    ("p25", 250_000),
    ("p50", 500_000),
    ("p75", 750_000),
    ("p90", 900_000),
    ("p95", 950_000),
    ("p99", 990_000),
    ("p99.9", 999_000),
    ("p99.99", 999_900),
];

/// Bars of the histogram.
const BARS: u32 = 11;

/// Writes the report with this series as the response time, a line break at its end.
pub fn write(summary: &Summary, latency: SeriesName) -> String {
    let (tally, times) = (&summary.tally, summary.figures.of_series(latency));
    let asked: u64 = tally.outcomes.iter().sum();
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let report = json!({
        "summary": {
            "successRate": share(tally.requests_ok, asked),
            "total": summary.measured.as_secs_f64(),
            "slowest": times.max().map(Nanos::as_secs_f64),
            "fastest": times.min().map(Nanos::as_secs_f64),
            "average": times.mean().map(|mean| mean / 1e9),
            "requestsPerSec": summary.rates.requests_per_s,
            "totalData": tally.bytes_received,
            "sizePerRequest": share(tally.bytes_received, tally.requests_ok),
            "sizePerSec": summary.rates.bytes_received_per_s,
        },
        "responseTimeHistogram": bars(times),
        "latencyPercentiles": percentiles(|at| times.nearest_rank(at).map(Nanos::as_secs_f64)),
        "rps": rps(summary),
        "details": {
            "DNSDialup": triple(&summary.figures.connect),
            // Names are resolved once, before the run.
            "DNSLookup": {"average": null, "fastest": null, "slowest": null},
        },
        "statusCodeDistribution": statuses(summary),
        "errorDistribution": failures(summary),
    });
    format!("{report:#}\n")
}

fn percentiles(value: impl Fn(Quantile) -> Option<f64>) -> Value {
    let at = PERCENTILES.iter().map(|(name, at)| ((*name).to_owned(), json!(value(Quantile(*at)))));
    Value::Object(at.collect())
}

fn triple(times: &Distribution) -> Value {
    json!({
        "average": times.mean().map(|mean| mean / 1e9),
        "fastest": times.min().map(Nanos::as_secs_f64),
        "slowest": times.max().map(Nanos::as_secs_f64),
    })
}

/// Bars of equal width from the least sample to the largest, each under its upper edge.
fn bars(times: &Distribution) -> Value {
    let mut bars = Map::new();
    if let (Some(min), Some(max)) = (times.min(), times.max()) {
        let edge =
            |i: u32| min.0 + ((max.0 - min.0) as u128 * u128::from(i) / u128::from(BARS)) as u64;
        for i in 1..=BARS {
            let beyond = |at: u64, is_end: bool| match is_end {
                true => 0,
                false => times.count_from(Nanos(at)),
            };
            let count = beyond(edge(i - 1), false).saturating_sub(beyond(edge(i), i == BARS));
            bars.insert(Nanos(edge(i)).as_secs_f64().to_string(), json!(count));
        }
    }
    Value::Object(bars)
}

/// Requests that ended in a second, divided by `parts`, for each interval of the timeline that
/// lies in the measure phase.
pub(super) fn rates(summary: &Summary, parts: f64) -> Vec<f64> {
    let timeline = &summary.timeline;
    let width = timeline.width();
    let whole = (summary.measured.0 / width.0.max(1)) as usize;
    let ended = timeline
        .intervals()
        .iter()
        .take(whole)
        .map(|interval| interval.outcome(Outcome::Ok) as f64 / width.as_secs_f64() / parts);
    ended.collect()
}

fn rps(summary: &Summary) -> Value {
    let mut rates = rates(summary, 1.0);
    rates.sort_by(f64::total_cmp);
    let count = rates.len() as f64;
    let mean = (count > 0.0).then(|| rates.iter().sum::<f64>() / count);
    let stddev =
        mean.map(|mean| (rates.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / count).sqrt());
    let at = |quantile: Quantile| {
        let rank = (f64::from(quantile.0) / 1e6 * count).ceil().max(1.0) as usize;
        rates.get(rank - 1).copied()
    };
    json!({
        "mean": mean,
        "stddev": stddev,
        "max": rates.last(),
        "min": rates.first(),
        "percentiles": percentiles(at),
    })
}

fn statuses(summary: &Summary) -> Value {
    let mut statuses = summary.tally.statuses.clone();
    statuses.sort_by_key(|seen| seen.status);
    let counts = statuses.iter().map(|seen| (seen.status.to_string(), json!(seen.count)));
    Value::Object(counts.collect())
}

fn failures(summary: &Summary) -> Value {
    let mut counts: Map<String, Value> = Map::new();
    for failure in errors::of(&summary.tally, &summary.plan) {
        let kind = format!("{}: {}", failure.count.step, failure.name);
        let before = counts.get(&kind).and_then(Value::as_u64).unwrap_or(0);
        counts.insert(kind, json!(before + failure.count.count));
    }
    Value::Object(counts)
}
